/* SPDX-License-Identifier: GPL-2.0 */
/* A small daemon behind a real socket in a folder of its own, and clients of any behaviour. */
#ifndef BUILDFENCE_TEST_CONTROL_MADE_H
#define BUILDFENCE_TEST_CONTROL_MADE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct made {
	char folder[64];
	char path[96];		/* of the socket */
	pid_t daemon;
};

/*
 * What the daemon answers, by "request":
 *   echo	"request" as it came, "uid", "pid", "cgroup" of the peer
 *   long	"text" of "size" bytes
 *   events	lines of "job" (0: all) from now on
 *   past	the lines of file "file" that hold "only" (may be missing); "follow"
 *   publish	"count" lines "N ..." of "size" bytes for "job" are published
 *   end	the streams of "job" end
 *   jobs, status	the JSON of the environment's MADE_ANSWER
 *   memory	"resident", in bytes; "clients", how many; "streams", how many have begun
 *   silent	nothing that could be sent
 */
void made_start(struct made *made, unsigned int clients_max);
void made_stop(struct made *made);

/* A connection; `uid` other than 0 connects as that user. */
int made_connect(const struct made *made, uid_t uid);
void made_send(int fd, const char *bytes, size_t length);

/* Reads a line into `line`, without its newline; "" at the end. Fails the test after 8 s. */
void made_line(int fd, char *line, size_t size);

/* Sends a request (text without newline) and returns the connection. */
int made_ask(const struct made *made, uid_t uid, const char *request);

/* The same, and its whole answer line. */
void made_call(const struct made *made, const char *request, char *line, size_t size);

/* Waits until the answer to "memory" has this in it. Fails the test after 8 s. */
void made_wait(const struct made *made, const char *wanted);

#endif
