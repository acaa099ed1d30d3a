/* SPDX-License-Identifier: GPL-2.0 */
/* One request and its answer; what they mean is the command's matter, printing too. */
#include "control/client.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/text.h"
#include "control/protocol.h"

/* No daemon answers that much: some 1,000 jobs are half a megabyte. */
#define ANSWER_MAX	(64 * 1024 * 1024)

/* Fails with `error` and a message, to be read by whoever started the command. */
static int call_fails(int error, char **ret_error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int call_fails(int error, char **ret_error, const char *format, ...)
{
	va_list arguments;

	if (!ret_error)
		return error;
	va_start(arguments, format);
	if (vasprintf(ret_error, format, arguments) < 0)
		*ret_error = NULL;
	va_end(arguments);
	return error;
}

static int daemon_connect(const char *path, char **ret_error)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = CONTROL_CALL_TIME_S };

	if (strlen(path) > CONTROL_PATH_MAX)
		return call_fails(-ENAMETOOLONG, ret_error,
				  "the socket's path '%s' is longer than the %d bytes a socket's path may have",
				  path, CONTROL_PATH_MAX);
	text_copy(address.sun_path, sizeof(address.sun_path), path);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)))
		return call_fails(-errno, ret_error, "cannot open a socket: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return call_fails(-errno, ret_error,
				  "no daemon answers at %s: %s; is buildfence.service running?",
				  path, strerror(errno));
	return TAKE_FD(fd);
}

static int request_send(int fd, const json_t *request)
{
	_cleanup_free_ char *json = json_dumps(request, JSON_COMPACT | JSON_ENSURE_ASCII);
	size_t length, sent = 0;

	if (!json)
		return -ENOMEM;
	length = strlen(json);
	if (length + 1 > CONTROL_REQUEST_MAX)
		return -E2BIG;
	json[length++] = '\n';	/* in place of its NUL */
	while (sent < length) {
		ssize_t n = send(fd, json + sent, length - sent, MSG_NOSIGNAL);

		/* Refused before it was read: the answer says why. */
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			sent += (size_t)n;
	}
	return 0;
}

/* Takes bytes up to the newline and not one more: what is behind is the stream's. */
static int answer_read(int fd, struct text *answer)
{
	char bytes[4096];

	while (answer->len < ANSWER_MAX) {
		ssize_t length = recv(fd, bytes, sizeof(bytes), MSG_PEEK);
		const char *newline;

		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return length ? -errno : -ECONNRESET;
		newline = memchr(bytes, '\n', (size_t)length);
		if (newline)
			length = newline - bytes + 1;
		length = recv(fd, bytes, (size_t)length, 0);
		if (length < 0)
			return -errno;
		text_add(answer, bytes, (size_t)length);
		if (newline)
			return answer->failed ? -ENOMEM : 0;
	}
	return -EMSGSIZE;
}

static int answer_judge(const char *path, json_t *answer, char **ret_error)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	_cleanup_free_ char *safe = NULL;

	if (json_is_true(json_object_get(answer, "ok")))
		return 0;
	if (!error)
		return call_fails(-EPROTO, ret_error,
				  "what answers at %s is no buildfence daemon, or one of another version",
				  path);
	safe = escape_again(error);
	return call_fails(-EREMOTEIO, ret_error, "%s", safe ? safe : "out of memory");
}

static int call_error(const char *path, int error, char **ret_error)
{
	switch (error) {
	case -EAGAIN:
		return call_fails(-ETIMEDOUT, ret_error,
				  "the daemon at %s did not answer within %d s; `systemctl status buildfence` says how it is",
				  path, CONTROL_CALL_TIME_S);
	case -E2BIG:
		return call_fails(error, ret_error, "the request is longer than %d bytes",
				  CONTROL_REQUEST_MAX);
	case -ECONNRESET:
		return call_fails(error, ret_error,
				  "the daemon at %s closed the connection without an answer; try again",
				  path);
	default:
		return call_fails(error, ret_error, "cannot ask the daemon at %s: %s", path,
				  strerror(-error));
	}
}

int control_call(const char *socket_path, const json_t *request, json_t **ret_answer,
		 int *ret_stream_fd, char **ret_error)
{
	_cleanup_close_ int fd = daemon_connect(socket_path, ret_error);
	struct timeval forever = {};
	_cleanup_text_ struct text line = {};
	json_t *answer;
	int error;

	if (fd < 0)
		return fd;
	error = request_send(fd, request);
	if (!error)
		error = answer_read(fd, &line);
	if (error)
		return call_error(socket_path, error, ret_error);
	answer = json_loadb(line.bytes, line.len, 0, NULL);
	error = answer_judge(socket_path, answer, ret_error);
	if (error) {
		json_decref(answer);
		return error;
	}
	*ret_answer = answer;
	if (ret_stream_fd) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
		*ret_stream_fd = TAKE_FD(fd);
	}
	return 0;
}
