/* SPDX-License-Identifier: GPL-2.0 */
/* Claiming and releasing the exclusive memory that one packet's work needs; see struct scratch. */
#ifndef BUILDFENCE_SCRATCH_BPF_H
#define BUILDFENCE_SCRATCH_BPF_H

#include "maps.bpf.h"

#define SCRATCH_NONE	(~0U)

extern const volatile __u32 scratch_count;

static __always_inline struct scratch *scratch_at(__u32 slot)
{
	return bpf_map_lookup_elem(&scratches, &slot);
}

/* Returns the slot's number, or SCRATCH_NONE: then the packet must be refused. */
__u32 scratch_claim(void);

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
