/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The judgement itself. Functions of their own, so that the verifier walks each of them once and
 * not once for each hook.
 */
#include "decide.bpf.h"

__noinline __u64 run_scan(__u32 policy, __u32 first, __u32 count, __u32 protocol_port)
{
	__u32 protocol = protocol_port >> 16, port = protocol_port & 0xffff;
	void *rules = bpf_map_lookup_elem(&port_rules, &policy);
	__u64 verdict = 0;

	if (!rules)
		return VERDICT(ACTION_DENY, REASON_NOT_ALLOWED, VERDICT_DECIDED, 0);
	for (__u32 i = 0; i < RUN_MAX; i++) {
		__u32 index = first + i;
		struct port_rule *rule;

		if (i >= count)
			break;
		rule = bpf_map_lookup_elem(rules, &index);
		if (!rule)
			break;
		if (rule->protocol && rule->protocol != protocol)
			continue;
		if (port < rule->port_low || port > rule->port_high)
			continue;
		if (rule->action == ACTION_EXPECTED) {
			if (!verdict)
				verdict = VERDICT(0, 0, 0, rule->rule);
			return verdict | VERDICT(0, 0, REFUSAL_EXPECTED, 0);
		}
		if (verdict)
			continue;
		if (rule->action == ACTION_ALLOW)
			return VERDICT(ACTION_ALLOW, 0, VERDICT_DECIDED, rule->rule);
		if (rule->action == ACTION_EXPIRED)
			return VERDICT(ACTION_DENY, REASON_EXPIRED, VERDICT_EXPIRED, rule->rule);
		verdict = VERDICT(ACTION_DENY, rule->reason, VERDICT_DECIDED, rule->rule);
	}
	return verdict;
}

/*
 * What learned_judge() says of one way, in one register so that the verifier need not follow what
 * is in it: bits 0 to 7 flags, the rest how well it fits, to be compared. 0: no such way.
 */
#define SEEN_PRESENT		0x01
#define SEEN_KNOWN		0x02	/* an allow rule covers the name, for these ports or others */
#define SEEN_EXPECTED		0x04
#define SEEN_FLAGS(seen)	((seen) & 0xff)
#define SEEN_RANK(seen)		((seen) & ~0xffULL)
/* Highest first: an ALLOW of one name must not be cut by the DENY of another on one address. */
#define RANK_ALLOWED		(7ULL << 60)
#define RANK_DENIED		(6ULL << 60)
#define RANK_EXPECTED		(5ULL << 60)
#define RANK_EXPIRED		(4ULL << 60)
#define RANK_LIVE		(3ULL << 60)
/* Among equals, the name learned last is most likely the one meant. */
#define RANK_TIME(ns)		((ns) >> 4 & 0x0fffffffffffff00ULL)

/* Bits of learned_judge()'s flow word beside FLOW_WORD(). */
#define WAY_SHIFT		32
#define WAY_VERDICT		(1ULL << 40)	/* the verdict is wanted, not the rank */

/* A refusal that no deny rule made; `word` is of a scan that found EXPECTED, EXPIRED or nothing. */
static __always_inline __u64 refusal_verdict(__u64 word, __u32 expected, __u32 known)
{
	__u32 flags = VERDICT_FLAGS(word);
	__u32 rule = flags & (REFUSAL_EXPECTED | VERDICT_EXPIRED) ? VERDICT_RULE(word) : 0;

	if (flags & VERDICT_EXPIRED && !expected)
		return VERDICT(ACTION_DENY, REASON_EXPIRED, 0, rule);
	return VERDICT(ACTION_DENY, known ? REASON_PORT : REASON_NOT_ALLOWED, expected, rule);
}

static __always_inline __u64 seen_rank(__u64 verdict, __u32 known)
{
	__u64 seen = SEEN_PRESENT | (known ? SEEN_KNOWN : 0);
	__u32 flags = VERDICT_FLAGS(verdict);

	if (flags & REFUSAL_EXPECTED)
		seen |= SEEN_EXPECTED;
	if (VERDICT_ALLOWS(verdict))
		return seen | RANK_ALLOWED;
	if (flags & VERDICT_DECIDED)
		return seen | RANK_DENIED;
	if (flags & REFUSAL_EXPECTED)
		return seen | RANK_EXPECTED;
	return seen | (flags & VERDICT_EXPIRED ? RANK_EXPIRED : RANK_LIVE);
}

/* What the name in one way of a learned address allows; see SEEN_ and WAY_. */
__noinline __u64 learned_judge(__u64 addr_high, __u64 addr_low, __u64 flow_word, __u64 netns)
{
	struct job_slot *job = job_slot_of();
	struct learned_key key = { .netns = netns, .way = flow_word >> WAY_SHIFT & (WAYS_MAX - 1) };
	void *table = bpf_map_lookup_elem(&learned_addrs, &job->job);
	__u64 verdict = VERDICT(ACTION_DENY, REASON_EXPIRED, VERDICT_EXPIRED, 0);
	struct learned *learned;
	struct rule_run *run;

	if (!table)
		return 0;
	*(__u64 *)key.addr = addr_high;
	*(__u64 *)(key.addr + 8) = addr_low;
	learned = bpf_map_lookup_elem(table, &key);
	if (!learned)
		return 0;
	run = &learned->run;
	if (learned->generation != job->generation)
		run = name_run(job->policy, &learned->name);
	if (!run)
		verdict = 0;
	else if (learned->expires_ns >= bpf_ktime_get_boot_ns())
		verdict = run_scan(job->policy, run->first, run->count, flow_word & 0xffffff);
	if (flow_word & WAY_VERDICT)
		return verdict;
	return seen_rank(verdict, run && run->known) | RANK_TIME(learned->learned_ns);
}

/* The verdict where no prefix decided: that of the name that fits best. */
static __always_inline __u64 names_judge(__u64 addr_high, __u64 addr_low, __u64 flow_word,
					 __u64 netns, __u64 by_prefix, __u32 known)
{
	__u32 missing = 0, flags = 0, best_way = 0, expected;
	__u64 best = 0, verdict;

	for (__u64 way = 0; way < WAYS_MAX; way++) {
		__u64 seen = learned_judge(addr_high, addr_low, flow_word | way << WAY_SHIFT,
					   netns);

		/* The sweeper may leave one hole; see guard_sweep(). */
		if (!seen && missing++)
			break;
		flags |= SEEN_FLAGS(seen);
		if (SEEN_RANK(seen) > best) {
			best = SEEN_RANK(seen);
			best_way = way;
		}
	}
	expected = (flags & SEEN_EXPECTED) || (VERDICT_FLAGS(by_prefix) & REFUSAL_EXPECTED) ?
		   REFUSAL_EXPECTED : 0;
	known |= flags & SEEN_KNOWN;
	if (!best)
		return refusal_verdict(by_prefix, expected, known);
	verdict = learned_judge(addr_high, addr_low,
				flow_word | (__u64)best_way << WAY_SHIFT | WAY_VERDICT, netns);
	if (VERDICT_ALLOWS(verdict))
		return verdict | FOUND_WAY(best_way);
	if (VERDICT_FLAGS(verdict) & VERDICT_DECIDED)
		return VERDICT(ACTION_DENY, VERDICT_REASON(verdict), expected,
			       VERDICT_RULE(verdict)) | FOUND_WAY(best_way);
	/*
	 * Neither decided. The name's word tells more than its address's, but that an address is expected
	 * tells more than that the name's rule has expired.
	 */
	if (!VERDICT_FLAGS(verdict) || (expected && !(VERDICT_FLAGS(verdict) & REFUSAL_EXPECTED)))
		verdict = by_prefix;
	return refusal_verdict(verdict, expected, known) | FOUND_WAY(best_way);
}

static __always_inline int flow_is_dns(const struct flow *flow)
{
	return flow->direction == DIRECTION_OUT &&
	       (flow->port == DNS_PORT || addr_is_docker_dns(flow->addr));
}

__noinline int loopback_allowed(void)
{
	struct policy_settings *settings = policy_settings_of(job_slot_of());

	return settings && settings->loopback_open;
}

__noinline __u64 decide(__u64 addr_high, __u64 addr_low, __u64 flow_word, __u64 netns)
{
	struct job_slot *job = job_slot_of();
	struct flow flow = {
		.port = flow_word, .protocol = flow_word >> 16, .direction = flow_word >> 24,
	};
	struct prefix_key key = { .prefix_bits = 8 + ADDR_LEN * 8, .direction = flow.direction };
	struct policy_settings *settings = policy_settings_of(job);
	void *trie = bpf_map_lookup_elem(&prefixes, &job->policy);
	struct prefix_rule *prefix;
	__u32 known = 0, expected;
	__u64 verdict = 0;
	int dns, resolver;

	if (!settings || !trie)
		return VERDICT(ACTION_DENY, REASON_NOT_ALLOWED, 0, 0);
	*(__u64 *)flow.addr = addr_high;
	*(__u64 *)(flow.addr + 8) = addr_low;
	dns = flow_is_dns(&flow);
	if (dns && (flow.protocol == IPPROTO_UDP || flow.protocol == IPPROTO_TCP)) {
		resolver = resolver_index(settings, flow.addr);
		if (resolver >= 0)
			return VERDICT(ACTION_ALLOW, 0, 0, 0) | FOUND_DNS(resolver);
	}
	__builtin_memcpy(key.addr, flow.addr, ADDR_LEN);
	prefix = bpf_map_lookup_elem(trie, &key);
	if (prefix) {
		verdict = run_judge(job->policy, &prefix->run, &flow);
		known = prefix->run.known;
	}
	expected = VERDICT_FLAGS(verdict) & REFUSAL_EXPECTED;
	if (dns)
		return VERDICT(ACTION_DENY, REASON_DNS_SERVER, expected, expected &&
			       !(VERDICT_FLAGS(verdict) & VERDICT_DECIDED) ? VERDICT_RULE(verdict) : 0);
	if (VERDICT_FLAGS(verdict) & VERDICT_DECIDED)
		return verdict & ~VERDICT(0, 0, VERDICT_DECIDED | VERDICT_EXPIRED, 0);
	if (flow.direction == DIRECTION_IN)
		return VERDICT(ACTION_DENY, REASON_INBOUND, expected,
			       expected ? VERDICT_RULE(verdict) : 0);
	return names_judge(addr_high, addr_low, flow_word, netns, verdict, known);
}
