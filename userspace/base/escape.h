/* SPDX-License-Identifier: GPL-2.0 */
/* Bytes that an attacker chose, made fit for terminals, logs and pipeline pages. */
#ifndef BUILDFENCE_ESCAPE_H
#define BUILDFENCE_ESCAPE_H

#include <stddef.h>

struct text;

/*
 * Writes `bytes` as printable ASCII: other bytes as \xHH, a backslash as \\, and a '#' before
 * another '#' as \x23, so that neither "##vso[" nor "##[" can come out. The result ends with NUL
 * and is cut to `size` (at least 4) at a whole escape, with "..." as its end. Returns its length.
 */
size_t escape_bytes(const void *bytes, size_t length, char *ret_text, size_t size);

/* The same for a string. Returns memory to free, at most `size` bytes long, or NULL. */
char *escape_string(const char *text, size_t size);

/*
 * A string that should have been escaped before, by somebody else: a backslash stays as it is, what
 * is not fit is escaped now. Returns memory to free, or NULL.
 */
char *escape_again(const char *text);

/*
 * Adds JSON to `out` so that no terminal and no pipeline page obeys it: bytes that have no place in
 * our JSON become '?', a '#' behind another one \u0023. `last` is the byte before, over calls; 0
 * at the beginning.
 */
void escape_json(const char *json, size_t length, char *last, struct text *out);

#endif
