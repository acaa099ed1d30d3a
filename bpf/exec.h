/* SPDX-License-Identifier: GPL-2.0 */
/* What exec.bpf.c reports to the watch in userspace. Both sides assert the size. */
#ifndef BUILDFENCE_EXEC_H
#define BUILDFENCE_EXEC_H

#include <linux/types.h>

#define EXEC_COMM_LEN	16	/* TASK_COMM_LEN: 15 bytes and NUL */
#define EXEC_NAMES	64
#define EXEC_AWAITED	4096

/* Bits of exec_event.what. */
#define EXEC_WORKER	1	/* it has the name of a worker */
#define EXEC_CHILD	2	/* its parent is awaited */
#define EXEC_HELD	4	/* it was stopped, and goes on when the watch says so */

/* A key of `names`: what the kernel calls a process, NUL to the end. */
struct exec_name {
	char comm[EXEC_COMM_LEN];
};

/* A key of `seen`. */
struct exec_seen {
	__u64 start_ns;
	__u32 pid;
	__u32 pad;
};

struct exec_event {
	__u64 start_ns;			/* of the process, since boot: what /proc has in ticks */
	__u64 parent_start_ns;
	__u32 pid;			/* process ids (tgid) in the first PID namespace */
	__u32 parent;
	__u32 what;
	__u32 pad;
	struct exec_name name;		/* of the process, and of its parent */
	struct exec_name parent_name;
};

_Static_assert(sizeof(struct exec_name) == 16, "key of names");
_Static_assert(sizeof(struct exec_seen) == 16, "key of seen");
_Static_assert(sizeof(struct exec_event) == 64, "layout of a report");

#endif
