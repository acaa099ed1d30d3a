/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Places for jobs: the guard's numbers. One is kept for the overflow job, in which all workers are
 * that could get no place of their own. Of the others, no agent's jobs take all.
 */
#include "daemon/jobs_internal.h"

#include <errno.h>
#include <string.h>

#include "guard/guard.h"

/*
 * An agent's jobs may have so many times the places that are still free: 224 of 256 if no others
 * are there, and whoever comes finds some.
 */
#define SHARE	7

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

/*
 * The part of a cgroup's path that tells agents and users apart: /system.slice/NAME.service or
 * /user.slice/user-UID.slice. What is below, its owner may be free to make.
 */
static size_t owner_length(const char *cgroup)
{
	size_t length = 0;

	for (int depth = 0; depth < 2 && cgroup[length] == '/'; depth++)
		length += 1 + strcspn(cgroup + length + 1, "/");
	return length;
}

static bool owner_is_same(const char *from, const char *other)
{
	size_t length = owner_length(from);

	return other && owner_length(other) == length && !memcmp(from, other, length);
}

bool place_is_beyond_share(const struct jobs *jobs, const char *from)
{
	size_t count = jobs_count(jobs), places = jobs_places(jobs), held = 0;

	for (uint32_t i = 1; i <= jobs->parts.jobs_max; i++)
		held += jobs->by_number[i] && owner_is_same(from, jobs->by_number[i]->from);
	return count >= places || held >= SHARE * (places - count);
}

/*
 * The oldest that ended and guards nothing: it waits only for its records to be written. `from`
 * NULL: whosever.
 */
static struct job *ended_find(const struct jobs *jobs, const char *from)
{
	struct job *oldest = NULL;

	for (uint32_t i = 1; i <= jobs->parts.jobs_max; i++) {
		struct job *ended = jobs->by_number[i];

		if (ended && ended->ended && (!from || owner_is_same(from, ended->from)) &&
		    (!oldest || ended->ended_ms < oldest->ended_ms) &&
		    !guard_job_is_live(jobs->parts.guard, ended->number))
			oldest = ended;
	}
	return oldest;
}

static int place_try(struct jobs *jobs, struct job *job)
{
	bool limited = !job_is_overflow(job);

	if (limited && jobs_count(jobs) >= jobs_places(jobs))
		return -ENOSPC;
	if (limited && job->from && place_is_beyond_share(jobs, job->from))
		return -EDQUOT;
	return guard_job_add(jobs->parts.guard, &job->number);
}

int place_take(struct jobs *jobs, struct job *job)
{
	struct job *ended;
	int error = place_try(jobs, job);

	if (error != -ENOSPC && error != -EDQUOT)
		return error;
	jobs_finish_ended(jobs);
	error = place_try(jobs, job);
	if (error != -ENOSPC && error != -EDQUOT)
		return error;
	/* A share is made up for by its own. */
	ended = ended_find(jobs, error == -EDQUOT ? job->from : NULL);
	if (!ended)
		return error;
	job_give_up(jobs, ended);
	return place_try(jobs, job);
}
