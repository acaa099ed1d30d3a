/* SPDX-License-Identifier: GPL-2.0 */
/* Defines the maps of maps.bpf.h. Linked first, before the objects that only use them. */
#define DEFINE_MAPS
#include "maps.bpf.h"

/* Set by the loader. 5.10 refuses an object whose .rodata is empty, and with it every map. */
const volatile __u32 scratch_count = 64;
const volatile __u8 has_set_retval = 0;
/* For BPF_PROG_TEST_RUN, which gives a program fresh storage instead of a cgroup's. Else zero. */
const volatile struct job_slot trial_slot = {};

char LICENSE[] SEC("license") = "GPL";
