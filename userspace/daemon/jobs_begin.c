/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How jobs begin. In this order: number and tables; the job's record on disk; its cgroup; programs,
 * which deny all until the policy is named; and only then its first process. A kill before the
 * record leaves tables that a successor removes; after it, a job that it finishes or takes back.
 */
#include "daemon/jobs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/loop.h"
#include "config/config.h"
#include "daemon/policies.h"
#include "daemon/records.h"
#include "guard/guard.h"
#include "job/cgroup.h"
#include "watch/identity.h"
#include "watch/watch.h"

#define CGROUP_NAME_MAX	40	/* of a job's name in its cgroup's name */

static void __attribute__((format(printf, 2, 3))) error_say(char **ret_error,
							    const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(ret_error, format, arguments) < 0)
		*ret_error = NULL;
	va_end(arguments);
}

/* --- seeing it empty -------------------------------------------------------------------------- */

static void populated_read(void *context)
{
	struct job *job = context;
	int populated = cgroup_events_populated(job->events_fd);

	/* -ENODEV: the cgroup is gone. What follows from it is jobs_tick()'s. */
	job->populated = populated > 0;
}

int job_watch(struct jobs *jobs, struct job *job)
{
	_cleanup_free_ char *path = NULL;
	int fd, error;

	if (asprintf(&path, "%s%s/cgroup.events", jobs->parts.home->mount, job->cgroup) < 0)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = loop_fd_add(jobs->parts.loop, fd, EPOLLPRI, populated_read, job);
	if (error) {
		close(fd);
		return error;
	}
	job->events_fd = fd;
	populated_read(job);
	return 0;
}

/* --- the steps -------------------------------------------------------------------------------- */

static int job_prepare(struct jobs *jobs, struct job *job, char **ret_error)
{
	struct diagnostics diag = { .out = stderr };
	struct jobs_parts *parts = &jobs->parts;
	int error = policies_get(parts->policies, job->policy_source, &diag, &job->loaded);

	if (error) {
		error_say(ret_error, "policy '%s' cannot be used: %s (see the daemon's log)",
			  job->policy_source, strerror(-error));
		return error;
	}
	job->records_from = records_end(parts->records);
	error = place_take(jobs, job);
	if (error == -ENOSPC)
		error_say(ret_error, "all places for jobs (%u) are taken; end what jobs left "
			  "behind (see buildfence jobs), or raise 'limits: jobs' in the "
			  "configuration", jobs_places(jobs));
	else if (error == -EDQUOT)
		error_say(ret_error, "jobs of this agent have so many of the %u places that what "
			  "is left is kept for others; end what jobs left behind (see buildfence "
			  "jobs), or raise 'limits: jobs' in the configuration", jobs_places(jobs));
	else if (error)
		error_say(ret_error, "cannot make the job's tables: %s", strerror(-error));
	return error;
}

static int job_guard(struct jobs *jobs, struct job *job, int cgroup_fd, char **ret_error)
{
	_cleanup_free_ char *blocker = NULL;
	int error = guard_attach(jobs->parts.guard, cgroup_fd, job->number, job->loaded->number,
				 job->loaded->policy->mode, &job->generation, &blocker);

	if (blocker)
		error_say(ret_error, "the cgroup %s has a program of its own that allows no others "
			  "below (attached with flags 0; see bpftool cgroup show %s)", blocker,
			  blocker);
	else if (error)
		error_say(ret_error, "cannot attach the guard to %s: %s", job->cgroup,
			  strerror(-error));
	return error;
}

/* Takes back all that was done for a job that does not begin. Frees it. */
static void job_undo(struct jobs *jobs, struct job *job)
{
	const struct home *home = jobs->parts.home;

	if (job->number) {
		guard_detach(jobs->parts.guard, job->number);
		if (job->origin == JOB_WORKER && job->cgroup)
			cgroup_remove(home->fd, strrchr(job->cgroup, '/') + 1);
		guard_job_remove(jobs->parts.guard, job->number);
		job_record_remove(jobs->parts.folder_fd, job->number);
	}
	if (job->events_fd >= 0)
		loop_fd_remove(jobs->parts.loop, job->events_fd);
	job_free(jobs->parts.policies, job);
}

static char *copy_or_null(const char *text)
{
	return text ? strdup(text) : NULL;
}

/* --- a cgroup that is there ------------------------------------------------------------------- */

static int attach_check(struct jobs *jobs, const char *name, const char *cgroup, char **ret_error)
{
	struct job *same = job_by_name(jobs, name), *holder = job_by_cgroup(jobs, cgroup);

	if (!strcmp(name, JOBS_OVERFLOW)) {
		error_say(ret_error, "the name '%s' is kept for workers that get no job of their "
			  "own: choose another", name);
		return -EEXIST;
	}
	if (same) {
		error_say(ret_error, "a job '%s' is there already, in %s", name, same->cgroup);
		return -EEXIST;
	}
	if (holder && !strcmp(holder->cgroup, cgroup)) {
		error_say(ret_error, "%s is guarded already, as job '%s'", cgroup, holder->name);
		return -EEXIST;
	}
	if (cgroup_holds_vm_agent(cgroup)) {
		error_say(ret_error, "%s holds the Azure VM agent, which must never be guarded: "
			  "name the job's own cgroup", cgroup);
		return -EINVAL;
	}
	if (cgroup_is_within(jobs->parts.home->path, cgroup)) {
		error_say(ret_error, "%s holds buildfence itself, and everything else that runs "
			  "there: name the job's own cgroup", cgroup);
		return -EINVAL;
	}
	return 0;
}

int jobs_attach(struct jobs *jobs, enum job_origin origin, const char *name, const char *cgroup,
		const char *policy_source, char **ret_error)
{
	_cleanup_close_ int fd = -1;
	struct job *job;
	int error;

	jobs_settle(jobs);
	error = attach_check(jobs, name, cgroup, ret_error);
	if (error)
		return error;
	fd = home_cgroup_open(jobs->parts.home, cgroup);
	if (fd < 0) {
		error_say(ret_error, "no cgroup %s: %s", cgroup, strerror(-fd));
		return fd;
	}
	job = job_new(origin);
	if (!job)
		return -ENOMEM;
	job->name = strdup(name);
	job->cgroup = strdup(cgroup);
	job->cgroup_id = home_cgroup_id(jobs->parts.home, cgroup);
	job->policy_source = strdup(policy_source);
	error = job->name && job->cgroup && job->policy_source ? 0 : -ENOMEM;
	if (!error)
		error = job_prepare(jobs, job, ret_error);
	if (!error)
		error = job_record_write(jobs->parts.folder_fd, job);
	if (!error)
		error = job_guard(jobs, job, fd, ret_error);
	if (!error)
		error = job_watch(jobs, job);
	if (error) {
		if (!*ret_error)
			error_say(ret_error, "cannot guard %s: %s", cgroup, strerror(-error));
		job_undo(jobs, job);
		return error;
	}
	jobs_add(jobs, job);
	return 0;
}

int jobs_guarded_renew(struct jobs *jobs, struct job *job, const char *name,
		       const char *policy_source)
{
	bool known = strcmp(job->policy_source, POLICY_UNKNOWN);
	_cleanup_free_ char *copy = strdup(name);
	struct diagnostics diag = { .out = stderr };
	int error;

	if (job->ended || job->origin == JOB_WORKER || (job->origin == JOB_ATTACHED && known) ||
	    !strcmp(job->policy_source, policy_source))
		return 0;
	if (!copy)
		return -ENOMEM;
	error = job_policy_set(jobs, job, policy_source, &diag);
	if (error)
		return error;
	job->origin = JOB_GUARDED;
	if (!known && !job_by_name(jobs, name)) {
		free(job->name);
		job->name = TAKE_PTR(copy);
	}
	error = job_record_write(jobs->parts.folder_fd, job);
	return error ? error : 1;
}

/* --- a worker --------------------------------------------------------------------------------- */

/* An agent's name may come from a file of its user: it must not write lines of its own in a log. */
static void name_clean(char *name)
{
	for (; *name; name++) {
		if (*name < ' ' || *name > '~')
			*name = '_';
	}
}

static int worker_job_new(const struct worker *worker, const char *policy_source,
			  struct job **ret_job)
{
	struct job *job = job_new(JOB_WORKER);
	const char *who = worker->agent ? worker->agent : worker->kind->name;

	if (!job)
		return -ENOMEM;
	if (asprintf(&job->name, "%s.%d", who, worker->pid) < 0)
		job->name = NULL;
	if (job->name)
		name_clean(job->name);
	job->policy_source = strdup(policy_source);
	job->agent = copy_or_null(worker->agent);
	job->pool = copy_or_null(worker->pool);
	job->kind = strdup(worker->kind->name);
	job->from = strdup(worker->cgroup);
	job->worker = worker->pid;
	job->worker_start = worker->start_ticks;
	if (!job->name || !job->policy_source || !job->kind || !job->from) {
		job_free(NULL, job);
		return -ENOMEM;
	}
	*ret_job = job;
	return 0;
}

/* The name of a worker's cgroup: its number in front makes it unique. */
static int worker_cgroup_name(const struct job *job, char **ret_name)
{
	char clean[CGROUP_NAME_MAX + 1];

	cgroup_name_clean(job->name, clean, sizeof(clean));
	return asprintf(ret_name, "job-%u-%s", job->number, clean) < 0 ? -ENOMEM : 0;
}

/* From the number to the guarded, empty cgroup. Returns its descriptor or -errno. */
static int worker_cgroup_guard(struct jobs *jobs, struct job *job, char **ret_error)
{
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int fd = -1;
	int error = worker_cgroup_name(job, &name);

	if (error)
		return error;
	if (asprintf(&job->cgroup, "%s/%s", jobs->parts.home->path, name) < 0) {
		job->cgroup = NULL;
		return -ENOMEM;
	}
	error = job_record_write(jobs->parts.folder_fd, job);
	if (error) {
		error_say(ret_error, "cannot write down the job: %s", strerror(-error));
		return error;
	}
	fd = home_cgroup_make(jobs->parts.home, name);
	if (fd < 0) {
		error_say(ret_error, "cannot make the cgroup %s: %s", job->cgroup, strerror(-fd));
		/* What has this name is not ours to remove. */
		free(TAKE_PTR(job->cgroup));
		return fd;
	}
	error = job_guard(jobs, job, fd, ret_error);
	return error ? error : TAKE_FD(fd);
}

/* From an empty job to a cgroup that is guarded and watched. Returns its descriptor or -errno. */
static int worker_job_begin(struct jobs *jobs, struct job *job, char **ret_error)
{
	_cleanup_close_ int fd = -1;
	int error = job_prepare(jobs, job, ret_error);

	if (error)
		return error;
	fd = worker_cgroup_guard(jobs, job, ret_error);
	if (fd < 0)
		return fd;
	error = job_watch(jobs, job);
	return error ? error : TAKE_FD(fd);
}

static int worker_move(int cgroup_fd, const struct worker *worker, char **ret_error)
{
	int error = cgroup_move(cgroup_fd, worker->pid);

	if (error && error != -ESRCH)
		error_say(ret_error, "cannot move process %d into a job's cgroup: %s",
			  worker->pid, strerror(-error));
	return error;
}

int jobs_worker_begin(struct jobs *jobs, const struct worker *worker, const char *policy_source,
		      struct job **ret_job, char **ret_error)
{
	struct job *holder = job_by_cgroup(jobs, worker->cgroup), *job;
	_cleanup_close_ int fd = -1;
	int error;

	/* What runs below a job is part of it, whatever it calls itself. */
	if (holder && holder->origin != JOB_GUARDED)
		return -EALREADY;
	error = worker_job_new(worker, policy_source, &job);
	if (error)
		return error;
	fd = worker_job_begin(jobs, job, ret_error);
	/* The last thing that may fail: what is undone below must not be around a process. */
	error = fd < 0 ? fd : worker_move(fd, worker, ret_error);
	if (error) {
		job_undo(jobs, job);
		return error;
	}
	populated_read(job);
	jobs_add(jobs, job);
	*ret_job = job;
	return 0;
}

static int overflow_job_new(const char *policy_source, struct job **ret_job)
{
	struct job *job = job_new(JOB_WORKER);

	if (!job)
		return -ENOMEM;
	job->name = strdup(JOBS_OVERFLOW);
	job->policy_source = strdup(policy_source);
	if (!job->name || !job->policy_source) {
		job_free(NULL, job);
		return -ENOMEM;
	}
	*ret_job = job;
	return 0;
}

/* One that is there: another policy may be the default by now. It is guarded in any case. */
static int overflow_open(struct jobs *jobs, struct job *job, const char *policy_source)
{
	struct diagnostics diag = { .out = stderr };

	if (strcmp(job->policy_source, policy_source) &&
	    (job_policy_set(jobs, job, policy_source, &diag) ||
	     job_record_write(jobs->parts.folder_fd, job)))
		log_error("job '%s' keeps its policy '%s'", job->name, job->policy_source);
	return home_cgroup_open(jobs->parts.home, job->cgroup);
}

int jobs_worker_overflow(struct jobs *jobs, const struct worker *worker, const char *policy_source,
			 char **ret_error)
{
	struct job *job = jobs_overflow(jobs), *fresh = NULL;
	_cleanup_close_ int fd = -1;
	int error = job ? 0 : overflow_job_new(policy_source, &fresh);

	if (error)
		return error;
	fd = job ? overflow_open(jobs, job, policy_source) :
		   worker_job_begin(jobs, fresh, ret_error);
	error = fd < 0 ? fd : worker_move(fd, worker, ret_error);
	if (error && fresh)
		job_undo(jobs, fresh);
	if (error)
		return error;
	if (fresh)
		jobs_add(jobs, fresh);
	populated_read(job ? job : fresh);
	return 0;
}

int jobs_identify(struct jobs *jobs, struct job *job, const struct identity *identity,
		  const char *policy_source)
{
	struct diagnostics diag = { .out = stderr };
	size_t count = 0;
	char **pairs;

	while (identity->pairs && identity->pairs[count])
		count++;
	pairs = calloc(count + 1, sizeof(*pairs));
	if (!pairs)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		pairs[i] = strdup(identity->pairs[i]);
		if (!pairs[i]) {
			strings_free(pairs);
			return -ENOMEM;
		}
	}
	strings_free(job->identity);
	job->identity = pairs;
	if (job_policy_set(jobs, job, policy_source, &diag))
		log_error("job '%s' keeps its policy '%s'", job->name, job->policy_source);
	return job_record_write(jobs->parts.folder_fd, job);
}
