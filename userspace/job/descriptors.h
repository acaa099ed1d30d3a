/* SPDX-License-Identifier: GPL-2.0 */
/* Inherited descriptors by which a job could get past its guard. */
#ifndef BUILDFENCE_DESCRIPTORS_H
#define BUILDFENCE_DESCRIPTORS_H

/*
 * A socket belongs to the cgroup of the process that made it, so one that was handed to us would
 * stay outside the job's guard. Closes every such socket above 2, and io_uring instances, which
 * may hold some. UNIX and netlink sockets, pipes and files stay (make's jobserver needs its own).
 * Call it before opening anything. Returns 0, or -EBADF with *ret_fd when standard input, output
 * or error is such a socket, or another -errno.
 */
int descriptors_check(int *ret_fd);

#endif
