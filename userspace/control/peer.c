/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The peer of a connection, as the kernel noted it at connect(). What remains open: who connected
 * may hand the connection to a process of another cgroup, which then speaks for the first one (that
 * one could have passed on what it reads as well); and before 6.5, which has no SO_PEERPIDFD, a pid
 * given away again between connect() and pidfd_open() lets the new process's cgroup be read. What a
 * job may read of its own depends on the cgroup, and whether root may do what root may.
 */
#include "control/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "job/cgroup.h"

/* Since 6.5; older headers do not have it. The number is that of asm-generic/socket.h. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD	77
#endif

int peer_find(int fd, uid_t *ret_uid, pid_t *ret_pid)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	*ret_uid = peer.uid;
	*ret_pid = peer.pid;
	return 0;
}

static int peer_pidfd(int fd, pid_t pid)
{
	socklen_t size = sizeof(int);
	int pidfd;

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size))
		return pidfd;
	if (errno != ENOPROTOOPT)
		return -errno;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return pidfd < 0 ? -errno : pidfd;
}

char *peer_cgroup(int fd, pid_t pid)
{
	_cleanup_close_ int pidfd = pid > 0 ? peer_pidfd(fd, pid) : -ESRCH;
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };
	_cleanup_free_ char *cgroup = NULL;

	if (pidfd < 0 || cgroup_of_process(pid, &cgroup))
		return NULL;
	/* It lives still: so the pid was its own all the time, and the file too. */
	if (poll(&ended, 1, 0) != 0)
		return NULL;
	return TAKE_PTR(cgroup);
}
