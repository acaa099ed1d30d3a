/* SPDX-License-Identifier: GPL-2.0 */
/* The BPF side as userspace sees it: load, give it policies and jobs, attach, read, take away. */
#ifndef BUILDFENCE_GUARD_H
#define BUILDFENCE_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

struct image;
struct guard;

#define GUARD_PINS	"/sys/fs/bpf/buildfence"

struct guard_options {
	uint32_t jobs_max;		/* at most this many jobs at the same time; 0: 1 */
	uint32_t policies_max;		/* at most this many policies at the same time; 0: 2 */
	size_t ring_bytes;		/* 0: 1 MiB; must be a power of two */
	struct job_slot trial;		/* tests only: what a BPF_PROG_TEST_RUN judges by */
};

/*
 * Opens and loads all programs and maps; nothing is attached. Returns 0 or -errno (said on
 * stderr's log).
 */
int guard_open(const struct guard_options *options, struct guard **ret_guard);

/* Frees maps and programs that no cgroup and no pin holds. NULL is fine. */
void guard_close(struct guard *guard);

/*
 * Puts a policy's image into maps of its own. Returns 0 and the policy's number (from 1), or
 * -ENOSPC (policies_max reached), -ENOMEM, or another -errno; a failure leaves no trace.
 */
int guard_policy_add(struct guard *guard, const struct image *image, uint32_t *ret_policy);

/* Frees a policy that no job uses any more. */
int guard_policy_remove(struct guard *guard, uint32_t policy);

/* Makes the tables of one job. Returns 0 and its number (from 1), or -ENOSPC or another -errno. */
int guard_job_add(struct guard *guard, uint32_t *ret_job);
int guard_job_remove(struct guard *guard, uint32_t job);

/*
 * Attaches all programs to a cgroup directory, in a state that denies everything, and then gives
 * it its job, policy and mode. On failure nothing stays attached. -EPERM with *ret_blocker set: an
 * enclosing cgroup (its path, malloc'd) has an exclusive attachment.
 * The links are pinned below GUARD_PINS "/run-TAG/", TAG from owner_tag() (base/owner.h): they hold
 * when this process dies, and job/leftover.c removes them by that name once the job is dead too.
 */
int guard_attach(struct guard *guard, int cgroup_fd, uint32_t job, uint32_t policy,
		 enum guard_mode mode, char **ret_blocker);

/* The path of the nearest enclosing cgroup with an exclusive attachment, to be freed, or NULL. */
char *guard_blocker_find(int cgroup_fd);

/* One atomic change of policy and mode for an attached job. */
int guard_job_policy_set(struct guard *guard, uint32_t job, uint32_t policy, enum guard_mode mode);

/* Detaches; the cgroup is open after this, so it must be empty or gone. */
void guard_detach(struct guard *guard, uint32_t job);

/* Removes the pins "run-TAG" below GUARD_PINS; none is fine. Returns 0 or -errno. */
int guard_pins_remove(const char *tag);

/* Removes the pins of dead owners that guard nothing any more. Returns 0 or -errno. */
int guard_pins_collect(void);

/*
 * Reading what was refused. guard_refusals_fd() becomes readable when a first attempt is in the
 * ring; guard_refusals_read() calls `take` for each of them with count 1.
 * guard_folds_drain(), called once a second, flips the fold tables and calls `take` with the
 * counts that repeats added since the last drain, exact; attempts that could not be kept apart
 * come with refusal->flags == 0, only job and reason set, and `apart` false.
 */
typedef void (*refusal_fn)(const struct refusal *refusal, uint64_t count, uint64_t last_ns,
			   bool apart, void *context);

int guard_refusals_fd(const struct guard *guard);
int guard_refusals_read(struct guard *guard, refusal_fn take, void *context);
int guard_folds_drain(struct guard *guard, refusal_fn take, void *context);

/* The last drain for one job whose cgroup is empty: everything that is still counted comes out. */
int guard_job_drain(struct guard *guard, uint32_t job, refusal_fn take, void *context);

typedef void (*reached_fn)(const struct reached_key *key, const struct reached *reached,
			   void *context);
int guard_reached_read(struct guard *guard, uint32_t job, reached_fn take, void *context);

int guard_counters_read(struct guard *guard, uint32_t job, struct job_counters *ret_counters);

/* Removes expired learned addresses, questions and peers; call it every few seconds. */
int guard_sweep(struct guard *guard);

/* Resets (SOCK_DESTROY) the TCP connection of a refusal with REFUSAL_RESET. Returns 0 or -errno. */
int guard_reset(const struct refusal *refusal);

#endif
