/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The verdict. Every hook gathers a struct flow, calls decide(), and does what it says; a DNS
 * question is judged by its name with question_judge(). Nothing else judges.
 */
#ifndef BUILDFENCE_DECIDE_BPF_H
#define BUILDFENCE_DECIDE_BPF_H

#include <linux/in.h>
#include <linux/in6.h>
#include "maps.bpf.h"

#define DNS_PORT	53

/* A verdict fits a register, since functions of their own return no more than that on 5.10. */
#define VERDICT(action, reason, flags, rule) \
	((__u64)(rule) << 32 | (__u64)(flags) << 16 | (__u64)(reason) << 8 | (action))
#define VERDICT_ACTION(verdict)	((__u8)(verdict))
#define VERDICT_REASON(verdict)	((__u8)((verdict) >> 8))
#define VERDICT_FLAGS(verdict)	((__u8)((verdict) >> 16))
#define VERDICT_RULE(verdict)	((__u32)((verdict) >> 32))
#define VERDICT_ALLOWS(verdict)	(VERDICT_ACTION(verdict) == ACTION_ALLOW)

/* Beside enum refusal_flag: what a scan saw, for the reason of a refusal. */
#define VERDICT_DECIDED	0x40	/* a DENY or ALLOW rule matched */
#define VERDICT_EXPIRED	0x80	/* only a rule whose last day has passed matched */

/* Bits 24 to 31: what decide() found beside its verdict. */
#define FOUND_WAY(way)		((__u64)((way) | 0x10) << 24)	/* the name, see learned_at() */
#define FOUND_DNS(resolver)	((__u64)((resolver) | 0x20) << 24)	/* to a resolver: read it */
#define VERDICT_HAS_WAY(verdict)	((verdict) >> 24 & 0x10)
#define VERDICT_WAY(verdict)		((verdict) >> 24 & 0xf)
#define VERDICT_IS_DNS(verdict)		((verdict) >> 24 & 0x20)
#define VERDICT_RESOLVER(verdict)	((verdict) >> 24 & 0x7)

struct flow {
	__u8 addr[ADDR_LEN];		/* remote */
	__u16 port;			/* remote; for DIRECTION_IN the local one */
	__u8 protocol;
	__u8 direction;
	__u32 pad;
};

extern const volatile struct job_slot trial_slot;

/* The job that the running program is attached for; all zero until userspace has written it. */
static __always_inline struct job_slot *job_slot_of(void)
{
	struct job_slot *job = bpf_get_local_storage(&job_slots, 0);

	/* Never true but in tests; the verifier removes it. */
	if (trial_slot.job && !job->job)
		*job = trial_slot;
#ifdef TEST_OTHER_BUILD
	/* An instruction more in every program, for the tests of upgrades. */
	asm volatile("%0 = %0" : "+r"(job));
#endif
	return job;
}

static __always_inline int addr_equal(const __u8 *a, const __u8 *b)
{
	return *(const __u64 *)a == *(const __u64 *)b &&
	       *(const __u64 *)(a + 8) == *(const __u64 *)(b + 8);
}

static __always_inline int addr_is_v4(const __u8 *addr)
{
	return *(const __u64 *)addr == 0 && *(const __u32 *)(addr + 8) == bpf_htonl(0xffff);
}

static __always_inline __u32 addr_v4(const __u8 *addr)
{
	return *(const __u32 *)(addr + 12);
}

static __always_inline void addr_from_v4(__u8 *addr, __u32 v4)
{
	*(__u64 *)addr = 0;
	*(__u32 *)(addr + 8) = bpf_htonl(0xffff);
	*(__u32 *)(addr + 12) = v4;
}

static __always_inline int addr_is_loopback(const __u8 *addr)
{
	if (addr_is_v4(addr))
		return addr[12] == 127;
	return *(const __u64 *)addr == 0 && *(const __u64 *)(addr + 8) == bpf_cpu_to_be64(1);
}

/* An IPv4 multicast group, or everybody on the link. */
static __always_inline int addr_is_group(const __u8 *addr)
{
	return addr_is_v4(addr) && ((addr[12] & 0xf0) == 0xe0 || addr_v4(addr) == 0xffffffff);
}

/* Docker's resolver: its port 53 is redirected to a random one before the packet hook sees it. */
#define DOCKER_DNS_V4	0x7f00000b	/* 127.0.0.11 */

static __always_inline int addr_is_docker_dns(const __u8 *addr)
{
	return addr_is_v4(addr) && addr_v4(addr) == bpf_htonl(DOCKER_DNS_V4);
}

/*
 * Judges a flow of the job that the running program is attached for. Order: port 53 is DNS;
 * prefixes (into which the compiler wrote loopback, metadata, deny and allow); learned addresses;
 * deny. Takes the address as two halves in network order, FLOW_WORD(), and the cookie of the
 * socket's network namespace (0: not known, nothing was learned there). Returns a verdict.
 */
__u64 decide(__u64 addr_high, __u64 addr_low, __u64 flow_word, __u64 netns);

#define FLOW_WORD(flow) \
	((__u64)(flow)->direction << 24 | (__u64)(flow)->protocol << 16 | (flow)->port)

static __always_inline __u64 flow_decide(const struct flow *flow, __u64 netns)
{
	return decide(*(const __u64 *)flow->addr, *(const __u64 *)(flow->addr + 8),
		      FLOW_WORD(flow), netns);
}

/*
 * Scans consecutive port rules. The first DENY or ALLOW that matches decides; behind it only an
 * EXPECTED is looked for. A function of its own, so that the verifier walks the loop once.
 */
__u64 run_scan(__u32 policy, __u32 first, __u32 count, __u32 protocol_port);

static __always_inline __u64 run_judge(__u32 policy, const struct rule_run *run,
				       const struct flow *flow)
{
	return run_scan(policy, run->first, run->count, (__u32)flow->protocol << 16 | flow->port);
}

/* The permissions of a name in a policy, or NULL: no entry covers it. */
static __always_inline struct rule_run *name_run(__u32 policy, struct name_key *key)
{
	struct name_rule *rule;
	void *trie = bpf_map_lookup_elem(&names, &policy);

	if (!trie)
		return NULL;
	rule = bpf_map_lookup_elem(trie, key);
	if (!rule)
		return NULL;
	return rule->prefix_bits == key->prefix_bits ? &rule->exact : &rule->below;
}

/* May this name be asked for? */
static __always_inline __u64 question_judge(const struct rule_run *run)
{
	if (!run)
		return VERDICT(ACTION_DENY, REASON_DNS_NAME, 0, 0);
	if (run->question == ACTION_ALLOW)
		return VERDICT(ACTION_ALLOW, 0, 0, run->question_rule);
	if (run->question == ACTION_EXPIRED)
		return VERDICT(ACTION_DENY, REASON_EXPIRED, 0, run->question_rule);
	if (run->question == ACTION_EXPECTED)
		return VERDICT(ACTION_DENY, REASON_DNS_NAME, REFUSAL_EXPECTED, run->question_rule);
	return VERDICT(ACTION_DENY, run->question_rule ? REASON_DENIED_BY_RULE : REASON_DNS_NAME,
		       0, run->question_rule);
}

/* Which of the policy's resolvers is this? -1: none. */
static __always_inline int resolver_index(const struct policy_settings *settings, const __u8 *addr)
{
#pragma clang loop unroll(disable)
	for (int i = 0; i < RESOLVERS_MAX; i++) {
		if (i >= settings->resolver_count)
			break;
		if (addr_equal(settings->resolvers[i], addr))
			return i;
	}
	return -1;
}

static __always_inline struct policy_settings *policy_settings_of(const struct job_slot *job)
{
	struct policy_settings *settings = bpf_map_lookup_elem(&policies, &job->policy);

	return settings && settings->loaded ? settings : NULL;
}

/* Does the policy in force leave all of loopback open? */
int loopback_allowed(void);

/*
 * Traffic of the machine with itself under a policy that leaves all of it open: nothing to judge or
 * to remember. DNS is judged there too.
 */
static __always_inline int loopback_is_open(const __u8 *addr, __u16 port)
{
	if (!addr_is_loopback(addr) || port == DNS_PORT || addr_is_docker_dns(addr))
		return 0;
	return loopback_allowed();
}

/* The name that decide() found for a flow's address, or NULL. */
static __always_inline struct learned *learned_at(const struct job_slot *job,
						  const struct flow *flow, __u64 netns,
						  __u64 verdict)
{
	struct learned_key key = { .netns = netns, .way = VERDICT_WAY(verdict) };
	void *table = bpf_map_lookup_elem(&learned_addrs, &job->job);

	if (!table || !VERDICT_HAS_WAY(verdict))
		return NULL;
	__builtin_memcpy(key.addr, flow->addr, ADDR_LEN);
	return bpf_map_lookup_elem(table, &key);
}

#endif
