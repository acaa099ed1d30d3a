/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From an agent's worker to a guarded job. When a worker begins, its agent and pool choose the
 * policy; once its first child's environment says what it works on, project and definition do.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/loop.h"
#include "config/config.h"
#include "daemon/daemon_internal.h"
#include "daemon/jobs.h"
#include "job/leftover.h"
#include "watch/identity.h"
#include "watch/watch.h"

/*
 * For one that could get no job of its own, and why. Of all policies the default one is meant for
 * whoever comes. Returns whether it may go on.
 */
static bool worker_overflow(struct daemon *daemon, const struct worker *worker, const char *why)
{
	const char *policy = daemon->config->policy;
	_cleanup_free_ char *why_not = NULL;
	int error = jobs_worker_overflow(daemon->jobs, worker, policy, &why_not);

	if (error == -ESRCH)
		return true;
	if (!error) {
		log_error("process %d is a worker of '%s', but gets NO JOB OF ITS OWN: %s; it goes "
			  "on in the job '%s', with the policy '%s'", worker->pid,
			  worker->kind->name, why, JOBS_OVERFLOW, policy);
		return true;
	}
	log_error("process %d is a worker of '%s', but can be given NO JOB: %s; nor the job '%s': "
		  "%s; %s, and is tried again every few seconds", worker->pid, worker->kind->name,
		  why, JOBS_OVERFLOW, why_not ? why_not : strerror(-error), worker->held ?
		  "it stays stopped" : "it goes on WITHOUT A GUARD OF ITS OWN");
	daemon->worker_waits = true;
	return false;
}

/* Returns whether the worker may go on. */
static bool worker_take(const struct worker *worker, void *context)
{
	struct daemon *daemon = context;
	const char *policy = config_policy_choose(daemon->config, worker->agent, worker->pool, NULL,
						  NULL);
	_cleanup_free_ char *why = NULL;
	struct job *job;
	int error;

	/* In the guard of a `buildfence run`, which is not ours to take anybody out of. */
	if (cgroup_is_of_run(daemon->home.root_fd, worker->cgroup))
		return true;
	error = jobs_worker_begin(daemon->jobs, worker, policy, &job, &why);
	if (error == -EALREADY || error == -ESRCH)
		return true;
	if (error)
		return worker_overflow(daemon, worker, why ? why : strerror(-error));
	log_info("job '%s' begins: process %d, policy '%s'", job->name, worker->pid, policy);
	if (worker->unread)
		log_error("job '%s': its agent's file .agent could not be read in time, so its "
			  "policy was chosen without its agent and pool", job->name);
	error = watch_worker_add(daemon->watch, worker->pid, worker->start_ticks,
				 worker->kind);
	if (error && error != -ESRCH)
		log_error("job '%s' will have no name of its pipeline: %s", job->name,
			  strerror(-error));
	return true;
}

static const char *first_known(const char *one, const char *other)
{
	return one ? one : other;
}

static void identity_known(pid_t pid, const struct identity *identity, void *context)
{
	struct daemon *daemon = context;
	struct job *job = job_by_worker(daemon->jobs, pid);
	const char *policy;
	int error;

	if (!job)
		return;
	if (!identity) {
		/* Without its kind it is not asked for again, by a reload or the next daemon. */
		free(TAKE_PTR(job->kind));
		error = job_record_write(daemon->jobs_fd, job);
		if (error)
			log_error("job '%s': cannot write down that it has no name: %s", job->name,
				  strerror(-error));
		return;
	}
	policy = config_policy_choose(daemon->config, first_known(job->agent, identity->agent),
				      first_known(job->pool, identity->pool), identity->project,
				      identity->definition);
	error = jobs_identify(daemon->jobs, job, identity, policy);
	if (error)
		log_error("job '%s': cannot write down whose it is: %s", job->name,
			  strerror(-error));
}

void workers_read(void *context)
{
	struct daemon *daemon = context;
	int error = daemon->watch ? watch_read(daemon->watch, worker_take, identity_known, daemon) :
				    0;

	if (error && !daemon->worker_waits)
		log_error("cannot look at every process that began: %s; who is a worker stays "
			  "stopped, and is looked at again", strerror(-error));
	daemon->worker_waits |= error != 0;
}

void workers_gone(int worker, void *context)
{
	struct daemon *daemon = context;

	if (daemon->watch)
		watch_worker_remove(daemon->watch, worker);
}

void workers_retry(struct daemon *daemon)
{
	if (!daemon->worker_waits || !daemon->watch)
		return;
	daemon->worker_waits = false;
	if (watch_scan(daemon->watch, worker_take, daemon))
		daemon->worker_waits = true;
}

static const struct agent_kind *kind_find(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->agent_count; i++) {
		if (!strcmp(config->agents[i].name, name))
			return &config->agents[i];
	}
	return NULL;
}

/* A job taken over before anybody knew whose it is. */
static void identity_await(struct job *job, void *context)
{
	struct daemon *daemon = context;
	const struct agent_kind *kind = job->kind ? kind_find(daemon->config, job->kind) : NULL;

	if (kind && job->worker && !job->ended && !job->identity)
		watch_worker_add(daemon->watch, job->worker, job->worker_start, kind);
}

int workers_prepare(struct daemon *daemon, const struct config *config, struct watch **ret_watch)
{
	_cleanup_watch_ struct watch *watch = NULL;
	int error;

	*ret_watch = NULL;
	if (!config->agent_count)
		return 0;
	error = watch_open(config->agents, config->agent_count, &watch);
	if (!error)
		error = watch_jobs_below(watch, *daemon->home.path ? daemon->home.path : NULL);
	if (!error)
		error = loop_fd_add(daemon->loop, watch_fd(watch), EPOLLIN, workers_read, daemon);
	if (error)
		log_error("cannot watch for agents' workers: %s", strerror(-error));
	else
		*ret_watch = TAKE_PTR(watch);
	return error;
}

void workers_drop(struct daemon *daemon, struct watch *watch)
{
	if (!watch)
		return;
	loop_fd_remove(daemon->loop, watch_fd(watch));
	watch_close(watch);
}

void workers_begin(struct daemon *daemon, struct watch *watch)
{
	struct watch *before = daemon->watch;

	daemon->watch = watch;
	if (watch) {
		jobs_visit(daemon->jobs, identity_await, daemon);
		/* First children that a killed predecessor held are read before they go on. */
		workers_read(daemon);
		/* Who began while nobody watched; whom a search misses, the next one finds. */
		if (watch_scan(watch, worker_take, daemon))
			daemon->worker_waits = true;
	}
	/* Last: whom it still holds goes on then, and has a job by now. */
	workers_drop(daemon, before);
}
