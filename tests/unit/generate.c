/* SPDX-License-Identifier: GPL-2.0 */
/* Seeded policies and queries: see generate.h. */
#include "generate.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/load.h"
#include "policy/target.h"

#define RULES_MAX	24
#define PICK(generator, array)	((array)[generator_below(generator, ARRAY_SIZE(array))])

static const char *const labels[] = { "a", "b", "ab", "cdn", "xcdn", "x-cdn", "example" };
static const char *const suffixes[] = { "example", "cdn.example", "b.example", "test" };
/* Neighbours, ends of the range, and the ports that Azure's host answers on. */
static const uint16_t ports[] = { 0, 1, 79, 80, 81, 442, 443, 444, 8080, 32526, 65534, 65535 };
static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, 0 };

#define V4(a, b, c, d)	{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d }

static const uint8_t special_addrs[][ADDR_LEN] = {
	V4(127, 0, 0, 1), V4(127, 0, 0, 11), V4(0, 0, 0, 0), V4(169, 254, 169, 254),
	V4(168, 63, 129, 16), { [15] = 1 }, {},
};

static const uint8_t bases[][ADDR_LEN] = {
	V4(198, 51, 100, 0), V4(198, 51, 100, 128), { 0x20, 0x01, 0x0d, 0xb8 },
};

/* Often nested: from everything over the borders of v4 and of bytes to single addresses. */
static const uint8_t prefix_lengths[] = {
	0, 32, 96, 97, 103, 104, 105, 112, 119, 120, 121, 125, 126, 127, 128, 128, 128,
};

struct generator generator_seed(uint64_t seed)
{
	return (struct generator){ seed * 0x9e3779b97f4a7c15 + 1 };
}

/* splitmix64: Steele, Lea, Flood, 2014. */
static uint64_t generator_next(struct generator *generator)
{
	uint64_t z = generator->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

uint32_t generator_below(struct generator *generator, uint32_t limit)
{
	return (uint32_t)(generator_next(generator) % limit);
}

static bool one_in(struct generator *generator, uint32_t count)
{
	return generator_below(generator, count) == 0;
}

struct policy *policy_new(size_t capacity)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	cr_assert(policy);
	policy->rules = calloc(capacity + 1, sizeof(*policy->rules));
	policy->name = strdup("test");
	cr_assert(policy->rules && policy->name);
	policy->loopback_allowed = true;
	policy->private_answers_allowed = true;
	policy->min_ttl_s = 600;
	policy->resolvers_auto = true;
	return policy;
}

struct rule *policy_rule_add(struct policy *policy, enum rule_list list,
			     const struct target *target)
{
	struct rule *rule = &policy->rules[policy->rule_count++];
	char text[TARGET_TEXT_LEN];

	target_format(target, list, text);
	*rule = (struct rule){
		.id = (uint32_t)policy->rule_count,
		.list = list,
		.target = *target,
		.text = strdup(text),
		.label = strdup(text),
		.source = strdup("test.yaml"),
		.line = (unsigned int)policy->rule_count,
		.column = 1,
	};
	cr_assert(rule->text && rule->label && rule->source);
	return rule;
}

struct rule *policy_text_add(struct policy *policy, enum rule_list list, const char *text)
{
	struct target target;
	char error[256];

	cr_assert_eq(target_parse(text, list, &target, error), 0, "%s: %s", text, error);
	return policy_rule_add(policy, list, &target);
}

static void labels_prepend(struct generator *generator, char name[static NAME_LEN])
{
	char longer[2 * NAME_LEN];

	snprintf(longer, sizeof(longer), "%s.%s", PICK(generator, labels), name);
	if (strlen(longer) < NAME_LEN - 2)
		strcpy(name, longer);
}

static void any_name(struct generator *generator, char ret_name[static NAME_LEN])
{
	strcpy(ret_name, PICK(generator, suffixes));
	for (uint32_t more = generator_below(generator, 3); more; more--)
		labels_prepend(generator, ret_name);
}

void generate_name(struct generator *generator, const struct policy *policy,
		   char ret_name[static NAME_LEN])
{
	const struct target *target;

	any_name(generator, ret_name);
	if (!policy->rule_count || one_in(generator, 4))
		return;
	target = &policy->rules[generator_below(generator, (uint32_t)policy->rule_count)].target;
	if (target->kind != TARGET_NAME)
		return;
	memcpy(ret_name, target->name, NAME_LEN);
	switch (generator_below(generator, 6)) {
	case 0:
		break;
	case 1:			/* inside the label: xcdn for *cdn */
		memmove(ret_name + 1, ret_name, strlen(ret_name) + 1);
		ret_name[0] = 'x';
		break;
	case 2:			/* one letter or label less */
		memmove(ret_name, ret_name + 1, strlen(ret_name));
		if (ret_name[0] == '.')
			memmove(ret_name, ret_name + 1, strlen(ret_name));
		break;
	case 3:
		labels_prepend(generator, ret_name);
		break;
	default:
		labels_prepend(generator, ret_name);
		labels_prepend(generator, ret_name);
		break;
	}
	if (!ret_name[0])
		strcpy(ret_name, "example");
}

static void addr_mask(uint8_t addr[static ADDR_LEN], unsigned int bits)
{
	for (unsigned int bit = bits; bit < 8 * ADDR_LEN; bit++)
		addr[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
}

static void any_addr(struct generator *generator, bool special, uint8_t ret_addr[static ADDR_LEN])
{
	if (special && one_in(generator, 4)) {
		memcpy(ret_addr, PICK(generator, special_addrs), ADDR_LEN);
		return;
	}
	memcpy(ret_addr, PICK(generator, bases), ADDR_LEN);
	ret_addr[ADDR_LEN - 1] ^= (uint8_t)generator_below(generator, 8);
}

static void any_ports(struct generator *generator, enum rule_list list, struct target *target)
{
	uint16_t a = PICK(generator, ports), b = PICK(generator, ports);

	target->protocol = PICK(generator, protocols);
	switch (generator_below(generator, 4)) {
	case 0:
		target->port_low = target->port_high = 443;
		break;
	case 1:
		target->port_low = a < b ? a : b;
		target->port_high = a < b ? b : a;
		break;
	case 2:
		target->port_low = target->port_high = a;
		break;
	default:
		target->port_high = UINT16_MAX;
		target->everything =
			!target->protocol && (list == LIST_DENY || list == LIST_EXPECTED);
		break;
	}
}

static void rule_generate(struct generator *generator, struct policy *policy, time_t now)
{
	static const enum rule_list lists[] = {
		LIST_ALLOW, LIST_ALLOW, LIST_ALLOW, LIST_ALLOW, LIST_DENY, LIST_DENY, LIST_EXPECTED,
		LIST_INBOUND,
	};
	static const enum name_match matches[] = { NAME_EXACT, NAME_BELOW, NAME_SUFFIX };
	enum rule_list list = PICK(generator, lists);
	struct target target = {};
	struct rule *rule;

	any_ports(generator, list, &target);
	if (list == LIST_INBOUND || one_in(generator, 2)) {
		target.kind = TARGET_PREFIX;
		target.prefix_bits = PICK(generator, prefix_lengths);
		any_addr(generator, true, target.addr);
		addr_mask(target.addr, target.prefix_bits);
	} else {
		target.match = PICK(generator, matches);
		any_name(generator, target.name);
	}
	rule = policy_rule_add(policy, list, &target);
	if (one_in(generator, 6))
		rule->expires = now + (time_t)generator_below(generator, 3) - 1;
}

struct policy *generate_policy(struct generator *generator, time_t now)
{
	struct policy *policy = policy_new(RULES_MAX);

	policy->loopback_allowed = !one_in(generator, 3);
	policy->metadata_allowed = one_in(generator, 3);
	for (uint32_t count = generator_below(generator, RULES_MAX + 1); count; count--)
		rule_generate(generator, policy, now);
	return policy;
}

static void query_addr(struct generator *generator, const struct policy *policy, bool special,
		       uint8_t ret_addr[static ADDR_LEN])
{
	any_addr(generator, special, ret_addr);
	if (!special || !policy->rule_count || one_in(generator, 2))
		return;
	for (unsigned int tries = 0; tries < 4; tries++) {
		const struct target *target =
			&policy->rules[generator_below(generator, (uint32_t)policy->rule_count)]
				 .target;

		if (target->kind != TARGET_PREFIX)
			continue;
		/* Its first address, or the one right behind or before it. */
		memcpy(ret_addr, target->addr, ADDR_LEN);
		if (one_in(generator, 2))
			ret_addr[target->prefix_bits ? (target->prefix_bits - 1) / 8 : 0] ^=
				(uint8_t)(1 << generator_below(generator, 8));
		return;
	}
}

/* A rule's edge, or the port next to it. */
static uint16_t query_port(struct generator *generator, const struct policy *policy)
{
	const struct target *target;
	uint16_t port;

	if (one_in(generator, 40))
		return 53;
	if (!policy->rule_count || one_in(generator, 2))
		return PICK(generator, ports);
	target = &policy->rules[generator_below(generator, (uint32_t)policy->rule_count)].target;
	port = one_in(generator, 2) ? target->port_low : target->port_high;
	return (uint16_t)(port + generator_below(generator, 3) - 1);
}

void generate_query(struct generator *generator, const struct policy *policy,
		    struct query *ret_query)
{
	static const uint8_t flow_protocols[] = {
		IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP, IPPROTO_ICMP,
	};
	struct query query = { .has_addr = true };

	query.by_name = one_in(generator, 2);
	query.direction = !query.by_name && one_in(generator, 3) ? DIRECTION_IN : DIRECTION_OUT;
	query.protocol = PICK(generator, flow_protocols);
	query.port = query.protocol == IPPROTO_ICMP ? 0 : query_port(generator, policy);
	if (query.by_name)
		generate_name(generator, policy, query.name);
	query_addr(generator, policy, !query.by_name, query.addr);
	*ret_query = query;
}

char *policy_describe(const struct policy *policy)
{
	static const char *const lists[] = { "allow", "deny", "expected", "inbound", "built in" };
	struct text text = {};

	text_printf(&text, "loopback %d metadata %d\n", policy->loopback_allowed,
		    policy->metadata_allowed);
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];

		text_printf(&text, "%u %s %s%s\n", rule->id, lists[rule->list], rule->text,
			    rule->expires ? " expires" : "");
	}
	return text_take(&text);
}
