/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The job's command: born in its cgroup, and tied to this process. On a terminal it shares our
 * process group, so that Ctrl-C, Ctrl-Z, fg and bg work as without us: the terminal signals both.
 * Without one it gets a group of its own, and what is sent to us, or to our group, reaches that
 * group exactly once.
 */
#include "job/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"

/* What the child says through the pipe when it does not get as far as the command. */
struct spawn_failure {
	int error;		/* errno */
	int failed_exec;	/* 1: execvp() itself */
};

int signals_take(sigset_t *ret_taken, struct signal_state *ret_before)
{
	static const int taken[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD,
		/* A job may put itself in front of the terminal, and stop who then writes to it. */
		SIGTTOU,
	};
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	const struct sigaction standard = { .sa_handler = SIG_DFL };

	sigemptyset(ret_taken);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		sigaddset(ret_taken, taken[i]);
	/* An ignored SIGCHLD would be inherited through exec, and the exit status lost. */
	if (sigprocmask(SIG_BLOCK, ret_taken, &ret_before->mask) < 0 ||
	    sigaction(SIGCHLD, &standard, NULL) < 0 ||
	    sigaction(SIGPIPE, &ignore, &ret_before->pipe_action) < 0)
		return -errno;
	return 0;
}

/*
 * The job has its caller's terminal, and could type into it (TIOCSTI, TIOCLINUX): root's shell
 * would run it when the job is over. Before 6.2 any process may. Comes before the change of user.
 */
static int terminal_protect(void)
{
	static const unsigned int requests[] = { TIOCSTI, TIOCLINUX };
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int error = filter ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) : -ENOMEM;

	if (!error)
		error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
#if defined(__x86_64__)
	if (!error)
		error = seccomp_arch_add(filter, SCMP_ARCH_X86);
	if (!error)
		error = seccomp_arch_add(filter, SCMP_ARCH_X32);
#elif defined(__aarch64__)
	if (!error)
		error = seccomp_arch_add(filter, SCMP_ARCH_ARM);
#endif
	/* The kernel takes 32 bits of a request. */
	for (size_t i = 0; !error && i < ARRAY_SIZE(requests); i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
					 SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, requests[i]));
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}

static int user_become(const struct job_user *user)
{
	if (setgroups(user->group_count, user->groups) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0 ||
	    setenv("USER", user->name, 1) < 0 || setenv("LOGNAME", user->name, 1) < 0 ||
	    setenv("HOME", user->home, 1) < 0 || setenv("SHELL", user->shell, 1) < 0)
		return -errno;
	return 0;
}

static int child_prepare(const struct spawn *spawn, pid_t parent)
{
	int error = 0;

	if (spawn->own_group && setpgid(0, 0) < 0)
		return -errno;
	if (spawn->user)
		error = terminal_protect();
	if (!error && spawn->user)
		error = user_become(spawn->user);
	if (error)
		return error;
	/* After the change of user, which clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	if (getppid() != parent)
		return -ESRCH;
	if (sigaction(SIGPIPE, &spawn->signals->pipe_action, NULL) < 0 ||
	    sigprocmask(SIG_SETMASK, &spawn->signals->mask, NULL) < 0)
		return -errno;
	return 0;
}

static void child_run(const struct spawn *spawn, pid_t parent, int failure_fd)
{
	struct spawn_failure failure = { .error = -child_prepare(spawn, parent) };

	if (!failure.error) {
		execvp(spawn->argv[0], spawn->argv);
		failure.error = errno;
		failure.failed_exec = 1;
	}
	if (write(failure_fd, &failure, sizeof(failure)) < 0)
		_exit(125);
	_exit(125);
}

int spawn_start(const struct spawn *spawn, pid_t *ret_pid, bool *ret_failed_exec)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)spawn->cgroup_fd,
	};
	_cleanup_close_ int read_fd = -1, write_fd = -1;
	struct spawn_failure failure;
	pid_t parent = getpid(), pid;
	int ends[2];

	*ret_failed_exec = false;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	read_fd = ends[0];
	write_fd = ends[1];
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return -errno;
	if (!pid)
		child_run(spawn, parent, write_fd);

	close(TAKE_FD(write_fd));
	if (TEMP_FAILURE_RETRY(read(read_fd, &failure, sizeof(failure))) == sizeof(failure)) {
		TEMP_FAILURE_RETRY(waitpid(pid, NULL, 0));
		*ret_failed_exec = failure.failed_exec;
		return -failure.error;
	}
	*ret_pid = pid;
	return 0;
}

bool terminal_present(void)
{
	_cleanup_close_ int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	return fd >= 0;
}

bool signal_is_for_job(const struct signalfd_siginfo *signal, pid_t pid, bool own_group)
{
	if ((pid_t)signal->ssi_pid == pid)
		return false;
	/* A hangup reaches a session's leader alone: the command may not have got it. */
	return own_group || signal->ssi_code != SI_KERNEL || signal->ssi_signo == SIGHUP;
}

int spawn_exit_status(int error, bool failed_exec)
{
	if (!failed_exec)
		return 125;
	return error == -ENOENT ? 127 : 126;
}

int wait_exit_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}
