/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cgroup_skb: the boundary. Egress judges the destination in the packet's own header, whatever a
 * connect hook was told; ingress refuses what was not asked for. A packet of a flow that was judged
 * before costs one look into the socket's state; every other one goes to packet_judge_*(), which
 * are functions of their own and take what was read in registers, so that the verifier does not
 * walk them once for each kind of header.
 */
#include <stddef.h>
#include "packet.bpf.h"
#include "peer.bpf.h"
#include "dns.bpf.h"

#define TCP_LISTEN	10

/* What packet_judge_out() returns for a packet to resolver i, beside 0 and 1. */
#define JUDGED_DNS(resolver)	(0x100 | (resolver))

/* Bits of the judges' flow word above FLOW_WORD(). */
#define WORD_FAMILY6	(1ULL << 32)
#define WORD_UNREAD	(1ULL << 33)	/* headers that no ordinary socket sends */
#define WORD_RESOLVER	(1ULL << 34)	/* the packet comes from where only resolvers answer */

static __always_inline struct bpf_sock *full_socket(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	return sk ? bpf_sk_fullsock(sk) : NULL;
}

static __always_inline struct socket_state *state_of(struct __sk_buff *skb)
{
	struct bpf_sock *sk = full_socket(skb);

	return sk ? bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE) : NULL;
}

static __always_inline void flow_from_word(struct flow *flow, __u64 addr_high, __u64 addr_low,
					   __u64 word)
{
	*(__u64 *)flow->addr = addr_high;
	*(__u64 *)(flow->addr + 8) = addr_low;
	flow->port = word;
	flow->protocol = word >> 16;
	flow->direction = (word >> 24) & 1;
	flow->pad = 0;
}

/* The local end's address, from the packet: the source of one that leaves. */
static __always_inline void local_addr_read(struct __sk_buff *skb, const struct flow *flow,
					    __u64 word, __u8 *ret_addr)
{
	__u32 v4 = 0, out = flow->direction == DIRECTION_OUT;

	if (word & WORD_FAMILY6) {
		bpf_skb_load_bytes(skb, out ? offsetof(struct ipv6hdr, saddr) :
				   offsetof(struct ipv6hdr, daddr), ret_addr, ADDR_LEN);
	} else if (!bpf_skb_load_bytes(skb, out ? offsetof(struct iphdr, saddr) :
				       offsetof(struct iphdr, daddr), &v4, sizeof(v4))) {
		addr_from_v4(ret_addr, v4);
	}
}

static __always_inline int packet_refuse(struct __sk_buff *skb, const struct job_slot *job,
					 const struct socket_state *state, const struct flow *flow,
					 __u64 word, __u32 source_port, __u64 verdict)
{
	struct attempt attempt = {
		.flow = flow,
		.state = state,
		.verdict = verdict,
		.cookie = bpf_get_socket_cookie(skb),
		.source_port = source_port,
		.hook = flow->direction == DIRECTION_OUT ? HOOK_EGRESS : HOOK_INGRESS,
		.family = word & WORD_FAMILY6 ? 6 : 4,
		.reset = flow->direction == DIRECTION_OUT && flow->protocol == IPPROTO_TCP,
	};

	local_addr_read(skb, flow, word, attempt.local);
	refuse(job, &attempt, state ? learned_at(job, flow, state->netns, verdict) : NULL);
	return job->mode == MODE_AUDIT;
}

/*
 * A connection outlives the entry of the address that allowed it, but not a policy that no longer
 * allows its name.
 */
static __always_inline int name_still_allows(const struct job_slot *job,
					     struct socket_state *state, const struct flow *flow)
{
	struct rule_run *run;

	if (flow->protocol != IPPROTO_TCP || !state->name_known ||
	    !flow_is_established(state, flow))
		return 0;
	run = name_run(job->policy, &state->name);
	return run && VERDICT_ALLOWS(run_judge(job->policy, run, flow));
}

/* A packet back to a peer that `inbound` lets in. */
static __always_inline int reply_allowed(__u64 addr_high, __u64 addr_low, __u64 word,
					 __u32 source_port)
{
	__u64 inbound = (__u64)DIRECTION_IN << 24 | (word & 0xff0000) | source_port;

	return VERDICT_ALLOWS(decide(addr_high, addr_low, inbound, 0));
}

/* The verdict on a packet out whose flow the socket does not remember. */
static __always_inline __u64 egress_decide(const struct job_slot *job, struct socket_state *state,
					   const struct flow *flow, __u64 word, __u32 source_port)
{
	__u64 addr_high = *(__u64 *)flow->addr, addr_low = *(__u64 *)(flow->addr + 8);
	__u64 verdict;

	if (word & WORD_UNREAD)
		return VERDICT(ACTION_DENY, REASON_NOT_ALLOWED, 0, 0);
	/* A job must not answer DNS questions: it could teach its own sockets any address. */
	if (word & WORD_RESOLVER)
		return VERDICT(ACTION_DENY, REASON_DNS_SERVER, 0, 0);
	verdict = decide(addr_high, addr_low, word & 0xffffffff, state->netns);
	if (VERDICT_ALLOWS(verdict) || VERDICT_REASON(verdict) == REASON_DNS_SERVER)
		return verdict;
	if (reply_allowed(addr_high, addr_low, word, source_port) ||
	    name_still_allows(job, state, flow))
		return VERDICT(ACTION_ALLOW, 0, 0, 0);
	return verdict;
}

/* Returns 1 to let the packet pass, 0 to drop it, or JUDGED_DNS(). */
__noinline int packet_judge_out(struct __sk_buff *skb, __u64 addr_high, __u64 addr_low, __u64 word,
				__u32 source_port)
{
	struct job_slot *job = job_slot_of();
	struct socket_state *state = state_of(skb);
	struct judged_flow before = {};
	struct flow flow;
	__u64 verdict;

	flow_from_word(&flow, addr_high, addr_low, word);
	if (!state) {
		COUNT(job, storage_failed);
		return packet_refuse(skb, job, NULL, &flow, word, source_port,
				     VERDICT(ACTION_DENY, REASON_NOT_ALLOWED, 0, 0));
	}
	verdict = egress_decide(job, state, &flow, word, source_port);
	if (VERDICT_IS_DNS(verdict))
		return JUDGED_DNS(VERDICT_RESOLVER(verdict));
	if (!VERDICT_ALLOWS(verdict) &&
	    !packet_refuse(skb, job, state, &flow, word, source_port, verdict))
		return 0;
	flow_remember(state, job, &flow, &before);
	if (flow.protocol != IPPROTO_TCP)
		peer_keep(job, bpf_get_socket_cookie(skb), &before, &flow);
	return 1;
}

SEC("cgroup_skb/egress")
int guard_egress(struct __sk_buff *skb)
{
	struct job_slot *job = job_slot_of();
	struct socket_state *state;
	struct packet packet = {};
	struct flow flow = {};
	__u64 word = 0;
	int judged;

	if (!job->job)
		return 0;
	if (packet_read(skb, &packet))
		word |= WORD_UNREAD;
	else if (packet.control)
		return 1;
	__builtin_memcpy(flow.addr, packet.dst, ADDR_LEN);
	flow.port = packet.dport;
	flow.protocol = packet.protocol;
	if (packet.family == 6)
		word |= WORD_FAMILY6;
	if (packet.sport == DNS_PORT || addr_is_docker_dns(packet.src))
		word |= WORD_RESOLVER;
	state = state_of(skb);
	if (state && !(word & (WORD_UNREAD | WORD_RESOLVER)) && flow_was_judged(state, job, &flow))
		return 1;
	judged = packet_judge_out(skb, *(__u64 *)flow.addr, *(__u64 *)(flow.addr + 8),
				  word | FLOW_WORD(&flow), packet.sport);
	if (!(judged & 0x100))
		return judged != 0;
	return dns_egress(skb, packet.protocol, packet.transport, judged & 0x7) != 0;
}

/* Did this datagram socket send to where the packet comes from? */
static __always_inline int peer_was_asked(struct __sk_buff *skb, const struct job_slot *job,
					  struct socket_state *state, const struct flow *in,
					  __u32 source_port)
{
	struct flow out = { .port = source_port, .protocol = in->protocol };

	__builtin_memcpy(out.addr, in->addr, ADDR_LEN);
	return flow_is_established(state, &out) ||
	       peer_is_known(job, bpf_get_socket_cookie(skb), in->addr, source_port, in->protocol);
}

/* Returns 1 to let the packet pass, 0 to drop it. */
__noinline int packet_judge_in(struct __sk_buff *skb, __u64 addr_high, __u64 addr_low, __u64 word,
			       __u32 source_port)
{
	struct job_slot *job = job_slot_of();
	__u64 verdict = VERDICT(ACTION_DENY, REASON_INBOUND, 0, 0);
	struct socket_state *state = state_of(skb);
	struct judged_flow before = {};
	struct flow flow;

	flow_from_word(&flow, addr_high, addr_low, word);
	if (!state)
		COUNT(job, storage_failed);
	if (!state || word & WORD_UNREAD)
		return packet_refuse(skb, job, state, &flow, word, source_port, verdict);
	if (flow.protocol != IPPROTO_TCP && peer_was_asked(skb, job, state, &flow, source_port))
		return 1;
	verdict = decide(addr_high, addr_low, word & 0xffffffff, 0);
	if (!VERDICT_ALLOWS(verdict))
		return packet_refuse(skb, job, state, &flow, word, source_port, verdict);
	flow_remember(state, job, &flow, &before);
	return 1;
}

SEC("cgroup_skb/ingress")
int guard_ingress(struct __sk_buff *skb)
{
	struct job_slot *job = job_slot_of();
	struct flow flow = { .direction = DIRECTION_IN };
	struct bpf_sock *sk = full_socket(skb);
	struct socket_state *state;
	struct packet packet = {};
	__u64 word = 0;

	if (!job->job || !sk)
		return 0;
	if (packet_read(skb, &packet))
		word |= WORD_UNREAD;
	else if (packet.control)
		return 1;
	if (!(word & WORD_UNREAD) && (packet.sport == DNS_PORT || addr_is_docker_dns(packet.src))) {
		int taken = dns_ingress(skb, packet.protocol, packet.transport, sk->state);

		if (taken != DNS_NOT_ANSWER)
			return taken != 0;
	}
	/* The kernel matched both ends of a TCP connection; only a listener hears strangers. */
	if (sk->protocol == IPPROTO_TCP && sk->state != TCP_LISTEN)
		return 1;
	__builtin_memcpy(flow.addr, packet.src, ADDR_LEN);
	flow.port = packet.dport;
	flow.protocol = packet.protocol;
	if (packet.family == 6)
		word |= WORD_FAMILY6;
	state = state_of(skb);
	if (state && !(word & WORD_UNREAD) && flow_was_judged(state, job, &flow))
		return 1;
	return packet_judge_in(skb, *(__u64 *)flow.addr, *(__u64 *)(flow.addr + 8),
			       word | FLOW_WORD(&flow), packet.sport) != 0;
}
