/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Name rules to entries of the names' trie. Patterns are sorted by their reversed names, so each
 * stands right before all that it covers, and one pass with a stack of covering entries hands
 * down what is inherited.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compile_internal.h"

/* RFC 1035: a name as text, without its last dot. */
#define NAME_TEXT_MAX	253

/* One rule's pattern, or its alias below a search domain. */
struct pattern {
	const uint8_t *key;
	uint32_t key_len;
	bool below;			/* for longer names; else for this name alone */
	struct port_rule port_rule;
	const struct rule *rule;
};

struct patterns {
	struct pattern *list;
	size_t count;
	uint8_t *keys;			/* all keys, one behind the other */
	size_t keys_len;
};

/* An entry that covers those behind it. */
struct cover {
	const uint8_t *key;
	uint32_t key_len;
	struct rule_run below;
};

static void patterns_free(struct patterns *patterns)
{
	free(patterns->list);
	free(patterns->keys);
}

size_t name_reverse(const char *name, uint8_t ret_key[static NAME_LEN])
{
	size_t len = strlen(name);

	if (!len || len > NAME_TEXT_MAX)
		return 0;
	for (size_t i = 0; i < len; i++)
		ret_key[i] = (uint8_t)name[len - 1 - i];
	ret_key[len] = '.';
	return len + 1;
}

static void pattern_add(struct patterns *patterns, const struct rule *rule,
			const struct port_rule *port_rule, const char *name)
{
	uint8_t *key = patterns->keys + patterns->keys_len;
	size_t len = name_reverse(name, key);

	if (len && rule->target.match == NAME_SUFFIX)
		len--;
	patterns->keys_len += len;
	patterns->list[patterns->count++] = (struct pattern){
		.key = key,
		.key_len = (uint32_t)len,
		.below = rule->target.match != NAME_EXACT,
		.port_rule = *port_rule,
		.rule = rule,
	};
}

static void aliases_add(struct patterns *patterns, const struct rule *rule,
			const struct port_rule *port_rule, const struct machine_dns *dns)
{
	for (unsigned int i = 0; i < dns->search_count; i++) {
		char alias[2 * NAME_LEN];
		int len = snprintf(alias, sizeof(alias), "%s%s%s", rule->target.name,
				   rule->target.name[0] ? "." : "", dns->search[i]);

		if (len <= NAME_TEXT_MAX)
			pattern_add(patterns, rule, port_rule, alias);
	}
}

static int patterns_collect(const struct compiler *compiler, struct patterns *patterns)
{
	const struct policy *policy = compiler->policy;
	const struct machine_dns *dns = compiler->dns;
	size_t forms = 1 + (dns ? dns->search_count : 0), names = 0, bytes = NAME_LEN;

	for (size_t i = 0; i < policy->rule_count; i++) {
		if (policy->rules[i].target.kind != TARGET_NAME)
			continue;
		names++;
		bytes += strlen(policy->rules[i].target.name) + 1;
	}
	bytes *= forms;
	for (unsigned int i = 0; dns && i < dns->search_count; i++)
		bytes += names * (strlen(dns->search[i]) + 1);
	patterns->list = calloc(names * forms + 1, sizeof(*patterns->list));
	/* name_reverse() wants room for the longest name behind the last one. */
	patterns->keys = malloc(bytes + NAME_LEN);
	if (!patterns->list || !patterns->keys)
		return -ENOMEM;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];
		struct port_rule port_rule;

		if (rule->target.kind != TARGET_NAME || rule->list == LIST_INBOUND ||
		    !compile_port_rule(rule, compiler->now, &port_rule))
			continue;
		pattern_add(patterns, rule, &port_rule, rule->target.name);
		if (dns)
			aliases_add(patterns, rule, &port_rule, dns);
	}
	return 0;
}

static int key_compare(const struct pattern *a, const struct pattern *b)
{
	uint32_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
	int order = memcmp(a->key, b->key, len);

	return order ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static int pattern_compare(const void *left, const void *right)
{
	const struct pattern *a = left, *b = right;
	int order = key_compare(a, b);

	return order ? order : (a->rule->id > b->rule->id) - (a->rule->id < b->rule->id);
}

/* The own port rules of one key, for the name itself or for the names below it. */
static size_t own_collect(const struct pattern *group, size_t group_count, bool below,
			  struct port_rule *ret_own)
{
	size_t count = 0;

	for (size_t i = 0; i < group_count; i++) {
		if (group[i].below == below)
			ret_own[count++] = group[i].port_rule;
	}
	return count;
}

static int entry_build(struct compiler *compiler, const struct pattern *group, size_t group_count,
		       struct port_rule *own, const struct rule_run *inherited,
		       struct name_entry *ret_entry)
{
	struct name_rule rule = { .prefix_bits = group->key_len * 8 };
	size_t own_count;
	int r;

	own_count = own_collect(group, group_count, false, own);
	r = run_build(&compiler->pool, own, own_count, inherited, &rule.exact);
	if (!r) {
		own_count = own_collect(group, group_count, true, own);
		r = run_build(&compiler->pool, own, own_count, inherited, &rule.below);
	}
	if (r == -E2BIG)
		return compile_too_many(compiler, group->rule);
	if (r)
		return r;
	ret_entry->key.prefix_bits = rule.prefix_bits;
	memcpy(ret_entry->key.name, group->key, group->key_len);
	ret_entry->rule = rule;
	return 0;
}

/* How many patterns from `first` on have the same key. */
static size_t group_len(const struct patterns *patterns, size_t first)
{
	size_t len = 1;

	while (first + len < patterns->count &&
	       !key_compare(&patterns->list[first], &patterns->list[first + len]))
		len++;
	return len;
}

static bool cover_covers(const struct cover *cover, const struct pattern *pattern)
{
	return cover->key_len < pattern->key_len &&
	       !memcmp(cover->key, pattern->key, cover->key_len);
}

int compile_names(struct compiler *compiler)
{
	_cleanup_(patterns_free) struct patterns patterns = {};
	_cleanup_free_ struct port_rule *own = NULL;
	struct cover stack[NAME_LEN];	/* each key is longer than the one before it */
	struct image *image = compiler->image;
	size_t depth = 0;
	int r = patterns_collect(compiler, &patterns);

	if (r)
		return r;
	own = calloc(patterns.count + 1, sizeof(*own));
	image->names = calloc(patterns.count + 1, sizeof(*image->names));
	if (!own || !image->names)
		return -ENOMEM;
	qsort(patterns.list, patterns.count, sizeof(*patterns.list), pattern_compare);
	for (size_t i = 0, group_count; i < patterns.count; i += group_count) {
		const struct pattern *group = &patterns.list[i];
		struct name_entry *entry = &image->names[image->name_count++];

		group_count = group_len(&patterns, i);
		while (depth && !cover_covers(&stack[depth - 1], group))
			depth--;
		r = entry_build(compiler, group, group_count, own,
				depth ? &stack[depth - 1].below : NULL, entry);
		if (r)
			return r;
		stack[depth++] = (struct cover){ group->key, group->key_len, entry->rule.below };
	}
	return 0;
}
