/* SPDX-License-Identifier: GPL-2.0 */
/* YAML with positions, and all that a policy may not use of it. */
#include "policy/yaml.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/policy.h"

struct outcome {
	int result;
	struct node *node;
	struct diagnostics diag;
	char *messages;
};

static void outcome_free(struct outcome *outcome)
{
	node_free(outcome->node);
	free(outcome->messages);
}
#define _cleanup_outcome_ _cleanup_(outcome_free)

static struct outcome read_bytes(const char *bytes, size_t len)
{
	struct outcome outcome = {};
	size_t messages_len;

	outcome.diag.out = open_memstream(&outcome.messages, &messages_len);
	outcome.result = yaml_read("f", bytes, len, &outcome.diag, &outcome.node);
	fclose(outcome.diag.out);
	return outcome;
}

Test(yaml, nodes_have_their_kind_and_place)
{
	static const char text[] = "a: x\nlist:\n  - one\n  - \"two\"\nmap: { k: v }\n";
	_cleanup_outcome_ struct outcome got = read_bytes(text, strlen(text));
	struct node *list, *map;

	cr_assert_eq(got.result, 0);
	cr_assert_eq(got.diag.errors, 0, "%s", got.messages);
	cr_assert_eq(got.node->kind, NODE_MAP);
	cr_expect_str_eq(node_get(got.node, "a")->text, "x");
	cr_expect_null(node_get(got.node, "b"));
	list = node_get(got.node, "list");
	cr_assert_eq(list->kind, NODE_LIST);
	cr_assert_eq(list->count, 2);
	cr_expect_eq(list->items[1]->line, 4);
	cr_expect_eq(list->items[1]->column, 5);
	cr_expect(list->items[1]->quoted && !list->items[0]->quoted);
	map = node_get(got.node, "map");
	cr_assert_eq(map->kind, NODE_MAP);
	cr_expect_eq(map->keys[0]->line, 5);
	cr_expect_eq(map->keys[0]->column, 8);
}

Test(yaml, columns_count_characters_not_bytes)
{
	static const char text[] = "[ \"\xc3\xa4\xc3\xb6\", x ]";
	_cleanup_outcome_ struct outcome got = read_bytes(text, strlen(text));

	cr_assert_eq(got.result, 0);
	cr_expect_eq(got.node->items[1]->column, 9);
}

Test(yaml, an_empty_document_is_no_node)
{
	static const char *const texts[] = { "", "\n\n", "# only a comment\n" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_outcome_ struct outcome got = read_bytes(texts[i], strlen(texts[i]));

		cr_expect_eq(got.result, 0);
		cr_expect_null(got.node);
	}
}

Test(yaml, a_byte_order_mark_in_front_is_skipped)
{
	static const char text[] = "\xef\xbb\xbfkey: x\n";
	_cleanup_outcome_ struct outcome got = read_bytes(text, strlen(text));

	cr_assert_eq(got.result, 0, "%s", got.messages);
	cr_expect_not_null(node_get(got.node, "key"));
}

Test(yaml, what_a_policy_may_not_use_is_an_error_at_its_place)
{
	static const struct { const char *text, *message; } rows[] = {
		{ "a: &x 1", "f:1:4: anchor '&x'" },
		{ "a: 1\nb: *x", "f:2:4: '*x' is an alias" },
		{ "a: !t 1", "f:1:4: tag '!t'" },
		{ "a: !!str 1", "f:1:4: tag 'tag:yaml.org,2002:str'" },
		{ "a: &x [1]", "f:1:4: anchor '&x'" },
		{ "a: !t { b: 1 }", "f:1:4: tag '!t'" },
		{ "a: 1\nb: 2\na: 3", "f:3:1: key 'a' stands here twice; the first is in line 1" },
		{ "a: { b: 1, 'b': 2 }", "f:1:12: key 'b' stands here twice" },
		{ "[a]: 1", "f:1:1: a key must be a text" },
		{ "a: 1\n---\nb: 2", "f:2:1: a second YAML document" },
		{ "a: \"x\\0y\"", "f:1:4: a NUL byte" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_outcome_ struct outcome got =
			read_bytes(rows[i].text, strlen(rows[i].text));

		cr_expect_eq(got.diag.errors, 1, "%s: %s", rows[i].text, got.messages);
		cr_expect(!strncmp(got.messages, rows[i].message, strlen(rows[i].message)),
			  "%s: %s", rows[i].text, got.messages);
	}
}

Test(yaml, several_errors_are_told_together)
{
	static const char text[] = "a: &x 1\nb: !t 2\na: 3\n";
	_cleanup_outcome_ struct outcome got = read_bytes(text, strlen(text));

	cr_expect_eq(got.diag.errors, 3, "%s", got.messages);
}

Test(yaml, bytes_that_are_not_text_are_an_error_at_their_place)
{
	static const struct { char bytes[16]; size_t len; const char *message; } rows[] = {
		{ "a: x\0y", 6, "f:1:5: byte 0x00" },
		{ "a: 1\nb: \xff", 9, "f:2:4: byte 0xff" },
		{ "\x1b[31m", 5, "f:1:1: byte 0x1b" },
		{ "\xc0\xaf", 2, "f:1:1: byte 0xc0" },		/* an overlong slash */
		{ "\xe0\x9f\xbf", 3, "f:1:1: byte 0xe0" },	/* overlong in three bytes */
		{ "\xed\xa0\x80", 3, "f:1:1: byte 0xed" },	/* a surrogate */
		{ "\xf4\x90\x80\x80", 4, "f:1:1: byte 0xf4" },	/* behind U+10FFFF */
		{ "\xc3", 1, "f:1:1: byte 0xc3" },		/* cut off */
		{ "\xc2\x9b", 2, "f:1:1: byte 0xc2" },		/* a terminal's CSI */
		{ "\xff\xfe" "a\0", 4, "f:1:1: byte 0xff" },	/* UTF-16 */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_outcome_ struct outcome got = read_bytes(rows[i].bytes, rows[i].len);

		cr_expect_eq(got.result, -EINVAL, "row %zu", i);
		cr_expect(!strncmp(got.messages, rows[i].message, strlen(rows[i].message)),
			  "row %zu: %s", i, got.messages);
	}
}

Test(yaml, syntax_errors_say_what_was_probably_meant)
{
	static const struct { const char *text, *place, *hint; } rows[] = {
		{ "a:\n  - *.example.com\n", "f:2:6:", "must stand in quotes: \"*.example.com\"" },
		{ "a:\n  - *cdn.example.com\n", "f:2:9:", "must stand in quotes: \"*.example.com\"" },
		{ "a:\n  - {organization}.example.com\n  - b\n", "f:2:19:", "begins with a brace" },
		{ "a:\n\t- b\n", "f:2:1:", "not with tabs" },
		{ "a: 'x\n", "f:2:1:", "not valid YAML" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_outcome_ struct outcome got =
			read_bytes(rows[i].text, strlen(rows[i].text));

		cr_expect_eq(got.result, -EINVAL, "%s", rows[i].text);
		cr_expect_null(got.node);
		cr_expect(!strncmp(got.messages, rows[i].place, strlen(rows[i].place)), "%s",
			  got.messages);
		cr_expect(strstr(got.messages, rows[i].hint), "%s", got.messages);
	}
}

Test(yaml, a_document_of_1_MiB_is_read_and_one_byte_more_is_not)
{
	_cleanup_free_ char *text = malloc(YAML_SIZE_MAX + 1);

	memset(text, ' ', YAML_SIZE_MAX + 1);
	memcpy(text, "a: x #", 6);
	for (size_t extra = 0; extra < 2; extra++) {
		_cleanup_outcome_ struct outcome got = read_bytes(text, YAML_SIZE_MAX + extra);

		cr_expect_eq(got.result, extra ? -EINVAL : 0);
		cr_expect_eq(strstr(got.messages, "1 MiB") != NULL, extra == 1);
	}
}

Test(yaml, nesting_has_an_end)
{
	char text[2 * YAML_DEPTH_MAX + 8] = {};

	for (size_t deep = 0; deep < 2; deep++) {
		size_t depth = YAML_DEPTH_MAX + deep;
		_cleanup_outcome_ struct outcome got = {};

		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		got = read_bytes(text, 2 * depth);
		cr_expect_eq(got.result, deep ? -EINVAL : 0, "depth %zu: %s", depth, got.messages);
	}
}

Test(yaml, a_mebibyte_of_open_brackets_is_refused_at_once)
{
	_cleanup_free_ char *text = malloc(YAML_SIZE_MAX);
	_cleanup_outcome_ struct outcome got = {};

	memset(text, '[', YAML_SIZE_MAX);
	got = read_bytes(text, YAML_SIZE_MAX);
	cr_expect_eq(got.result, -EINVAL);
	cr_expect_eq(got.diag.errors, 1);
}

Test(yaml, a_mapping_has_256_keys_at_most)
{
	char text[4096] = "", *end = text;
	_cleanup_outcome_ struct outcome got = {};

	for (int i = 0; i < YAML_KEYS_MAX + 1; i++)
		end += sprintf(end, "k%d: x\n", i);
	got = read_bytes(text, strlen(text));
	cr_expect_eq(got.diag.errors, 1);
	cr_expect(strstr(got.messages, "f:257:1: more than 256 keys"), "%s", got.messages);
}
