/* SPDX-License-Identifier: GPL-2.0 */
/* Claiming and releasing the exclusive memory that one packet's work needs; see struct scratch. */
#ifndef BUILDFENCE_SCRATCH_BPF_H
#define BUILDFENCE_SCRATCH_BPF_H

#include "maps.bpf.h"

/* Slots that one CPU tries: as many packets may be under way on it, each interrupting the last. */
#define SCRATCH_TRIES	8
#define SCRATCH_NONE	(~0U)

extern const volatile __u32 scratch_count;

static __always_inline struct scratch *scratch_at(__u32 slot)
{
	return bpf_map_lookup_elem(&scratches, &slot);
}

/* Returns the slot's number, or SCRATCH_NONE: then the packet must be refused. */
static __always_inline __u32 scratch_claim(void)
{
	__u32 first = bpf_get_smp_processor_id() * SCRATCH_TRIES;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < SCRATCH_TRIES; i++) {
		__u32 slot = (first + i) % scratch_count, was_busy;
		struct scratch *scratch = scratch_at(slot);

		if (!scratch)
			break;
		if (scratch->busy)
			continue;
		bpf_spin_lock(&scratch->lock);
		was_busy = scratch->busy;
		scratch->busy = 1;
		bpf_spin_unlock(&scratch->lock);
		if (!was_busy) {
			scratch->dns.slot = slot;
			return slot;
		}
	}
	return SCRATCH_NONE;
}

static __always_inline void scratch_release(__u32 slot)
{
	struct scratch *scratch = scratch_at(slot);

	if (!scratch)
		return;
	bpf_spin_lock(&scratch->lock);
	scratch->busy = 0;
	bpf_spin_unlock(&scratch->lock);
}

#endif
