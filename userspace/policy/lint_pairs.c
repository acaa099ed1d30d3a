/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What shows only when rules are held against each other. Rules are sorted by host, so that a
 * policy of 100,000 does not take a look at each pair.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "lint_internal.h"
#include "target.h"

struct sorted_rules {
	const struct rule **list;
	size_t count;
};

static int number_compare(unsigned long a, unsigned long b)
{
	return (a > b) - (a < b);
}

/* By name, or by address and length: equal for hosts that differ in their star only. */
static int host_compare(const struct target *a, const struct target *b)
{
	int order = number_compare(a->kind, b->kind);

	if (order)
		return order;
	if (a->kind == TARGET_NAME)
		return strcmp(a->name, b->name);
	order = memcmp(a->addr, b->addr, ADDR_LEN);
	return order ? order : number_compare(a->prefix_bits, b->prefix_bits);
}

/* 0 for rules that say the same. */
static int rule_compare(const struct rule *a, const struct rule *b)
{
	int order = host_compare(&a->target, &b->target);

	if (!order)
		order = number_compare(a->list, b->list);
	if (!order)
		order = number_compare(a->target.match, b->target.match);
	if (!order)
		order = number_compare(a->target.protocol, b->target.protocol);
	if (!order)
		order = number_compare(a->target.port_low, b->target.port_low);
	return order ? order : number_compare(a->target.port_high, b->target.port_high);
}

static int pointer_compare(const void *a, const void *b)
{
	const struct rule *left = *(const struct rule *const *)a;
	const struct rule *right = *(const struct rule *const *)b;
	int order = rule_compare(left, right);

	return order ? order : number_compare(left->id, right->id);
}

static bool is_builtin_preset(const struct rule *rule)
{
	return !strncmp(rule->source, "preset ", strlen("preset "));
}

static void duplicate_warn(struct diagnostics *diag, const struct rule *rule,
			   const struct rule *other)
{
	rule_warn(diag, rule,
		  "says the same as '%.100s' in %s, line %u", other->text, other->source,
		  other->line);
}

/* Presets may repeat each other; the author of the policy has no hand in that. */
static void lint_duplicates(const struct sorted_rules *rules, struct diagnostics *diag)
{
	for (size_t i = 1; i < rules->count; i++) {
		const struct rule *first = rules->list[i - 1], *second = rules->list[i];

		if (rule_compare(first, second))
			continue;
		if (!is_builtin_preset(second))
			duplicate_warn(diag, second, first);
		else if (!is_builtin_preset(first))
			duplicate_warn(diag, first, second);
	}
}

/* The deny rule at exactly this host that covers the target, or NULL. */
static const struct rule *deny_find_at(const struct sorted_rules *denies, const struct target *host,
				       const struct target *target)
{
	size_t low = 0, high = denies->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (host_compare(&denies->list[middle]->target, host) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < denies->count && !host_compare(&denies->list[low]->target, host); low++) {
		if (target_covers(&denies->list[low]->target, target))
			return denies->list[low];
	}
	return NULL;
}

/* Looks at every end of the name, or every shorter prefix, for a deny that covers the target. */
static const struct rule *deny_find(const struct sorted_rules *denies, const struct target *target)
{
	const struct rule *found = NULL;
	struct target host = *target;

	if (target->kind == TARGET_NAME) {
		for (const char *end = target->name; *end && !found; end++) {
			text_copy(host.name, sizeof(host.name), end);
			found = deny_find_at(denies, &host, target);
		}
		return found;
	}
	for (;;) {
		found = deny_find_at(denies, &host, target);
		if (found || !host.prefix_bits)
			return found;
		host.prefix_bits--;
		host.addr[host.prefix_bits / 8] &= (uint8_t)~(0x80 >> host.prefix_bits % 8);
	}
}

/* To cut a piece out of a preset is what `deny` is for: no warning there. */
static void lint_denied(const struct policy *policy, const struct sorted_rules *denies,
			struct diagnostics *diag, bool *denied)
{
	for (size_t i = 0; denies->count && i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i], *deny;

		if (rule->list != LIST_ALLOW)
			continue;
		deny = deny_find(denies, &rule->target);
		denied[i] = deny;
		if (deny && !is_builtin_preset(rule))
			rule_warn(diag, rule,
				  "never matches: deny '%.100s' in %s, line %u covers it",
				  deny->text, deny->source, deny->line);
	}
}

int lint_pairs(const struct policy *policy, time_t now, struct diagnostics *diag, bool *denied)
{
	size_t most = policy->rule_count + 1;
	_cleanup_free_ const struct rule **all = calloc(most, sizeof(*all));
	_cleanup_free_ const struct rule **denying = calloc(most, sizeof(*denying));
	struct sorted_rules rules = { .list = all }, denies = { .list = denying };

	if (!all || !denying)
		return -ENOMEM;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];

		all[rules.count++] = rule;
		if (rule->list == LIST_DENY && (!rule->expires || rule->expires > now))
			denying[denies.count++] = rule;
	}
	qsort(all, rules.count, sizeof(*all), pointer_compare);
	qsort(denying, denies.count, sizeof(*denying), pointer_compare);
	lint_duplicates(&rules, diag);
	lint_denied(policy, &denies, diag, denied);
	return 0;
}
