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
#define LOOPBACK_IFINDEX	1	/* include/net/flow.h: in every network namespace */

/* What packet_judge_out() returns for a packet to resolver i, beside 0 and 1. */
#define JUDGED_DNS(resolver)	(0x100 | (resolver))

/* Bits of the judges' flow word above FLOW_WORD(). */
#define WORD_FAMILY6	(1ULL << 32)
#define WORD_UNREAD	(1ULL << 33)	/* headers, or a way out, that no ordinary socket takes */
#define WORD_RESOLVER	(1ULL << 34)	/* the packet comes from where only resolvers answer */
#define WORD_SOURCE_PORT(port)	((__u64)(port) << 40)
#define SOURCE_PORT(word)	((__u16)((word) >> 40))
/* By which policy it is judged: the job's may change before the verdict is remembered. */
#define WORD_GENERATION_MASK	(0xffULL << 56)
#define WORD_GENERATION(job)	((__u64)(job)->generation << 56)

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
	int out = flow->direction == DIRECTION_OUT;

	if (word & WORD_FAMILY6) {
		bpf_skb_load_bytes(skb, out ? offsetof(struct ipv6hdr, saddr) :
				   offsetof(struct ipv6hdr, daddr), ret_addr, ADDR_LEN);
		return;
	}
	addr_from_v4(ret_addr, 0);
	bpf_skb_load_bytes(skb, out ? offsetof(struct iphdr, saddr) :
			   offsetof(struct iphdr, daddr), ret_addr + 12, 4);
}

/* Records a refused packet. Returns 1 where it passes all the same: in audit mode. */
GLOBAL int packet_refuse(struct __sk_buff *skb, __u64 addr_high, __u64 addr_low, __u64 word,
			 __u64 verdict)
{
	struct job_slot *job = job_slot_of();
	struct socket_state *state = state_of(skb);
	struct learned *learned = NULL;
	__u8 local[ADDR_LEN] = {};
	struct flow flow;
	struct attempt attempt = {
		.remote = flow.addr,
		.local = local,
		.state = state,
		.verdict = verdict,
		.cookie = bpf_get_socket_cookie(skb),
		.source_port = SOURCE_PORT(word),
		.family = word & WORD_FAMILY6 ? 6 : 4,
	};

	flow_from_word(&flow, addr_high, addr_low, word);
	attempt.port = flow.port;
	attempt.protocol = flow.protocol;
	attempt.direction = flow.direction;
	attempt.hook = flow.direction == DIRECTION_OUT ? HOOK_EGRESS : HOOK_INGRESS;
	attempt.reset = flow.direction == DIRECTION_OUT && flow.protocol == IPPROTO_TCP;
	if (state)
		learned = learned_at(job, &flow, state->netns, verdict);
	else
		COUNT(job, out_of_memory);
	local_addr_read(skb, &flow, word, local);
	refuse(job, &attempt, learned);
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
	    !flow_is_established(state, DIRECTION_OUT, flow->addr, flow->port,
				 flow->protocol))
		return 0;
	run = name_run(job->policy, &state->name);
	return run && VERDICT_ALLOWS(run_judge(job->policy, run, flow));
}

/*
 * A packet back to a peer that `inbound` lets in. A datagram socket must have heard it; a TCP
 * socket has, or connect() would have been refused.
 */
static __always_inline int reply_allowed(struct __sk_buff *skb, const struct job_slot *job,
					 struct socket_state *state, const struct flow *flow,
					 __u64 word)
{
	__u64 inbound = (__u64)DIRECTION_IN << 24 | (word & 0xff0000) | SOURCE_PORT(word);

	if (flow->protocol != IPPROTO_TCP &&
	    !peer_is_known(job, state, bpf_get_socket_cookie(skb), DIRECTION_IN, flow->addr,
			   flow->port, flow->protocol))
		return 0;
	return VERDICT_ALLOWS(decide(*(__u64 *)flow->addr, *(__u64 *)(flow->addr + 8), inbound, 0));
}

/* The verdict on a packet out whose flow the socket does not remember. */
static __always_inline __u64 egress_decide(struct __sk_buff *skb, const struct job_slot *job,
					   struct socket_state *state, const struct flow *flow,
					   __u64 word)
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
	if (reply_allowed(skb, job, state, flow, word) || name_still_allows(job, state, flow))
		return VERDICT(ACTION_ALLOW, 0, 0, 0);
	return verdict;
}

/* Remembers a packet that was let out, and notes where a datagram went. Always 1. */
GLOBAL int packet_let_out(struct __sk_buff *skb, __u64 addr_high, __u64 addr_low, __u64 word,
			  __u64 verdict)
{
	struct socket_state *state = state_of(skb);
	struct job_slot *job = job_slot_of();
	struct judged_flow before = {};
	struct flow flow;

	if (!state || WORD_GENERATION(job) != (word & WORD_GENERATION_MASK))
		return 1;
	flow_from_word(&flow, addr_high, addr_low, word);
	flow_remember(state, job, DIRECTION_OUT, &flow, &before);
	if (flow.protocol == IPPROTO_TCP)
		return 1;
	peer_keep(job, bpf_get_socket_cookie(skb), DIRECTION_OUT, &before, &flow);
	if (VERDICT_ALLOWS(verdict))
		reached_note(job, &flow, verdict, learned_at(job, &flow, state->netns, verdict));
	return 1;
}

/* Returns 1 to let the packet pass, 0 to drop it, or JUDGED_DNS(). */
GLOBAL int packet_judge_out(struct __sk_buff *skb, __u64 addr_high, __u64 addr_low, __u64 word)
{
	__u64 verdict = VERDICT(ACTION_DENY, REASON_NOT_ALLOWED, 0, 0);
	struct job_slot *job = job_slot_of();
	struct socket_state *state = state_of(skb);
	struct flow flow;

	flow_from_word(&flow, addr_high, addr_low, word);
	word |= WORD_GENERATION(job);
	if (state)
		verdict = egress_decide(skb, job, state, &flow, word);
	if (VERDICT_IS_DNS(verdict))
		return JUDGED_DNS(VERDICT_RESOLVER(verdict));
	if (!VERDICT_ALLOWS(verdict) && !packet_refuse(skb, addr_high, addr_low, word, verdict))
		return 0;
	return packet_let_out(skb, addr_high, addr_low, word, verdict);
}

/* A packet of a flow that this socket began, or of one that it was let hear. */
static __always_inline int packet_was_judged(struct socket_state *state,
					     const struct job_slot *job,
					     const struct packet *packet)
{
	__u16 heard = packet->protocol == IPPROTO_TCP ? packet->sport : packet->dport;

	if (flow_was_judged(state, job, DIRECTION_OUT, packet->dst, packet->dport,
			    packet->protocol))
		return 1;
	/* Of a resolver's answer: what it is asked is judged anew each time. */
	if (packet->dport == DNS_PORT || addr_is_docker_dns(packet->dst))
		return 0;
	return flow_was_judged(state, job, DIRECTION_IN, packet->dst, heard, packet->protocol);
}

/* To this machine by name, but on a link: whoever is there reads it. A socket can choose so. */
static __always_inline int leaves_as_loopback(const struct __sk_buff *skb,
					      const struct packet *packet)
{
	return skb->ifindex > LOOPBACK_IFINDEX && addr_is_loopback(packet->dst);
}

SEC("cgroup_skb/egress")
int guard_egress(struct __sk_buff *skb)
{
	struct job_slot *job = job_slot_of();
	struct socket_state *state;
	struct packet packet = {};
	__u64 word = 0;
	int judged;

	if (!job->job)
		return 0;
	if (packet_read(skb, &packet))
		word |= WORD_UNREAD;
	else if (packet.control)
		return 1;
	if (leaves_as_loopback(skb, &packet))
		word |= WORD_UNREAD;
	if (packet.family == 6)
		word |= WORD_FAMILY6;
	if (packet.sport == DNS_PORT || addr_is_docker_dns(packet.src))
		word |= WORD_RESOLVER;
	if (!(word & (WORD_UNREAD | WORD_RESOLVER)) &&
	    loopback_is_open(packet.dst, packet.dport))
		return 1;
	state = state_of(skb);
	if (state && !(word & (WORD_UNREAD | WORD_RESOLVER)) &&
	    packet_was_judged(state, job, &packet))
		return 1;
	word |= WORD_SOURCE_PORT(packet.sport) | (__u64)packet.protocol << 16 | packet.dport;
	judged = packet_judge_out(skb, *(__u64 *)packet.dst, *(__u64 *)(packet.dst + 8), word);
	if (!(judged & 0x100))
		return judged != 0;
	return dns_egress(skb, packet.protocol, packet.transport, judged & 0x7) != 0;
}

/* A datagram from a peer that the socket sent to, and under the policy in force still might. */
static __always_inline int answer_allowed(struct __sk_buff *skb, const struct job_slot *job,
					  struct socket_state *state, const struct flow *flow,
					  __u64 word)
{
	__u64 out = (__u64)DIRECTION_OUT << 24 | (word & 0xff0000) | SOURCE_PORT(word);

	return peer_is_known(job, state, bpf_get_socket_cookie(skb), DIRECTION_OUT, flow->addr,
			     SOURCE_PORT(word), flow->protocol) &&
	       VERDICT_ALLOWS(decide(*(__u64 *)flow->addr, *(__u64 *)(flow->addr + 8), out,
				     state->netns));
}

/* Returns 1 to let the packet pass, 0 to drop it. */
GLOBAL int packet_judge_in(struct __sk_buff *skb, __u64 addr_high, __u64 addr_low, __u64 word)
{
	__u64 verdict = VERDICT(ACTION_DENY, REASON_INBOUND, 0, 0);
	struct job_slot *job = job_slot_of();
	struct socket_state *state = state_of(skb);
	struct judged_flow before = {};
	struct flow flow;

	flow_from_word(&flow, addr_high, addr_low, word);
	if (!state || word & WORD_UNREAD)
		return packet_refuse(skb, addr_high, addr_low, word, verdict);
	if (flow.protocol != IPPROTO_TCP && answer_allowed(skb, job, state, &flow, word))
		return 1;
	verdict = decide(addr_high, addr_low, word & 0xffffffff, 0);
	if (!VERDICT_ALLOWS(verdict))
		return packet_refuse(skb, addr_high, addr_low, word, verdict);
	if (flow.protocol != IPPROTO_TCP)
		flow.port = SOURCE_PORT(word);
	flow_remember(state, job, DIRECTION_IN, &flow, &before);
	if (flow.protocol != IPPROTO_TCP)
		peer_keep(job, bpf_get_socket_cookie(skb), DIRECTION_IN, &before, &flow);
	return 1;
}

/* A packet from a peer that this datagram socket sent to last, or one that was let in before. */
static __always_inline int source_was_judged(struct socket_state *state,
					     const struct job_slot *job,
					     const struct packet *packet)
{
	if (packet->protocol == IPPROTO_TCP)
		return flow_was_judged(state, job, DIRECTION_IN, packet->src, packet->dport,
				       packet->protocol);
	return flow_was_judged(state, job, DIRECTION_OUT, packet->src, packet->sport,
			       packet->protocol) ||
	       flow_was_judged(state, job, DIRECTION_IN, packet->src, packet->sport,
			       packet->protocol);
}

SEC("cgroup_skb/ingress")
int guard_ingress(struct __sk_buff *skb)
{
	struct job_slot *job = job_slot_of();
	struct bpf_sock *sk = full_socket(skb);
	struct socket_state *state;
	struct packet packet = {};
	__u64 word = 0;
	int connected;

	if (!job->job || !sk)
		return 0;
	/* The kernel matched both ends of a TCP connection; only a listener hears strangers. */
	connected = sk->protocol == IPPROTO_TCP && sk->state != TCP_LISTEN;
	if (connected && sk->dst_port != bpf_htons(DNS_PORT) &&
	    sk->dst_ip4 != bpf_htonl(DOCKER_DNS_V4))
		return 1;
	if (packet_read(skb, &packet))
		word |= WORD_UNREAD;
	else if (packet.control)
		return 1;
	if (!word && (packet.sport == DNS_PORT || addr_is_docker_dns(packet.src))) {
		int taken = dns_ingress(skb, packet.protocol, packet.transport, sk->state);

		if (taken != DNS_NOT_ANSWER)
			return taken != 0;
	}
	if (connected || (!word && loopback_is_open(packet.src, packet.sport)))
		return 1;
	state = state_of(skb);
	if (state && !word && source_was_judged(state, job, &packet))
		return 1;
	if (packet.family == 6)
		word |= WORD_FAMILY6;
	word |= WORD_SOURCE_PORT(packet.sport) | (__u64)DIRECTION_IN << 24 |
		(__u64)packet.protocol << 16 | packet.dport;
	return packet_judge_in(skb, *(__u64 *)packet.src, *(__u64 *)(packet.src + 8), word) != 0;
}
