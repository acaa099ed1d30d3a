/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entries of allow, deny, expected and inbound: the short form (a target) and the long form (a
 * mapping), their placeholders, and the rules that come of them.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "load.h"
#include "read.h"

struct entry {
	enum rule_list list;
	const struct node *position;	/* NULL: from the command line */
	const char *to;
	const char *name;		/* may be NULL */
	const char *reason;		/* may be NULL */
	time_t expires;
};

/* Each may have many values, and an entry is repeated for every combination. */
#define PLACEHOLDERS_MAX	8

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

bool value_is_valid(const char *text)
{
	for (const char *c = text; *c; c++) {
		if (!is_word_byte(*c) && !(*c >= 'A' && *c <= 'Z') && *c != '-' && *c != '.')
			return false;
	}
	return *text;
}

/* The n-th value of a {word}, or NULL. */
static const char *value_get(struct values *values, const char *word, size_t n)
{
	const struct node *value;

	if (!strcmp(word, "organization") && values->organization)
		return n ? NULL : values->organization;
	for (size_t i = 0; values->map && i < values->map->count; i++) {
		if (strcmp(values->map->keys[i]->text, word))
			continue;
		values->used[i] = true;
		value = values->map->items[i];
		if (value->kind == NODE_LIST)
			value = n < value->count ? value->items[n] : NULL;
		else if (n)
			value = NULL;
		/* One that is no text was reported with `values`: it must not be missed here. */
		return !value ? NULL : value->kind == NODE_TEXT ? value->text : "invalid";
	}
	return NULL;
}

static void entry_report(struct reading *reading, const struct entry *entry, const char *text,
			 const char *message)
{
	const struct node *position = entry->position;

	reading->entry_failed = true;
	diagnostics_error(reading->document.diag, reading->document.source,
			  position ? position->line : 0, position ? position->column : 0,
			  "'%.200s': %s", text, message);
}

static int rule_fill(const struct reading *reading, const struct entry *entry, const char *text,
		     struct rule *rule)
{
	rule->list = entry->list;
	rule->expires = entry->expires;
	rule->line = entry->position ? entry->position->line : 0;
	rule->column = entry->position ? entry->position->column : 0;
	rule->text = strdup(text);
	rule->label = strdup(entry->name ? entry->name : text);
	rule->source = strdup(reading->document.source);
	if (entry->reason)
		rule->reason = strdup(entry->reason);
	if (!rule->text || !rule->label || !rule->source || (entry->reason && !rule->reason))
		return -ENOMEM;
	return 0;
}

static int rule_add(struct reading *reading, const struct entry *entry, const char *text)
{
	struct policy *policy = reading->policy;
	char message[256];
	struct target target;
	struct rule *rule;

	if (target_parse(text, entry->list, &target, message)) {
		entry_report(reading, entry, text, message);
		return 0;
	}
	if (policy->rule_count == RULES_MAX) {
		reading->is_full = true;
		entry_report(reading, entry, text, "the policy has too many rules");
		return 0;
	}
	if (policy->rule_count == reading->rule_capacity) {
		size_t capacity = reading->rule_capacity ? 2 * reading->rule_capacity : 64;
		struct rule *grown = reallocarray(policy->rules, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		policy->rules = grown;
		reading->rule_capacity = capacity;
	}
	rule = &policy->rules[policy->rule_count++];
	*rule = (struct rule){ .id = (uint32_t)policy->rule_count, .target = target };
	return rule_fill(reading, entry, text, rule);
}

/* A preset says in `placeholders` which words it has, so that a typing error is seen. */
static bool word_is_declared(const struct reading *reading, const char *word)
{
	return !reading->is_preset || node_get(reading->placeholders, word);
}

/* Fills the first {word} with each of its values, then the next; until the first error. */
static int entry_fill(struct reading *reading, const struct entry *entry, const char *text)
{
	size_t before = strcspn(text, "{}"), word_len;
	_cleanup_free_ char *word = NULL;
	char message[256];
	const char *value;

	if (!text[before])
		return rule_add(reading, entry, text);
	for (word_len = 0; is_word_byte(text[before + 1 + word_len]); word_len++)
		;
	if (text[before] == '}' || !word_len || text[before + 1 + word_len] != '}') {
		entry_report(reading, entry, text,
			     "a brace belongs to a placeholder such as {organization}: lower-case letters, digits and _");
		return 0;
	}
	word = strndup(text + before + 1, word_len);
	if (!word)
		return -ENOMEM;
	if (!word_is_declared(reading, word)) {
		snprintf(message, sizeof(message),
			 "{%.60s} is not listed under 'placeholders'", word);
		entry_report(reading, entry, text, message);
		return 0;
	}
	if (!value_get(&reading->values, word, 0)) {
		snprintf(message, sizeof(message),
			 strcmp(word, "organization") ?
			 "no value for {%.60s}; add to the policy: 'values: { %.60s: ... }'" :
			 "no value for {%.60s}; add to the policy: '%.60s: ...'", word, word);
		entry_report(reading, entry, text, message);
		return 0;
	}
	for (size_t i = 0; (value = value_get(&reading->values, word, i)); i++) {
		_cleanup_free_ char *filled = NULL;
		int r;

		if (asprintf(&filled, "%.*s%s%s", (int)before, text, value,
			     text + before + word_len + 2) < 0)
			return -ENOMEM;
		r = entry_fill(reading, entry, filled);
		if (r || reading->is_full || reading->entry_failed)
			return r;
	}
	return 0;
}

static int entry_expand(struct reading *reading, const struct entry *entry, const char *text)
{
	unsigned int braces = 0;

	for (const char *c = text; *c; c++)
		braces += *c == '{';
	if (braces > PLACEHOLDERS_MAX) {
		entry_report(reading, entry, text, "an entry with more than 8 placeholders");
		return 0;
	}
	reading->entry_failed = false;
	return entry_fill(reading, entry, text);
}

int entry_add_text(struct reading *reading, const char *text)
{
	struct entry entry = { .list = LIST_ALLOW, .to = text };

	return entry_expand(reading, &entry, text);
}

/* The first second after the day "2027-01-31", UTC. */
static bool expires_parse(const char *text, time_t *ret_expires)
{
	struct tm day = {}, counted;
	time_t start;

	for (size_t i = 0; i < strlen("2027-01-31"); i++) {
		if (i == 4 || i == 7 ? text[i] != '-' : text[i] < '0' || text[i] > '9')
			return false;
	}
	if (text[strlen("2027-01-31")] ||
	    sscanf(text, "%4d-%2d-%2d", &day.tm_year, &day.tm_mon, &day.tm_mday) != 3)
		return false;
	day.tm_year -= 1900;
	day.tm_mon--;
	/* timegm() takes February 30 for March 2, and writes so. */
	counted = day;
	start = timegm(&counted);
	if (counted.tm_mon != day.tm_mon || counted.tm_mday != day.tm_mday || start < 0)
		return false;
	*ret_expires = start + 24 * 60 * 60;
	return true;
}

static void expires_read(const struct reading *reading, const struct node *node,
			 struct entry *entry)
{
	const char *text = node_text(&reading->document, node, "a day, as in 2027-01-31");

	if (text && !expires_parse(text, &entry->expires))
		node_report(&reading->document, node,
			    "'%.40s' is not a day; write it as in 2027-01-31", text);
}

/*
 * `if: word`. Writes *ret_skip when the word has no value: so in a preset, which says what words it
 * has. A policy gives its own values, so there it is a slip, and one that opens what a deny closes.
 */
static void condition_read(struct reading *reading, enum rule_list list, const struct node *node,
			   bool *ret_skip)
{
	const char *word = node_text(&reading->document, node, "a placeholder's name");

	if (!word)
		return;
	if (!word_is_declared(reading, word))
		node_report(&reading->document, node,
			    "'if: %.60s': this name is not listed under 'placeholders'",
			    word);
	*ret_skip = !value_get(&reading->values, word, 0);
	if (!*ret_skip || reading->is_preset)
		return;
	if (list == LIST_DENY)
		node_report(&reading->document, node,
			    "'if: %.60s' has no value, which would leave a deny out; add it under "
			    "'values', or take 'if' away", word);
	else
		diagnostics_warning(reading->document.diag, reading->document.source, node->line,
				    node->column,
				    "'if: %.60s' has no value: the entry is left out", word);
}

static int entry_read_map(struct reading *reading, enum rule_list list, const struct node *map)
{
	static const char *const keys[] = { "to", "name", "reason", "expires", "tls", "if" };
	struct entry entry = { .list = list, .position = map };
	unsigned int errors = reading->document.diag->errors;
	bool skip = false;

	for (size_t i = 0; i < map->count; i++) {
		const struct node *key = map->keys[i], *value = map->items[i];

		if (!strcmp(key->text, "to")) {
			entry.to = node_text(&reading->document, value, "a target");
			entry.position = value;
		} else if (!strcmp(key->text, "name")) {
			entry.name = node_text(&reading->document, value, "a text");
		} else if (!strcmp(key->text, "reason")) {
			entry.reason = node_text(&reading->document, value, "a text");
		} else if (!strcmp(key->text, "expires")) {
			expires_read(reading, value, &entry);
		} else if (!strcmp(key->text, "tls")) {
			tls_check(reading, value);
		} else if (!strcmp(key->text, "if")) {
			condition_read(reading, list, value, &skip);
		} else {
			node_report_key(&reading->document, key, keys, ARRAY_SIZE(keys),
					"; an entry has to, name, reason, expires, tls, if");
		}
	}
	if (entry.to)
		return skip ? 0 : entry_expand(reading, &entry, entry.to);
	if (reading->document.diag->errors == errors)
		node_report(&reading->document, map,
			    "an entry without 'to'; write 'to: https://example.com'");
	return 0;
}

static int entry_read(struct reading *reading, enum rule_list list, const struct node *node)
{
	struct entry entry = { .list = list, .position = node };

	switch (node->kind) {
	case NODE_MAP:
		return entry_read_map(reading, list, node);
	case NODE_TEXT:
		if (!node_is_null(node))
			return entry_expand(reading, &entry, node->text);
		node_report(&reading->document, node,
			    "an empty entry; write a target, as in https://example.com");
		return 0;
	case NODE_LIST:
		node_report(&reading->document, node,
			    "an entry is a target or a mapping with 'to', not a list");
		return 0;
	case NODE_INVALID:
		return 0;
	}
	return 0;
}

int entries_read(struct reading *reading, enum rule_list list, const struct node *entries)
{
	if (entries->kind == NODE_INVALID || node_is_null(entries))
		return 0;
	if (entries->kind != NODE_LIST) {
		node_report(&reading->document, entries,
			    "entries are a list: begin each with '- '");
		return 0;
	}
	for (size_t i = 0; i < entries->count && !reading->is_full; i++) {
		int r = entry_read(reading, list, entries->items[i]);

		if (r)
			return r;
	}
	return 0;
}
