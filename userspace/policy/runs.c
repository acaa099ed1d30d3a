/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Runs of port rules: inheritance, leaving out what can never decide, the verdict on a DNS
 * question, and keeping equal runs once. Which entries there are is compile_names.c's and
 * compile_prefixes.c's work.
 */
#include "runs.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define PORT_MAX	65535

struct run_place {
	uint32_t first;
	uint32_t count;			/* 0: free; an empty run is never stored */
};

struct draft {
	struct port_rule rules[RUN_MAX];
	unsigned int count;
};

int run_pool_init(struct run_pool *pool, size_t runs_max)
{
	size_t places = 16;

	while (places < 2 * runs_max)
		places *= 2;
	*pool = (struct run_pool){ .place_mask = places - 1 };
	pool->places = calloc(places, sizeof(*pool->places));
	return pool->places ? 0 : -ENOMEM;
}

void run_pool_free(struct run_pool *pool)
{
	free(pool->rules);
	free(pool->places);
	*pool = (struct run_pool){};
}

static bool port_rule_covers(const struct port_rule *outer, const struct port_rule *inner)
{
	return (!outer->protocol || outer->protocol == inner->protocol) &&
	       outer->port_low <= inner->port_low && outer->port_high >= inner->port_high;
}

/*
 * Can `later` never be the one that is found? An EXPECTED is looked for on its own, after a
 * denial, so only another EXPECTED hides it.
 */
static bool port_rule_hides(const struct port_rule *earlier, const struct port_rule *later)
{
	if (!port_rule_covers(earlier, later))
		return false;
	if (earlier->action == later->action)
		return true;
	return later->action != ACTION_EXPECTED && earlier->action != ACTION_EXPECTED;
}

static int draft_add(struct draft *draft, const struct port_rule *rule)
{
	for (unsigned int i = 0; i < draft->count; i++) {
		if (port_rule_hides(&draft->rules[i], rule))
			return 0;
	}
	if (draft->count == RUN_MAX)
		return -E2BIG;
	draft->rules[draft->count++] = *rule;
	return 0;
}

static int draft_fill(struct draft *draft, const struct port_rule *own, size_t own_count,
		      const struct port_rule *inherited, size_t inherited_count)
{
	int r = 0;

	for (unsigned int action = ACTION_DENY; action <= ACTION_EXPIRED; action++) {
		for (size_t i = 0; !r && i < own_count; i++) {
			if (own[i].action == action)
				r = draft_add(draft, &own[i]);
		}
		for (size_t i = 0; !r && i < inherited_count; i++) {
			if (inherited[i].action == action)
				r = draft_add(draft, &inherited[i]);
		}
	}
	return r;
}

/* The lowest port from `port` on that no deny rule takes from this protocol; PORT_MAX + 1: none. */
static uint32_t port_undenied(const struct draft *draft, uint8_t protocol, uint32_t port)
{
	bool moved = true;

	while (moved) {
		moved = false;
		for (unsigned int i = 0; i < draft->count; i++) {
			const struct port_rule *rule = &draft->rules[i];

			if (rule->action != ACTION_DENY ||
			    (rule->protocol && rule->protocol != protocol) ||
			    port < rule->port_low || port > rule->port_high)
				continue;
			port = rule->port_high + 1U;
			moved = true;
		}
	}
	return port;
}

/* Does an allow rule keep at least one port of one protocol, whatever the denies take away? */
static bool allow_survives(const struct draft *draft, const struct port_rule *allow)
{
	if (allow->protocol)
		return port_undenied(draft, allow->protocol, allow->port_low) <= allow->port_high;
	if (port_undenied(draft, IPPROTO_TCP, allow->port_low) <= allow->port_high ||
	    port_undenied(draft, IPPROTO_UDP, allow->port_low) <= allow->port_high)
		return true;
	/* All other protocols have port 0 alone. */
	return allow->port_low == 0 && port_undenied(draft, IPPROTO_NONE, 0) == 0;
}

/* May the name be asked for? A refusal names its rule: rule 0 means that none covers the name. */
static void draft_question(const struct draft *draft, struct rule_run *run)
{
	const struct port_rule *first[ACTION_EXPIRED + 1] = {};
	static const enum rule_action order[] = {
		ACTION_ALLOW, ACTION_DENY, ACTION_EXPECTED, ACTION_EXPIRED,
	};

	for (unsigned int i = 0; i < draft->count; i++) {
		const struct port_rule *rule = &draft->rules[i];

		if (first[rule->action])
			continue;
		if (rule->action != ACTION_ALLOW || allow_survives(draft, rule))
			first[rule->action] = rule;
	}
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (!first[order[i]])
			continue;
		run->question = (uint8_t)order[i];
		run->question_rule = first[order[i]]->rule;
		return;
	}
}

static uint64_t draft_hash(const struct draft *draft)
{
	const uint8_t *bytes = (const uint8_t *)draft->rules;
	uint64_t hash = 0xcbf29ce484222325;	/* FNV-1a */

	for (size_t i = 0; i < draft->count * sizeof(draft->rules[0]); i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return hash ^ (hash >> 32);
}

static int pool_reserve(struct run_pool *pool, size_t more)
{
	size_t capacity = pool->capacity ? pool->capacity : 256;
	struct port_rule *rules;

	while (capacity < pool->count + more)
		capacity *= 2;
	if (capacity == pool->capacity)
		return 0;
	rules = reallocarray(pool->rules, capacity, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	pool->rules = rules;
	pool->capacity = capacity;
	return 0;
}

/* Puts a draft into the pool, unless the same run stands there already. */
static int pool_store(struct run_pool *pool, const struct draft *draft, uint32_t *ret_first)
{
	size_t bytes = draft->count * sizeof(draft->rules[0]);
	struct run_place *place;
	int r;

	for (size_t i = draft_hash(draft);; i++) {
		place = &pool->places[i & pool->place_mask];
		if (!place->count)
			break;
		if (place->count == draft->count &&
		    !memcmp(&pool->rules[place->first], draft->rules, bytes)) {
			*ret_first = place->first;
			return 0;
		}
	}
	r = pool_reserve(pool, draft->count);
	if (r)
		return r;
	*place = (struct run_place){ (uint32_t)pool->count, draft->count };
	memcpy(&pool->rules[pool->count], draft->rules, bytes);
	pool->count += draft->count;
	*ret_first = place->first;
	return 0;
}

int run_build(struct run_pool *pool, const struct port_rule *own, size_t own_count,
	      const struct rule_run *inherited, struct rule_run *ret_run)
{
	struct rule_run run = {};
	struct draft draft;
	int r;

	if (!own_count) {
		*ret_run = inherited ? *inherited : run;
		return 0;
	}
	draft.count = 0;
	r = draft_fill(&draft, own, own_count, inherited ? &pool->rules[inherited->first] : NULL,
		       inherited ? inherited->count : 0);
	if (r)
		return r;
	r = pool_store(pool, &draft, &run.first);
	if (r)
		return r;
	run.count = (uint16_t)draft.count;
	run.known = inherited ? inherited->known : 0;
	for (size_t i = 0; i < own_count; i++) {
		if (own[i].action == ACTION_ALLOW)
			run.known = 1;
	}
	draft_question(&draft, &run);
	*ret_run = run;
	return 0;
}
