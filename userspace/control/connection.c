/* SPDX-License-Identifier: GPL-2.0 */
/* One client: its request is read, answered, and the place is free again. Sending is stream.c's. */
#include "control/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/loop.h"
#include "control/protocol.h"
#include "control/request.h"

/* How long an answer may wait for its reader. */
#define ANSWER_TIME_S	30

#define AS_TEXT_(number)	#number
#define AS_TEXT(number)		AS_TEXT_(number)

void client_end(struct client *client)
{
	struct control *control = client->control;

	loop_fd_remove(control->loop, client->fd);
	close(client->fd);
	free(client->peer.cgroup);
	free(client->request);
	text_free(&client->out);
	if (client->past)
		fclose(client->past);
	free(client->past_only);
	*client = (struct client){};
	control->clients_count--;
}

void client_await(struct client *client, bool room)
{
	if (room == client->awaits_room)
		return;
	client->awaits_room = room;
	if (loop_fd_change(client->control->loop, client->fd, room ? EPOLLOUT : 0))
		client_end(client);
}

/* --- answers --- */

static json_t *error_body(const char *message)
{
	_cleanup_free_ char *escaped = NULL;
	json_t *body = json_pack("{s:b, s:s}", "ok", 0, "error", message);

	/* Invalid UTF-8 that somebody forgot to escape. */
	if (!body) {
		escaped = escape_string(message, 512);
		body = json_pack("{s:b, s:s}", "ok", 0, "error",
				 escaped ? escaped : "out of memory");
	}
	return body;
}

void control_answer_error(struct control_answer *ret_answer, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&message, format, arguments) < 0)
		message = NULL;
	va_end(arguments);
	json_decref(ret_answer->body);
	ret_answer->body = error_body(message ? message : "out of memory");
}

static void answer_free(struct control_answer *answer)
{
	json_decref(answer->body);
	close_fd(&answer->past_fd);
	free(answer->past_only);
}

/* The answer as one line. NULL: out of memory. */
static char *answer_line(const struct client *client, struct control_answer *answer)
{
	_cleanup_free_ char *line = NULL;

	if (!answer->body)
		control_answer_error(answer, "the daemon has no answer to this request");
	if (answer->body && !json_object_get(answer->body, "ok"))
		json_object_set_new(answer->body, "ok", json_true());
	line = json_dumps(answer->body, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (line && !client->peer.trusted && strlen(line) >= OUTPUT_MAX) {
		control_answer_error(answer, "the answer is longer than %d bytes", OUTPUT_MAX);
		free(line);
		line = json_dumps(answer->body, JSON_COMPACT | JSON_ENSURE_ASCII);
	}
	return TAKE_PTR(line);
}

/* Takes what follows the answer. Memory that runs out leaves the answer alone. */
static void answer_stream(struct client *client, struct control_answer *answer)
{
	struct stat status;
	off_t at;

	client->follow = answer->follow;
	client->job = answer->job;
	client->past_only = TAKE_PTR(answer->past_only);
	if (answer->past_fd >= 0 && !fstat(answer->past_fd, &status)) {
		at = lseek(answer->past_fd, 0, SEEK_CUR);
		client->past_left = answer->follow ? INT64_MAX : status.st_size - (at > 0 ? at : 0);
		client->past = fdopen(answer->past_fd, "r");
		if (client->past)
			TAKE_FD(answer->past_fd);
	}
	if (client->past)
		client->phase = CLIENT_PAST;
	else if (client->follow)
		client->phase = CLIENT_FOLLOWS;
}

void client_finish(struct client *client)
{
	client->phase = CLIENT_ENDS;
	client->deadline_ms = clock_ms(CLOCK_MONOTONIC) + ANSWER_TIME_S * 1000;
}

static void client_answer(struct client *client, struct control_answer *answer)
{
	_cleanup_free_ char *line = answer_line(client, answer);

	free(TAKE_PTR(client->request));
	client_finish(client);
	if (line) {
		text_add(&client->out, line, strlen(line));
		text_add(&client->out, "\n", 1);
	}
	if (answer->stream && json_is_true(json_object_get(answer->body, "ok")))
		answer_stream(client, answer);
	/* What else this client sends stays in its own socket buffer. */
	client->awaits_room = true;
	if (loop_fd_change(client->control->loop, client->fd, EPOLLOUT))
		client_end(client);
	else
		client_send(client);
}

static void client_refuse(struct client *client, char *message)
{
	struct control_answer answer = {
		.body = error_body(message ? message : "out of memory"),
		.past_fd = -1,
	};

	free(message);
	client_answer(client, &answer);
	answer_free(&answer);
}

/* --- requests --- */

static void client_request(struct client *client, size_t length)
{
	struct control *control = client->control;
	struct control_answer answer = { .past_fd = -1 };
	char *message = NULL;
	json_t *request;

	if (length + 1 < client->request_length) {
		message = request_quote("one request a connection, in one line; more came",
					client->request, client->request_length);
		client_refuse(client, message);
		return;
	}
	request = request_parse(client->request, length, &message);
	if (!request) {
		client_refuse(client, message);
		return;
	}
	control->answer(&client->peer, request, &answer, control->context);
	json_decref(request);
	client_answer(client, &answer);
	answer_free(&answer);
}

static void client_refuse_quoting(struct client *client, const char *message)
{
	client_refuse(client, request_quote(message, client->request, client->request_length));
}

static void client_read(struct client *client)
{
	const char *newline;
	ssize_t length;

	if (!client->request)
		client->request = malloc(CONTROL_REQUEST_MAX);
	if (!client->request) {
		client_end(client);
		return;
	}
	length = recv(client->fd, client->request + client->request_length,
		      CONTROL_REQUEST_MAX - client->request_length, MSG_DONTWAIT);
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length < 0 || (!length && !client->request_length)) {
		client_end(client);
		return;
	}
	client->request_length += (size_t)length;
	newline = memchr(client->request, '\n', client->request_length);
	if (newline)
		client_request(client, (size_t)(newline - client->request));
	else if (!length)
		client_refuse_quoting(client, "the request ended before its newline");
	else if (client->request_length == CONTROL_REQUEST_MAX)
		client_refuse_quoting(client, "the request is longer than "
				      AS_TEXT(CONTROL_REQUEST_MAX) " bytes");
}

void client_run(void *context)
{
	struct client *client = context;

	if (client->phase == CLIENT_READS)
		client_read(client);
	else if (client->awaits_room)
		client_send(client);
	else
		client_end(client);	/* nothing was waited for: the peer is gone */
}

void client_tick(struct client *client, int64_t now_ms)
{
	if (now_ms < client->deadline_ms)
		return;
	if (client->phase == CLIENT_READS)
		client_refuse_quoting(client, "no whole request came within "
				      AS_TEXT(CONTROL_REQUEST_TIME_S) " s");
	else if (client->phase == CLIENT_ENDS)
		client_end(client);
}
