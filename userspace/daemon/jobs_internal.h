/* SPDX-License-Identifier: GPL-2.0 */
/* What jobs.c, which holds the jobs, and the files that begin, end and take over them share. */
#ifndef BUILDFENCE_JOBS_INTERNAL_H
#define BUILDFENCE_JOBS_INTERNAL_H

#include "daemon/jobs.h"
#include "policy/policy.h"

/* In place of a policy's source, where no record tells it. */
#define POLICY_UNKNOWN	"unknown"

struct jobs {
	struct jobs_parts parts;
	struct job **by_number;		/* parts.jobs_max + 1 places; [0] stays empty */
	size_t count;
	uint64_t turn_end_ns;		/* CLOCK_MONOTONIC: then reports are put off; 0: never */
	uint64_t shortages[SHORTAGES];	/* of all jobs since the daemon started */
};

/*
 * A number and tables, where need be at the cost of a job that ended and whose records cannot be
 * written, but never of one whose sockets are open.
 * Returns 0, -ENOSPC (every place is taken), -EDQUOT (those that are left are kept for others) or
 * another -errno.
 */
int place_take(struct jobs *jobs, struct job *job);

/* Would one more job whose worker began in that cgroup be more than its agent's share? */
bool place_is_beyond_share(const struct jobs *jobs, const char *from);

/* Puts a job with a number among the others. */
void jobs_add(struct jobs *jobs, struct job *job);
/* Takes it out and frees it. */
void jobs_remove(struct jobs *jobs, struct job *job);

/* Waits for its cgroup to become empty. Returns 0 or -errno. */
int job_watch(struct jobs *jobs, struct job *job);

/* Gives a job the policy of `source`. Returns 0 or -errno, reported in `diag`. */
int job_policy_set(struct jobs *jobs, struct job *job, const char *source,
		   struct diagnostics *diag);

/*
 * May an empty job end? A worker's cgroup is ours to remove; others are removed by whoever made
 * them. Not asked of the guard, whose links the kernel lets go of only a while after the cgroup.
 */
bool job_is_over(const struct jobs *jobs, const struct job *job);

/* Ends a job whose cgroup is empty or gone, as far as can be now; jobs_tick() does the rest. */
void job_end(struct jobs *jobs, struct job *job);

/* Takes everything that is still counted, and gives tables, number and memory back. */
void job_finish(struct jobs *jobs, struct job *job);

/*
 * The same for one that guards nothing any more, also at the price of its last records: its place
 * is needed for a job that would have no guard otherwise.
 */
void job_give_up(struct jobs *jobs, struct job *job);

/* Notes what was short since the last look; logs the first of a kind. */
void job_shortages_look(struct jobs *jobs, struct job *job);

/* Ends and finishes all that are over. */
void jobs_finish_ended(struct jobs *jobs);

/* Takes a report of the guard: a record, or a reset of the connection. A guard_report_fn. */
struct guard_report;
int job_report(const struct guard_report *report, void *context);

#endif
