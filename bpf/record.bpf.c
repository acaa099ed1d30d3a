/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Folding: the first attempt of a kind goes through the ring at once; repeats only count, in the
 * table of the current epoch, until userspace drains it.
 */
#include "record.bpf.h"

/* Keeps clang from holding all members at once, and from spilling them: the stack is short. */
#define ONE_BY_ONE()	asm volatile("" ::: "memory")

static __always_inline void fold_key_fill(struct fold_key *key, const struct refusal *refusal)
{
	const __u8 *remote = refusal->direction == DIRECTION_OUT ? refusal->dst : refusal->src;

	key->name_hash = refusal->name_hash;
	ONE_BY_ONE();
	__builtin_memcpy(key->remote, remote, ADDR_LEN);
	ONE_BY_ONE();
	key->pid = refusal->pid;
	key->generation = refusal->generation;
	key->rule = refusal->rule;
	key->port = refusal->dport;
	ONE_BY_ONE();
	key->protocol = refusal->protocol;
	key->reason = refusal->reason;
	ONE_BY_ONE();
	key->hook = refusal->hook;
	key->direction = refusal->direction;
	ONE_BY_ONE();
	key->flags = refusal->flags;
	__builtin_memset(key->pad, 0, sizeof(key->pad));
}

static __always_inline int fold_repeat(void *table, const struct fold_key *key, __u64 now)
{
	struct fold *fold = bpf_map_lookup_elem(table, key);

	if (!fold)
		return 0;
	fold->last_ns = now;
	__sync_fetch_and_add(&fold->count, 1);
	return 1;
}

/* Only after the fold has its entry: a full table must not become a flood in the ring. */
static __always_inline void refusal_announce(void *table, struct fold *fold,
					     const struct fold_key *key,
					     struct job_counters *job_counters)
{
	struct fold *entry;

	if (!bpf_ringbuf_output(&refusals, &fold->refusal, sizeof(fold->refusal), 0))
		return;
	__sync_fetch_and_add(&job_counters->ring_full, 1);
	entry = bpf_map_lookup_elem(table, key);
	if (entry)
		entry->announced = 0;
}

GLOBAL int refusal_record(__u32 slot)
{
	struct scratch *scratch = scratch_at(slot);
	struct job_counters *job_counters;
	struct fold_key *key;
	struct fold *fold;
	__u32 zero = 0, epoch, now_index, before_index, reason;
	void *now_table, *before_table;
	struct epoch *epoch_now;

	if (!scratch)
		return 0;
	fold = &scratch->fold;
	key = &scratch->fold_key;
	reason = fold->refusal.reason & (REASON_SLOTS - 1);
	job_counters = bpf_map_lookup_elem(&counters, &fold->refusal.job);
	if (!job_counters)
		return 0;
	__sync_fetch_and_add(&job_counters->refused[reason], 1);

	epoch_now = bpf_map_lookup_elem(&epochs, &zero);
	epoch = epoch_now ? epoch_now->epoch & 1 : 0;
	now_index = fold->refusal.job * FOLD_EPOCHS + epoch;
	before_index = fold->refusal.job * FOLD_EPOCHS + !epoch;
	now_table = bpf_map_lookup_elem(&folds, &now_index);
	before_table = bpf_map_lookup_elem(&folds, &before_index);
	if (!now_table || !before_table)
		goto lost;
	fold_key_fill(key, &fold->refusal);
	if (fold_repeat(now_table, key, fold->refusal.time_ns))
		return 0;
	fold->count = 1;
	fold->last_ns = fold->refusal.time_ns;
	fold->announced = !bpf_map_lookup_elem(before_table, key);
	if (!bpf_map_update_elem(now_table, key, fold, BPF_NOEXIST)) {
		if (fold->announced)
			refusal_announce(now_table, fold, key, job_counters);
		return 0;
	}
	/* Another CPU made the entry meanwhile, or the table is full. */
	if (fold_repeat(now_table, key, fold->last_ns))
		return 0;
lost:
	__sync_fetch_and_add(&job_counters->unfolded[reason], 1);
	return 0;
}
