/* SPDX-License-Identifier: GPL-2.0 */
/* The growing string, the end of one, and "did you mean". */
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/cleanup.h"

Test(text, a_word_that_is_nearly_another_is_told)
{
	static const char *const words[] = { "allow", "deny", "expected", "organization",
					     "values" };
	static const struct { const char *word, *nearest; } rows[] = {
		{ "alow", "allow" }, { "allwo", "allow" }, { "Allow", "allow" }, { "denny", "deny" },
		{ "dney", "deny" },
		{ "organisation", "organization" }, { "value", "values" }, { "expeted", "expected" },
		{ "x", NULL }, { "", NULL }, { "permit", NULL }, { "al", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *nearest = text_nearest(rows[i].word, words, ARRAY_SIZE(words));

		if (rows[i].nearest)
			cr_expect_str_eq(nearest ? nearest : "none", rows[i].nearest, "%s",
					 rows[i].word);
		else
			cr_expect_null(nearest, "'%s' is not '%s'", rows[i].word, nearest);
	}
}

Test(text, a_word_too_long_to_be_meant_is_not_compared)
{
	static const char *const words[] = { "allow" };
	char word[4096];

	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	cr_expect_null(text_nearest(word, words, 1));
}

Test(text, a_string_grows_and_is_handed_over)
{
	struct text text = {};
	_cleanup_free_ char *taken = NULL;

	for (int i = 0; i < 1000; i++)
		text_printf(&text, "%d,", i % 10);
	text_add(&text, "end", 3);
	taken = text_take(&text);
	cr_assert_not_null(taken);
	cr_expect_eq(strlen(taken), 2003);
	cr_expect_str_eq(taken + 1990, "5,6,7,8,9,end");
	cr_expect_null(text.bytes);
}

Test(text, a_copy_ends_where_its_buffer_does)
{
	char copy[4];

	text_copy(copy, sizeof(copy), "abc");
	cr_expect_str_eq(copy, "abc");
	text_copy(copy, sizeof(copy), "abcd");
	cr_expect_str_eq(copy, "abc");
	text_copy(copy, 1, "abcd");
	cr_expect_str_eq(copy, "");
}

Test(text, nothing_added_is_an_empty_string)
{
	struct text text = {};
	_cleanup_free_ char *taken = text_take(&text);

	cr_expect_str_eq(taken, "");
}

Test(text, ends_with_its_end_and_with_nothing_longer)
{
	cr_expect(text_ends_with("a.list", ".list"));
	cr_expect(text_ends_with(".list", ".list"));
	cr_expect(text_ends_with("a.list", ""));
	cr_expect_not(text_ends_with("list", ".list"));
	cr_expect_not(text_ends_with("a.list.bak", ".list"));
	cr_expect_not(text_ends_with("a.LIST", ".list"));
}
