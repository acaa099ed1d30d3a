/* SPDX-License-Identifier: GPL-2.0 */
/* What goes to a client: its answer, lines of the past, lines as they come. Nothing here waits. */
#include "control/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

/* Of a file of the past, in one turn: what is read, and what then may wait to be sent. */
#define PAST_READ	(256 * 1024)
#define PAST_WAITING	(64 * 1024)

static bool has_output(const struct client *client)
{
	return client->sent < client->out.len;
}

/* Returns 0 (all sent, or the socket is full), or -errno. */
static int out_send(struct client *client)
{
	while (has_output(client)) {
		ssize_t sent = send(client->fd, client->out.bytes + client->sent,
				    client->out.len - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (sent < 0)
			return -errno;
		client->sent += (size_t)sent;
	}
	/* Kept, a long answer's memory would stay as long as its reader follows. */
	text_free(&client->out);
	client->sent = 0;
	return 0;
}

static bool line_is_wanted(const struct client *client, const char *line, size_t length)
{
	if (line[length - 1] != '\n')
		return false;
	return !client->past_only ||
	       memmem(line, length, client->past_only, strlen(client->past_only));
}

static void past_end(struct client *client)
{
	fclose(client->past);
	client->past = NULL;
	client->phase = client->follow ? CLIENT_FOLLOWS : CLIENT_ENDS;
}

/* Takes the next lines of the past. What is published meanwhile is in the same file. */
static void past_read(struct client *client)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0, read = 0;

	while (read < PAST_READ && client->out.len < PAST_WAITING) {
		ssize_t length = client->past_left > 0 ? getline(&line, &size, client->past) : -1;

		if (length <= 0) {
			past_end(client);
			return;
		}
		client->past_left -= length;
		read += (size_t)length;
		if (line_is_wanted(client, line, (size_t)length))
			text_add(&client->out, line, (size_t)length);
	}
}

void client_send(struct client *client)
{
	if (client->out.failed || out_send(client)) {
		client_end(client);
		return;
	}
	if (!has_output(client) && client->lost) {
		text_printf(&client->out, "{\"lost\":%" PRIu64 "}\n", client->lost);
		client->lost = 0;
	} else if (!has_output(client) && client->phase == CLIENT_PAST) {
		past_read(client);
	}
	if (!has_output(client) && client->phase == CLIENT_ENDS) {
		client_end(client);
		return;
	}
	client_await(client, has_output(client) || client->phase == CLIENT_PAST);
}

/* Without cutting a line: all of it waits, or it is lost. */
static void client_line(struct client *client, const char *line, size_t length)
{
	if (client->lost || client->out.len - client->sent + length + 1 > OUTPUT_MAX) {
		client->lost++;
		return;
	}
	/* What was sent must not grow in front of what waits. */
	if (client->sent) {
		client->out.len -= client->sent;
		memmove(client->out.bytes, client->out.bytes + client->sent, client->out.len);
		client->sent = 0;
	}
	text_add(&client->out, line, length);
	text_add(&client->out, "\n", 1);
	/* A full socket is tried again when the loop says that there is room. */
	if (!client->awaits_room)
		client_send(client);
}

void client_publish(struct client *client, uint32_t job, const char *line, size_t length)
{
	if (client->phase == CLIENT_FOLLOWS && (!client->job || client->job == job))
		client_line(client, line, length);
}
