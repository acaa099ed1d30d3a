/* SPDX-License-Identifier: GPL-2.0 */
/* Text that several parts need: see text.h. */
#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

/* Longer words are never "nearly" another: keys, commands and presets are all shorter. */
#define WORD_MAX	48

static bool text_reserve(struct text *text, size_t more)
{
	size_t need = text->len + more + 1;
	char *bytes;

	if (text->failed)
		return false;
	if (need <= text->capacity)
		return true;
	if (need < 2 * text->capacity)
		need = 2 * text->capacity;
	bytes = realloc(text->bytes, need);
	if (!bytes) {
		text->failed = true;
		return false;
	}
	text->bytes = bytes;
	text->capacity = need;
	return true;
}

void text_add(struct text *text, const char *bytes, size_t len)
{
	if (!text_reserve(text, len))
		return;
	if (len)
		memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	text->bytes[text->len] = '\0';
}

void text_printf(struct text *text, const char *format, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vasprintf(&line, format, arguments);
	va_end(arguments);
	if (len < 0) {
		line = NULL;
		text->failed = true;
		return;
	}
	text_add(text, line, (size_t)len);
}

char *text_take(struct text *text)
{
	char *bytes;

	text_add(text, "", 0);
	if (text->failed) {
		text_free(text);
		return NULL;
	}
	bytes = TAKE_PTR(text->bytes);
	*text = (struct text){};
	return bytes;
}

void text_free(struct text *text)
{
	free(text->bytes);
	*text = (struct text){};
}

void text_copy(char *ret, size_t size, const char *string)
{
	size_t len = strnlen(string, size - 1);

	memcpy(ret, string, len);
	ret[len] = '\0';
}

bool text_ends_with(const char *string, const char *end)
{
	size_t len = strlen(string), end_len = strlen(end);

	return len >= end_len && !strcmp(string + len - end_len, end);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap two neighbours) from a to b, both at most WORD_MAX long. */
static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[3][WORD_MAX + 1];

	for (size_t j = 0; j <= b_len; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *now = row[i % 3], *before = row[(i + 2) % 3], *swap = row[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			now[j] = least(least(before[j], now[j - 1]) + 1,
				       before[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], swap[j - 2] + 1);
		}
	}
	return row[a_len % 3][b_len];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t count)
{
	size_t len = strlen(word), nearest_distance = 4;
	const char *nearest = NULL;

	if (len > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t candidate_len = strlen(candidates[i]), distance;

		if (candidate_len > WORD_MAX)
			continue;
		distance = edit_distance(word, len, candidates[i], candidate_len);
		if (distance < nearest_distance && 3 * distance <= least(len, candidate_len) + 1) {
			nearest = candidates[i];
			nearest_distance = distance;
		}
	}
	return nearest;
}
