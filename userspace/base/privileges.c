/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the running daemon keeps, and why. A job that finds a hole in the daemon gets a process that
 * can load BPF and write root's files, but starts no program, ends nobody's, mounts nothing. Which
 * files it may write is the service unit's matter (ProtectSystem= and the like).
 */
#include "base/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

/*
 * Seen on 6.18 by leaving out one at a time (tests/bpf/privileges.c then fails). CAP_BPF and
 * CAP_PERFMON are not among them: since 5.8, when they were made, CAP_SYS_ADMIN counts as both, and
 * there is no doing without it.
 */
static const struct kept_capability {
	const char *name;
	int number;
} kept[] = {
	/*
	 * SOCK_DESTROY in a job's network namespace; before 6.9 also loading cgroup programs and
	 * asking what is attached to a cgroup.
	 */
	{ "CAP_NET_ADMIN", CAP_NET_ADMIN },
	/* setns() into a job's network namespace; maps, programs and links by number; bpf(). */
	{ "CAP_SYS_ADMIN", CAP_SYS_ADMIN },
	/* /proc/PID/{environ,exe,ns/net} of other users' processes. */
	{ "CAP_SYS_PTRACE", CAP_SYS_PTRACE },
	/* Workers who were stopped until they had a guard: SIGCONT, and no other, as seen below. */
	{ "CAP_KILL", CAP_KILL },
	/* The agents' own files, and /proc/PID/environ, which only its user may open. */
	{ "CAP_DAC_READ_SEARCH", CAP_DAC_READ_SEARCH },
};

uint64_t privileges_capabilities(void)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		mask |= UINT64_C(1) << kept[i].number;
	return mask;
}

char *privileges_promise(void)
{
	struct text text = {};

	text_printf(&text, "CapInh:\t%016x\nCapPrm:\t%016" PRIx64 "\nCapEff:\t%016" PRIx64 "\n", 0,
		    privileges_capabilities(), privileges_capabilities());
	text_printf(&text, "CapBnd:\t%016x\nCapAmb:\t%016x\nNoNewPrivs:\t1\nSeccomp:\t2\n", 0, 0);
	text_printf(&text, "Capabilities:");
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		text_printf(&text, "%c%s", i ? ' ' : '\t', kept[i].name);
	text_printf(&text, "\n");
	return text_take(&text);
}

static int capabilities_drop(void)
{
	/*
	 * The bounding set first: it needs CAP_SETPCAP, and libcap-ng looks for that in the state
	 * that it is to apply. Nothing stays in it, though the filter refuses execve: a program
	 * that was executed after all would have nothing.
	 */
	if (capng_get_caps_process())
		return -EPERM;
	capng_clear(CAPNG_SELECT_BOUNDS);
	if (capng_apply(CAPNG_SELECT_BOUNDS))
		return -EPERM;
	capng_clear(CAPNG_SELECT_ALL);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
				 (unsigned int)kept[i].number))
			return -EINVAL;
	}
	if (capng_apply(CAPNG_SELECT_CAPS))
		return -EPERM;
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ? -errno : 0;
}

/*
 * Calls without conditions, by name, so that one list serves every architecture: libseccomp leaves
 * out what one does not have (arm64 has no open(), x86_64 had it from the beginning).
 */
static const char *const allowed_calls[] = {
	/* files: also making and removing folders, pins and cgroups */
	"access", "chmod", "close", "close_range", "copy_file_range", "creat", "dup", "dup2", "dup3",
	"faccessat", "faccessat2", "fadvise64", "fallocate", "fchmod", "fchmodat", "fcntl",
	"fdatasync", "flock", "fstat", "fstatfs", "fsync", "ftruncate", "getcwd", "getdents",
	"getdents64", "lseek", "lstat", "mkdir", "mkdirat", "name_to_handle_at", "newfstatat", "open",
	"openat", "openat2", "pipe", "pipe2", "pread64", "preadv", "pwrite64", "pwritev", "read",
	"readlink", "readlinkat", "readv", "rename", "renameat", "renameat2", "rmdir", "stat",
	"statfs", "statx", "umask", "unlink", "unlinkat", "write", "writev",
	"inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch",
	/* waiting */
	"clock_getres", "clock_gettime", "clock_nanosleep", "epoll_create", "epoll_create1",
	"epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd2", "gettimeofday",
	"nanosleep", "poll", "ppoll", "pselect6", "restart_syscall", "select", "time",
	"timerfd_create", "timerfd_gettime", "timerfd_settime",
	/* sockets, of the families that are allowed below */
	"accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
	"recvfrom", "recvmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
	/* memory, and what the C library does by itself */
	"brk", "exit", "exit_group", "futex", "getcpu", "getrandom", "madvise", "membarrier", "mmap",
	"mprotect", "mremap", "munmap", "rseq", "sched_getaffinity", "sched_yield",
	"set_robust_list", "set_tid_address", "sysinfo", "uname",
	"rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait",
	"sigaltstack", "signalfd4",
	/* who we are, and others */
	"getegid", "geteuid", "getgid", "getpgrp", "getpid", "getppid", "getresgid", "getresuid",
	"getrlimit", "getrusage", "gettid", "getuid", "capget", "pidfd_open",
	/* what it is all about; libbpf from 1.5 on opens a file in memory for each map to come */
	"bpf", "memfd_create",
};

#define NAMESPACES	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
			 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* Calls that are allowed when an argument has a value (of the bits that `mask` has). */
struct allowed_argument {
	const char *name;
	unsigned int argument;
	uint64_t value;
	uint64_t mask;
};

static int calls_allow(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < ARRAY_SIZE(allowed_calls); i++) {
		int number = seccomp_syscall_resolve_name(allowed_calls[i]);
		int error;

		/* Newer than this libseccomp, so newer than the C library of this machine too. */
		if (number == __NR_SCMP_ERROR)
			continue;
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
		if (error)
			return error;
	}
	return 0;
}

static int arguments_allow(scmp_filter_ctx filter)
{
	const struct allowed_argument calls[] = {
		/* A job's network namespace, and no other kind. */
		{ "setns", 1, CLONE_NEWNET, UINT32_MAX },
		/* Our clients and the manager; SOCK_DESTROY. */
		{ "socket", 0, AF_UNIX, UINT32_MAX },
		{ "socket", 0, AF_NETLINK, UINT32_MAX },
		/* Limits are asked for, not set: with no new ones given. */
		{ "prlimit64", 2, 0, UINT64_MAX },
		/* Is it alive? The target's permission is checked before that is answered. */
		{ "kill", 1, 0, UINT32_MAX },
		{ "pidfd_send_signal", 1, SIGCONT, UINT32_MAX },
		/* abort() and raise(): of this process only. */
		{ "tgkill", 0, (uint64_t)getpid(), UINT32_MAX },
		/* isatty(), and how much there is to read. */
		{ "ioctl", 1, 0x5401 /* TCGETS */, UINT32_MAX },
		{ "ioctl", 1, 0x541b /* FIONREAD */, UINT32_MAX },
		/* The tracepoint of watch/watch.c, in all processes; SET_BPF is for before 5.15. */
		{ "perf_event_open", 1, UINT32_MAX, UINT32_MAX },
		{ "ioctl", 1, PERF_EVENT_IOC_SET_BPF, UINT32_MAX },
		{ "ioctl", 1, PERF_EVENT_IOC_ENABLE, UINT32_MAX },
		{ "ioctl", 1, PERF_EVENT_IOC_DISABLE, UINT32_MAX },
		/* Threads of ours (base/reader.c for one), with the same filter; no process. */
		{ "clone", 0, CLONE_THREAD, CLONE_THREAD | NAMESPACES },
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		const struct allowed_argument *call = &calls[i];
		int number = seccomp_syscall_resolve_name(call->name);
		int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1,
					     SCMP_CMP64(call->argument, SCMP_CMP_MASKED_EQ,
							call->mask, call->value));

		if (error)
			return error;
	}
	return 0;
}

static int calls_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int error;

	if (!filter)
		return -ENOMEM;
	/* The kernel's log then has refused calls. That it cannot is no failure. */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	/* A tree instead of a list: 5.10 has no cache of calls that always pass. */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	error = calls_allow(filter);
	if (!error)
		error = arguments_allow(filter);
	/* Its arguments are in memory, where no filter looks: the C library then calls clone. */
	if (!error)
		error = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
					 seccomp_syscall_resolve_name("clone3"), 0);
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}

int privileges_drop(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int error;

	/*
	 * 5.10 counts maps against it, and who may not raise it later could add no job. Later
	 * kernels do not: that it cannot be raised (a container without CAP_SYS_RESOURCE) is no
	 * failure.
	 */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	error = capabilities_drop();
	if (error)
		return error;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return calls_filter();
}
