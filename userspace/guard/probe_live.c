/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Probes that a load alone cannot answer: a process enters the cgroup and makes a socket under a
 * program that refuses all. The process ends at once; the links end with their descriptors.
 */
#include "guard/probe_live.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "guard/internal.h"

/* Exit statuses of the process in the cgroup. */
enum {
	CHILD_SOCKET_MADE = 0,
	CHILD_SOCKET_REFUSED,
	CHILD_NOT_ENTERED,
};

static const struct bpf_insn refuse_all[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

static int child_wait(pid_t pid)
{
	int status;

	if (pid < 0 || TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

/* In the child, after fork(): system calls only. */
static void socket_try(int procs_fd, int family)
{
	if (write(procs_fd, "0", 1) < 0)
		_exit(CHILD_NOT_ENTERED);
	_exit(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0 ? CHILD_SOCKET_REFUSED :
								   CHILD_SOCKET_MADE);
}

/* Is a socket of this family refused in the cgroup? 1, 0 or -errno. */
static int socket_is_refused(int cgroup_fd, int family)
{
	_cleanup_close_ int procs_fd = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	pid_t pid;
	int status;

	if (procs_fd < 0)
		return -errno;
	pid = fork();
	if (!pid)
		socket_try(procs_fd, family);
	status = child_wait(pid);
	if (status < 0)
		return status;
	return status == CHILD_NOT_ENTERED ? -EBUSY : status == CHILD_SOCKET_REFUSED;
}

/*
 * No on 5.10 kernels without commit 8520e224f547 ("bpf, cgroups: Fix cgroup v2 fallback on v1/v2
 * mixed mode", 5.15) once net_cls or net_prio was used: every new socket then counts to the root.
 */
int probe_socket_cgroup(int cgroup_fd)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options,
		    .expected_attach_type = BPF_CGROUP_INET_SOCK_CREATE);
	_cleanup_close_ int fd = -1, link = -1;

	if (cgroup_fd < 0)
		return -EBADF;
	fd = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK, "probe_cgroup", "GPL", refuse_all,
			   ARRAY_SIZE(refuse_all), &options);
	if (fd < 0)
		return -errno;
	link = bpf_link_create(fd, cgroup_fd, BPF_CGROUP_INET_SOCK_CREATE, NULL);
	if (link < 0)
		return -errno;
	return socket_is_refused(cgroup_fd, AF_INET);
}

/* Commit 69fd337a975c ("bpf: per-cgroup lsm flavor"), 6.0; called only with bpf in `lsm=`. */
int probe_lsm_cgroup(int cgroup_fd)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_LSM_CGROUP);
	_cleanup_close_ int fd = -1, link = -1;
	int type;

	if (cgroup_fd < 0)
		return -EBADF;
	type = libbpf_find_vmlinux_btf_id("socket_create", BPF_LSM_CGROUP);
	if (type < 0)
		return 0;
	options.attach_btf_id = (uint32_t)type;
	fd = bpf_prog_load(BPF_PROG_TYPE_LSM, "probe_lsm", "GPL", refuse_all,
			   ARRAY_SIZE(refuse_all), &options);
	if (fd < 0)
		return errno == EPERM ? -EPERM : 0;
	link = bpf_link_create(fd, cgroup_fd, BPF_LSM_CGROUP, NULL);
	if (link < 0)
		return errno == EPERM ? -EPERM : 0;
	return socket_is_refused(cgroup_fd, AF_UNIX);
}

/* Commit ef2c41cf38a7 ("clone3: allow spawning processes into cgroups"), 5.7. */
int probe_clone_into_cgroup(int cgroup_fd)
{
	struct clone_args arguments = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cgroup_fd,
	};
	pid_t pid;
	int status;

	if (cgroup_fd < 0)
		return -EBADF;
	pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (!pid)
		_exit(0);
	if (pid < 0)
		return errno == EPERM || errno == EACCES || errno == EBUSY ? -errno : 0;
	status = child_wait(pid);
	return status < 0 ? status : 1;
}

/* A listener of our own on loopback is reset. CONFIG_INET_DIAG_DESTROY: c1e64e298b8c, 4.5. */
int probe_sock_destroy(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct refusal refusal = { .family = 4 };
	socklen_t addr_size = sizeof(addr), cookie_size = sizeof(refusal.cookie);
	int error;

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)&addr, &addr_size) ||
	    getsockopt(fd, SOL_SOCKET, SO_COOKIE, &refusal.cookie, &cookie_size))
		return -errno;
	memcpy(refusal.src + 12, &addr.sin_addr, sizeof(addr.sin_addr));
	refusal.sport = ntohs(addr.sin_port);
	error = guard_reset(&refusal);
	return error == -EPERM ? error : !error;
}
