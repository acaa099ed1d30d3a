/* SPDX-License-Identifier: GPL-2.0 */
/* Escaping: nothing that an attacker writes does more than be read. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/text.h"

struct escape_case {
	char bytes[32];
	size_t length;
	char expected[64];
};

ParameterizedTestParameters(escape, bytes_become_printable_ascii)
{
	static struct escape_case cases[] = {
		{ "curl", 4, "curl" },
		{ "a b~", 4, "a b~" },
		{ "a\nb\r\tc", 6, "a\\x0ab\\x0d\\x09c" },
		{ "\033[31m", 5, "\\x1b[31m" },
		{ "back\\slash", 10, "back\\\\slash" },
		{ "\\x0a", 4, "\\\\x0a" },
		{ "a\0b", 3, "a\\x00b" },
		{ "\x7f\xc3\xa4\xff", 4, "\\x7f\\xc3\\xa4\\xff" },
		{ "##vso[x]", 8, "\\x23#vso[x]" },
		{ "##[error]", 9, "\\x23#[error]" },
		{ "###[", 4, "\\x23\\x23#[" },
		{ "#1", 2, "#1" },
		{ "", 0, "" },
	};

	return cr_make_param_array(struct escape_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct escape_case *row, escape, bytes_become_printable_ascii)
{
	char text[128];

	cr_expect_eq(escape_bytes(row->bytes, row->length, text, sizeof(text)),
		     strlen(row->expected));
	cr_expect_str_eq(text, row->expected);
}

Test(escape, no_bytes_at_all_make_a_command_for_the_pipeline)
{
	static const char letters[] = "##vso[\\x23";
	unsigned int seed = 1;

	for (int round = 0; round < 100000; round++) {
		char bytes[16], text[80];

		for (size_t i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1103515245 + 12345;
			bytes[i] = letters[(seed >> 16) % (sizeof(letters) - 1)];
		}
		escape_bytes(bytes, sizeof(bytes), text, sizeof(text));
		cr_assert_null(strstr(text, "##"), "%s", text);
	}
}

Test(escape, a_long_text_is_cut_at_a_whole_escape)
{
	for (size_t size = 4; size < 40; size++) {
		char text[41];
		size_t length;

		memset(text, 'X', sizeof(text));
		length = escape_bytes("ab\n\n\n\n\n\n\n\n\n\n", 12, text, size);
		cr_expect_lt(length, size);
		cr_expect_eq(strlen(text), length);
		cr_expect_eq(text[size], 'X', "wrote behind %zu bytes", size);
		cr_expect(!strcmp(text + length - 3, "..."), "%s", text);
		cr_expect(length < 5 || (length - 3 - 2) % 4 == 0, "%s", text);
	}
}

Test(escape, a_string_keeps_within_its_size)
{
	_cleanup_free_ char *whole = escape_string("a\nb", 100);
	_cleanup_free_ char *cut = escape_string("\n\n\n\n\n\n\n\n", 12);

	cr_expect_str_eq(whole, "a\\x0ab");
	cr_expect_str_eq(cut, "\\x0a\\x0a...");
}

Test(escape, json_of_others_is_made_fit)
{
	_cleanup_text_ struct text out = {};
	char last = 0;

	escape_json("{\"a\":\"\x1b[m#", 10, &last, &out);
	escape_json("##\xc2\x9b\"}\n\r", 8, &last, &out);
	cr_expect_str_eq(out.bytes, "{\"a\":\"?[m#\\u0023\\u0023??\"}\n?");
}
