/* SPDX-License-Identifier: GPL-2.0 */
/* Escaping of bytes that an attacker chose; JSON's and Markdown's own quoting is the sinks'. */
#include "base/escape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

/* Writes at most 4 bytes and a NUL. Returns how many, without the NUL. */
static size_t escape_byte(unsigned char byte, unsigned char next, char *ret)
{
	if (byte == '\\')
		return (size_t)snprintf(ret, 5, "\\\\");
	if (byte < 0x20 || byte > 0x7e || (byte == '#' && next == '#'))
		return (size_t)snprintf(ret, 5, "\\x%02x", byte);
	ret[0] = (char)byte;
	ret[1] = '\0';
	return 1;
}

size_t escape_bytes(const void *bytes, size_t length, char *ret_text, size_t size)
{
	const unsigned char *from = bytes;
	size_t at = 0, cut = 0;	/* cut: the last place where "..." still fits */

	for (size_t i = 0; i < length; i++) {
		char piece[5];
		size_t n = escape_byte(from[i], i + 1 < length ? from[i + 1] : 0, piece);

		if (at + 4 <= size)
			cut = at;
		if (at + n + 1 > size) {
			memcpy(ret_text + cut, "...", 4);
			return cut + 3;
		}
		memcpy(ret_text + at, piece, n);
		at += n;
	}
	ret_text[at] = '\0';
	return at;
}

char *escape_string(const char *text, size_t size)
{
	size_t length = strlen(text);
	_cleanup_free_ char *escaped = NULL;

	if (length * 4 + 1 < size)
		size = length * 4 + 4;
	escaped = malloc(size);
	if (!escaped)
		return NULL;
	escape_bytes(text, length, escaped, size);
	return TAKE_PTR(escaped);
}

char *escape_again(const char *text)
{
	size_t length = strlen(text), at = 0;
	char *escaped = malloc(length * 4 + 1);

	if (!escaped)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\\')
			escaped[at++] = '\\';
		else
			at += escape_byte((unsigned char)text[i], (unsigned char)text[i + 1],
					  escaped + at);
	}
	escaped[at] = '\0';
	return escaped;
}

void escape_json(const char *json, size_t length, char *last, struct text *out)
{
	for (size_t i = 0; i < length; i++) {
		char byte = json[i];

		if (byte == '#' && *last == '#')
			text_add(out, "\\u0023", 6);
		else if ((byte < ' ' && byte != '\n') || byte > '~')
			text_add(out, "?", 1);
		else
			text_add(out, &byte, 1);
		*last = byte;
	}
}
