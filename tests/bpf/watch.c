/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Workers are seen when they begin, by name and by parent, and their first child tells the job. The
 * programs are copies of the shell under the names in question; all of them end with the test,
 * since they read its end of a pipe.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
#include "watch/agent.h"
#include "watch/internal.h"

#define SEEN_MAX	64
#define INPUT		9
/* How long a report may take, also on an emulated machine. */
#define PATIENCE_MS	20000

static struct agent_field long_fields[] = { { "LongJobId", "LONG_JOB" } };

static const struct agent_kind kinds[] = {
	{ .name = "azure", .worker = "Agent.Worker", .parent = "Agent.Listener",
	  .identity_in_child = true, .job = "SYSTEM_JOBID", .is_azure = true },
	{ .name = "long", .worker = "forge-worker-process", .parent = "forge-runner-process",
	  .job = "LONG_JOB", .fields = long_fields, .field_count = 1 },
};

/* A watch in a folder with programs, and what it reported. */
struct scene {
	struct watch *watch;
	const char *what;		/* is tried, where it is one of many */
	char folder[64];
	char *cgroup;			/* of the test */
	pid_t pid;			/* of the program that was started */
	int pipe;			/* its descriptor INPUT */
	unsigned int workers;
	struct worker worker[SEEN_MAX];	/* without the strings */
	char worker_cgroup[256];	/* of the last */
	unsigned int identities;
	pid_t identity_of;
	char job[64];			/* of the last */
	char pair[64];
	bool add;			/* wants each worker's identity */
};

/* The watch sees the whole machine, where other tests may run. */
static bool is_of_scene(const struct scene *scene, pid_t pid)
{
	char path[64], folder[sizeof(scene->folder)] = "";

	snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
	return readlink(path, folder, sizeof(folder) - 1) > 0 && !strcmp(folder, scene->folder);
}

static void worker_seen(const struct worker *worker, void *context)
{
	struct scene *scene = context;

	if (!is_of_scene(scene, worker->pid))
		return;
	if (scene->workers < SEEN_MAX)
		scene->worker[scene->workers] = *worker;
	scene->workers++;
	snprintf(scene->worker_cgroup, sizeof(scene->worker_cgroup), "%s", worker->cgroup);
	if (scene->add) {
		int error = watch_worker_add(scene->watch, worker->pid, worker->start_ticks,
					     worker->kind);

		cr_expect(!error || error == -ESRCH, "%d", error);
	}
}

static void identity_seen(pid_t worker, const struct identity *identity, void *context)
{
	struct scene *scene = context;

	scene->identities++;
	scene->identity_of = worker;
	snprintf(scene->job, sizeof(scene->job), "%s", identity->job ? identity->job : "-");
	snprintf(scene->pair, sizeof(scene->pair), "%s",
		 identity->pairs[0] ? identity->pairs[0] : "-");
}

static void program_copy(const struct scene *scene, const char *name)
{
	_cleanup_close_ int from = open("/bin/sh", O_RDONLY | O_CLOEXEC), to = -1;
	char path[128];
	struct stat status;

	snprintf(path, sizeof(path), "%s/%s", scene->folder, name);
	to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	cr_assert(from >= 0 && to >= 0 && !fstat(from, &status));
	cr_assert_eq(sendfile(to, from, NULL, (size_t)status.st_size), status.st_size);
}

static void script_write(const struct scene *scene, const char *name, const char *text)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", scene->folder, name);
	file = fopen(path, "we");
	cr_assert(file);
	fputs(text, file);
	fchmod(fileno(file), 0755);
}

static void scene_make(struct scene *scene, uint32_t ring_bytes)
{
	static const char *const programs[] = { "Agent.Listener", "Agent.Worker", "step", "other" };
	_cleanup_fclose_ FILE *membership = fopen("/proc/self/cgroup", "re");

	memset(scene, 0, sizeof(*scene));
	scene->what = "watch";
	scene->pipe = -1;
	scene->add = true;
	cr_assert(membership && !cgroup_own_find(membership, &scene->cgroup));
	/* By this name tests/e2e/world.sh knows what a test left that was killed. */
	snprintf(scene->folder, sizeof(scene->folder), "/tmp/bf-watch-%d", getpid());
	cr_assert_eq(mkdir(scene->folder, 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		program_copy(scene, programs[i]);
	cr_assert_eq(watch_open_sized(kinds, ARRAY_SIZE(kinds), ring_bytes, &scene->watch), 0);
}

/* Ends what was started; its processes read the end of the pipe. */
static void scene_stop(struct scene *scene)
{
	close_fd(&scene->pipe);
	scene->pipe = -1;
	if (scene->pid)
		waitpid(scene->pid, NULL, 0);
	scene->pid = 0;
}

static void scene_remove(struct scene *scene)
{
	_cleanup_directory_ DIR *folder = NULL;
	struct dirent *entry;

	scene_stop(scene);
	watch_close(scene->watch);
	free(scene->cgroup);
	if (directory_open(AT_FDCWD, scene->folder, &folder))
		return;
	while ((entry = directory_next(folder)))
		unlinkat(dirfd(folder), entry->d_name, 0);
	rmdir(scene->folder);
}
#define _cleanup_scene_ __attribute__((cleanup(scene_remove)))

/* Runs ./PROGRAM -c SCRIPT in the folder, inside a cgroup (a path in the file system) or NULL. */
static void scene_start(struct scene *scene, const char *cgroup, const char *program,
			const char *script)
{
	int ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	scene->pid = fork();
	if (!scene->pid) {
		char procs[256];

		snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup ? cgroup : "");
		if (cgroup) {
			int fd = open(procs, O_WRONLY | O_CLOEXEC);

			if (fd < 0 || write(fd, "0", 1) != 1)
				_exit(125);
		}
		/* The shell takes standard input from what runs in the background. */
		dup2(ends[0], STDIN_FILENO);
		dup2(STDIN_FILENO, INPUT);
		if (chdir(scene->folder))
			_exit(125);
		execl(program, program, "-c", script, NULL);
		_exit(127);
	}
	close(ends[0]);
	scene->pipe = ends[1];
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void scene_read(struct scene *scene)
{
	cr_assert_eq(watch_read(scene->watch, worker_seen, identity_seen, scene), 0);
}

/* Reads what is told by the descriptor alone until so much was seen; then that it stays so. */
static void scene_expect(struct scene *scene, unsigned int workers, unsigned int identities)
{
	long end = now_ms() + PATIENCE_MS;
	struct pollfd readable = { .fd = watch_fd(scene->watch), .events = POLLIN };

	while ((scene->workers < workers || scene->identities < identities) && now_ms() < end) {
		if (poll(&readable, 1, 100) > 0)
			scene_read(scene);
	}
	while (poll(&readable, 1, 50) > 0 && now_ms() < end)
		scene_read(scene);
	cr_assert_eq(scene->workers, workers, "%s: %u workers, not %u", scene->what, scene->workers,
		     workers);
	cr_assert_eq(scene->identities, identities, "%s: %u identities, not %u", scene->what,
		     scene->identities, identities);
}

/* Waits until the program of the scene has written so many bytes to its file "done". */
static void scene_wait(const struct scene *scene, off_t size)
{
	long end = now_ms() + 6L * PATIENCE_MS;
	struct stat status;
	char path[128];

	snprintf(path, sizeof(path), "%s/done", scene->folder);
	while ((stat(path, &status) || status.st_size < size) && now_ms() < end)
		usleep(2000);
	cr_assert(now_ms() < end, "the program did not come so far");
}

#define LISTENER	"./Agent.Listener"
/* A worker that stays; ": " keeps the shell from becoming its last command. */
#define WORKER		"./Agent.Worker -c 'read x <&9; :'; :"

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

struct tree_case {
	const char *what;
	const char *program, *script;
	unsigned int workers;
};

static const struct tree_case trees[] = {
	{ "a wrong parent", "./other", WORKER, 0 },
	{ "a parent that is itself a worker", "./Agent.Worker", WORKER, 0 },
	{ "a worker of another name", LISTENER, "./other -c 'read x <&9; :'; :", 0 },
	{ "the right parent further up", LISTENER, "./other -c \"" WORKER "\"; :", 0 },
	{ "another kind's parent", "./forge-runner-process", WORKER, 0 },
	{ "names of 20 bytes", "./forge-runner-process", "./forge-worker-process -c 'read x <&9; :'; :", 1 },
	{ "a name that begins with 15 bytes of it", "./forge-runner-process", "./forge-worker-pr -c 'read x <&9; :'; :", 1 },
	{ "a name that begins with 14 bytes of it", "./forge-runner-process", "./forge-worker-p -c 'read x <&9; :'; :", 0 },
	{ "two workers", LISTENER, "./Agent.Worker -c 'read x <&9; :' & " WORKER, 2 },
	{ "a worker that execs itself", LISTENER, "./other -c \"exec ./Agent.Worker -c 'read x <&9; :'\"; :", 1 },
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
		if (!trees[i].workers)
			usleep(100000);
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
	scene_start(&scene, NULL, LISTENER, "./Agent.Worker -c :; echo >done; read x <&9; :");
	scene_wait(&scene, 1);
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
	scene_start(&scene, NULL, LISTENER, "echo >done; " WORKER);
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
		scene_start(&scene, below, LISTENER, "echo >done; " WORKER);
		scene_wait(&scene, 1);
		/* The kernel says nothing of it, so that a job cannot fill the ring. */
		readable.fd = watch_fd(scene.watch);
		cr_expect_eq(poll(&readable, 1, 200), !known);
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
		    "i=0; while [ $i -lt 600 ]; do ./Many.Worker -c :; i=$((i + 1)); done; "
		    "echo >done; read x <&9; :");
	scene_wait(&scene, 1);
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
		    "./Agent.Worker -c 'read x <&9; i=0; while [ $i -lt 100 ]; do ./step -c :; i=$((i + 1)); done;"
		    " SYSTEM_JOBID=found ./step -c \"echo >done; read x <&9; :\"; :' &"
		    " i=0; while [ $i -lt 100 ]; do [ -e done ] && ./Agent.Worker -c :; [ ! -e done ] || i=$((i + 1)); done;"
		    " ./Agent.Worker -c 'echo >>done; read x <&9; :'; :");
	scene_expect(&scene, 1, 0);
	cr_assert_eq(write(scene.pipe, "\n", 1), 1);
	scene_wait(&scene, 2);
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
