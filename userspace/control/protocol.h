/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How commands talk to the daemon: a UNIX stream socket, one request a connection. The request is
 * one JSON object in one line; so is the answer, {"ok":true,...} or {"ok":false,"error":"..."}.
 * After the answer to "events" come lines of records (event/sink.h), and {"lost":N} where N lines
 * were left out because they were read too slowly.
 */
#ifndef BUILDFENCE_CONTROL_PROTOCOL_H
#define BUILDFENCE_CONTROL_PROTOCOL_H

#define CONTROL_SOCKET		"/run/buildfence/socket"
#define CONTROL_REQUEST_MAX	16384	/* bytes, the newline included */
#define CONTROL_REQUEST_TIME_S	5	/* from connect to the newline */

/* sun_path holds 107 bytes and NUL; the server binds a name longer by ".new" and renames it. */
#define CONTROL_PATH_MAX	103

#endif
