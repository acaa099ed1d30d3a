/* SPDX-License-Identifier: GPL-2.0 */
/* A command's side of the daemon's socket (control/protocol.h). */
#ifndef BUILDFENCE_CONTROL_CLIENT_H
#define BUILDFENCE_CONTROL_CLIENT_H

#include <jansson.h>

/* How long a connection, the request's sending and the answer's coming may take, each. */
#define CONTROL_CALL_TIME_S	10

/*
 * Sends `request` to the daemon at `socket_path` and waits for its answer, an object whose "ok" is
 * true, to be given back with json_decref(). With ret_stream_fd (may be NULL) the connection stays
 * open for the lines that follow. Returns 0 or -errno (-EREMOTEIO: the daemon answered with an
 * error); then *ret_error (may be NULL) says what is wrong and what to do, in printable ASCII but
 * for socket_path, to be freed.
 */
int control_call(const char *socket_path, const json_t *request, json_t **ret_answer,
		 int *ret_stream_fd, char **ret_error);

#endif
