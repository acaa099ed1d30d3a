/* SPDX-License-Identifier: GPL-2.0 */
/* One request as bytes from a client that may be hostile: well-formed, or an error for it. */
#ifndef BUILDFENCE_CONTROL_REQUEST_H
#define BUILDFENCE_CONTROL_REQUEST_H

#include <jansson.h>
#include <stddef.h>

/* Nested deeper is no request: the deepest one that the daemon knows has one level. */
#define REQUEST_DEPTH_MAX	4

/*
 * Reads a line (its newline left out) as a JSON object. Returns it, or NULL and *ret_error, to be
 * freed; that too is NULL when memory ran out.
 */
json_t *request_parse(const char *line, size_t length, char **ret_error);

/* The message with the beginning of what came, escaped: `MESSAGE: "BYTES"`. NULL: no memory. */
char *request_quote(const char *message, const char *bytes, size_t length);

#endif
