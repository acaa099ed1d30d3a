/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the compiler: runs of port rules. A run is what one name or prefix may do, with all that
 * it inherits, in the order in which the kernel looks at it.
 */
#ifndef BUILDFENCE_POLICY_RUNS_H
#define BUILDFENCE_POLICY_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

/* All port rules of an image; equal runs are kept once. */
struct run_pool {
	struct port_rule *rules;
	size_t count;
	size_t capacity;
	struct run_place *places;	/* hash table: where a run with this content stands */
	size_t place_mask;
};

/* Makes room for at most `runs_max` different runs. Returns 0 or -ENOMEM. */
int run_pool_init(struct run_pool *pool, size_t runs_max);
void run_pool_free(struct run_pool *pool);

/*
 * Makes the run of one entry: its own port rules (all actions, in the order of the file) and those
 * of the entry that covers it most closely (NULL: none does). Within an action the own ones come
 * first: they are more specific.
 * Returns 0, -E2BIG (more than RUN_MAX are left) or -ENOMEM.
 */
int run_build(struct run_pool *pool, const struct port_rule *own, size_t own_count,
	      const struct rule_run *inherited, struct rule_run *ret_run);

#endif
