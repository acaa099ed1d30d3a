/* SPDX-License-Identifier: GPL-2.0 */
/* Rules that nearly allowed what was refused: hints for a person, never part of a verdict. */
#include "explain_near.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "target.h"

/* "a.example.com" is below "example.com". */
static bool name_is_below(const char *name, const char *parent)
{
	size_t len = strlen(name), parent_len = strlen(parent);

	return len > parent_len && name[len - parent_len - 1] == '.' &&
	       !strcmp(name + len - parent_len, parent);
}

/* "example.com" where the rule says "*.example.com", the other way round, or a slip of the pen. */
static bool name_is_similar(const struct target *target, const char *name)
{
	const char *candidate = target->name;

	if (target->match == NAME_BELOW && !strcmp(name, candidate))
		return true;
	if (target->match == NAME_EXACT && name_is_below(name, candidate))
		return true;
	return text_nearest(name, &candidate, 1);
}

static bool host_is_covered(const struct query *query, const struct target *target)
{
	struct target host = {};

	if (query->by_name) {
		memcpy(host.name, query->name, sizeof(host.name));
		if (target_host_covers(target, &host))
			return true;
	}
	if (!query->has_addr)
		return false;
	host = (struct target){ .kind = TARGET_PREFIX, .prefix_bits = 8 * ADDR_LEN };
	memcpy(host.addr, query->addr, ADDR_LEN);
	return target_host_covers(target, &host);
}

static void near_add(struct explanation *explanation, const struct rule *rule)
{
	if (explanation->near_count < ARRAY_SIZE(explanation->near))
		explanation->near[explanation->near_count++] = rule;
}

void explain_near(const struct policy *policy, const struct query *query, struct explanation *ret)
{
	enum rule_list list = query->direction == DIRECTION_IN ? LIST_INBOUND : LIST_ALLOW;

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];

		if (rule->list == list && host_is_covered(query, &rule->target))
			near_add(ret, rule);
	}
	for (size_t i = 0; query->by_name && i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];

		if (rule->list == list && rule->target.kind == TARGET_NAME &&
		    !host_is_covered(query, &rule->target) &&
		    name_is_similar(&rule->target, query->name))
			near_add(ret, rule);
	}
}
