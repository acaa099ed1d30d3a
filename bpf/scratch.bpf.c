/* SPDX-License-Identifier: GPL-2.0 */
/* Claiming scratch memory: a function of its own, so that the verifier walks its loop once. */
#include "scratch.bpf.h"

/* Slots that one CPU tries: as many packets may be under way on it, each interrupting the last. */
#define SCRATCH_TRIES	8

GLOBAL __u32 scratch_claim(void)
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
