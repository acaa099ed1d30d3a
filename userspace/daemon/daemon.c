/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The daemon's life. It begins in this order: configuration; the lock that makes it the only one;
 * the records' last line; the guard with all that its predecessor pinned; its predecessor's jobs;
 * its policies; cgroups; workers; the socket. Then it gives up what it no longer needs, and says
 * that it is ready. It ends by doing nothing: what is guarded stays guarded.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/output.h"
#include "base/notify.h"
#include "base/privileges.h"
#include "base/reader.h"
#include "config/config.h"
#include "control/server.h"
#include "daemon/daemon_internal.h"
#include "daemon/guarded.h"
#include "daemon/jobs.h"
#include "daemon/policies.h"
#include "daemon/records.h"
#include "daemon/store.h"
#include "guard/guard.h"
#include "policy/policy.h"
#include "watch/watch.h"

#define DRAIN_MS	1000
#define SWEEP_MS	5000
/* Numbers in the kernel for each policy: in force, in the making, and not yet given back. */
#define POLICY_NUMBERS	3
#define DESCRIPTORS	(1 << 20)
/* Jobs that may begin in a second without waiting for tables; each takes 0.7 MiB of the kernel. */
#define SPARES		4

/* --- turns ------------------------------------------------------------------------------------ */

static void second_passed(void *context)
{
	struct daemon *daemon = context;

	workers_read(daemon);
	jobs_tick(daemon->jobs);
	policies_tick(daemon->policies, jobs_policy_moved, daemon->jobs);
}

static void sweep_due(void *context)
{
	struct daemon *daemon = context;

	guard_sweep(daemon->guard);
	guarded_scan_again(daemon->guarded);
	workers_retry(daemon);
}

static void watchdog_due(void *context)
{
	(void)context;
	notify_send("WATCHDOG=1");
}

static void record_publish(uint32_t job, const char *line, size_t length, void *context)
{
	struct daemon *daemon = context;

	if (daemon->control)
		control_publish(daemon->control, job, line, length);
}

static void job_gone(uint32_t number, void *context)
{
	struct daemon *daemon = context;

	if (daemon->control)
		control_job_end(daemon->control, number);
}

static void signal_take(const struct signalfd_siginfo *signal, void *context)
{
	struct daemon *daemon = context;
	_cleanup_free_ char *why = NULL;

	if (signal->ssi_signo != SIGHUP) {
		loop_stop(daemon->loop);
		return;
	}
	notify_send("RELOADING=1");
	if (daemon_reload(daemon, &why))
		log_error("not reloaded: %s; what was in force stays", why ? why : "out of memory");
	notify_send("READY=1");
}

/* --- reload ----------------------------------------------------------------------------------- */

/* The policies that a configuration names, to be freed; they stay its strings. */
static const char **sources_list(const struct config *config)
{
	size_t count = 0;
	const char **sources = calloc(config->choice_count + config->guarded_count + 2,
				      sizeof(*sources));

	if (!sources)
		return NULL;
	sources[count++] = config->policy;
	for (size_t i = 0; i < config->choice_count; i++)
		sources[count++] = config->choices[i].policy;
	for (size_t i = 0; i < config->guarded_count; i++)
		sources[count++] = config->guarded[i].policy;
	return sources;
}

static bool differ(const char *one, const char *other)
{
	return one && other ? !!strcmp(one, other) : one != other;
}

/* What cannot change while the daemon runs. */
static void unchangeable_tell(const struct config *now, const struct config *next)
{
	if (strcmp(now->state, next->state) || strcmp(now->socket, next->socket) ||
	    strcmp(now->pins, next->pins) || strcmp(now->records, next->records) ||
	    differ(now->cgroup, next->cgroup) || now->jobs_max != next->jobs_max ||
	    now->policies_max != next->policies_max || now->clients_max != next->clients_max)
		log_error("%s: 'state', 'socket', 'pins', 'records', 'cgroup' and 'limits' act "
			  "only after a restart", next->path);
}

/* Messages of a reader, kept so that whoever asked for a reload gets them too. */
struct messages {
	struct diagnostics diag;
	char *text;
	size_t size;
};

static int messages_begin(struct messages *messages)
{
	*messages = (struct messages){};
	messages->diag.out = open_memstream(&messages->text, &messages->size);
	return messages->diag.out ? 0 : -ENOMEM;
}

/* Prints them; after a failure *ret_error, which may be absent, gets them. Returns the error. */
static int messages_end(struct messages *messages, int error, char **ret_error)
{
	_cleanup_free_ char *text = NULL;

	fclose(messages->diag.out);
	text = messages->text;
	if (text && *text)
		fputs(text, stderr);
	if (error && ret_error)
		*ret_error = TAKE_PTR(text);
	return error;
}

static int policies_renew(struct daemon *daemon, const struct config *config, char **ret_error)
{
	_cleanup_free_ const char **sources = sources_list(config);
	struct messages messages;

	if (!sources || messages_begin(&messages))
		return -ENOMEM;
	return messages_end(&messages, policies_reload(daemon->policies, sources, &messages.diag,
						       jobs_policy_moved, daemon->jobs),
			    ret_error);
}

static int config_read(const char *path, struct config **ret_config, char **ret_error)
{
	struct messages messages;

	if (messages_begin(&messages))
		return -ENOMEM;
	return messages_end(&messages, config_load(path, &messages.diag, ret_config), ret_error);
}

static void error_say(char **ret_error, const char *what, int error)
{
	if (asprintf(ret_error, "%s: %s", what, strerror(-error)) < 0)
		*ret_error = NULL;
}

int daemon_reload(struct daemon *daemon, char **ret_error)
{
	_cleanup_config_ struct config *config = NULL;
	struct config *before = daemon->config;
	struct watch *watch = NULL;
	int error = records_reopen(daemon->records);

	/* Before the rest, which may be refused: who moved the file away waits for a new one. */
	if (error) {
		error_say(ret_error, "cannot open the records' file again", error);
		return error;
	}
	/* All that can fail comes before anything that changes. */
	error = config_read(daemon->config_path, &config, ret_error);
	if (error)
		return error;
	error = workers_prepare(daemon, config, &watch);
	if (error) {
		error_say(ret_error, "cannot watch for agents' workers", error);
		return error;
	}
	error = policies_renew(daemon, config, ret_error);
	if (error) {
		/* Whom both hold is taken before one of them lets go. */
		workers_read(daemon);
		workers_drop(daemon, watch);
		return error;
	}
	unchangeable_tell(before, config);
	daemon->config = TAKE_PTR(config);
	/* Until here, the watch and the list of guarded cgroups have the old one's strings. */
	guarded_scan(daemon->guarded, daemon->config);
	workers_begin(daemon, watch);
	config_free(before);
	log_info("reloaded %s", daemon->config->path);
	return 0;
}

/* --- beginning -------------------------------------------------------------------------------- */

static int state_open(struct daemon *daemon)
{
	const char *path = daemon->config->state;

	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	daemon->state_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (daemon->state_fd < 0)
		return -errno;
	daemon->jobs_fd = store_folder_open(daemon->state_fd, "jobs");
	if (daemon->jobs_fd < 0)
		return daemon->jobs_fd;
	daemon->policies_fd = store_folder_open(daemon->state_fd, "policies");
	return daemon->policies_fd < 0 ? daemon->policies_fd : 0;
}

static int folders_prepare(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	int error = state_open(daemon);

	if (error) {
		log_error("cannot use the folder %s: %s", config->state, strerror(-error));
		return error;
	}
	/* Of two daemons with the same pins each would take the other's jobs. */
	daemon->lock_fd = store_lock(daemon->state_fd);
	if (daemon->lock_fd == -EWOULDBLOCK)
		log_error("another buildfence daemon runs with the state folder %s", config->state);
	else if (daemon->lock_fd < 0)
		log_error("cannot lock %s/lock: %s", config->state, strerror(-daemon->lock_fd));
	if (daemon->lock_fd < 0)
		return daemon->lock_fd;
	error = home_open(config->cgroup, &daemon->home);
	if (error) {
		log_error("cannot open %s: %s", config->cgroup ? config->cgroup :
			  "the daemon's own cgroup (is cgroup2 mounted?)", strerror(-error));
		return error;
	}
	/* Its mode is 0555: nothing can be made there once privileges are given up. */
	if (!*daemon->home.path) {
		log_error("the daemon is in cgroup2's root, where it cannot make cgroups for jobs: "
			  "start it as a service, or name another one with 'cgroup:' in %s",
			  config->path);
		return -EINVAL;
	}
	return 0;
}

/* Cut off, a uid is nobody's, and its report is written a second time. */
_Static_assert(RECORD_UID_SIZE >= GUARD_UID_SIZE, "last_uid");

static int guard_prepare(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	char last_uid[RECORD_UID_SIZE];
	struct guard_options options = {
		.jobs_max = config->jobs_max + JOBS_RESERVED,
		.policies_max = config->policies_max * POLICY_NUMBERS,
		.spares = SPARES,
		.pins = config->pins,
		.last_uid = last_uid,
	};
	int error = records_open(config->records, record_publish, daemon, last_uid,
				 &daemon->records);

	if (error) {
		log_error("cannot open the records' file %s: %s", config->records,
			  output_objection(error));
		return error;
	}
	error = guard_open(&options, &daemon->guard);
	if (error)
		log_error("cannot load the guard: %s", strerror(-error));
	return error;
}

static int jobs_prepare(struct daemon *daemon)
{
	struct jobs_parts parts = {
		.guard = daemon->guard,
		.resetter = &daemon->resetter,
		.records = daemon->records,
		.loop = daemon->loop,
		.home = &daemon->home,
		.folder_fd = daemon->jobs_fd,
		.jobs_max = guard_jobs_max(daemon->guard),
		.worker_gone = workers_gone,
		.job_gone = job_gone,
		.context = daemon,
	};
	int error = policies_new(daemon->guard, daemon->policies_fd, &daemon->policies), taken;

	if (error)
		return error;
	parts.policies = daemon->policies;
	error = jobs_new(&parts, &daemon->jobs);
	if (error)
		return error;
	taken = jobs_takeover(daemon->jobs);
	if (taken < 0)
		log_error("cannot take over the jobs that are guarded: %s", strerror(-taken));
	if (taken > 0)
		log_info("took over %d guarded job%s", taken, taken == 1 ? "" : "s");
	return taken < 0 ? taken : 0;
}

static int sources_prepare(struct daemon *daemon)
{
	sigset_t signals;
	uint64_t watchdog_us = notify_watchdog_interval_us();
	int error;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	error = sigprocmask(SIG_BLOCK, &signals, NULL) ? -errno : 0;
	if (!error)
		error = loop_signals_add(daemon->loop, &signals, signal_take, daemon);
	if (!error)
		error = loop_fd_add(daemon->loop, guard_refusals_fd(daemon->guard), EPOLLIN,
				    jobs_refusals_read, daemon->jobs);
	if (!error)
		error = loop_timer_add(daemon->loop, DRAIN_MS, second_passed, daemon);
	if (!error)
		error = loop_timer_add(daemon->loop, SWEEP_MS, sweep_due, daemon);
	if (!error && watchdog_us)
		error = loop_timer_add(daemon->loop, (unsigned int)(watchdog_us / 1000),
				       watchdog_due, daemon);
	if (!error)
		error = guarded_new(daemon->jobs, daemon->home.mount, daemon->loop,
				    &daemon->guarded);
	if (error)
		log_error("cannot prepare the daemon's loop: %s", strerror(-error));
	return error;
}

static int control_prepare(struct daemon *daemon)
{
	const struct config *config = daemon->config;
	int error = control_open(config->socket, config->clients_max, daemon->loop, request_answer,
				 daemon, &daemon->control);

	if (error)
		log_error("cannot listen at %s: %s", config->socket, strerror(-error));
	else
		control_trust(daemon->control, request_trust);
	return error;
}

static int privileges_prepare(void)
{
	int error;

	reader_end();
	error = privileges_drop();
	if (error)
		log_error("cannot give up privileges: %s", strerror(-error));
	return error;
}

/* One descriptor for each job's cgroup, and some for each job's tables. */
static void descriptors_allow(void)
{
	struct rlimit limit = { DESCRIPTORS, DESCRIPTORS };

	if (setrlimit(RLIMIT_NOFILE, &limit) && !getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int daemon_begin(struct daemon *daemon)
{
	struct watch *watch;
	int error = config_read(daemon->config_path, &daemon->config, NULL);

	if (error)
		return error;
	signal(SIGPIPE, SIG_IGN);
	descriptors_allow();
	error = resetter_start(&daemon->resetter);
	if (!error)
		error = loop_new(&daemon->loop);
	if (error)
		log_error("cannot start: %s", strerror(-error));
	if (!error)
		error = folders_prepare(daemon);
	if (!error)
		error = guard_prepare(daemon);
	if (!error)
		error = jobs_prepare(daemon);
	if (!error)
		error = sources_prepare(daemon);
	if (error)
		return error;
	/* A policy that became unusable while nobody ran: jobs keep what they have. */
	if (policies_renew(daemon, daemon->config, NULL))
		log_error("policies could not be loaded; jobs keep those that they have");
	jobs_policies_renew(daemon->jobs);
	policies_orphans_retire(daemon->policies);
	guarded_scan(daemon->guarded, daemon->config);
	error = workers_prepare(daemon, daemon->config, &watch);
	if (error)
		return error;
	workers_begin(daemon, watch);
	error = control_prepare(daemon);
	if (!error)
		error = privileges_prepare();
	return error;
}

static void daemon_end(struct daemon *daemon)
{
	control_close(daemon->control);
	watch_close(daemon->watch);
	guarded_free(daemon->guarded);
	jobs_free(daemon->jobs);
	policies_free(daemon->policies);
	guard_close(daemon->guard);
	resetter_end(&daemon->resetter);
	records_close(daemon->records);
	home_close(&daemon->home);
	loop_free(daemon->loop);
	close_fd(&daemon->policies_fd);
	close_fd(&daemon->jobs_fd);
	close_fd(&daemon->lock_fd);
	close_fd(&daemon->state_fd);
	config_free(daemon->config);
}

int daemon_run(const char *config_path)
{
	struct daemon daemon = {
		.config_path = config_path,
		.resetter = { .fd = -1 },
		.home = { .root_fd = -1, .fd = -1 },
		.state_fd = -1,
		.lock_fd = -1,
		.jobs_fd = -1,
		.policies_fd = -1,
		.started = time(NULL),
	};
	int error = daemon_begin(&daemon);

	if (!error) {
		notify_send("READY=1");
		log_info("ready");
		error = loop_run(daemon.loop);
		notify_send("STOPPING=1");
	}
	daemon_end(&daemon);
	return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
