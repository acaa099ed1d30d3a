/* SPDX-License-Identifier: GPL-2.0 */
/* Probes that see the kernel act; probe.c alone calls them. Results as of probe_ask(). */
#ifndef BUILDFENCE_PROBE_LIVE_H
#define BUILDFENCE_PROBE_LIVE_H

/* Does a sock_create program in a cgroup judge the sockets made there? */
int probe_socket_cgroup(int cgroup_fd);

/* Can a process be born in a cgroup? */
int probe_clone_into_cgroup(int cgroup_fd);

/* Can a TCP socket be reset over netlink? */
int probe_sock_destroy(void);

/* Does an LSM program on a cgroup load, attach, and get called? */
int probe_lsm_cgroup(int cgroup_fd);

#endif
