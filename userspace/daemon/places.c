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

/* Of two that have ended: rather records are lost than a guard, and rather what is older. */
static bool job_is_dearer(const struct jobs *jobs, const struct job *a, const struct job *b)
{
	bool a_lives = guard_job_is_live(jobs->parts.guard, a->number);
	bool b_lives = guard_job_is_live(jobs->parts.guard, b->number);

	return a_lives != b_lives ? a_lives : a->ended_ms > b->ended_ms;
}

static struct job *ended_find(const struct jobs *jobs)
{
	struct job *cheapest = NULL;

	for (uint32_t i = 1; i <= jobs->parts.jobs_max; i++) {
		struct job *ended = jobs->by_number[i];

		if (ended && ended->ended && (!cheapest || job_is_dearer(jobs, cheapest, ended)))
			cheapest = ended;
	}
	return cheapest;
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
