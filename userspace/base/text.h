/* SPDX-License-Identifier: GPL-2.0 */
/* Text that several parts need: a growing string, its end, "did you mean". */
#ifndef BUILDFENCE_TEXT_H
#define BUILDFENCE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A growing string, zeroed before use. Memory that runs out sets `failed` and makes every further
 * call do nothing, so that a caller checks once, at the end.
 */
struct text {
	char *bytes;			/* NUL-terminated once anything was added; else NULL */
	size_t len;
	size_t capacity;
	bool failed;
};

void text_add(struct text *text, const char *bytes, size_t len);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Hands the string over, to be freed by the caller; NULL when memory ran out. */
char *text_take(struct text *text);
void text_free(struct text *text);
#define _cleanup_text_ __attribute__((cleanup(text_free)))

/* Copies a string to `ret`, which holds `size` bytes (not 0), and cuts off what does not fit. */
void text_copy(char *ret, size_t size, const char *string);

bool text_ends_with(const char *string, const char *end);

/*
 * The word among `count` candidates that was probably meant: the nearest by edit distance, at most
 * a third of its letters (and 3) away. NULL when none is near.
 */
const char *text_nearest(const char *word, const char *const *candidates, size_t count);

#endif
