/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What this kernel can do for the guard, found by doing it: a small program is loaded, a small map
 * made, a socket tried. Never by the kernel's version, since distributions carry patches back.
 * What an answer means is doctor/kernel.c's matter.
 *
 * The ids below are what `doctor --json` calls each feature; outside tests rely on them.
 */
#ifndef BUILDFENCE_PROBE_H
#define BUILDFENCE_PROBE_H

enum probe_feature {
	PROBE_SOCK_CREATE,		/* kernel-hook-sock-create */
	PROBE_EGRESS,			/* kernel-hook-egress */
	PROBE_INGRESS,			/* kernel-hook-ingress */
	PROBE_CONNECT4,			/* kernel-hook-connect4 */
	PROBE_CONNECT6,			/* kernel-hook-connect6 */
	PROBE_SENDMSG4,			/* kernel-hook-sendmsg4 */
	PROBE_SENDMSG6,			/* kernel-hook-sendmsg6 */
	PROBE_OBJECT,			/* kernel-object: the guard's own programs and maps */
	PROBE_RING_BUFFER,		/* kernel-ring-buffer */
	PROBE_SOCKET_STORAGE,		/* kernel-socket-storage */
	PROBE_CGROUP_STORAGE,		/* kernel-cgroup-storage */
	PROBE_NAME_TRIES,		/* kernel-name-tries */
	PROBE_SOCKET_CGROUP,		/* kernel-socket-cgroup: a socket stays with its cgroup */
	PROBE_SET_RETVAL,		/* kernel-set-retval */
	PROBE_PACKET_COMM,		/* kernel-packet-comm */
	PROBE_PACKET_NETNS,		/* kernel-packet-netns-cookie */
	PROBE_CGROUP_KILL,		/* kernel-cgroup-kill */
	PROBE_CLONE_INTO_CGROUP,	/* kernel-clone-into-cgroup */
	PROBE_SOCK_DESTROY,		/* kernel-sock-destroy */
	PROBE_LSM_CGROUP,		/* kernel-lsm-cgroup: loads, attaches, is called */
	PROBE_JIT,			/* kernel-jit */
	PROBE_BTF,			/* kernel-btf */
	PROBE_COUNT
};

const char *probe_id(enum probe_feature feature);

/*
 * Asks the kernel. `cgroup_fd` is an empty cgroup made for this: programs are attached to it and
 * taken away again, and processes enter it and end. Returns 1 (has it), 0 (has it not), or -errno
 * (could not be asked: -EBADF without a cgroup, -EPERM without the right to).
 */
int probe_ask(enum probe_feature feature, int cgroup_fd);

#endif
