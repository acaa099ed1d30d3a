/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sees workers of build agents begin, and learns what job each works on. What is done with a worker
 * (its cgroup, its policy) is the daemon's business; so is telling a worker from a process inside a
 * job that only bears its name, by the cgroup.
 *
 * A worker is held by the kernel (SIGSTOP) from its exec until worker_fn has let it go on, and so
 * is a child whose environment may be the identity, until that was read: neither has run an
 * instruction when it is looked at. Where the kernel had to drop reports, and in a scan, nobody was
 * held.
 *
 * A worker is a process whose program bears the worker's name of a kind, and whose parent's program
 * bears the parent's. A program's name is what the kernel calls the process at exec: for a script
 * its own name, not its interpreter's. Names of more than 15 bytes are compared at 15, since the
 * kernel keeps no more. Where the kernel's name was changed since, the program file's name or its
 * first two arguments may tell: who is taken for a worker by mistake is only guarded once more.
 *
 * Needs CAP_BPF and CAP_PERFMON (before 5.8: CAP_SYS_ADMIN) for watch_open(), CAP_BPF later on,
 * CAP_KILL to let workers go on, and CAP_SYS_PTRACE for what /proc tells about other users'
 * processes: environ, exe, cwd, root.
 */
#ifndef BUILDFENCE_WATCH_H
#define BUILDFENCE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "watch/identity.h"

struct agent_kind;
struct watch;

/* Valid during the call that hands it over. */
struct worker {
	pid_t pid;
	uint64_t start_ticks;		/* clock ticks since boot: a pid may be given away again */
	const struct agent_kind *kind;
	char *cgroup;			/* path from cgroup2's root */
	char *agent;			/* NULL: not known, or only from the identity */
	char *pool;
	bool held;			/* it is stopped */
	bool unread;			/* its agent's own file could not be read: see agent.h */
};

/*
 * Called for each worker that began. It may call watch_worker_add() and watch_worker_remove().
 * Returns whether the worker may go on: one that is held stays so until a later search reports it
 * again, and it may.
 */
typedef bool (*worker_fn)(const struct worker *worker, void *context);

/*
 * Called once for each worker that was added, when it is known what it works on. `identity` is
 * valid during the call, which may call watch_worker_add() and watch_worker_remove(). NULL: its
 * first child could not be read, and it must not be asked for again.
 */
typedef void (*identity_fn)(pid_t worker, const struct identity *identity, void *context);

/* Workers whose identity is awaited at one time. */
#define WATCH_AWAITED_MAX	4096

/* Kinds of agents. */
#define WATCH_NAMES_MAX		64

/*
 * Loads and attaches the BPF program. `kinds` is the caller's and stays until watch_close().
 * Workers that run already are not seen: call watch_scan() afterwards. Returns 0 or -errno:
 * -E2BIG for more than WATCH_NAMES_MAX kinds, -EOPNOTSUPP in a PID namespace of our own, where the
 * kernel's numbers of processes mean nothing.
 */
int watch_open(const struct agent_kind *kinds, size_t count, struct watch **ret_watch);

/* NULL is fine. Nothing of the watch stays in the kernel; who waits to be reported goes on. */
void watch_close(struct watch *watch);

/* Readable when watch_read() has something to do. Belongs to the watch. */
int watch_fd(const struct watch *watch);

/*
 * Calls back for what happened since the last call; where that is very much, the descriptor stays
 * readable and the next call goes on. Where the kernel had to drop
 * something, /proc is searched instead: then a worker may be reported that was reported before.
 * Call it also once a second: a drop may come without anything that makes the descriptor readable.
 * A worker that has ended by now is no error and not reported. Returns 0, or -errno when something
 * was missed for lack of memory or /proc; the next call searches again. Until then, a worker that
 * is held stays so.
 */
int watch_read(struct watch *watch, worker_fn worker, identity_fn identity, void *context);

/*
 * Calls back for each worker that runs, as watch_read() does, also for who was not let go on. Lets
 * go on whom a watch held that was killed. Returns 0 or -errno.
 */
int watch_scan(struct watch *watch, worker_fn worker, void *context);

/*
 * Wants to know what a worker works on: a later watch_read() calls identity_fn, never this
 * function. Its first direct child whose environment names the job counts, also one that runs
 * already; or its own environment, where the kind says so. Adding a worker again changes nothing.
 * Returns 0, -ESRCH (the one that began at `start_ticks` has ended), -E2BIG (too many), or another
 * -errno.
 */
int watch_worker_add(struct watch *watch, pid_t worker, uint64_t start_ticks,
		     const struct agent_kind *kind);

/* Waits no longer. Nothing happens for a worker that is not there. */
void watch_worker_remove(struct watch *watch, pid_t worker);

/*
 * Where the jobs' cgroups are: a path from cgroup2's root. Who is in it or below it is never taken
 * for a worker, already in the kernel, so that a job cannot flood the watch with false ones. NULL:
 * nowhere. Returns 0 or -errno.
 */
int watch_jobs_below(struct watch *watch, const char *cgroup);

/*
 * How many processes the kernel may not have reported since watch_open(): it had to drop a report,
 * or could not run the program (any exec of the machine; counted from 6.7 on).
 */
uint64_t watch_lost(const struct watch *watch);

static inline void watch_cleanup(struct watch **watch)
{
	watch_close(*watch);
}
#define _cleanup_watch_ __attribute__((cleanup(watch_cleanup)))

#endif
