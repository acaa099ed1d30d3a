/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All guarded cgroups: how each begins, changes its policy and ends, and how a new daemon takes
 * over those of one that died. The order of each step is chosen so that a kill between any two
 * leaves either no job, or one that is guarded and known.
 */
#ifndef BUILDFENCE_JOBS_H
#define BUILDFENCE_JOBS_H

#include <stddef.h>

#include "daemon/home.h"
#include "daemon/job.h"

struct guard;
struct identity;
struct jobs;
struct loop;
struct records;
struct resetter;
struct worker;

/*
 * The job of all workers that could get none of their own. It begins with the first of them and
 * ends with the last. Its place is no other's: it is one of the guard's jobs, but of no limit.
 */
#define JOBS_OVERFLOW	"overflow"
#define JOBS_RESERVED	1

/* What jobs stand on; all of it outlives them. */
struct jobs_parts {
	struct guard *guard;
	const struct resetter *resetter;
	struct policies *policies;
	struct records *records;
	struct loop *loop;
	const struct home *home;
	int folder_fd;			/* of the jobs' records */
	uint32_t jobs_max;		/* with JOBS_RESERVED */
	/* A job of JOB_WORKER ended: nobody waits for its identity any more. */
	void (*worker_gone)(pid_t worker, void *context);
	/* The number will be another job's: nobody follows this one any more. */
	void (*job_gone)(uint32_t number, void *context);
	void *context;
};

int jobs_new(const struct jobs_parts *parts, struct jobs **ret_jobs);
/* All that is guarded stays guarded. NULL is fine. */
void jobs_free(struct jobs *jobs);

/*
 * Once, before anything else: finishes what a predecessor left half done, and knows its jobs again.
 * Returns the number of jobs taken over, or -errno.
 */
int jobs_takeover(struct jobs *jobs);

/*
 * Guards a cgroup (its path from cgroup2's root). On failure nothing is changed, and *ret_error
 * (to be freed) says why. Returns 0, -EEXIST (the name, or the cgroup, is a job's already), -ENOENT
 * (no such cgroup) or another -errno.
 */
int jobs_attach(struct jobs *jobs, enum job_origin origin, const char *name, const char *cgroup,
		const char *policy_source, char **ret_error);

/*
 * The same for one that is guarded already by the configuration's list, or of which no record told:
 * it has this policy from now on, and if it was not known, this name. What `attach` made, and
 * workers' jobs, stay as they are. Returns 1 (it was changed), 0 or -errno.
 */
int jobs_guarded_renew(struct jobs *jobs, struct job *job, const char *name,
		       const char *policy_source);

/* Takes the guard off a cgroup. Returns 0, -ENOENT or -EPERM (a worker's ends by itself). */
int jobs_detach(struct jobs *jobs, const char *name);

/*
 * Puts a worker into a cgroup of its own, guarded before it is moved there. Returns 0 with the job,
 * -EALREADY (it is in one), -ESRCH (it is gone) or another -errno with *ret_error.
 */
int jobs_worker_begin(struct jobs *jobs, const struct worker *worker, const char *policy_source,
		      struct job **ret_job, char **ret_error);

/*
 * Puts a worker for which jobs_worker_begin() failed into the overflow job, made where need be.
 * Returns 0, -ESRCH (it is gone) or another -errno, with or without *ret_error.
 */
int jobs_worker_overflow(struct jobs *jobs, const struct worker *worker, const char *policy_source,
			 char **ret_error);

/* Who the worker's job is, and the policy that this makes it have. Returns 0 or -errno. */
int jobs_identify(struct jobs *jobs, struct job *job, const struct identity *identity,
		  const char *policy_source);

/* For policies_reload() and policies_tick(); `context` is the jobs. */
void jobs_policy_moved(struct loaded *from, struct loaded *to, void *context);

/* Has every job the policy that its source has now? For after a takeover; errors are logged. */
void jobs_policies_renew(struct jobs *jobs);

/* First attempts, at once; call it when guard_refusals_fd() can be read. `context` is the jobs. */
void jobs_refusals_read(void *context);

/* Once a second. */
void jobs_tick(struct jobs *jobs);

/* Ends jobs whose cgroups others removed, so that new ones can take their places. */
void jobs_settle(struct jobs *jobs);

struct job *job_by_name(const struct jobs *jobs, const char *name);
/* Numbers of processes are given away again: the job whose worker has this one now. */
struct job *job_by_worker(const struct jobs *jobs, pid_t worker);
/* The innermost job that a cgroup belongs to, or NULL. */
struct job *job_by_cgroup(const struct jobs *jobs, const char *cgroup);

typedef void (*job_fn)(struct job *job, void *context);
void jobs_visit(const struct jobs *jobs, job_fn call, void *context);

/* The overflow job is none of them, and has none of the places. */
size_t jobs_count(const struct jobs *jobs);
/* How many there were of each of `shortages`, in all jobs since the daemon started. */
const uint64_t *jobs_shortages(const struct jobs *jobs);
uint32_t jobs_places(const struct jobs *jobs);

bool job_is_overflow(const struct job *job);
/* NULL: there is none, or it has ended. */
struct job *jobs_overflow(const struct jobs *jobs);

#endif
