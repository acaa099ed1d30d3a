/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The policies that jobs run under: read from their sources, put into the kernel, replaced by a
 * reload without a packet judged by half of one, and known again after a takeover. Which job has
 * which is jobs.h's matter.
 *
 * A policy's number in the kernel is given back only some seconds after its last job left it: a
 * packet under way may still have read the old number, and would find nothing there.
 */
#ifndef BUILDFENCE_POLICIES_H
#define BUILDFENCE_POLICIES_H

#include <stdint.h>
#include <time.h>

#include "policy/policy.h"

struct guard;
struct policies;

/* A policy in the kernel. Held by references. */
struct loaded {
	struct policy *policy;
	char *source;			/* a preset's name, or a file's absolute path */
	uint32_t number;		/* in the guard */
	time_t compiled;		/* rules that end later are still in force */
	unsigned int references;
	bool replaced;			/* no new job takes it */
	bool named;			/* by the configuration: stays without a job */
	bool stale;			/* the resolvers have changed since it was compiled */
	bool complained;		/* it could not be compiled again, and that was said */
};

/*
 * `folder_fd` is where descriptions of loaded policies are kept, so that a successor can name the
 * rules of records that it finds. Stays the caller's. Returns 0 or -ENOMEM.
 */
int policies_new(struct guard *guard, int folder_fd, struct policies **ret_policies);

/* What is in the kernel stays there. NULL is fine. */
void policies_free(struct policies *policies);

/*
 * A reference to the policy from `source`, read and loaded if it is not there yet: a source that
 * the configuration does not name is there as long as a job has it. Errors go to `diag`. Returns 0
 * or -errno.
 */
int policies_get(struct policies *policies, const char *source, struct diagnostics *diag,
		 struct loaded **ret_loaded);

/* The policy that policies_get() gives for `source`, without a reference; NULL: not loaded. */
struct loaded *policies_find(const struct policies *policies, const char *source);

/*
 * After a takeover: a reference to the policy that the predecessor loaded under `number`, with its
 * rules' names as far as they were written down. Never replaces what policies_get() gives.
 */
int policies_adopt(struct policies *policies, const char *source, uint32_t number,
		   struct loaded **ret_loaded);

void policies_hold(struct loaded *loaded);
void policies_put(struct policies *policies, struct loaded *loaded);

/*
 * `from` was replaced by `to`: jobs that have it must change. One that cannot keeps its reference,
 * and with it the policy.
 */
typedef void (*policy_moved_fn)(struct loaded *from, struct loaded *to, void *context);

/*
 * Reads every source anew, those of `sources` (NULL-terminated) too. One error refuses all: the
 * policies in force stay. Returns 0, -EINVAL (reported in `diag`) or another -errno.
 */
int policies_reload(struct policies *policies, const char *const *sources,
		    struct diagnostics *diag, policy_moved_fn moved, void *context);

/* Once a second: gives back old numbers; compiles anew when resolv.conf changed or a rule ended. */
void policies_tick(struct policies *policies, policy_moved_fn moved, void *context);

/* After a takeover: gives back what the predecessor loaded and nobody has. */
void policies_orphans_retire(struct policies *policies);

typedef void (*loaded_fn)(const struct loaded *loaded, void *context);
void policies_visit(const struct policies *policies, loaded_fn call, void *context);

#endif
