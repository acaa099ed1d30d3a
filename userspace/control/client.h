/* SPDX-License-Identifier: GPL-2.0 */
/* A command's side of the daemon's socket (control/protocol.h). */
#ifndef BUILDFENCE_CONTROL_CLIENT_H
#define BUILDFENCE_CONTROL_CLIENT_H

#include <jansson.h>

/* How long a connection, the request's sending and the answer's coming may take, each. */
#define CONTROL_CALL_TIME_S	10

/*
 * Sends `request` to the daemon at `socket_path` and waits for its answer, which is an object with
 * "ok". With ret_stream_fd (may be NULL) the connection stays open for lines that follow an answer
 * that is ok. Returns 0 or -errno; then, and when the answer is not ok, *ret_error (may be NULL)
 * says what is wrong and what to do, to be freed.
 */
int control_call(const char *socket_path, const json_t *request, json_t **ret_answer,
		 int *ret_stream_fd, char **ret_error);

#endif
