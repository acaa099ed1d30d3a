/* SPDX-License-Identifier: GPL-2.0 */
/* Workers are seen when they begin, by name and by parent, and their first child tells the job. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/directory.h"
#include "job/cgroup.h"
#include "watch_scene.h"

#define LISTENER	"./Agent.Listener"
/* A worker that stays; ": " keeps the shell from becoming its last command. */
#define STAY		"-c 'echo >>done; read x <&9; :'"
#define WORKER		"./Agent.Worker " STAY "; :"

Test(watch, a_worker_is_seen_with_its_start_and_cgroup)
{
	_cleanup_scene_ struct scene scene;
	struct process process;

	scene_make(&scene, 0);
	scene_start(&scene, NULL, LISTENER, WORKER);
	scene_expect(&scene, 1, 0);
	cr_assert_eq(process_look(scene.worker[0].pid, &process), 0);
	cr_expect_str_eq(process.comm, "Agent.Worker");
	cr_expect_eq(process.start_ticks, scene.worker[0].start_ticks);
	cr_expect_eq(process.parent, scene.pid);
	cr_expect_str_eq(scene.worker_cgroup, scene.cgroup);
	cr_expect_eq(scene.worker[0].kind, &kinds[0]);
	cr_expect_eq(watch_lost(scene.watch), 0);
}

/* Whoever sees it comes before its first instruction. */
static bool worker_seen_before_it_ran(const struct worker *worker, void *context)
{
	cr_expect(!scene_is_done(context), "it ran before it was seen");
	return worker_seen(worker, context);
}

Test(watch, a_worker_is_held_until_it_was_seen)
{
	_cleanup_scene_ struct scene scene;

	scene_make(&scene, 0);
	scene_start(&scene, NULL, LISTENER, WORKER);
	scene_wait_held(scene.pid, 1);
	usleep(50000);
	cr_assert_eq(watch_read(scene.watch, worker_seen_before_it_ran, identity_seen, &scene), 0);
	cr_expect_eq(scene.workers, 1);
	scene_wait_unread(&scene, 1);
}

static bool worker_refused(const struct worker *worker, void *context)
{
	worker_seen(worker, context);
	return false;
}

Test(watch, a_worker_that_may_not_go_on_stays_held_until_it_may)
{
	_cleanup_scene_ struct scene scene;

	scene_make(&scene, 0);
	scene.add = false;
	scene_start(&scene, NULL, LISTENER, WORKER);
	scene_wait_held(scene.pid, 1);
	cr_assert_eq(watch_read(scene.watch, worker_refused, identity_seen, &scene), 0);
	cr_assert_eq(watch_scan(scene.watch, worker_refused, &scene), 0);
	usleep(50000);
	cr_expect(!scene_is_done(&scene), "it went on");
	cr_expect(scene.worker[0].held && scene.worker[1].held);
	cr_assert_eq(watch_scan(scene.watch, worker_seen, &scene), 0);
	cr_expect_eq(scene.workers, 3);
	scene_wait_unread(&scene, 1);
}

static void identity_seen_before_it_ran(pid_t worker, const struct identity *identity,
					void *context)
{
	identity_seen(worker, identity, context);
	cr_expect(!scene_is_done(context), "it ran before it was seen");
}

Test(watch, a_child_is_held_until_its_environment_was_read)
{
	_cleanup_scene_ struct scene scene;

	scene_make(&scene, 0);
	scene_start(&scene, NULL, LISTENER,
		    "./Agent.Worker -c 'SYSTEM_JOBID=held ./step -c \"echo >done; read x <&9; :\"; :'; :");
	scene_wait_held(scene.pid, 1);
	cr_assert_eq(watch_read(scene.watch, worker_seen, identity_seen_before_it_ran, &scene), 0);
	cr_assert_eq(scene.workers, 1);
	/* On a busy machine the child may have begun while the worker was read, and be read too. */
	if (!scene.identities) {
		scene_wait_held(scene.worker[0].pid, 1);
		usleep(50000);
		cr_assert_eq(watch_read(scene.watch, worker_seen, identity_seen_before_it_ran,
					&scene), 0);
	}
	cr_expect_str_eq(scene.job, "held");
	scene_wait_unread(&scene, 1);
}

Test(watch, who_is_held_goes_on_when_the_watch_ends)
{
	_cleanup_scene_ struct scene scene;

	scene_make(&scene, 0);
	scene_start(&scene, NULL, LISTENER, WORKER);
	scene_wait_held(scene.pid, 1);
	watch_close(TAKE_PTR(scene.watch));
	scene_wait_unread(&scene, 1);
}

/* A watch in a process that is killed. It awaits the children of `worker`, if that is not 0. */
static pid_t watcher_start(const struct worker *worker)
{
	int ends[2];
	pid_t pid;
	char byte;

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		struct watch *watch;

		if (watch_open(kinds, SCENE_KINDS, &watch) ||
		    (worker && watch_worker_add(watch, worker->pid, worker->start_ticks,
						worker->kind)))
			_exit(1);
		if (write(ends[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ends[1]);
	cr_assert_eq(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return pid;
}

static void watcher_kill(pid_t pid)
{
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

Test(watch, who_is_held_goes_on_when_the_next_watch_has_seen_it)
{
	_cleanup_scene_ struct scene scene;
	pid_t watcher;

	scene_make(&scene, 0);
	watch_close(TAKE_PTR(scene.watch));
	watcher = watcher_start(NULL);
	scene_start(&scene, NULL, LISTENER, WORKER);
	scene_wait_held(scene.pid, 1);
	watcher_kill(watcher);
	cr_assert_eq(watch_open(kinds, SCENE_KINDS, &scene.watch), 0);
	cr_assert_eq(watch_scan(scene.watch, worker_seen_before_it_ran, &scene), 0);
	cr_expect_eq(scene.workers, 1);
	scene_wait_unread(&scene, 1);
}

Test(watch, a_child_that_is_held_goes_on_after_the_next_scan)
{
	_cleanup_scene_ struct scene scene;
	pid_t watcher;

	scene_make(&scene, 0);
	scene.add = false;
	scene_start(&scene, NULL, LISTENER,
		    "./Agent.Worker -c 'read x <&9; ./step -c \"echo >done; read x <&9; :\"; :'; :");
	scene_expect(&scene, 1, 0);
	watch_close(TAKE_PTR(scene.watch));
	watcher = watcher_start(&scene.worker[0]);
	cr_assert_eq(write(scene.pipe, "\n", 1), 1);
	scene_wait_held(scene.worker[0].pid, 1);
	watcher_kill(watcher);
	cr_assert_eq(watch_open(kinds, SCENE_KINDS, &scene.watch), 0);
	cr_expect(!scene_is_done(&scene));
	cr_assert_eq(watch_scan(scene.watch, worker_seen, &scene), 0);
	scene_wait_unread(&scene, 1);
}

struct tree_case {
	const char *what;
	const char *program, *script;
	unsigned int workers;
	int going_on;			/* bytes in "done", one for each worker that runs */
};

static const struct tree_case trees[] = {
	{ "a wrong parent", "./other", WORKER, 0, 1 },
	{ "a parent that is itself a worker", "./Agent.Worker", WORKER, 0, 1 },
	{ "a worker of another name", LISTENER, "./other " STAY "; :", 0, 1 },
	{ "the right parent further up", LISTENER, "./other -c \"" WORKER "\"; :", 0, 1 },
	{ "another kind's parent", "./forge-runner-process", WORKER, 0, 1 },
	{ "names of 20 bytes", "./forge-runner-process", "./forge-worker-process " STAY "; :", 1, 1 },
	{ "a name that begins with 15 bytes of it", "./forge-runner-process", "./forge-worker-pr " STAY "; :", 1, 1 },
	{ "a name that begins with 14 bytes of it", "./forge-runner-process", "./forge-worker-p " STAY "; :", 0, 1 },
	{ "two workers", LISTENER, "./Agent.Worker " STAY " & " WORKER, 2, 2 },
	{ "a worker that execs itself", LISTENER, "./other -c \"exec ./Agent.Worker " STAY "\"; :", 1, 1 },
};

Test(watch, a_worker_has_the_name_and_the_parent_of_its_kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		_cleanup_scene_ struct scene scene;

		scene_make(&scene, 0);
		program_copy(&scene, "forge-runner-process");
		program_copy(&scene, "forge-worker-process");
		program_copy(&scene, "forge-worker-pr");
		program_copy(&scene, "forge-worker-p");
		scene.add = false;
		scene.what = trees[i].what;
		scene_start(&scene, NULL, trees[i].program, trees[i].script);
		scene_wait(&scene, trees[i].going_on);
		scene_expect(&scene, trees[i].workers, 0);
		cr_assert_eq(watch_scan(scene.watch, worker_seen, &scene), 0);
		cr_expect_eq(scene.workers, 2 * trees[i].workers, "%s, scanned: %u", trees[i].what,
			     scene.workers);
	}
}

Test(watch, scripts_are_workers_by_their_own_name)
{
	_cleanup_scene_ struct scene scene;

	scene_make(&scene, 0);
	script_write(&scene, "forge-runner-process",
		     "#!/usr/bin/env -S sh -e\n./forge-worker-process\n:\n");
	script_write(&scene, "forge-worker-process", "#!/usr/bin/env sh\nread x <&9\n:\n");
	setenv("LONG_JOB", "own", 1);
	scene_start(&scene, NULL, "./forge-runner-process", "");
	scene_expect(&scene, 1, 1);
	cr_expect_eq(scene.worker[0].kind, &kinds[1]);
	cr_expect_str_eq(scene.job, "own");
	cr_expect_str_eq(scene.pair, "LongJobId=own");
	cr_assert_eq(watch_scan(scene.watch, worker_seen, &scene), 0);
	cr_expect_eq(scene.workers, 2);
}

Test(watch, a_worker_that_is_gone_is_no_error)
{
	_cleanup_scene_ struct scene scene;

	scene_make(&scene, 0);
	scene_start(&scene, NULL, LISTENER,
		    "./Agent.Worker -c : & until grep -q 'State:.T' /proc/$!/status; do :; done;"
		    " kill -KILL $!; wait $!; echo >done; read x <&9; :");
	scene_wait_unread(&scene, 1);
	scene_expect(&scene, 0, 0);
	cr_expect_eq(watch_worker_add(scene.watch, 0x7ffffff0, 1, &kinds[0]), -ESRCH);
	watch_worker_remove(scene.watch, 0x7ffffff0);
}

Test(watch, a_worker_is_told_from_the_one_that_had_its_number)
{
	_cleanup_scene_ struct scene scene;
	struct process process;
	struct watch_call call;

	scene_make(&scene, 0);
	scene_start(&scene, NULL, LISTENER, WORKER);
	scene_expect(&scene, 1, 0);
	call = (struct watch_call){
		.watch = scene.watch, .worker = worker_seen, .context = &scene,
	};
	cr_assert_eq(process_look(scene.worker[0].pid, &process), 0);
	process.start_ticks--;
	worker_report(&call, &process, &kinds[0]);
	cr_expect_eq(scene.workers, 1);
	process.start_ticks++;
	worker_report(&call, &process, &kinds[0]);
	cr_expect_eq(scene.workers, 2);
}

Test(watch, the_first_child_with_a_job_tells_it)
{
	_cleanup_scene_ struct scene scene;

	scene_make(&scene, 0);
	scene_start(&scene, NULL, LISTENER,
		    "./Agent.Worker -c './step -c :; SYSTEM_JOBID= ./step -c :; read x <&9;"
		    " SYSTEM_JOBID=first ./step -c \"read x <&9; :\"; SYSTEM_JOBID=forged ./step -c \"read x <&9; :\"; :'; :");
	scene_expect(&scene, 1, 0);
	cr_assert_eq(write(scene.pipe, "\n", 1), 1);
	scene_expect(&scene, 1, 1);
	cr_expect_str_eq(scene.job, "first");
	cr_expect_eq(scene.identity_of, scene.worker[0].pid);
	cr_assert_eq(write(scene.pipe, "\n", 1), 1);
	usleep(50000);
	scene_expect(&scene, 1, 1);
	cr_expect_str_eq(scene.job, "first");
}

Test(watch, a_child_that_runs_already_tells_it_too)
{
	_cleanup_scene_ struct scene scene;

	scene_make(&scene, 0);
	scene.add = false;
	scene_start(&scene, NULL, LISTENER,
		    "./Agent.Worker -c 'SYSTEM_JOBID=early ./step -c \"echo >done; read x <&9; :\"; :'; :");
	scene_wait(&scene, 1);
	scene_expect(&scene, 1, 0);
	/* The same number, of a process that was there before. */
	cr_assert_eq(watch_worker_add(scene.watch, scene.worker[0].pid,
				      scene.worker[0].start_ticks - 1, &kinds[0]), -ESRCH);
	for (int again = 0; again < 2; again++)
		cr_assert_eq(watch_worker_add(scene.watch, scene.worker[0].pid,
					      scene.worker[0].start_ticks, &kinds[0]), 0);
	scene_expect(&scene, 1, 1);
	cr_expect_str_eq(scene.job, "early");
}

Test(watch, a_grandchild_and_a_removed_workers_child_tell_nothing)
{
	_cleanup_scene_ struct scene scene;

	scene_make(&scene, 0);
	scene_start(&scene, NULL, LISTENER,
		    "./Agent.Worker -c './step -c \"SYSTEM_JOBID=deep ./step -c :\"; read x <&9;"
		    " SYSTEM_JOBID=late ./step -c \"read x <&9; :\"; :'; :");
	usleep(100000);
	scene_expect(&scene, 1, 0);
	watch_worker_remove(scene.watch, scene.worker[0].pid);
	cr_assert_eq(write(scene.pipe, "\n", 1), 1);
	usleep(50000);
	scene_expect(&scene, 1, 0);
}

Test(watch, workers_that_run_already_are_found)
{
	_cleanup_scene_ struct scene scene;

	scene_make(&scene, 0);
	scene_start(&scene, NULL, LISTENER, WORKER);
	scene_wait(&scene, 1);
	scene_expect(&scene, 1, 0);
	watch_close(scene.watch);
	cr_assert_eq(watch_open(kinds, ARRAY_SIZE(kinds), &scene.watch), 0);
	cr_assert_eq(watch_scan(scene.watch, worker_seen, &scene), 0);
	cr_assert_eq(scene.workers, 2);
	cr_expect_eq(scene.worker[0].pid, scene.worker[1].pid);
	cr_expect_eq(scene.worker[0].start_ticks, scene.worker[1].start_ticks);
	cr_expect_str_eq(scene.worker_cgroup, scene.cgroup);
}

Test(watch, who_is_in_a_job_is_no_worker_whatever_its_name)
{
	_cleanup_cgroup_ struct cgroup *cgroup = NULL;
	char below[512];

	cr_assert_eq(cgroup_make("watch", false, &cgroup), 0);
	snprintf(below, sizeof(below), "%s/nested", cgroup->directory);
	cr_assert_eq(mkdir(below, 0755), 0);
	for (int known = 0; known <= 1; known++) {
		struct pollfd readable = { .events = POLLIN };
		_cleanup_scene_ struct scene scene;

		scene_make(&scene, 0);
		scene.add = false;
		if (known)
			cr_assert_eq(watch_jobs_below(scene.watch, cgroup->path), 0);
		scene_start(&scene, below, LISTENER, WORKER);
		/* The kernel says nothing of it, so that a job cannot fill the ring. */
		readable.fd = watch_fd(scene.watch);
		if (known) {
			scene_wait_unread(&scene, 1);
			cr_expect_eq(poll(&readable, 1, 0), 0);
		}
		scene_expect(&scene, !known, 0);
		cr_assert_eq(watch_scan(scene.watch, worker_seen, &scene), 0);
		cr_expect_eq(scene.workers, known ? 0 : 2);
		scene_stop(&scene);
		/* Others are seen as before. */
		scene.workers = 0;
		scene_start(&scene, NULL, LISTENER, WORKER);
		scene_expect(&scene, 1, 0);
		cr_assert_eq(watch_jobs_below(scene.watch, NULL), 0);
		cr_expect_eq(watch_jobs_below(scene.watch, "/"), -EINVAL);
		cr_expect_eq(watch_jobs_below(scene.watch, "/no-such-cgroup"), -ENOENT);
	}
	cr_expect_eq(cgroup_empty_wait(cgroup->fd, 5000), 0);
	cr_expect_eq(cgroup_remove(cgroup->parent_fd, cgroup->name), 0);
}

Test(watch, a_thousand_other_programs_a_second_lose_nothing, .timeout = 120)
{
	_cleanup_scene_ struct scene scene;

	/* As fast as the shell can: 1,300 a second where nothing is emulated. */
	scene_make(&scene, 4096);
	scene_start(&scene, NULL, LISTENER,
		    "i=0; while [ $i -lt 600 ]; do /bin/true; i=$((i + 1));"
		    " [ $((i % 30)) != 0 ] || ./Agent.Worker -c 'read x <&9; :' & done;"
		    " echo >done; read x <&9; :");
	scene_wait(&scene, 1);
	scene_expect(&scene, 20, 0);
	cr_expect_eq(watch_lost(scene.watch), 0);
}

/* Who begins programs faster than we look at them must not keep a loop from its other work. */
Test(watch, many_reports_are_read_in_several_turns, .timeout = 120)
{
	/* Of a name that no other test waits for. */
	static const struct agent_kind kind = {
		.name = "many", .worker = "Many.Worker", .parent = "Agent.Listener",
	};
	_cleanup_scene_ struct scene scene;
	struct pollfd readable = { .events = POLLIN };
	unsigned int turns = 0;

	scene_make(&scene, 0);
	watch_close(TAKE_PTR(scene.watch));
	cr_assert_eq(watch_open(&kind, 1, &scene.watch), 0);
	program_copy(&scene, "Many.Worker");
	scene_start(&scene, NULL, LISTENER,
		    "i=0; while [ $i -lt 600 ]; do ./Many.Worker -c : & i=$((i + 1)); done; "
		    "read x <&9; :");
	scene_wait_held(scene.pid, 600);
	readable.fd = watch_fd(scene.watch);
	for (; turns < 50 && poll(&readable, 1, 0) > 0; turns++)
		scene_read(&scene);
	cr_expect_geq(turns, 3);
	cr_expect_lt(turns, 50, "it stays readable");
}

Test(watch, when_the_ring_is_full_proc_is_searched, .timeout = 120)
{
	_cleanup_scene_ struct scene scene;

	/* 4,096 bytes hold 56 reports. */
	scene_make(&scene, 4096);
	scene_start(&scene, NULL, LISTENER,
		    "./Agent.Worker -c 'read x <&9; i=0; while [ $i -lt 100 ]; do ./step -c : & i=$((i + 1)); done;"
		    " read x <&9; SYSTEM_JOBID=found ./step -c \"echo >done; read x <&9; :\"; :' &"
		    " i=0; while [ $i -lt 100 ]; do [ -e done ] && ./Agent.Worker -c :; [ ! -e done ] || i=$((i + 1)); done;"
		    " ./Agent.Worker -c 'echo >>done; read x <&9; :'; :");
	scene_expect(&scene, 1, 0);
	cr_assert_eq(write(scene.pipe, "\n", 1), 1);
	for (int i = 0; i < PATIENCE_MS && !watch_lost(scene.watch); i++)
		usleep(1000);
	/* Nobody is held any more: what follows runs though nobody reads. */
	cr_assert_eq(write(scene.pipe, "\n", 1), 1);
	scene_wait_unread(&scene, 2);
	cr_expect_gt(watch_lost(scene.watch), 100);
	scene_read(&scene);
	cr_expect_eq(scene.workers, 3, "%u", scene.workers);	/* the first again, and the last */
	cr_expect_eq(scene.identities, 1);
	cr_expect_str_eq(scene.job, "found");
	scene_read(&scene);
	cr_expect_eq(scene.workers, 3);
}

Test(watch, too_many_kinds_are_refused)
{
	struct agent_kind many[WATCH_NAMES_MAX + 1];
	struct watch *watch;

	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = kinds[0];
	cr_expect_eq(watch_open(many, ARRAY_SIZE(many), &watch), -E2BIG);
}
