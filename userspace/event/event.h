/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One violation, on its way from the kernel to the sinks: the refusal, how often, and what
 * userspace adds to it. Sinks only read it.
 */
#ifndef BUILDFENCE_EVENT_H
#define BUILDFENCE_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "abi.h"

struct policy;
struct rule;

/* Whose violation it is: one per job, alive as long as its events. */
struct event_job {
	const char *name;		/* JobName */
	const char *cgroup_path;	/* CgroupPath, from the root of cgroup2 */
	const struct policy *policy;	/* PolicyName, PolicyHash, rules by number */
	enum guard_mode mode;
	const char *const *identity;	/* "AzpJobId=...", NULL-terminated; or NULL */
};

struct event {
	const struct event_job *job;
	struct refusal refusal;
	const char *uid;		/* EventOriginalUid: of this record alone; or NULL */
	uint64_t count;			/* EventCount */
	struct timespec start;		/* CLOCK_REALTIME of the first and the last attempt */
	struct timespec end;
	bool kept_apart;		/* false: only job, reason and count are known */
	bool first;			/* the first of its kind, at once; false: repeats, folded */
	const struct rule *rule;	/* that decided, or NULL */
	char name[NAME_LEN * 4 + 1];	/* forward, escaped: printable ASCII only */
	char *process;			/* SrcProcessName: the program's path, else comm; escaped */
	char *command_line;		/* escaped, secrets masked; NULL: the process was gone */
	char *username;			/* NULL: not known */
};

#endif
