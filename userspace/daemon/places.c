/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Places for jobs: the guard's numbers. One is kept for the overflow job, in which all workers are
 * that could get no place of their own.
 */
#include "daemon/jobs_internal.h"

#include <errno.h>
#include <string.h>

#include "guard/guard.h"

bool job_is_overflow(const struct job *job)
{
	return job->origin == JOB_WORKER && !strcmp(job->name, JOBS_OVERFLOW);
}

struct job *jobs_overflow(const struct jobs *jobs)
{
	for (uint32_t i = 1; i <= jobs->parts.jobs_max; i++) {
		struct job *job = jobs->by_number[i];

		if (job && !job->ended && job_is_overflow(job))
			return job;
	}
	return NULL;
}

uint32_t jobs_places(const struct jobs *jobs)
{
	return jobs->parts.jobs_max - JOBS_RESERVED;
}

size_t jobs_count(const struct jobs *jobs)
{
	return jobs->count - !!jobs_overflow(jobs);
}

/* The oldest that ended and guards nothing: it waits only for its records to be written. */
static struct job *ended_find(const struct jobs *jobs)
{
	struct job *oldest = NULL;

	for (uint32_t i = 1; i <= jobs->parts.jobs_max; i++) {
		struct job *ended = jobs->by_number[i];

		if (ended && ended->ended && (!oldest || ended->ended_ms < oldest->ended_ms) &&
		    !guard_job_is_live(jobs->parts.guard, ended->number))
			oldest = ended;
	}
	return oldest;
}

static int place_try(struct jobs *jobs, struct job *job)
{
	if (!job_is_overflow(job) && jobs_count(jobs) >= jobs_places(jobs))
		return -ENOSPC;
	return guard_job_add(jobs->parts.guard, &job->number);
}

int place_take(struct jobs *jobs, struct job *job)
{
	struct job *ended;
	int error = place_try(jobs, job);

	if (error != -ENOSPC)
		return error;
	jobs_finish_ended(jobs);
	error = place_try(jobs, job);
	ended = error == -ENOSPC ? ended_find(jobs) : NULL;
	if (!ended)
		return error;
	job_give_up(jobs, ended);
	return place_try(jobs, job);
}
