/* SPDX-License-Identifier: GPL-2.0 */
/* The socket's memory: who it belongs to, and which flows of it were judged already. */
#ifndef BUILDFENCE_SOCKET_BPF_H
#define BUILDFENCE_SOCKET_BPF_H

#include "decide.bpf.h"

/* Only in hooks that run in the caller's own context. */
static __always_inline void state_process_set(struct socket_state *state)
{
	state->pid = bpf_get_current_pid_tgid() >> 32;
	state->uid = (__u32)bpf_get_current_uid_gid();
	bpf_get_current_comm(state->comm, COMM_LEN);
}

static __always_inline int judged_is(const struct judged_flow *judged, const __u8 *addr,
				     __u16 port, __u8 protocol)
{
	return judged->valid && judged->port == port && judged->protocol == protocol &&
	       addr_equal(judged->addr, addr);
}

/*
 * Was exactly this flow let through under the policy in force? The fast path. Without the lock for
 * TCP, whose connections have the socket's own: a listener, which has not, only mixes up peers that
 * were all let through.
 */
static __always_inline int flow_was_judged(struct socket_state *state, const struct job_slot *job,
					   __u32 direction, const __u8 *addr, __u16 port,
					   __u8 protocol)
{
	struct judged_flow *judged = &state->judged[direction];
	int same;

	if (protocol == IPPROTO_TCP)
		return judged->generation == job->generation &&
		       judged_is(judged, addr, port, protocol);
	bpf_spin_lock(&state->lock);
	same = judged->generation == job->generation && judged_is(judged, addr, port, protocol);
	bpf_spin_unlock(&state->lock);
	return same;
}

/* The same whatever the generation: was it let through before? */
static __always_inline int flow_is_established(struct socket_state *state, __u32 direction,
					       const __u8 *addr, __u16 port, __u8 protocol)
{
	struct judged_flow *judged = &state->judged[direction];
	int same;

	bpf_spin_lock(&state->lock);
	same = judged_is(judged, addr, port, protocol);
	bpf_spin_unlock(&state->lock);
	return same;
}

/* Remembers a judged flow; the one that it displaces is written to ret_before. */
static __always_inline void flow_remember(struct socket_state *state, const struct job_slot *job,
					  __u32 direction, const struct flow *flow,
					  struct judged_flow *ret_before)
{
	struct judged_flow *judged = &state->judged[direction];

	bpf_spin_lock(&state->lock);
	*ret_before = *judged;
	__builtin_memcpy(judged->addr, flow->addr, ADDR_LEN);
	judged->port = flow->port;
	judged->protocol = flow->protocol;
	judged->valid = 1;
	judged->generation = job->generation;
	bpf_spin_unlock(&state->lock);
}

#endif
