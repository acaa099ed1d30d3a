/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The judgement itself. Functions of their own, so that the verifier walks each of them once and
 * not once for each hook.
 */
#include "decide.bpf.h"

/* Port rules that are scanned at a time. Few runs are longer, and the verifier walks one block. */
#define SCAN_BLOCK	8

/* Goes on with `verdict` (0: nothing matched yet) over a block of rules, or to the run's end. */
GLOBAL __u64 block_scan(__u32 policy, __u32 first, __u32 count, __u32 protocol_port,
			__u64 verdict)
{
	__u32 protocol = protocol_port >> 16, port = protocol_port & 0xffff;
	void *rules = bpf_map_lookup_elem(&port_rules, &policy);

	if (!rules)
		return VERDICT(ACTION_DENY, REASON_NOT_ALLOWED, VERDICT_DECIDED, 0);
#pragma unroll
	for (__u32 i = 0; i < SCAN_BLOCK; i++) {
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

/* Behind a DENY an EXPECTED is still looked for. */
static __always_inline int scan_is_over(__u64 verdict)
{
	return VERDICT_ALLOWS(verdict) ||
	       VERDICT_FLAGS(verdict) & (REFUSAL_EXPECTED | VERDICT_EXPIRED);
}

GLOBAL __u64 run_scan(__u32 policy, __u32 first, __u32 count, __u32 protocol_port)
{
	__u64 verdict = 0;

#pragma clang loop unroll(disable)
	for (__u32 at = 0; at < RUN_MAX; at += SCAN_BLOCK) {
		if (at >= count)
			break;
		verdict = block_scan(policy, first + at, count - at, protocol_port, verdict);
		if (scan_is_over(verdict))
			break;
	}
	return verdict;
}

/*
 * What was seen in the ways of an address so far: flags, the way that fits best, and how well. In
 * one register, which each call of learned_judge() takes and returns anew, so that an old verifier,
 * which tells apart all that it knows of a register, does not follow every combination of ways.
 */
#define SEEN_KNOWN		0x01	/* an allow rule covers a name, for these ports or others */
#define SEEN_EXPECTED		0x02
#define SEEN_HOLE		0x04	/* the sweeper may leave one; see guard_sweep() */
#define SEEN_END		0x08
#define SEEN_FLAGS		0x0f
#define SEEN_WAY(seen)		((seen) >> 4 & (WAYS_MAX - 1))
#define SEEN_RANK(seen)		((seen) >> 8)
#define SEEN(flags, way, rank)	((flags) | (__u64)(way) << 4 | (rank) << 8)
/*
 * Ranks, highest first: an ALLOW of one name must not be cut by the DENY of another on one address.
 * Among equals, the name learned last is most likely the one meant.
 */
#define RANK_ALLOWED		(7ULL << 53)
#define RANK_DENIED		(6ULL << 53)
#define RANK_EXPECTED		(5ULL << 53)
#define RANK_EXPIRED		(4ULL << 53)
#define RANK_LIVE		(3ULL << 53)
#define RANK_TIME(ns)		((ns) >> 11)

/* Bits of learned_judge()'s flow word beside FLOW_WORD(). */
#define WAY_SHIFT		32
#define WAY_VERDICT		(1ULL << 40)	/* the verdict is wanted, not what was seen */

/* A refusal that no deny rule made; `word` is of a scan that found EXPECTED, EXPIRED or nothing. */
static __always_inline __u64 refusal_verdict(__u64 word, __u32 expected, __u32 known)
{
	__u32 flags = VERDICT_FLAGS(word);
	__u32 rule = flags & (REFUSAL_EXPECTED | VERDICT_EXPIRED) ? VERDICT_RULE(word) : 0;

	if (flags & VERDICT_EXPIRED && !expected)
		return VERDICT(ACTION_DENY, REASON_EXPIRED, 0, rule);
	return VERDICT(ACTION_DENY, known ? REASON_PORT : REASON_NOT_ALLOWED, expected, rule);
}

static __always_inline __u64 verdict_rank(__u64 verdict)
{
	__u32 flags = VERDICT_FLAGS(verdict);

	if (VERDICT_ALLOWS(verdict))
		return RANK_ALLOWED;
	if (flags & VERDICT_DECIDED)
		return RANK_DENIED;
	if (flags & REFUSAL_EXPECTED)
		return RANK_EXPECTED;
	return flags & VERDICT_EXPIRED ? RANK_EXPIRED : RANK_LIVE;
}

/* What the name in one way of a learned address allows, added to `seen`; or its verdict. */
GLOBAL __u64 learned_judge(__u64 addr_high, __u64 addr_low, __u64 flow_word, __u64 netns,
			   __u64 seen)
{
	struct job_slot *job = job_slot_of();
	struct learned_key key = { .netns = netns, .way = flow_word >> WAY_SHIFT & (WAYS_MAX - 1) };
	void *table = bpf_map_lookup_elem(&learned_addrs, &job->job);
	__u64 verdict = VERDICT(ACTION_DENY, REASON_EXPIRED, VERDICT_EXPIRED, 0);
	struct learned *learned;
	struct rule_run *run;
	__u64 rank;

	if (!table)
		return seen | SEEN_END;
	*(__u64 *)key.addr = addr_high;
	*(__u64 *)(key.addr + 8) = addr_low;
	learned = bpf_map_lookup_elem(table, &key);
	if (!learned)
		return seen | (seen & SEEN_HOLE ? SEEN_END : SEEN_HOLE);
	run = &learned->run;
	if (learned->generation != job->generation)
		run = name_run(job->policy, &learned->name);
	if (!run)
		verdict = 0;
	else if (learned->expires_ns >= bpf_ktime_get_boot_ns())
		verdict = run_scan(job->policy, run->first, run->count, flow_word & 0xffffff);
	if (flow_word & WAY_VERDICT)
		return verdict;
	if (run && run->known)
		seen |= SEEN_KNOWN;
	if (VERDICT_FLAGS(verdict) & REFUSAL_EXPECTED)
		seen |= SEEN_EXPECTED;
	rank = verdict_rank(verdict) | RANK_TIME(learned->learned_ns);
	return rank > SEEN_RANK(seen) ? SEEN(seen & SEEN_FLAGS, key.way, rank) : seen;
}

/* The verdict where no prefix decided: that of the name that fits best. */
static __always_inline __u64 names_judge(__u64 addr_high, __u64 addr_low, __u64 flow_word,
					 __u64 netns, __u64 by_prefix, __u32 known)
{
	__u64 seen = 0, verdict;
	__u32 expected, best_way;

	for (__u64 way = 0; way < WAYS_MAX; way++) {
		seen = learned_judge(addr_high, addr_low, flow_word | way << WAY_SHIFT, netns,
				     seen);
		if (seen & SEEN_END)
			break;
	}
	best_way = SEEN_WAY(seen);
	expected = (seen & SEEN_EXPECTED) || (VERDICT_FLAGS(by_prefix) & REFUSAL_EXPECTED) ?
		   REFUSAL_EXPECTED : 0;
	known |= seen & SEEN_KNOWN;
	if (!SEEN_RANK(seen))
		return refusal_verdict(by_prefix, expected, known);
	verdict = learned_judge(addr_high, addr_low,
				flow_word | (__u64)best_way << WAY_SHIFT | WAY_VERDICT, netns, 0);
	if (VERDICT_ALLOWS(verdict))
		return verdict | FOUND_WAY(best_way);
	if (VERDICT_FLAGS(verdict) & VERDICT_DECIDED)
		return VERDICT(ACTION_DENY, VERDICT_REASON(verdict), expected,
			       VERDICT_RULE(verdict)) | FOUND_WAY(best_way);
	/*
	 * Neither decided. The name's word tells more than its address's, but that an address is
	 * expected tells more than that the name's rule has expired.
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

GLOBAL int loopback_allowed(void)
{
	struct policy_settings *settings = policy_settings_of(job_slot_of());

	return settings && settings->loopback_open;
}

GLOBAL __u64 decide(__u64 addr_high, __u64 addr_low, __u64 flow_word, __u64 netns)
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
	if (dns) {
		__u32 decided = VERDICT_FLAGS(verdict) & VERDICT_DECIDED;

		return VERDICT(ACTION_DENY, REASON_DNS_SERVER, expected,
			       expected && !decided ? VERDICT_RULE(verdict) : 0);
	}
	if (VERDICT_FLAGS(verdict) & VERDICT_DECIDED)
		return verdict & ~VERDICT(0, 0, VERDICT_DECIDED | VERDICT_EXPIRED, 0);
	if (flow.direction == DIRECTION_IN)
		return VERDICT(ACTION_DENY, REASON_INBOUND, expected,
			       expected ? VERDICT_RULE(verdict) : 0);
	return names_judge(addr_high, addr_low, flow_word, netns, verdict, known);
}
