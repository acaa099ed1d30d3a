/* SPDX-License-Identifier: GPL-2.0 */
/* DNS messages written as text; see dns_wire.h. */
#include "dns_wire.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wire {
	uint8_t *bytes;
	size_t len, size;
};

static void byte_put(struct wire *wire, unsigned long byte)
{
	cr_assert_lt(wire->len, wire->size, "the message is longer than the test's buffer");
	wire->bytes[wire->len++] = (uint8_t)byte;
}

static void hex_put(struct wire *wire, const char *word, size_t len)
{
	cr_assert_eq(len % 2, 0, "'%.*s': hex bytes have two digits", (int)len, word);
	for (size_t i = 0; i < len; i += 2) {
		const char digits[3] = { word[i], word[i + 1] };
		char *end;

		byte_put(wire, strtoul(digits, &end, 16));
		cr_assert(!*end, "'%.*s' is no word of a message", (int)len, word);
	}
}

static void header_put(struct wire *wire, unsigned int flags, unsigned long answers)
{
	char header[32];

	snprintf(header, sizeof(header), "1234%04x0001%04lx00000000", flags, answers & 0xffff);
	hex_put(wire, header, strlen(header));
}

static void word_put(struct wire *wire, const char *word, size_t len)
{
	const char *times = memchr(word, 'x', len);

	if (*word == 'Q') {
		header_put(wire, 0x0100, 0);
	} else if (*word == 'R') {
		header_put(wire, 0x8180, strtoul(word + 1, NULL, 10));
	} else if (*word == '.') {
		byte_put(wire, len - 1);
		for (size_t i = 1; i < len; i++)
			byte_put(wire, (unsigned char)word[i]);
	} else if (times) {
		for (unsigned long i = strtoul(word, NULL, 10); i; i--)
			hex_put(wire, times + 1, len - (size_t)(times + 1 - word));
	} else {
		hex_put(wire, word, len);
	}
}

size_t dns_wire(const char *text, uint8_t *ret_bytes, size_t size)
{
	struct wire wire = { .bytes = ret_bytes, .size = size };
	const char *again = NULL;
	unsigned long left = 0;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (*text == '{') {
			left = strtoul(text + 1, NULL, 10);
			again = text + len;
		} else if (*text == '}') {
			if (--left)
				text = again, len = 0;
		} else if (len) {
			word_put(&wire, text, len);
		}
		text += len;
		text += *text == ' ';
	}
	return wire.len;
}
