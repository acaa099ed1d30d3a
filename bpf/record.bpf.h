/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recording what was refused and what was reached. The counts are exact; see struct job_counters.
 */
#ifndef BUILDFENCE_RECORD_BPF_H
#define BUILDFENCE_RECORD_BPF_H

#include "decide.bpf.h"
#include "scratch.bpf.h"

/* Counts and folds scratch->fold.refusal of this slot. Always 0. */
int refusal_record(__u32 slot);

static __always_inline struct job_counters *counters_of(const struct job_slot *job)
{
	return bpf_map_lookup_elem(&counters, &job->job);
}

#define COUNT(job, member)						\
	do {								\
		struct job_counters *counters_ = counters_of(job);	\
		if (counters_)						\
			__sync_fetch_and_add(&counters_->member, 1);	\
	} while (0)

/* Everything a hook knows about a refused attempt; the rest comes from the socket's state. */
struct attempt {
	const __u8 *remote;			/* addresses, 16 bytes */
	const __u8 *local;			/* may be NULL */
	const struct socket_state *state;	/* may be NULL */
	__u64 verdict;
	__u64 cookie;
	__u32 socket_type;
	__u16 source_port;			/* as in the packet, whichever its direction */
	__u16 port;				/* of struct flow */
	__u8 protocol;
	__u8 direction;
	__u8 hook;
	__u8 family;
	__u8 reset;
};

/* The refusal without its names and process: what counts even if no scratch memory is free. */
static __always_inline void refusal_count_lost(const struct job_slot *job, __u64 verdict)
{
	__u32 reason = VERDICT_REASON(verdict) & (REASON_SLOTS - 1);
	struct job_counters *counters = counters_of(job);

	if (!counters)
		return;
	__sync_fetch_and_add(&counters->refused[reason], 1);
	__sync_fetch_and_add(&counters->unfolded[reason], 1);
	__sync_fetch_and_add(&counters->out_of_memory, 1);
}

/* Fills scratch->fold.refusal, but for the name. */
static __always_inline void refusal_fill(struct refusal *refusal, const struct job_slot *job,
					 const struct attempt *attempt)
{
	const struct socket_state *state = attempt->state;
	int out = attempt->direction == DIRECTION_OUT;

	__builtin_memset(refusal, 0, __builtin_offsetof(struct refusal, name));
	refusal->time_ns = bpf_ktime_get_boot_ns();
	refusal->cookie = attempt->cookie;
	__builtin_memcpy(out ? refusal->dst : refusal->src, attempt->remote, ADDR_LEN);
	if (attempt->local)
		__builtin_memcpy(out ? refusal->src : refusal->dst, attempt->local, ADDR_LEN);
	refusal->sport = attempt->source_port;
	refusal->dport = attempt->port;
	refusal->family = attempt->family;
	refusal->protocol = attempt->protocol;
	refusal->reason = VERDICT_REASON(attempt->verdict);
	refusal->hook = attempt->hook;
	refusal->direction = attempt->direction;
	refusal->flags = VERDICT_FLAGS(attempt->verdict) & REFUSAL_EXPECTED;
	if (job->mode == MODE_AUDIT)
		refusal->flags |= REFUSAL_AUDIT;
	else if (attempt->reset)
		refusal->flags |= REFUSAL_RESET;
	refusal->job = job->job;
	refusal->generation = job->generation;
	refusal->rule = VERDICT_RULE(attempt->verdict);
	refusal->socket_type = attempt->socket_type;
	if (state) {
		refusal->netns = state->netns;
		refusal->pid = state->pid;
		refusal->uid = state->uid;
		__builtin_memcpy(refusal->comm, state->comm, COMM_LEN);
	}
}

static __always_inline void refusal_name(struct refusal *refusal, const struct name_key *name,
					 __u64 name_hash)
{
	refusal->name_len = name->prefix_bits / 8;
	refusal->name_hash = name_hash;
	__builtin_memcpy(refusal->name, name->name, NAME_LEN);
}

/* Records an attempt whose name, if any, is the one its address was learned by. */
static __always_inline void refuse(const struct job_slot *job, const struct attempt *attempt,
				   struct learned *learned)
{
	__u32 slot = scratch_claim();
	struct scratch *scratch = scratch_at(slot);

	if (slot == SCRATCH_NONE || !scratch) {
		refusal_count_lost(job, attempt->verdict);
		return;
	}
	refusal_fill(&scratch->fold.refusal, job, attempt);
	if (learned)
		refusal_name(&scratch->fold.refusal, &learned->name, learned->name_hash);
	refusal_record(slot);
	scratch_release(slot);
}

/* Notes an allowed destination for the summary; loopback is nobody's news. */
static __always_inline void reached_note(const struct job_slot *job, const struct flow *flow,
					 __u64 verdict, struct learned *learned)
{
	struct reached_key key = {
		.port = flow->port, .protocol = flow->protocol, .direction = flow->direction,
	};
	void *table = bpf_map_lookup_elem(&reached_addrs, &job->job);
	struct scratch *scratch;
	struct reached *reached;
	__u32 slot;

	if (!table || addr_is_loopback(flow->addr))
		return;
	__builtin_memcpy(key.addr, flow->addr, ADDR_LEN);
	if (learned)
		key.name_hash = learned->name_hash;
	reached = bpf_map_lookup_elem(table, &key);
	if (reached) {
		__sync_fetch_and_add(&reached->count, 1);
		reached->last_ns = bpf_ktime_get_boot_ns();
		return;
	}
	slot = scratch_claim();
	scratch = scratch_at(slot);
	if (slot == SCRATCH_NONE || !scratch) {
		COUNT(job, reached_full);
		return;
	}
	scratch->reached.expires_ns = ~0ULL;
	scratch->reached.count = 1;
	scratch->reached.first_ns = scratch->reached.last_ns = bpf_ktime_get_boot_ns();
	scratch->reached.rule = VERDICT_RULE(verdict);
	scratch->reached.name_len = 0;
	if (learned) {
		scratch->reached.name_len = learned->name.prefix_bits / 8;
		__builtin_memcpy(scratch->reached.name, learned->name.name, NAME_LEN);
	}
	if (bpf_map_update_elem(table, &key, &scratch->reached, BPF_NOEXIST))
		COUNT(job, reached_full);
	scratch_release(slot);
}

#endif
