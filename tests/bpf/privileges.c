/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the daemon does when it has dropped its privileges: all of it must still work. Whose files
 * and processes it reads is another user's, in a network namespace of that user's job.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/privileges.h"
#include "guard/guard.h"
#include "harness.h"
#include "buildfence.skel.h"
#include "job/cgroup.h"
#include "watch/process.h"
#include "watch/watch.h"

#define NOBODY	65534

/* The job: a process of another user, with a TCP connection in a namespace of its own. */
struct job_process {
	pid_t pid;		/* stopped, until the daemon lets it go on */
	uint16_t sport, dport;	/* of its connection, which awaits to be reset */
	char file[64];		/* 0600, the user's */
};

static int connection_make(struct job_process *job, int fds[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &size))
		return -errno;
	job->dport = ntohs(address.sin_port);
	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fds[0], (struct sockaddr *)&address, size) ||
	    getsockname(fds[0], (struct sockaddr *)&address, &size))
		return -errno;
	job->sport = ntohs(address.sin_port);
	fds[1] = accept(listener, NULL, NULL);
	return fds[1] < 0 ? -errno : 0;
}

/* Ends with 0 when its connection was reset, and with 1 otherwise. */
static void job_run(struct job_process *job, int pipe_fd)
{
	int fds[2] = { -1, -1 }, file;
	struct pollfd waiting = { .events = POLLIN };
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Within a session everybody may send SIGCONT. */
	setsid();
	if (unshare(CLONE_NEWNET) || system("ip link set lo up"))
		_exit(2);
	file = open(job->file, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fchown(file, NOBODY, NOBODY) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY) || connection_make(job, fds))
		_exit(2);
	if (write(pipe_fd, job, sizeof(*job)) != sizeof(*job))
		_exit(2);
	waiting.fd = fds[0];
	if (poll(&waiting, 1, 20000) != 1 || read(fds[0], &byte, 1) != -1)
		_exit(1);
	_exit(errno == ECONNABORTED ? 0 : 1);
}

static void job_start(struct job_process *job)
{
	int fds[2];
	pid_t pid;

	snprintf(job->file, sizeof(job->file), "/tmp/privileges-%d", getpid());
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (!pid)
		job_run(job, fds[1]);
	close(fds[1]);
	cr_assert_eq(read(fds[0], job, sizeof(*job)), (ssize_t)sizeof(*job), "no job");
	close(fds[0]);
	job->pid = pid;
	cr_assert_eq(kill(pid, SIGSTOP), 0);
	cr_assert_eq(waitpid(pid, NULL, WUNTRACED), pid);
}

static int proc_read(pid_t pid, const char *name)
{
	char path[64], bytes[64];
	int fd, error;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	error = fd < 0 || read(fd, bytes, sizeof(bytes)) < 0 ? -errno : 0;
	close_fd(&fd);
	return error;
}

static int proc_link(pid_t pid, const char *name)
{
	char path[64], bytes[256];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return readlink(path, bytes, sizeof(bytes)) < 0 ? -errno : 0;
}

static int file_read(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

/* As policies' inner maps are found again after a takeover. */
static int inner_map_get(struct guard *guard, uint32_t policy)
{
	uint32_t id = 0;
	int fd = bpf_map_lookup_elem(bpf_map__fd(guard->skeleton->maps.names), &policy, &id);

	fd = fd ? -errno : bpf_map_get_fd_by_id(id);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* As at a reload, when workers are watched anew. */
static int watch_again(void)
{
	struct watch *watch = NULL;
	int error = watch_open(NULL, 0, &watch);

	watch_close(watch);
	return error;
}

static int process_move(const struct cgroup *cgroup, pid_t pid)
{
	_cleanup_close_ int fd = openat(cgroup->fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	return fd < 0 || dprintf(fd, "%d", pid) < 0 ? -errno : 0;
}

/* As a worker that was held until it had its guard. */
static int stopped_continue(pid_t pid)
{
	struct process before, after;

	if (process_look(pid, &before) || before.state != 'T')
		return -EINVAL;
	process_continue(pid, before.start_ticks);
	return process_look(pid, &after) || after.state == 'T' ? -EPERM : 0;
}

static int connection_reset(const struct job_process *job)
{
	static const uint8_t loopback[ADDR_LEN] = { [12] = 127, 0, 0, 1 };
	struct refusal refusal = {
		.family = 4,
		.sport = job->sport,
		.dport = job->dport,
		.pid = (uint32_t)job->pid,
		.cookie = UINT64_MAX,	/* INET_DIAG_NOCOOKIE */
	};

	memcpy(refusal.src, loopback, ADDR_LEN);
	memcpy(refusal.dst, loopback, ADDR_LEN);
	return guard_reset(&refusal);
}

static void expect_works(int fd, const char *what, int result)
{
	if (result)
		dprintf(fd, "%s: %s\n", what, strerror(-result));
}

/* The daemon: everything it does for a job, and each failure as a line. */
static void daemon_run(const struct cgroup *service, const struct job_process *job, int fd)
{
	struct guard *guard = NULL;
	struct cgroup *cgroup = NULL;
	uint32_t number = 0, policy;

	/* As a service it has one of its own: cgroup2's root itself can be written by nobody. */
	expect_works(fd, "enter", process_move(service, 0));
	expect_works(fd, "drop", privileges_drop());
	expect_works(fd, "load", guard_open(NULL, &guard));
	if (!guard)
		_exit(0);
	policy = guard_policy_from_text(guard, "allow: [ \"https://feed.example\" ]");
	expect_works(fd, "job", guard_job_add(guard, &number));
	expect_works(fd, "cgroup", cgroup_make("privileges", false, &cgroup));
	if (!cgroup)
		_exit(0);
	expect_works(fd, "attach", guard_attach(guard, cgroup->fd, number, policy,
						MODE_ENFORCE, NULL, NULL));
	expect_works(fd, "policy", guard_job_policy_set(guard, number, policy, MODE_AUDIT,
						       NULL));
	expect_works(fd, "move", process_move(cgroup, job->pid));
	expect_works(fd, "continue", stopped_continue(job->pid));
	expect_works(fd, "map by id", inner_map_get(guard, policy));
	expect_works(fd, "watch", watch_again());
	expect_works(fd, "environ", proc_read(job->pid, "environ"));
	expect_works(fd, "exe", proc_link(job->pid, "exe"));
	expect_works(fd, "ns/net", proc_link(job->pid, "ns/net"));
	expect_works(fd, "user's file", file_read(job->file));
	free(guard_blocker_find(cgroup->fd));
	expect_works(fd, "sweep", guard_sweep(guard));
	expect_works(fd, "reset", connection_reset(job));
	guard_detach(guard, number);
	guard_close(guard);
	cgroup_free(cgroup);
	_exit(0);
}

Test(privileges, they_are_enough_for_all_that_the_daemon_does, .timeout = 60)
{
	struct cgroup *service = NULL;
	struct job_process job = {};
	char text[4096];
	size_t length = 0;
	int fds[2], status;
	pid_t pid;
	ssize_t n;

	cr_assert_eq(cgroup_make("privileges", false, &service), 0);
	cr_assert_eq(watch_again(), 0);
	job_start(&job);
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (!pid)
		daemon_run(service, &job, fds[1]);
	close(fds[1]);
	while (length + 1 < sizeof(text) &&
	       (n = read(fds[0], text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	cr_expect_str_eq(text, "");
	waitpid(pid, &status, 0);
	cr_expect_eq(status, 0, "the daemon ended with status %#x", status);
	/* What did not reach the end did not let the job go on. */
	if (*text || status)
		kill(job.pid, SIGKILL);
	waitpid(job.pid, &status, 0);
	cr_expect_eq(status, 0, "the connection was not reset: status %#x", status);
	unlink(job.file);
	cr_expect_eq(cgroup_remove(service->parent_fd, service->name), 0);
	cgroup_free(service);
}
