/* SPDX-License-Identifier: GPL-2.0 */
/* What the daemon gives up. That what it keeps is enough, tests/bpf/privileges.c shows. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/privileges.h"

#define THREAD	(CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)

/* Writes to `fd` what is wrong; nothing: nothing is. */
typedef void (*dropped_fn)(int fd);

/* Runs `call` in a process that dropped its privileges; returns what it wrote. */
static void dropped_run(dropped_fn call, char *ret_text, size_t size)
{
	size_t length = 0;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		int error = privileges_drop();

		if (error)
			dprintf(fds[1], "privileges_drop: %s", strerror(-error));
		else
			call(fds[1]);
		_exit(0);
	}
	close(fds[1]);
	while (length + 1 < size && (n = read(fds[0], ret_text + length, size - 1 - length)) > 0)
		length += (size_t)n;
	ret_text[length] = '\0';
	close(fds[0]);
	waitpid(pid, &status, 0);
	cr_expect_eq(status, 0, "it ended with status %#x", status);
}

static void status_copy(int fd)
{
	char bytes[4096];
	int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t length = read(file, bytes, sizeof(bytes));

	if (write(fd, bytes, length > 0 ? (size_t)length : 0) < 0)
		_exit(1);
}

Test(privileges, the_process_has_what_was_promised)
{
	_cleanup_free_ char *promise = privileges_promise();
	char status[8192], *rest = NULL;
	int lines = 0;

	if (geteuid())
		cr_skip_test("needs root, to have something to give up");
	dropped_run(status_copy, status, sizeof(status));
	for (char *line = strtok_r(promise, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (!strncmp(line, "Capabilities:", 13))
			continue;
		cr_expect(strstr(status, line), "'%s' is not in:\n%s", line, status);
		lines++;
	}
	cr_expect_eq(lines, 7);
}

static void forbidden_try(int fd)
{
	static char *const arguments[] = { "true", NULL };
	struct rlimit none = {};
	const struct {
		const char *what;
		long result;
		int error;
	} tries[] = {
#define TRY(call) { #call, (errno = 0, (long)(call)), errno }
		TRY(execve("/bin/true", arguments, NULL)),
		TRY(syscall(SYS_execveat, AT_FDCWD, "/bin/true", arguments, NULL, 0)),
		TRY(fork()),
		TRY(syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0)),
		TRY(syscall(SYS_clone, CLONE_THREAD | CLONE_VM | CLONE_SIGHAND | CLONE_NEWNET, 0, 0,
			    0, 0)),
		TRY(kill(getppid(), SIGTERM)),
		TRY(syscall(SYS_tgkill, getppid(), getppid(), SIGTERM)),
		TRY(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL)),
		TRY(mount("none", "/mnt", "tmpfs", 0, NULL)),
		TRY(umount2("/mnt", 0)),
		TRY(syscall(SYS_fsopen, "tmpfs", 0)),
		TRY(syscall(SYS_open_tree, AT_FDCWD, "/", 1)),
		TRY(syscall(SYS_pivot_root, "/", "/")),
		TRY(chroot("/")),
		TRY(unshare(CLONE_NEWNS)),
		TRY(setns(open("/proc/self/ns/uts", O_RDONLY), CLONE_NEWUTS)),
		TRY(setns(open("/proc/self/ns/net", O_RDONLY), 0)),
		TRY(syscall(SYS_setuid, 65534)),
		TRY(syscall(SYS_setgid, 65534)),
		TRY(syscall(SYS_capset, NULL, NULL)),
		TRY(syscall(SYS_init_module, NULL, 0, "")),
		TRY(syscall(SYS_finit_module, -1, "", 0)),
		TRY(syscall(SYS_delete_module, "none", 0)),
		TRY(syscall(SYS_kexec_load, 0, 0, NULL, 0)),
		TRY(syscall(SYS_reboot, 0, 0, 0, NULL)),
		TRY(syscall(SYS_open_by_handle_at, -1, NULL, 0)),
		TRY(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0)),
		TRY(syscall(SYS_pidfd_getfd, -1, 0, 0)),
		TRY(syscall(SYS_pidfd_send_signal, -1, SIGTERM, NULL, 0)),
		TRY(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0)),
		TRY(syscall(SYS_userfaultfd, 0)),
		TRY(syscall(SYS_io_uring_setup, 1, NULL)),
		TRY(syscall(SYS_keyctl, 0, 0)),
		TRY(syscall(SYS_swapon, "/none", 0)),
		TRY(syscall(SYS_sethostname, "x", 1)),
		TRY(syscall(SYS_fchown, 1, 0, 0)),
		TRY(syscall(SYS_mknodat, AT_FDCWD, "/tmp/x", 0, 0)),
		TRY(syscall(SYS_symlinkat, "/", AT_FDCWD, "/tmp/x")),
		TRY(setrlimit(RLIMIT_NOFILE, &none)),
		TRY(socket(AF_INET, SOCK_DGRAM, 0)),
		TRY(socket(AF_PACKET, SOCK_RAW, 0)),
		TRY(syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x")),
#undef TRY
	};

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		if (tries[i].result != -1 || tries[i].error != EPERM)
			dprintf(fd, "%s: %ld, %s\n", tries[i].what, tries[i].result,
				strerror(tries[i].error));
	}
}

Test(privileges, what_the_daemon_never_does_is_refused)
{
	char text[4096];

	if (geteuid())
		cr_skip_test("needs root, to have something to give up");
	dropped_run(forbidden_try, text, sizeof(text));
	cr_expect_str_eq(text, "");
}

static void allowed_try(int fd)
{
	char path[64];
	_cleanup_free_ char *memory = malloc(8 << 20);
	FILE *file;

	if (!memory || kill(getppid(), 0))
		dprintf(fd, "malloc, kill 0: %s\n", strerror(errno));
	snprintf(path, sizeof(path), "/tmp/privileges.%d", getpid());
	file = fopen(path, "we");
	if (!file || fprintf(file, "text\n") < 0 || fflush(file) || ftruncate(fileno(file), 1) ||
	    fclose(file) || rename(path, path) || unlink(path))
		dprintf(fd, "files: %s\n", strerror(errno));
	if (mkdir(path, 0700) || rmdir(path))
		dprintf(fd, "folders: %s\n", strerror(errno));
	if (isatty(fd) || sysconf(_SC_NPROCESSORS_ONLN) < 1 ||
	    getrlimit(RLIMIT_NOFILE, &(struct rlimit){}))
		dprintf(fd, "small things: %s\n", strerror(errno));
	signal(SIGABRT, SIG_IGN);
	if (raise(SIGABRT))
		dprintf(fd, "raise: %s\n", strerror(errno));
}

Test(privileges, what_programs_do_every_day_still_works)
{
	char text[4096];

	if (geteuid())
		cr_skip_test("needs root, to have something to give up");
	dropped_run(allowed_try, text, sizeof(text));
	cr_expect_str_eq(text, "");
}

static void *thread_say(void *argument)
{
	dprintf(*(int *)argument, "ran");
	return NULL;
}

static void thread_run(int fd)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, thread_say, &fd);

	if (error)
		dprintf(fd, "pthread_create: %s", strerror(error));
	else
		pthread_join(thread, NULL);
}

/* The tables of a job are made by several at a time. */
Test(privileges, threads_run)
{
	char text[256];

	if (geteuid())
		cr_skip_test("needs root, to have something to give up");
	dropped_run(thread_run, text, sizeof(text));
	cr_assert_str_eq(text, "ran");
}
