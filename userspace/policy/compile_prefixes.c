/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Address rules, and what loopback and cloud metadata may do, to entries of the prefixes' trie.
 * Sorted by direction, address and length, each prefix stands right before all that it covers, and
 * one pass with a stack hands down what is inherited.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compile_internal.h"

#define DIRECTION_BITS	8
#define V4(a, b, c, d)	{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d }

struct net {
	struct prefix_key key;
	struct port_rule port_rule;
	const struct rule *rule;	/* NULL: built in */
};

struct nets {
	struct net *list;
	size_t count;
};

struct cover {
	struct prefix_key key;
	struct rule_run run;
};

/* The unspecified addresses reach loopback too. */
static const struct loopback_net {
	uint8_t addr[ADDR_LEN];
	uint8_t prefix_bits;
} loopback_nets[] = {
	{ V4(127, 0, 0, 0), 104 },
	{ V4(0, 0, 0, 0), 128 },
	{ { [15] = 1 }, 128 },
	{ {}, 128 },
};

/* Azure: the instance metadata service, and the ports of the host's own agent. */
static const struct metadata_net {
	uint8_t addr[ADDR_LEN];
	uint8_t protocol;
	uint16_t port_low;
	uint16_t port_high;
} metadata_nets[] = {
	{ V4(169, 254, 169, 254), 0, 0, UINT16_MAX },
	{ V4(168, 63, 129, 16), IPPROTO_TCP, 80, 80 },
	{ V4(168, 63, 129, 16), IPPROTO_TCP, 443, 443 },
	{ V4(168, 63, 129, 16), IPPROTO_TCP, 32526, 32526 },
};

static void net_add(struct nets *nets, uint8_t direction, const uint8_t addr[static ADDR_LEN],
		    uint8_t prefix_bits, const struct port_rule *port_rule, const struct rule *rule)
{
	struct net *net = &nets->list[nets->count++];

	*net = (struct net){ .port_rule = *port_rule, .rule = rule };
	net->key.prefix_bits = DIRECTION_BITS + prefix_bits;
	net->key.direction = direction;
	memcpy(net->key.addr, addr, ADDR_LEN);
}

static void builtins_add(struct nets *nets, const struct policy *policy)
{
	struct port_rule port_rule = {
		.port_high = UINT16_MAX,
		.action = policy->loopback_allowed ? ACTION_ALLOW : ACTION_DENY,
		.reason = policy->loopback_allowed ? 0 : REASON_LOOPBACK,
	};

	for (size_t i = 0; i < ARRAY_SIZE(loopback_nets); i++) {
		const struct loopback_net *net = &loopback_nets[i];

		net_add(nets, DIRECTION_OUT, net->addr, net->prefix_bits, &port_rule, NULL);
		net_add(nets, DIRECTION_IN, net->addr, net->prefix_bits, &port_rule, NULL);
	}
	port_rule.action = policy->metadata_allowed ? ACTION_ALLOW : ACTION_DENY;
	port_rule.reason = policy->metadata_allowed ? 0 : REASON_METADATA;
	for (size_t i = 0; i < ARRAY_SIZE(metadata_nets); i++) {
		const struct metadata_net *net = &metadata_nets[i];

		port_rule.protocol = net->protocol;
		port_rule.port_low = net->port_low;
		port_rule.port_high = net->port_high;
		net_add(nets, DIRECTION_OUT, net->addr, 128, &port_rule, NULL);
	}
}

static int nets_collect(const struct compiler *compiler, struct nets *nets)
{
	const struct policy *policy = compiler->policy;
	size_t count = 2 * ARRAY_SIZE(loopback_nets) + ARRAY_SIZE(metadata_nets);

	for (size_t i = 0; i < policy->rule_count; i++)
		count += policy->rules[i].target.kind == TARGET_PREFIX;
	nets->list = calloc(count, sizeof(*nets->list));
	if (!nets->list)
		return -ENOMEM;
	builtins_add(nets, policy);
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];
		struct port_rule port_rule;

		if (rule->target.kind == TARGET_PREFIX &&
		    compile_port_rule(rule, compiler->now, &port_rule))
			net_add(nets, rule->list == LIST_INBOUND ? DIRECTION_IN : DIRECTION_OUT,
				rule->target.addr, rule->target.prefix_bits, &port_rule, rule);
	}
	return 0;
}

static int key_compare(const struct prefix_key *a, const struct prefix_key *b)
{
	int order = (a->direction > b->direction) - (a->direction < b->direction);

	if (!order)
		order = memcmp(a->addr, b->addr, ADDR_LEN);
	return order ? order :
	       (a->prefix_bits > b->prefix_bits) - (a->prefix_bits < b->prefix_bits);
}

/* The order in the file, with what is built in before it. */
static int net_compare(const void *left, const void *right)
{
	const struct net *a = left, *b = right;
	int order = key_compare(&a->key, &b->key);

	return order ? order :
	       (a->port_rule.rule > b->port_rule.rule) - (a->port_rule.rule < b->port_rule.rule);
}

static bool key_covers(const struct prefix_key *outer, const struct prefix_key *inner)
{
	uint32_t bits = outer->prefix_bits - DIRECTION_BITS, bytes = bits / 8;
	uint8_t mask = (uint8_t)(0xff00 >> bits % 8);

	if (outer->direction != inner->direction || outer->prefix_bits >= inner->prefix_bits ||
	    memcmp(outer->addr, inner->addr, bytes))
		return false;
	return !mask || !((outer->addr[bytes] ^ inner->addr[bytes]) & mask);
}

/*
 * The rule to name where a group has too many: its last, or, where all of it is built in, the last
 * of the wider entry. What is built in is never too much by itself.
 */
static const struct rule *group_rule(const struct compiler *compiler, const struct net *group,
				     size_t group_count, const struct rule_run *inherited)
{
	const struct port_rule *last;

	if (group[group_count - 1].rule || !inherited)
		return group[group_count - 1].rule;
	last = &compiler->pool.rules[inherited->first + inherited->count - 1];
	return &compiler->policy->rules[last->rule - 1];
}

static int entry_build(struct compiler *compiler, const struct net *group, size_t group_count,
		       struct port_rule *own, const struct rule_run *inherited,
		       struct prefix_entry *ret_entry)
{
	int r;

	for (size_t i = 0; i < group_count; i++)
		own[i] = group[i].port_rule;
	r = run_build(&compiler->pool, own, group_count, inherited, &ret_entry->rule.run);
	if (r == -E2BIG)
		return compile_too_many(compiler,
					group_rule(compiler, group, group_count, inherited));
	ret_entry->key = group->key;
	return r;
}

static size_t group_len(const struct nets *nets, size_t first)
{
	size_t len = 1;

	while (first + len < nets->count &&
	       !key_compare(&nets->list[first].key, &nets->list[first + len].key))
		len++;
	return len;
}

static void nets_free(struct nets *nets)
{
	free(nets->list);
}

int compile_prefixes(struct compiler *compiler)
{
	_cleanup_(nets_free) struct nets nets = {};
	_cleanup_free_ struct port_rule *own = NULL;
	struct cover stack[8 * ADDR_LEN + 1];	/* one for each length of a prefix */
	struct image *image = compiler->image;
	size_t depth = 0;
	int r = nets_collect(compiler, &nets);

	if (r)
		return r;
	own = calloc(nets.count, sizeof(*own));
	image->prefixes = calloc(nets.count, sizeof(*image->prefixes));
	if (!own || !image->prefixes)
		return -ENOMEM;
	qsort(nets.list, nets.count, sizeof(*nets.list), net_compare);
	for (size_t i = 0, group_count; i < nets.count; i += group_count) {
		const struct net *group = &nets.list[i];
		struct prefix_entry *entry = &image->prefixes[image->prefix_count++];

		group_count = group_len(&nets, i);
		while (depth && !key_covers(&stack[depth - 1].key, &group->key))
			depth--;
		r = entry_build(compiler, group, group_count, own,
				depth ? &stack[depth - 1].run : NULL, entry);
		if (r)
			return r;
		stack[depth++] = (struct cover){ entry->key, entry->rule.run };
	}
	return 0;
}
