/* SPDX-License-Identifier: GPL-2.0 */
/* Judging by an image alone: see image_judge.h. */
#include "image_judge.h"

#include <netinet/in.h>
#include <string.h>

#define DNS_PORT	53

/* What scans of one or two runs saw. */
struct scan {
	bool decided;
	bool expected;
	bool expired;
	bool known;
	struct verdict verdict;
	uint32_t expected_rule;
	uint32_t expired_rule;
};

static bool bits_equal(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
	for (uint32_t bit = 0; bit < bits; bit++) {
		if ((a[bit / 8] ^ b[bit / 8]) & (0x80 >> bit % 8))
			return false;
	}
	return true;
}

const struct rule_run *image_name_run(const struct image *image, const char *name)
{
	uint8_t key[NAME_LEN] = {};
	uint32_t bits = 8 * (uint32_t)name_reverse(name, key);
	const struct name_entry *best = NULL;

	for (size_t i = 0; i < image->name_count; i++) {
		const struct name_entry *entry = &image->names[i];

		if (entry->key.prefix_bits <= bits &&
		    bits_equal(entry->key.name, key, entry->key.prefix_bits) &&
		    (!best || entry->key.prefix_bits > best->key.prefix_bits))
			best = entry;
	}
	if (!best)
		return NULL;
	return best->rule.prefix_bits == bits ? &best->rule.exact : &best->rule.below;
}

static const struct rule_run *prefix_run(const struct image *image, const struct query *query)
{
	uint8_t key[1 + ADDR_LEN] = { query->direction };
	const struct prefix_entry *best = NULL;

	memcpy(key + 1, query->addr, ADDR_LEN);
	for (size_t i = 0; i < image->prefix_count; i++) {
		const struct prefix_entry *entry = &image->prefixes[i];

		if (bits_equal(&entry->key.direction, key, entry->key.prefix_bits) &&
		    (!best || entry->key.prefix_bits > best->key.prefix_bits))
			best = entry;
	}
	return best ? &best->rule.run : NULL;
}

static void run_scan(const struct image *image, const struct rule_run *run,
		     const struct query *query, struct scan *scan)
{
	bool decided = false;

	scan->known |= run->known;
	for (size_t i = run->first; i < (size_t)run->first + run->count; i++) {
		const struct port_rule *rule = &image->port_rules[i];

		if ((rule->protocol && rule->protocol != query->protocol) ||
		    query->port < rule->port_low || query->port > rule->port_high)
			continue;
		if (rule->action == ACTION_EXPECTED) {
			scan->expected = true;
			scan->expected_rule = rule->rule;
			break;
		}
		if (decided)
			continue;
		if (rule->action == ACTION_EXPIRED) {
			scan->expired = true;
			scan->expired_rule = rule->rule;
			break;
		}
		decided = scan->decided = true;
		scan->verdict = (struct verdict){ .reason = rule->reason, .rule = rule->rule };
		scan->verdict.allowed = rule->action == ACTION_ALLOW;
		if (scan->verdict.allowed)
			break;
	}
}

static struct verdict scan_end(const struct scan *scan, uint8_t direction)
{
	struct verdict verdict = scan->verdict;

	if (scan->decided) {
		verdict.expected = !verdict.allowed && scan->expected;
		return verdict;
	}
	verdict.expected = scan->expected;
	verdict.rule = scan->expected ? scan->expected_rule : scan->expired_rule;
	if (direction == DIRECTION_IN)
		verdict.reason = REASON_INBOUND;
	else if (scan->expired && !scan->expected)
		verdict.reason = REASON_EXPIRED;
	else
		verdict.reason = scan->known ? REASON_PORT : REASON_NOT_ALLOWED;
	return verdict;
}

static bool is_dns(const struct query *query)
{
	static const uint8_t docker[ADDR_LEN] = { [10] = 0xff, 0xff, 127, 0, 0, 11 };

	return query->direction == DIRECTION_OUT &&
	       (query->port == DNS_PORT || !memcmp(query->addr, docker, ADDR_LEN));
}

struct verdict image_flow(const struct image *image, const struct query *query)
{
	const struct rule_run *run = prefix_run(image, query);
	struct scan scan = {};

	if (is_dns(query) && (query->protocol == IPPROTO_UDP || query->protocol == IPPROTO_TCP)) {
		for (unsigned int i = 0; i < image->settings.resolver_count; i++) {
			if (!memcmp(image->settings.resolvers[i], query->addr, ADDR_LEN))
				return (struct verdict){ .allowed = true };
		}
	}
	if (run)
		run_scan(image, run, query, &scan);
	if (is_dns(query))
		return (struct verdict){
			.reason = REASON_DNS_SERVER,
			.expected = scan.expected,
			.rule = scan.decided ? 0 : scan.expected_rule,
		};
	run = query->by_name && !scan.decided ? image_name_run(image, query->name) : NULL;
	if (run)
		run_scan(image, run, query, &scan);
	return scan_end(&scan, query->direction);
}

struct verdict image_question(const struct image *image, const char *name)
{
	const struct rule_run *run = image_name_run(image, name);
	struct verdict verdict = { .reason = REASON_DNS_NAME };

	if (!run)
		return verdict;
	verdict.rule = run->question_rule;
	switch (run->question) {
	case ACTION_ALLOW:
		verdict.allowed = true;
		verdict.reason = REASON_NOT_ALLOWED;
		break;
	case ACTION_DENY:
		verdict.reason = run->question_rule ? REASON_DENIED_BY_RULE : REASON_DNS_NAME;
		break;
	case ACTION_EXPECTED:
		verdict.expected = true;
		break;
	case ACTION_EXPIRED:
		verdict.reason = REASON_EXPIRED;
		break;
	}
	return verdict;
}
