/* SPDX-License-Identifier: GPL-2.0 */
/* The jobs that are: finding them, their refusals, their policies, their turn once a second. */
#include "daemon/jobs_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "daemon/policies.h"
#include "daemon/records.h"
#include "event/enrich.h"
#include "guard/guard.h"
#include "guard/resetter.h"

/* Half of what a tick waits for; the watchdog's time is sixty of them. */
#define TURN_NS		(NS_PER_S / 2)

int jobs_new(const struct jobs_parts *parts, struct jobs **ret_jobs)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));

	if (!jobs)
		return -ENOMEM;
	jobs->parts = *parts;
	jobs->by_number = calloc(parts->jobs_max + 1, sizeof(struct job *));
	if (!jobs->by_number) {
		free(jobs);
		return -ENOMEM;
	}
	*ret_jobs = jobs;
	return 0;
}

void jobs_free(struct jobs *jobs)
{
	if (!jobs)
		return;
	for (uint32_t i = 1; i <= jobs->parts.jobs_max; i++)
		job_free(jobs->parts.policies, jobs->by_number[i]);
	free(jobs->by_number);
	free(jobs);
}

void jobs_add(struct jobs *jobs, struct job *job)
{
	jobs->by_number[job->number] = job;
	jobs->count++;
}

void jobs_remove(struct jobs *jobs, struct job *job)
{
	jobs->by_number[job->number] = NULL;
	jobs->count--;
	if (job->events_fd >= 0)
		loop_fd_remove(jobs->parts.loop, job->events_fd);
	job_free(jobs->parts.policies, job);
}

/* --- finding ---------------------------------------------------------------------------------- */

void jobs_visit(const struct jobs *jobs, job_fn call, void *context)
{
	for (uint32_t i = 1; i <= jobs->parts.jobs_max; i++) {
		if (jobs->by_number[i])
			call(jobs->by_number[i], context);
	}
}

struct job *job_by_name(const struct jobs *jobs, const char *name)
{
	for (uint32_t i = 1; i <= jobs->parts.jobs_max; i++) {
		struct job *job = jobs->by_number[i];

		if (job && !job->ended && !strcmp(job->name, name))
			return job;
	}
	return NULL;
}

struct job *job_by_worker(const struct jobs *jobs, pid_t worker)
{
	struct job *youngest = NULL;

	/* An older one's worker has ended: its number was given away, though the job lives on. */
	for (uint32_t i = 1; i <= jobs->parts.jobs_max; i++) {
		struct job *job = jobs->by_number[i];

		if (job && !job->ended && job->worker == worker &&
		    (!youngest || job->worker_start > youngest->worker_start))
			youngest = job;
	}
	return youngest;
}

struct job *job_by_cgroup(const struct jobs *jobs, const char *cgroup)
{
	struct job *innermost = NULL;

	for (uint32_t i = 1; i <= jobs->parts.jobs_max; i++) {
		struct job *job = jobs->by_number[i];

		if (job && !job->ended && cgroup_is_within(cgroup, job->cgroup) &&
		    (!innermost || strlen(job->cgroup) > strlen(innermost->cgroup)))
			innermost = job;
	}
	return innermost;
}

/* --- refusals --------------------------------------------------------------------------------- */

static int report_write(struct jobs *jobs, struct job *job, const struct guard_report *report)
{
	struct refusal refusal = *report->refusal;
	struct event_job event_job;
	struct event event;
	bool known;
	int error;

	event_job = job_event(job, refusal.generation, &known);
	/* Rules are numbered anew by each policy: rather no name than a wrong one. */
	if (!known)
		refusal.rule = 0;
	error = event_fill(&event_job, &refusal, report->count, report->last_ns, report->apart,
			   report->first, &event);
	if (error)
		return error;
	event.uid = report->uid;
	error = records_write(jobs->parts.records, job->number, &event);
	if (!error)
		job->refused += report->count;
	event_clear(&event);
	return error;
}

int job_report(const struct guard_report *report, void *context)
{
	struct jobs *jobs = context;
	const struct refusal *refusal = report->refusal;
	struct job *job = refusal->job <= jobs->parts.jobs_max ? jobs->by_number[refusal->job] :
								 NULL;
	int error = 0;

	/* It stays where it is, in the kernel, and comes first the next time. */
	if (jobs->turn_end_ns && clock_ns(CLOCK_MONOTONIC) > jobs->turn_end_ns)
		return -EAGAIN;
	if (!job) {
		log_error("%" PRIu64 " refused attempts of a job that is not known (number %u)",
			  report->count, refusal->job);
		return 0;
	}
	if (!report->apart || !(refusal->flags & REFUSAL_EXPECTED))
		error = report_write(jobs, job, report);
	/* Once the record is safe. */
	if (!error && (refusal->flags & REFUSAL_RESET))
		resetter_ask(jobs->parts.resetter, refusal);
	return error;
}

/*
 * A job may be refused thousands of kinds of attempts a second, by as many threads as it likes, and
 * each is described from /proc. Workers that wait stopped, and clients, have their turn in between.
 */
static void turn_begin(struct jobs *jobs)
{
	jobs->turn_end_ns = clock_ns(CLOCK_MONOTONIC) + TURN_NS;
}

void jobs_refusals_read(void *context)
{
	struct jobs *jobs = context;

	turn_begin(jobs);
	guard_refusals_read(jobs->parts.guard, job_report, jobs);
	jobs->turn_end_ns = 0;
}

/* --- policies --------------------------------------------------------------------------------- */

/* Puts a policy in force; takes the reference over, also on failure. */
static int job_loaded_set(struct jobs *jobs, struct job *job, struct loaded *loaded)
{
	struct jobs_parts *parts = &jobs->parts;
	uint32_t generation;
	int error = guard_job_policy_set(parts->guard, job->number, loaded->number,
					 loaded->policy->mode, &generation);

	if (error) {
		policies_put(parts->policies, loaded);
		return error;
	}
	job_policy_note(parts->policies, job, loaded, generation);
	return 0;
}

int job_policy_set(struct jobs *jobs, struct job *job, const char *source,
		   struct diagnostics *diag)
{
	struct loaded *loaded;
	char *copy;
	int error = policies_get(jobs->parts.policies, source, diag, &loaded);

	if (error)
		return error;
	if (loaded == job->loaded) {
		policies_put(jobs->parts.policies, loaded);
		return 0;
	}
	copy = strdup(source);
	if (!copy) {
		policies_put(jobs->parts.policies, loaded);
		return -ENOMEM;
	}
	error = job_loaded_set(jobs, job, loaded);
	if (error) {
		diagnostics_error(diag, source, 0, 0, "job '%s' cannot have it: %s", job->name,
				  strerror(-error));
		free(copy);
		return error;
	}
	free(job->policy_source);
	job->policy_source = copy;
	return 0;
}

void jobs_policy_moved(struct loaded *from, struct loaded *to, void *context)
{
	struct jobs *jobs = context;

	for (uint32_t i = 1; i <= jobs->parts.jobs_max; i++) {
		struct job *job = jobs->by_number[i];
		int error;

		if (!job || job->ended || job->loaded != from)
			continue;
		policies_hold(to);
		error = job_loaded_set(jobs, job, to);
		if (error)
			log_error("job '%s' keeps its old policy: %s", job->name, strerror(-error));
	}
}

void jobs_policies_renew(struct jobs *jobs)
{
	struct diagnostics diag = { .out = stderr };

	for (uint32_t i = 1; i <= jobs->parts.jobs_max; i++) {
		struct job *job = jobs->by_number[i];

		if (job && !job->ended && strcmp(job->policy_source, POLICY_UNKNOWN) &&
		    job_policy_set(jobs, job, job->policy_source, &diag))
			log_error("job '%s' keeps the policy that it has", job->name);
	}
}

/*
 * What a job has may have been replaced and the job not have been told, for lack of memory or of a
 * source that can be read: it is tried again, as soon as the policy is there.
 */
static void job_policy_catch_up(struct jobs *jobs, struct job *job)
{
	struct loaded *loaded;

	if (job->ended || !job->loaded->replaced)
		return;
	loaded = policies_find(jobs->parts.policies, job->policy_source);
	if (!loaded)
		return;
	policies_hold(loaded);
	if (!job_loaded_set(jobs, job, loaded))
		log_info("job '%s' has its policy '%s' as it is now", job->name, loaded->source);
}

/* --- shortages -------------------------------------------------------------------------------- */

void job_shortages_look(struct jobs *jobs, struct job *job)
{
	struct job_counters counters;

	if (guard_counters_read(jobs->parts.guard, job->number, &counters))
		return;
	for (size_t i = 0; i < SHORTAGES; i++) {
		uint64_t count = shortage_count(&shortages[i], &counters);

		if (count && !job->short_seen[i])
			log_error("job '%s': %" PRIu64 " %s", job->name, count,
				  shortage_text(&shortages[i], job->loaded->policy->mode));
		jobs->shortages[i] += count - job->short_seen[i];
		job->short_seen[i] = count;
	}
}

const uint64_t *jobs_shortages(const struct jobs *jobs)
{
	return jobs->shortages;
}

/* --- once a second ---------------------------------------------------------------------------- */

void jobs_settle(struct jobs *jobs)
{
	for (uint32_t i = 1; i <= jobs->parts.jobs_max; i++) {
		struct job *job = jobs->by_number[i];

		if (job && !job->ended && job->origin != JOB_WORKER && job_is_over(jobs, job))
			job_end(jobs, job);
	}
}

void jobs_tick(struct jobs *jobs)
{
	int error;

	turn_begin(jobs);
	error = guard_folds_drain(jobs->parts.guard, job_report, jobs);
	/* Records that cannot be written were told of already, and wait. */
	if (error && error != -ENOSPC && error != -EAGAIN)
		log_error("cannot read what was refused: %s", strerror(-error));
	for (uint32_t i = 1; i <= jobs->parts.jobs_max; i++) {
		struct job *job = jobs->by_number[i];

		if (!job)
			continue;
		/* What waits may have been judged by a policy that is past. */
		if (!error)
			job_tick(jobs->parts.policies, job);
		job_policy_catch_up(jobs, job);
		job_shortages_look(jobs, job);
	}
	jobs_finish_ended(jobs);
	jobs->turn_end_ns = 0;
	/* What fails here fails again, and is told, where a job needs it. */
	guard_jobs_prepare(jobs->parts.guard);
}
