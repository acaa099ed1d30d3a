/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The BPF side as userspace sees it: load, give it policies and jobs, attach, read, take away.
 *
 * With a name for its pins a guard outlives its process: programs, links, maps, numbers and
 * accounts stay in the kernel, and the next guard_open() with that name goes on with them. Every
 * step below may be cut short by SIGKILL; the next guard_open() finishes it or takes it back.
 * Who writes such pins must be alone (the daemon holds a lock). After guard_open() its caller needs
 * CAP_BPF and CAP_NET_ADMIN; guard_reset() CAP_SYS_ADMIN too, for sockets of other namespaces.
 */
#ifndef BUILDFENCE_GUARD_H
#define BUILDFENCE_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

struct image;
struct guard;

#define GUARD_PINS	"/sys/fs/bpf/buildfence"
/* Programs that guard one job. */
#define GUARD_PROGRAMS	7
/* Jobs whose tables may be ready before they begin; see guard_jobs_prepare(). */
#define GUARD_SPARES_MAX	7
/* The name of a report, with its NUL; see struct guard_report. */
#define GUARD_UID_SIZE	96

struct guard_options {
	uint32_t jobs_max;		/* at most this many jobs at the same time; 0: 1 */
	uint32_t policies_max;		/* at most this many policies at the same time; 0: 2 */
	uint32_t spares;		/* for how many jobs to come tables are kept ready */
	size_t ring_bytes;		/* 0: 1 MiB; must be a power of two */
	/*
	 * NULL: only links are pinned, in run-TAG, and nothing is taken over. Else a name (letters,
	 * digits, hyphens; not "run-...") below GUARD_PINS: maps are pinned in NAME/maps, links in
	 * NAME/jobs/N. A predecessor's sizes stay while it still has a job or an unread report.
	 */
	const char *pins;
	/* With pins: the uid of the last report that the predecessor wrote down; NULL: none. */
	const char *last_uid;
	struct job_slot trial;		/* tests only: what a BPF_PROG_TEST_RUN judges by */
	const void *object;		/* tests only: ELF of another build of the programs */
	size_t object_size;
};

/*
 * Opens and loads all programs and maps; nothing new is attached. With pins it takes over: links of
 * a predecessor get the programs of this one, each replaced in place, so that there is always
 * one in force; links of hooks that this one does not know are removed; pins of links whose cgroup
 * is gone are collected. Returns 0 or -errno (said on stderr's log). -ESTALE: the pinned maps have
 * another layout, and still guard a living cgroup; nothing was touched. If they guard none, they
 * are removed and made anew, as are those of a predecessor that was killed while it made them.
 * -EOPNOTSUPP: this kernel has a flaw of slot_flaw.h.
 */
int guard_open(const struct guard_options *options, struct guard **ret_guard);

/* Frees maps and programs that no cgroup and no pin holds. NULL is fine. */
void guard_close(struct guard *guard);

/* The sizes in force; see guard_options.pins. */
uint32_t guard_jobs_max(const struct guard *guard);
uint32_t guard_policies_max(const struct guard *guard);

/* What a takeover found of a job. It is a job like any other from then on. */
struct guard_found {
	uint32_t job;
	/*
	 * Inode of the cgroup's directory; 0: no link, or the cgroup is gone, which the kernel
	 * tells some milliseconds late.
	 */
	uint64_t cgroup_id;
	unsigned int links;	/* of GUARD_PROGRAMS; fewer: killed while attaching or detaching,
				 * or this version has more hooks: finish it with guard_attach() */
	struct job_slot slot;	/* all zero: it never got its policy, and denies everything */
};

typedef void (*guard_found_fn)(const struct guard_found *found, void *context);
void guard_jobs_found(const struct guard *guard, guard_found_fn take, void *context);

/* Every policy that is loaded: its number and the hash of its image. */
typedef void (*guard_policy_fn)(uint32_t policy, const uint8_t hash[static IMAGE_HASH_LEN],
				void *context);
void guard_policies_found(const struct guard *guard, guard_policy_fn take, void *context);

/*
 * Puts a policy's image into maps of its own. Returns 0 and the policy's number (from 1), or
 * -ENOSPC (policies_max reached), -ENOMEM, or another -errno; a failure leaves no trace.
 */
int guard_policy_add(struct guard *guard, const struct image *image, uint32_t *ret_policy);

/* A policy that was loaded from an equal image. Returns 0 or -ENOENT. */
int guard_policy_find(const struct guard *guard, const struct image *image, uint32_t *ret_policy);

/* Frees a policy that no job uses any more. */
int guard_policy_remove(struct guard *guard, uint32_t policy);

/*
 * Gives out the number (from 1) and the tables of one job. Returns 0, -ENOSPC or another -errno.
 * Takes some 15 ms when no tables are ready, else microseconds. Numbers are given again after
 * guard_job_remove().
 */
int guard_job_add(struct guard *guard, uint32_t *ret_job);

/*
 * Has tables ready for options.spares jobs, as far as there are numbers. Takes some 15 ms if any
 * are missing. Returns 0 or -errno; without them, guard_job_add() makes its own.
 */
int guard_jobs_prepare(struct guard *guard);

/* Detaches the job if it still is attached, and frees its tables and what they hold unread. */
int guard_job_remove(struct guard *guard, uint32_t job);

/*
 * Attaches all programs to a cgroup directory, in a state that denies everything, and then gives
 * it its job, policy and mode. A job that is attached in part (see guard_found) gets what it lacks;
 * to another cgroup than its own: -EBUSY. On failure nothing stays attached that was not before.
 * -EPERM with *ret_blocker set: an enclosing cgroup (its path, malloc'd) has an exclusive
 * attachment. ret_blocker and ret_generation may be NULL; the generation stands in the refusals
 * that this policy made.
 *
 * The links are pinned: without options.pins below GUARD_PINS "/run-TAG/", TAG from owner_tag()
 * (base/owner.h): they hold when this process dies, and job/leftover.c removes them by that name
 * once the job is dead too.
 */
int guard_attach(struct guard *guard, int cgroup_fd, uint32_t job, uint32_t policy,
		 enum guard_mode mode, uint32_t *ret_generation, char **ret_blocker);

/* The path of the nearest enclosing cgroup with an exclusive attachment, to be freed, or NULL. */
char *guard_blocker_find(int cgroup_fd);

/* One atomic change of policy and mode for an attached job. ret_generation may be NULL. */
int guard_job_policy_set(struct guard *guard, uint32_t job, uint32_t policy, enum guard_mode mode,
			 uint32_t *ret_generation);

/*
 * Detaches: a living cgroup is open after this. The job's tables stay until guard_job_remove(), so
 * that guard_job_drain() can follow.
 */
void guard_detach(struct guard *guard, uint32_t job);

/*
 * Is a job's guard in force? Not when it was never attached or is detached, nor when its cgroup is
 * gone and the last socket of it closed. Costs three system calls.
 */
bool guard_job_is_live(const struct guard *guard, uint32_t job);

/*
 * Removes the pins "run-TAG" below GUARD_PINS; none is fine. Pins that guard another cgroup than
 * this one stay: a cgroup's name is no proof, since whoever makes one chooses it. Returns 0 or
 * -errno.
 */
int guard_pins_remove(const char *tag, int cgroup_fd);

/* Removes the pins "run-TAG" of dead owners that guard nothing any more. Returns 0 or -errno. */
int guard_pins_collect(void);

/* Removes all pins of a name of guard_options.pins: what they guarded is open after this. */
int guard_pins_forget(const char *name);

/*
 * One report of refused attempts, given out exactly once: it counts as given out when the
 * callback returns 0, and is the only one under way until then. Killed before the callback has
 * written it down, it comes again; killed after, the successor learns so by options.last_uid. So
 * write the uid with the report, in one write().
 */
struct guard_report {
	/* apart false: only job, reason and time are set. Job 0: of one that is gone. */
	const struct refusal *refusal;
	uint64_t count;			/* attempts since the last report of this kind */
	uint64_t last_ns;		/* the last attempt's time */
	bool apart;			/* false: could not be kept apart from other kinds */
	bool first;			/* the first of its kind, from the ring; else repeats */
	/*
	 * Unique for ever: boot, job, time and kind of the first attempt, count, and one of f
	 * (first), r (repeats), u (not kept apart; with the number so far in place of the count).
	 */
	char uid[GUARD_UID_SIZE];
};

/* 0: written down, never comes again. Else reading ends with this value; comes at the next call. */
typedef int (*guard_report_fn)(const struct guard_report *report, void *context);

/*
 * guard_refusals_fd() becomes readable when a first attempt is in the ring, and stays so until
 * guard_refusals_read() was called; it does not while a refused report waits, so a full disk makes
 * no busy loop. guard_folds_drain(), called once a second, reads the ring too, flips the fold
 * tables, and gives out what repeats added since the last drain. Both are exact.
 */
int guard_refusals_fd(const struct guard *guard);
int guard_refusals_read(struct guard *guard, guard_report_fn take, void *context);
int guard_folds_drain(struct guard *guard, guard_report_fn take, void *context);

/*
 * The last drain for one job whose cgroup is empty or detached: everything that is still counted
 * comes out. After 0 the job may be removed.
 */
int guard_job_drain(struct guard *guard, uint32_t job, guard_report_fn take, void *context);

typedef void (*reached_fn)(const struct reached_key *key, const struct reached *reached,
			   void *context);
int guard_reached_read(struct guard *guard, uint32_t job, reached_fn take, void *context);

/* Costs no system call. */
int guard_counters_read(struct guard *guard, uint32_t job, struct job_counters *ret_counters);

/* Removes expired learned addresses, questions and peers; call it every few seconds. */
int guard_sweep(struct guard *guard);

/*
 * Resets (SOCK_DESTROY) the TCP connection of a refusal with REFUSAL_RESET. Returns 0 or -errno. It
 * may never return, and cannot be killed then: with a job's connections, see guard/resetter.h.
 */
int guard_reset(const struct refusal *refusal);

#endif
