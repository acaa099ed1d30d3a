/* SPDX-License-Identifier: GPL-2.0 */
/* What /proc tells about a process: its names, its parent, its children, its cgroup. */
#ifndef BUILDFENCE_PROCESS_H
#define BUILDFENCE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_COMM	16	/* TASK_COMM_LEN */

struct process {
	pid_t pid;
	pid_t parent;
	uint64_t start_ticks;
	char state;			/* as /proc says it: 'T' is stopped by a signal */
	char comm[PROCESS_COMM];	/* what the kernel calls it */
};

/* A line of /proc/PID/stat. Returns 0 or -EINVAL. */
int process_parse(const char *stat, struct process *ret_process);

/* Returns 0, -ESRCH (there is no such process), or another -errno. */
int process_look(pid_t pid, struct process *ret_process);

/*
 * Lets a stopped process go on; nothing happens to one that is not stopped, or has another start.
 * Needs CAP_KILL for other users' processes.
 */
void process_continue(pid_t pid, uint64_t start_ticks);

/* Is `comm` what the kernel would call a program of this name? */
bool process_comm_is(const char comm[static PROCESS_COMM], const char *name);

/*
 * Is `name` the last part of argv[0] or of the first argument behind it that is no option, as for a
 * script? `arguments` has the form of /proc/PID/cmdline and may be cut anywhere.
 */
bool process_arguments_name(const char *arguments, size_t length, const char *name);

/* Is this the program's name, by the kernel's word, its file or its arguments? */
bool process_is(const struct process *process, const char *name);

/* Calls back for each direct child, until `call` returns true. Returns 0, -ESRCH, or -errno. */
typedef bool (*process_fn)(const struct process *process, void *context);
int process_children(pid_t pid, process_fn call, void *context);

/* The same for all processes. */
int process_all(process_fn call, void *context);

#endif
