/* SPDX-License-Identifier: GPL-2.0 */
/* buildfence events: the daemon's records as they are, one JSON object a line. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/log.h"
#include "cmd.h"
#include "cmd_control.h"

static const struct argp_option options[] = {
	{ "follow", OPTION_FOLLOW, NULL, 0, "go on with records as they come", 0 },
	{ "job", OPTION_JOB, "NAME", 0, "only those of this job", 0 },
	{ "json", OPTION_JSON, NULL, 0, "one JSON object a line: they always are", 0 },
	SOCKET_OPTION,
	{},
};

/* Waits for records. Returns 1, 0 when nobody reads what we write any more, or -errno. */
static int records_await(int fd)
{
	struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = STDOUT_FILENO } };

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
			if (errno != EINTR)
				return -errno;
			continue;
		}
		if (fds[0].revents)
			return 1;
		if (fds[1].revents)
			return 0;
	}
}

static int bytes_write(const char *bytes, size_t length)
{
	while (length) {
		ssize_t written = write(STDOUT_FILENO, bytes, length);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			bytes += written;
			length -= (size_t)written;
		}
	}
	return 0;
}

/*
 * Until the daemon ends the stream: 0; or -errno, of which -EPIPE says that who read our output has
 * gone. Not through stdio, so that main() sees no failed stream then.
 */
static int records_pass(int fd)
{
	char bytes[16384], last = 0;

	for (;;) {
		_cleanup_text_ struct text out = {};
		int error = records_await(fd);
		ssize_t length;

		if (error <= 0)
			return error ? error : -EPIPE;
		length = recv(fd, bytes, sizeof(bytes), 0);
		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return length ? -errno : 0;
		escape_json(bytes, (size_t)length, &last, &out);
		error = out.failed ? -ENOMEM : bytes_write(out.bytes, out.len);
		if (error)
			return error;
	}
}

int cmd_events(int argc, char **argv)
{
	struct control_options parsed = {};
	_cleanup_json_ json_t *answer = NULL;
	_cleanup_close_ int fd = -1;
	int status, error;

	control_options_parse(argc, argv, options,
			      "Print records of what was refused, one JSON object a line. Who is not root "
			      "sees those of the own job only. {\"lost\":N} stands where N records were left "
			      "out because they were read too slowly; the records' file has them."
			      "\vExit status: 0; 1 the daemon does not answer, or has ended.",
			      &parsed);
	signal(SIGPIPE, SIG_IGN);
	status = control_ask(&parsed,
			     json_pack("{s:s, s:b, s:s*}", "request", "events", "follow",
				       parsed.follow, "job", parsed.job),
			     &answer, &fd);
	if (status)
		return status;
	error = records_pass(fd);
	if (error && error != -EPIPE) {
		log_error("cannot pass records on: %s", strerror(-error));
		return EXIT_FAILURE;
	}
	/* A job's stream ends with the job; that of all jobs only with the daemon. */
	if (!error && parsed.follow && !parsed.job) {
		log_error("the daemon ended the stream");
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
