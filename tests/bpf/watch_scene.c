/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The programs are copies of the shell under the names in question; all of them end with the test,
 * since they read its end of a pipe.
 */
#include "watch_scene.h"

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

static struct agent_field long_fields[] = { { "LongJobId", "LONG_JOB" } };

const struct agent_kind kinds[SCENE_KINDS] = {
	{ .name = "azure", .worker = "Agent.Worker", .parent = "Agent.Listener",
	  .identity_in_child = true, .job = "SYSTEM_JOBID", .is_azure = true },
	{ .name = "long", .worker = "forge-worker-process", .parent = "forge-runner-process",
	  .job = "LONG_JOB", .fields = long_fields, .field_count = 1 },
};

/* The watch sees the whole machine, where other tests may run. */
static bool is_of_scene(const struct scene *scene, pid_t pid)
{
	char path[64], folder[sizeof(scene->folder)] = "";

	snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
	return readlink(path, folder, sizeof(folder) - 1) > 0 && !strcmp(folder, scene->folder);
}

bool worker_seen(const struct worker *worker, void *context)
{
	struct scene *scene = context;

	if (!is_of_scene(scene, worker->pid))
		return true;
	if (scene->workers < SEEN_MAX)
		scene->worker[scene->workers] = *worker;
	scene->workers++;
	snprintf(scene->worker_cgroup, sizeof(scene->worker_cgroup), "%s", worker->cgroup);
	if (scene->add) {
		int error = watch_worker_add(scene->watch, worker->pid, worker->start_ticks,
					     worker->kind);

		cr_expect(!error || error == -ESRCH, "%d", error);
	}
	return true;
}

void identity_seen(pid_t worker, const struct identity *identity, void *context)
{
	struct scene *scene = context;

	scene->identities++;
	scene->identity_of = worker;
	if (!identity) {
		snprintf(scene->job, sizeof(scene->job), "unread");
		return;
	}
	snprintf(scene->job, sizeof(scene->job), "%s", identity->job ? identity->job : "-");
	snprintf(scene->pair, sizeof(scene->pair), "%s",
		 identity->pairs[0] ? identity->pairs[0] : "-");
}

void program_copy(const struct scene *scene, const char *name)
{
	_cleanup_close_ int from = open("/bin/sh", O_RDONLY | O_CLOEXEC), to = -1;
	char path[128];
	struct stat status;

	snprintf(path, sizeof(path), "%s/%s", scene->folder, name);
	to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	cr_assert(from >= 0 && to >= 0 && !fstat(from, &status));
	cr_assert_eq(sendfile(to, from, NULL, (size_t)status.st_size), status.st_size);
}

void script_write(const struct scene *scene, const char *name, const char *text)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", scene->folder, name);
	file = fopen(path, "we");
	cr_assert(file);
	fputs(text, file);
	fchmod(fileno(file), 0755);
}

void scene_make(struct scene *scene, uint32_t ring_bytes)
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
void scene_stop(struct scene *scene)
{
	close_fd(&scene->pipe);
	scene->pipe = -1;
	if (scene->pid)
		kill(-scene->pid, SIGCONT);
	if (scene->pid)
		waitpid(scene->pid, NULL, 0);
	scene->pid = 0;
}

void scene_remove(struct scene *scene)
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

/* Runs ./PROGRAM -c SCRIPT in the folder, inside a cgroup (a path in the file system) or NULL. */
void scene_start(struct scene *scene, const char *cgroup, const char *program, const char *script)
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
		/* Should the test be killed, the kernel lets such a group go on if it is held. */
		setpgid(0, 0);
		dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		dup2(STDOUT_FILENO, STDERR_FILENO);
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

long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void scene_read(struct scene *scene)
{
	cr_assert_eq(watch_read(scene->watch, worker_seen, identity_seen, scene), 0);
}

/* Reads what is told by the descriptor alone until so much was seen; then that it stays so. */
void scene_expect(struct scene *scene, unsigned int workers, unsigned int identities)
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

static off_t done_size(const struct scene *scene)
{
	struct stat status;
	char path[128];

	snprintf(path, sizeof(path), "%s/done", scene->folder);
	return stat(path, &status) ? 0 : status.st_size;
}

bool scene_is_done(const struct scene *scene)
{
	return done_size(scene) > 0;
}

void scene_wait(struct scene *scene, off_t size)
{
	long end = now_ms() + 6L * PATIENCE_MS;
	struct pollfd readable = { .fd = watch_fd(scene->watch), .events = POLLIN };

	while (done_size(scene) < size && now_ms() < end) {
		if (poll(&readable, 1, 2) > 0)
			scene_read(scene);
	}
	cr_assert(now_ms() < end, "%s: the program did not come so far", scene->what);
}

void scene_wait_unread(const struct scene *scene, off_t size)
{
	long end = now_ms() + 6L * PATIENCE_MS;

	while (done_size(scene) < size && now_ms() < end)
		usleep(2000);
	cr_assert(now_ms() < end, "%s: the program did not come so far", scene->what);
}

static bool held_count(const struct process *process, void *context)
{
	*(unsigned int *)context += process->state == 'T';
	return false;
}

void scene_wait_held(pid_t parent, unsigned int count)
{
	long end = now_ms() + 6L * PATIENCE_MS;
	unsigned int held = 0;

	while (held != count && now_ms() < end) {
		usleep(2000);
		held = 0;
		process_children(parent, held_count, &held);
	}
	cr_assert_eq(held, count, "%u of %u are held", held, count);
}
