/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The life of a guarded job. The order holds the promise: the cgroup is guarded before the command
 * is born in it, and unguarded only when nothing is left in it. Should we die in between, the pins
 * keep enforcing and the warden kills the job.
 */
#include "job/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/output.h"
#include "event/enrich.h"
#include "event/sink.h"
#include "event/summary.h"
#include "guard/guard.h"
#include "guard/resetter.h"
#include "job/cgroup.h"
#include "job/descriptors.h"
#include "job/leftover.h"
#include "job/spawn.h"
#include "policy/compile.h"

#define DRAIN_MS	1000
#define SWEEP_MS	5000
#define KILL_WAIT_MS	30000

/* A run's own state, from prepare() on. What is NULL or 0 was not reached yet. */
struct run {
	const struct run_options *options;
	struct policy *policy;
	struct job_user *user;
	struct guard *guard;
	uint32_t job;
	struct cgroup *cgroup;
	struct warden warden;
	struct resetter resetter;
	bool attached;
	sigset_t signals;
	struct signal_state signals_before;
	bool own_group;
	pid_t pid;
	int wait_status;
	struct loop *loop;
	struct event_job event_job;
	struct summary *summary;
	struct sink *lines;
	struct sink *records;
	FILE *report;
	int record_error;		/* the first -errno of `records` */
	uint64_t records_lost;
	uint64_t attempts_lost;
};

/* --- events ----------------------------------------------------------------------------------- */

static void record_write(struct run *run, const struct event *event)
{
	int error = sink_event(run->records, event);

	if (!error)
		return;
	if (!run->record_error)
		log_error("cannot write to %s: %s; the guard goes on, but RECORDS ARE LOST",
			  run->options->events, strerror(-error));
	run->record_error = error;
	run->records_lost++;
	run->attempts_lost += event->count;
}

/* Always 0: what cannot be written is said and counted, and the run goes on. */
static int report_take(const struct guard_report *report, void *context)
{
	const struct refusal *refusal = report->refusal;
	struct run *run = context;
	struct event event;

	if (refusal->flags & REFUSAL_RESET)
		resetter_ask(&run->resetter, refusal);
	if (event_fill(&run->event_job, refusal, report->count, report->last_ns, report->apart,
		       report->first, &event)) {
		log_error("out of memory: a record of %" PRIu64 " attempts is lost", report->count);
		return 0;
	}
	summary_event(run->summary, &event);
	if (!report->apart || !(refusal->flags & REFUSAL_EXPECTED)) {
		if (run->lines)
			sink_event(run->lines, &event);
		if (run->records)
			record_write(run, &event);
	}
	event_clear(&event);
	return 0;
}

static void reached_take(const struct reached_key *key, const struct reached *reached,
			 void *context)
{
	struct run *run = context;

	summary_reached(run->summary, key, reached);
}

static void firsts_read(void *context)
{
	struct run *run = context;

	guard_refusals_read(run->guard, report_take, run);
}

static void repeats_read(void *context)
{
	struct run *run = context;

	guard_folds_drain(run->guard, report_take, run);
	if (run->lines)
		sink_tick(run->lines);
}

static void tables_sweep(void *context)
{
	struct run *run = context;

	guard_sweep(run->guard);
}

static void signal_take(const struct signalfd_siginfo *signal, void *context)
{
	struct run *run = context;

	if (signal->ssi_signo == SIGCHLD) {
		if (waitpid(run->pid, &run->wait_status, WNOHANG) == run->pid)
			loop_stop(run->loop);
		return;
	}
	if (signal_is_for_job(signal, run->pid, run->own_group))
		kill(run->own_group ? -run->pid : run->pid, (int)signal->ssi_signo);
}

/* --- before ----------------------------------------------------------------------------------- */

static int inputs_check(struct run *run)
{
	int fd, error = descriptors_check(&fd);

	if (error == -EBADF)
		log_error("descriptor %d (standard %s) is a network socket, which would stay "
			  "outside the guard: use a pipe or a file",
			  fd, fd == 0 ? "input" : fd == 1 ? "output" : "error");
	else if (error)
		log_error("cannot list the inherited descriptors: %s", strerror(-error));
	if (error)
		return error;
	if (geteuid()) {
		log_error("run needs root, to load BPF programs and to make a cgroup; say: "
			  "sudo buildfence run --user \"$USER\" ...");
		return -EPERM;
	}
	if (!run->options->user)
		return 0;
	error = job_user_find(run->options->user, &run->user);
	if (error)
		log_error("--user %s: %s", run->options->user,
			  error == -ENOENT ? "no such user in /etc/passwd" : strerror(-error));
	return error;
}

static int report_open(struct run *run)
{
	_cleanup_close_ int fd = output_open(run->options->report, 0644);

	if (fd < 0)
		return fd;
	/* A device has no length. */
	if (ftruncate(fd, 0) < 0 && errno != EINVAL)
		return -errno;
	run->report = fdopen(fd, "w");
	if (!run->report)
		return -errno;
	TAKE_FD(fd);
	return 0;
}

static int outputs_open(struct run *run)
{
	const struct run_options *options = run->options;
	int error = 0;

	if (options->events)
		error = sink_ndjson_open(options->events, 0644, &run->records);
	if (error) {
		log_error("--events %s: %s", options->events, output_objection(error));
		return error;
	}
	if (options->report) {
		/* Now, so that the job cannot put something else in its place. */
		error = report_open(run);
		if (error) {
			log_error("--report %s: %s", options->report, output_objection(error));
			return error;
		}
	}
	if (!options->quiet)
		error = sink_text_open(STDERR_FILENO, colour_wanted(STDERR_FILENO), &run->lines);
	if (error)
		log_error("%s", strerror(-error));
	return error;
}

static int policy_read(struct run *run, struct image **ret_image)
{
	struct diagnostics diagnostics = { .out = stderr };
	struct machine_dns dns = {};
	int error = policy_load(&run->options->policy, &diagnostics, &run->policy);

	if (error)
		return error;
	error = machine_dns_read("/etc/resolv.conf", &dns);
	if (error && error != -ENOENT) {
		log_error("cannot read /etc/resolv.conf: %s", strerror(-error));
		return error;
	}
	error = policy_compile(run->policy, &dns, time(NULL), &diagnostics, ret_image);
	if (error && !diagnostics.errors)
		log_error("cannot compile the policy: %s", strerror(-error));
	return error;
}

static int guard_prepare(struct run *run, uint32_t *ret_policy)
{
	_cleanup_image_ struct image *image = NULL;
	int error = policy_read(run, &image);

	if (error)
		return error;
	error = guard_open(NULL, &run->guard);
	if (error) {
		log_error("cannot load the guard: %s", strerror(-error));
		return error;
	}
	error = guard_policy_add(run->guard, image, ret_policy);
	if (!error)
		error = guard_job_add(run->guard, &run->job);
	if (error)
		log_error("cannot give the policy to the kernel: %s", strerror(-error));
	return error;
}

static int cgroup_prepare(struct run *run)
{
	int collected = job_collect_dead(), error;

	if (collected > 0)
		log_error("removed %d leftover job%s of runs that were killed", collected,
			  collected == 1 ? "" : "s");
	else if (collected < 0 && collected != -ENOENT)
		log_error("cannot remove what a killed run left behind: %s", strerror(-collected));
	error = cgroup_make(run->options->job, run->options->keep, &run->cgroup);
	if (error == -ENOENT)
		log_error("no cgroup2 is mounted here, or ours is not below it; mount it: "
			  "mount -t cgroup2 none /sys/fs/cgroup/unified");
	else if (error)
		log_error("cannot make a cgroup for the job: %s", strerror(-error));
	return error;
}

static int guard_put_on(struct run *run, uint32_t policy)
{
	_cleanup_free_ char *blocker = NULL;
	int error = warden_start(run->cgroup, &run->warden);

	if (!error)
		error = resetter_start(&run->resetter);
	if (error) {
		log_error("cannot start the processes that work beside us: %s", strerror(-error));
		return error;
	}
	error = guard_attach(run->guard, run->cgroup->fd, run->job, policy, run->policy->mode, NULL,
			     &blocker);
	if (blocker)
		log_error("cannot attach the guard to %s: the cgroup %s has a program of its own "
			  "that allows no others below (attached with flags 0; see bpftool cgroup "
			  "show %s)",
			  run->cgroup->directory, blocker, blocker);
	else if (error)
		log_error("cannot attach the guard to %s: %s", run->cgroup->directory,
			  strerror(-error));
	run->attached = !error;
	return error;
}

static int records_prepare(struct run *run)
{
	int error;

	run->event_job = (struct event_job){
		.name = run->options->job,
		.cgroup_path = run->cgroup->path,
		.policy = run->policy,
		.mode = run->policy->mode,
	};
	error = summary_new(&run->event_job, &run->summary);
	if (!error)
		error = loop_new(&run->loop);
	if (!error)
		error = loop_signals_add(run->loop, &run->signals, signal_take, run);
	if (!error)
		error = loop_fd_add(run->loop, guard_refusals_fd(run->guard), EPOLLIN, firsts_read,
				    run);
	if (!error)
		error = loop_timer_add(run->loop, DRAIN_MS, repeats_read, run);
	if (!error)
		error = loop_timer_add(run->loop, SWEEP_MS, tables_sweep, run);
	if (error)
		log_error("cannot prepare the job: %s", strerror(-error));
	return error;
}

static int run_prepare(struct run *run)
{
	uint32_t policy;
	int error = inputs_check(run);

	if (!error)
		error = signals_take(&run->signals, &run->signals_before);
	if (!error)
		error = outputs_open(run);
	if (!error)
		error = guard_prepare(run, &policy);
	if (!error)
		error = cgroup_prepare(run);
	if (!error)
		error = records_prepare(run);
	if (!error)
		error = guard_put_on(run, policy);
	return error;
}

/* --- the command ------------------------------------------------------------------------------ */

/* A signal that came while we prepared ends the run before it begins. Returns it, or 0. */
static int signal_pending(void)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t pending;

	sigpending(&pending);
	for (size_t i = 0; i < ARRAY_SIZE(ending); i++) {
		if (sigismember(&pending, ending[i]) == 1)
			return ending[i];
	}
	return 0;
}

/* Returns the command's exit status, or ours for not having started it. */
static int command_run(struct run *run)
{
	struct spawn spawn = {
		.argv = run->options->command,
		.cgroup_fd = run->cgroup->fd,
		.user = run->user,
		.signals = &run->signals_before,
		.own_group = !terminal_present(),
	};
	int error, signal = signal_pending();
	bool failed_exec;

	if (signal)
		return 128 + signal;
	run->own_group = spawn.own_group;
	error = spawn_start(&spawn, &run->pid, &failed_exec);
	if (error) {
		log_error(failed_exec ? "cannot run '%s': %s" : "cannot start '%s': %s",
			  spawn.argv[0], strerror(-error));
		return spawn_exit_status(error, failed_exec);
	}
	error = loop_run(run->loop);
	if (error) {
		/*
		 * Nothing would be recorded any more: end the job rather than leave it unwatched.
		 */
		log_error("cannot wait for events: %s; the job is killed", strerror(-error));
		kill(run->pid, SIGKILL);
		waitpid(run->pid, &run->wait_status, 0);
	}
	return wait_exit_status(run->wait_status);
}

/* --- after ------------------------------------------------------------------------------------ */

/* Ends what still runs. Returns whether the cgroup is empty, so that the guard may go. */
static bool leftovers_end(struct run *run)
{
	int error;

	if (run->options->keep) {
		if (cgroup_populated(run->cgroup->fd) == 0)
			return true;
		log_error("processes are left in %s; they stay guarded", run->cgroup->directory);
		return false;
	}
	error = cgroup_kill(run->cgroup->fd, KILL_WAIT_MS);
	if (error == -ENODEV || error == -ENOENT)
		return true;
	if (error)
		log_error("cannot end what is left in %s: %s; it stays guarded, and the next run "
			  "tries again",
			  run->cgroup->directory, strerror(-error));
	return !error;
}

static void report_write(struct run *run)
{
	if (!run->report)
		return;
	summary_write(run->summary, SUMMARY_MARKDOWN, run->report);
	if (fflush(run->report) || ferror(run->report))
		log_error("--report %s: %s", run->options->report, strerror(errno));
}

static void account_give(struct run *run, bool empty)
{
	struct job_counters counters;

	firsts_read(run);
	if (empty)
		guard_job_drain(run->guard, run->job, report_take, run);
	else
		guard_folds_drain(run->guard, report_take, run);
	if (run->lines)
		sink_tick(run->lines);
	guard_reached_read(run->guard, run->job, reached_take, run);
	if (!guard_counters_read(run->guard, run->job, &counters))
		summary_counters(run->summary, &counters);
	if (!run->options->quiet)
		summary_write(run->summary, SUMMARY_TEXT, stderr);
	report_write(run);
	if (run->records_lost)
		log_error("%" PRIu64 " records (%" PRIu64
			  " attempts) could not be written to %s: %s",
			  run->records_lost, run->attempts_lost, run->options->events,
			  strerror(-run->record_error));
}

static void run_end(struct run *run, bool empty)
{
	if (run->attached && empty) {
		guard_detach(run->guard, run->job);
		guard_job_remove(run->guard, run->job);
	}
	if (run->cgroup && empty) {
		int error = cgroup_remove(run->cgroup->parent_fd, run->cgroup->name);

		if (error)
			log_error("cannot remove %s: %s", run->cgroup->directory, strerror(-error));
	}
	warden_stop(&run->warden);
	resetter_end(&run->resetter);
	sink_close(run->lines);
	sink_close(run->records);
	if (run->report)
		fclose(run->report);
	loop_free(run->loop);
	summary_free(run->summary);
	guard_close(run->guard);
	cgroup_free(run->cgroup);
	job_user_free(run->user);
	policy_free(run->policy);
}

int job_run(const struct run_options *options)
{
	struct run run = { .options = options, .resetter = { .fd = -1 } };
	int status = RUN_FAILED;
	bool empty = true;

	if (!run_prepare(&run)) {
		status = command_run(&run);
		empty = leftovers_end(&run);
		account_give(&run, empty);
		if (!status && options->fail_on_violation && run.event_job.mode == MODE_ENFORCE &&
		    summary_violations(run.summary)) {
			log_error("exit status %d: the command succeeded, but something was denied",
				  RUN_VIOLATION);
			status = RUN_VIOLATION;
		}
	}
	run_end(&run, empty);
	return status;
}
