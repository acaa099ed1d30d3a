/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Knowing a dead predecessor's jobs again. Two witnesses are held against each other: the records
 * on disk, which say what was meant, and the guard's pins, which say what is in force.
 *
 *	record	programs	cgroup		then
 *	yes	all, policy	there		it goes on
 *	yes	some		there		attaching is finished: never opened again
 *	yes	none		any		never began, or ended: last counts, all given back
 *	yes	any		gone		it has ended: last counts, all given back
 *	no	any		there		it goes on, with a name made up and its policy
 *	no	any		gone		sockets of its are open: it ends with the last
 *	no	none		-		tables without a job: removed
 */
#include "daemon/jobs_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/directory.h"
#include "base/log.h"
#include "daemon/policies.h"
#include "guard/guard.h"
#include "job/cgroup.h"

struct takeover {
	struct jobs *jobs;
	struct guard_found *found;	/* by number */
	int error;			/* the first */
};

static void found_note(const struct guard_found *found, void *context)
{
	struct takeover *takeover = context;

	if (found->job <= takeover->jobs->parts.jobs_max)
		takeover->found[found->job] = *found;
}

/* --- records ---------------------------------------------------------------------------------- */

static bool is_record(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && !strcmp(dot, ".json");
}

static void record_read(struct takeover *takeover, const char *name)
{
	struct jobs *jobs = takeover->jobs;
	struct job *job;
	int error = job_record_read(jobs->parts.folder_fd, name, &job);

	if (error) {
		log_error("the record %s of a job is not readable: %s; the job stays guarded", name,
			  strerror(-error));
		/* One that could not be read now may be readable for the next. */
		if (error == -EBADMSG)
			unlinkat(jobs->parts.folder_fd, name, 0);
		return;
	}
	if (job->number > jobs->parts.jobs_max || !takeover->found[job->number].job) {
		/* Its tables are gone: it had ended but for this record. */
		if (job->origin == JOB_WORKER)
			cgroup_remove(jobs->parts.home->fd, strrchr(job->cgroup, '/') + 1);
		job_record_remove(jobs->parts.folder_fd, job->number);
		job_free(jobs->parts.policies, job);
		return;
	}
	jobs_add(jobs, job);
}

static int records_read(struct takeover *takeover)
{
	_cleanup_directory_ DIR *directory = NULL;
	struct dirent *entry;
	int error = directory_open(takeover->jobs->parts.folder_fd, ".", &directory);

	while (!error && (entry = directory_next(directory))) {
		if (is_record(entry->d_name))
			record_read(takeover, entry->d_name);
	}
	return error;
}

/* --- one job ---------------------------------------------------------------------------------- */

/* The path of a cgroup that is known by its id alone, below `fd` and `path`. */
static char *cgroup_path_find(int fd, const char *path, uint64_t id)
{
	_cleanup_directory_ DIR *directory = NULL;
	struct dirent *entry;
	char *result = NULL;

	if (directory_open(fd, ".", &directory))
		return NULL;
	while (!result && (entry = directory_next(directory))) {
		_cleanup_free_ char *below = NULL;
		_cleanup_close_ int below_fd = -1;

		if (entry->d_type != DT_DIR || asprintf(&below, "%s/%s", path, entry->d_name) < 0)
			continue;
		if (entry->d_ino == id)
			return TAKE_PTR(below);
		below_fd = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (below_fd >= 0)
			result = cgroup_path_find(below_fd, below, id);
	}
	return result;
}

/* A job in force of which no record is left. */
static int job_make_up(struct takeover *takeover, const struct guard_found *found)
{
	struct jobs *jobs = takeover->jobs;
	const struct home *home = jobs->parts.home;
	struct job *job = job_new(JOB_ATTACHED);
	bool there;

	if (!job)
		return -ENOMEM;
	job->number = found->job;
	if (found->cgroup_id)
		job->cgroup = cgroup_path_find(home->root_fd, "", found->cgroup_id);
	there = job->cgroup;
	/* One that is gone has no path, and may guard on: nobody guards the root. */
	if (!there)
		job->cgroup = strdup("/");
	if (job->cgroup && cgroup_is_within(job->cgroup, home->path) && *home->path)
		job->origin = JOB_WORKER;
	job->policy_source = strdup(POLICY_UNKNOWN);
	if (asprintf(&job->name, "job-%u", found->job) < 0)
		job->name = NULL;
	if (!job->cgroup || !job->policy_source || !job->name) {
		job_free(NULL, job);
		return -ENOMEM;
	}
	jobs_add(jobs, job);
	if (there)
		log_error("%s is guarded, but no record says as which job: it goes on as '%s', "
			  "with the policy that it has", job->cgroup, job->name);
	return 0;
}

/* Programs are attached; not all of them perhaps, and perhaps no policy is named yet. */
static void job_attach_rest(struct jobs *jobs, struct job *job)
{
	struct jobs_parts *parts = &jobs->parts;
	struct diagnostics diag = { .out = stderr };
	_cleanup_close_ int fd = home_cgroup_open(parts->home, job->cgroup);
	struct loaded *loaded;
	uint32_t generation;
	int error = fd < 0 ? fd : 0;

	if (!error)
		error = policies_get(parts->policies, job->policy_source, &diag, &loaded);
	if (!error) {
		error = guard_attach(parts->guard, fd, job->number, loaded->number,
				     loaded->policy->mode, &generation, NULL);
		if (error)
			policies_put(parts->policies, loaded);
	}
	if (error)
		log_error("job '%s' is attached in part, and its policy '%s' cannot be put in "
			  "force: %s; it stays as it is, closed if it never had one: begin anew",
			  job->name, job->policy_source, strerror(-error));
	else
		job_policy_note(parts->policies, job, loaded, generation);
}

/*
 * Returns whether the job goes on. What has ended is only marked here: its last reports, and with
 * them those of jobs that nobody adopted yet, are taken when all have a policy.
 */
static bool job_adopt(struct takeover *takeover, struct job *job)
{
	struct jobs *jobs = takeover->jobs;
	const struct guard_found *found = &takeover->found[job->number];
	bool whole = found->links == GUARD_PROGRAMS && found->slot.job == job->number;

	takeover->error = policies_adopt(jobs->parts.policies, job->policy_source,
					 found->slot.policy, &job->loaded);
	if (takeover->error)
		return false;
	job->generation = found->slot.generation;
	job->cgroup_id = found->cgroup_id;
	/* What is guarded may be gone, and another cgroup have come to its path since. */
	job->ended = !found->links || !found->cgroup_id ||
		     home_cgroup_id(jobs->parts.home, job->cgroup) != found->cgroup_id;
	if (!job->ended && !whole)
		job_attach_rest(jobs, job);
	if (!job->ended)
		job->ended = job_watch(jobs, job) != 0;
	return !job->ended;
}

/* --- all -------------------------------------------------------------------------------------- */

/* Cgroups of jobs that never began, or whose record and tables are gone. */
static void empty_cgroups_remove(struct jobs *jobs)
{
	const struct home *home = jobs->parts.home;
	_cleanup_directory_ DIR *directory = NULL;
	struct dirent *entry;

	if (directory_open(home->fd, ".", &directory))
		return;
	while ((entry = directory_next(directory))) {
		_cleanup_free_ char *path = NULL;
		struct job *holder;

		if (entry->d_type != DT_DIR || strncmp(entry->d_name, "job-", 4) ||
		    asprintf(&path, "%s/%s", home->path, entry->d_name) < 0)
			continue;
		holder = job_by_cgroup(jobs, path);
		if (!holder || strcmp(holder->cgroup, path))
			cgroup_remove(home->fd, entry->d_name);
	}
}

int jobs_takeover(struct jobs *jobs)
{
	uint32_t jobs_max = jobs->parts.jobs_max;
	_cleanup_free_ struct guard_found *found = calloc(jobs_max + 1, sizeof(*found));
	struct takeover takeover = { .jobs = jobs, .found = found };
	int count = 0, error;

	if (!found)
		return -ENOMEM;
	guard_jobs_found(jobs->parts.guard, found_note, &takeover);
	error = records_read(&takeover);
	for (uint32_t i = 1; !error && i <= jobs_max; i++) {
		if (found[i].job && !jobs->by_number[i])
			error = job_make_up(&takeover, &found[i]);
	}
	for (uint32_t i = 1; !error && i <= jobs_max; i++) {
		if (jobs->by_number[i])
			count += job_adopt(&takeover, jobs->by_number[i]);
		error = takeover.error;
	}
	if (error)
		return error;
	empty_cgroups_remove(jobs);
	jobs_finish_ended(jobs);
	guard_jobs_prepare(jobs->parts.guard);
	return count;
}
