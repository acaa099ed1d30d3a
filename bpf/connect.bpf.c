/* SPDX-License-Identifier: GPL-2.0 */
/*
 * connect() and sendmsg(): the destination is judged while the caller waits, so that it gets EPERM
 * at once and the record names the process. The packet hooks are the boundary; these are the
 * answer that a build can understand.
 */
#include "record.bpf.h"
#include "socket.bpf.h"
#include "peer.bpf.h"

/*
 * A server's datagram back to a peer that `inbound` lets in, and that it has heard. TCP needs none
 * of this: a server never calls connect().
 */
static __always_inline __u64 decide_reply(struct bpf_sock_addr *ctx, const struct job_slot *job,
					  struct socket_state *state, const struct flow *flow,
					  __u64 verdict)
{
	struct flow inbound = *flow;
	struct bpf_sock *sk = ctx->sk;
	__u64 reply;

	if (VERDICT_ALLOWS(verdict) || VERDICT_REASON(verdict) == REASON_DNS_SERVER ||
	    flow->protocol != IPPROTO_UDP || !sk || !sk->src_port ||
	    !peer_is_known(job, state, bpf_get_socket_cookie(ctx), DIRECTION_IN, flow->addr,
			   flow->port, flow->protocol))
		return verdict;
	inbound.direction = DIRECTION_IN;
	inbound.port = sk->src_port;
	reply = flow_decide(&inbound, 0);
	return VERDICT_ALLOWS(reply) ? reply : verdict;
}

/* Remembers what was let through for the packet hook; in audit mode what was only reported, too. */
static __always_inline int destination_remember(struct bpf_sock_addr *ctx,
						const struct job_slot *job,
						struct socket_state *state,
						const struct flow *flow,
						const struct learned *learned)
{
	struct judged_flow before = {};

	flow_remember(state, job, DIRECTION_OUT, flow, &before);
	if (flow->protocol != IPPROTO_TCP) {
		peer_keep(job, bpf_get_socket_cookie(ctx), DIRECTION_OUT, &before, flow);
		return 1;
	}
	state->name_known = 0;
	if (learned) {
		__builtin_memcpy(&state->name, &learned->name, sizeof(state->name));
		state->name_known = 1;
	}
	return 1;
}

static __always_inline int destination_judge(struct bpf_sock_addr *ctx, const struct flow *flow,
					     __u8 hook, __u8 family)
{
	struct job_slot *job = job_slot_of();
	struct attempt attempt = {
		.remote = flow->addr,
		.port = flow->port,
		.protocol = flow->protocol,
		.hook = hook,
		.family = family,
	};
	struct socket_state *state;
	struct learned *learned;
	struct bpf_sock *sk = ctx->sk;

	if (!job->job || !sk)
		return 0;
	if (loopback_is_open(flow->addr, flow->port))
		return 1;
	state = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!state) {
		refusal_count_lost(job, VERDICT(ACTION_DENY, REASON_NOT_ALLOWED, 0, 0));
		return job->mode == MODE_AUDIT;
	}
	/*
	 * A datagram socket's connect() sends nothing: getaddrinfo() calls it on every address it
	 * found, only to sort them. What the socket sends is judged at egress; but of what goes to
	 * a group, the copies for this machine's own sockets pass no hook.
	 */
	if (hook == HOOK_CONNECT && flow->protocol != IPPROTO_TCP && !addr_is_group(flow->addr)) {
		state->netns = bpf_get_netns_cookie(ctx);
		state_process_set(state);
		return 1;
	}
	if (hook == HOOK_SENDMSG && flow_was_judged(state, job, DIRECTION_OUT, flow->addr,
						    flow->port, flow->protocol))
		return 1;
	state->netns = bpf_get_netns_cookie(ctx);
	state_process_set(state);
	attempt.state = state;
	attempt.verdict = flow_decide(flow, state->netns);
	attempt.verdict = decide_reply(ctx, job, state, flow, attempt.verdict);
	if (VERDICT_IS_DNS(attempt.verdict))
		return 1;	/* the question is judged at egress; never remembered */
	learned = learned_at(job, flow, state->netns, attempt.verdict);
	if (VERDICT_ALLOWS(attempt.verdict)) {
		reached_note(job, flow, attempt.verdict, learned);
	} else {
		attempt.cookie = bpf_get_socket_cookie(ctx);
		refuse(job, &attempt, learned);
		if (job->mode != MODE_AUDIT)
			return 0;
	}
	return destination_remember(ctx, job, state, flow, learned);
}

static __always_inline void flow_from_ctx4(struct flow *flow, struct bpf_sock_addr *ctx)
{
	addr_from_v4(flow->addr, ctx->user_ip4);
	flow->port = bpf_ntohs((__u16)ctx->user_port);
	flow->protocol = ctx->protocol;
}

static __always_inline void flow_from_ctx6(struct flow *flow, struct bpf_sock_addr *ctx)
{
	__u32 *addr = (__u32 *)flow->addr;

	addr[0] = ctx->user_ip6[0];
	addr[1] = ctx->user_ip6[1];
	addr[2] = ctx->user_ip6[2];
	addr[3] = ctx->user_ip6[3];
	flow->port = bpf_ntohs((__u16)ctx->user_port);
	flow->protocol = ctx->protocol;
}

SEC("cgroup/connect4")
int guard_connect4(struct bpf_sock_addr *ctx)
{
	struct flow flow = {};

	flow_from_ctx4(&flow, ctx);
	return destination_judge(ctx, &flow, HOOK_CONNECT, 4);
}

SEC("cgroup/connect6")
int guard_connect6(struct bpf_sock_addr *ctx)
{
	struct flow flow = {};

	flow_from_ctx6(&flow, ctx);
	return destination_judge(ctx, &flow, HOOK_CONNECT, 6);
}

SEC("cgroup/sendmsg4")
int guard_sendmsg4(struct bpf_sock_addr *ctx)
{
	struct flow flow = {};

	flow_from_ctx4(&flow, ctx);
	return destination_judge(ctx, &flow, HOOK_SENDMSG, 4);
}

SEC("cgroup/sendmsg6")
int guard_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct flow flow = {};

	flow_from_ctx6(&flow, ctx);
	return destination_judge(ctx, &flow, HOOK_SENDMSG, 6);
}
