/* SPDX-License-Identifier: GPL-2.0 */
/* Who is at the other end of a UNIX socket, and in which cgroup. */
#ifndef BUILDFENCE_CONTROL_PEER_H
#define BUILDFENCE_CONTROL_PEER_H

#include <sys/types.h>

/* User and process that connected. Returns 0 or -errno. */
int peer_find(int fd, uid_t *ret_uid, pid_t *ret_pid);

/*
 * The cgroup of process `pid` that connected, from cgroup2's root, to be freed. NULL when it is
 * not known for certain: the process has ended, or is not seen from here.
 */
char *peer_cgroup(int fd, pid_t pid);

#endif
