/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How jobs end. The cgroup of a worker is removed once nothing runs in it; the programs stay in
 * force until the kernel has closed its last socket, since one may have been handed on or still
 * send its last bytes. Then the job's counts are taken for the last time, and all is given back.
 */
#include "daemon/jobs_internal.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "daemon/records.h"
#include "guard/guard.h"
#include "job/cgroup.h"

static void job_give_back(struct jobs *jobs, struct job *job)
{
	struct jobs_parts *parts = &jobs->parts;

	job_shortages_look(jobs, job);
	guard_detach(parts->guard, job->number);
	guard_job_remove(parts->guard, job->number);
	parts->job_gone(job->number, parts->context);
	job_record_remove(parts->folder_fd, job->number);
	jobs_remove(jobs, job);
}

void job_finish(struct jobs *jobs, struct job *job)
{
	struct guard *guard = jobs->parts.guard;

	if (guard_job_is_live(guard, job->number))
		return;
	/* Records that cannot be written now keep the job, until they can. */
	if (!guard_job_drain(guard, job->number, job_report, jobs))
		job_give_back(jobs, job);
}

void job_give_up(struct jobs *jobs, struct job *job)
{
	if (guard_job_drain(jobs->parts.guard, job->number, job_report, jobs))
		log_error("job '%s' has ended, but what it was refused cannot be written down: it "
			  "is lost, since its place is needed; make room for the records",
			  job->name);
	job_give_back(jobs, job);
}

void job_end(struct jobs *jobs, struct job *job)
{
	struct jobs_parts *parts = &jobs->parts;

	if (job->origin == JOB_WORKER) {
		const char *name = strrchr(job->cgroup, '/') + 1;
		int error = cgroup_remove(parts->home->fd, name);

		/* Something lives in it again, or a cgroup below is held: look again later. */
		if (error)
			return;
		if (job->worker && job_by_worker(jobs, job->worker) == job)
			parts->worker_gone(job->worker, parts->context);
	}
	if (job->events_fd >= 0) {
		loop_fd_remove(parts->loop, job->events_fd);
		close(job->events_fd);
		job->events_fd = -1;
	}
	job->ended = true;
	job->ended_ms = clock_ms(CLOCK_MONOTONIC);
	job_finish(jobs, job);
}

bool job_is_over(const struct jobs *jobs, const struct job *job)
{
	return job->origin == JOB_WORKER ||
	       home_cgroup_id(jobs->parts.home, job->cgroup) != job->cgroup_id;
}

void jobs_finish_ended(struct jobs *jobs)
{
	for (uint32_t i = 1; i <= jobs->parts.jobs_max; i++) {
		struct job *job = jobs->by_number[i];

		if (job && job->ended)
			job_finish(jobs, job);
		else if (job && !job->populated && job_is_over(jobs, job))
			job_end(jobs, job);
	}
}

int jobs_detach(struct jobs *jobs, const char *name)
{
	struct job *job = job_by_name(jobs, name);

	if (!job)
		return -ENOENT;
	if (job->origin == JOB_WORKER)
		return -EPERM;
	guard_detach(jobs->parts.guard, job->number);
	job_end(jobs, job);
	return 0;
}
