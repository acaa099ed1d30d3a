/* SPDX-License-Identifier: GPL-2.0 */
/* One command, run inside its policy, from before it starts until nothing of it is left. */
#ifndef BUILDFENCE_RUN_H
#define BUILDFENCE_RUN_H

#include <stdbool.h>

#include "policy/load.h"

/* Exit statuses of our own; all others are the command's. */
#define RUN_VIOLATION	3	/* it succeeded, but something was denied and that shall fail */
#define RUN_FAILED	125	/* the guard failed before it ran */

struct run_options {
	struct policy_request policy;
	const char *job;		/* JobName */
	const char *events;		/* file for records, "-" for standard output; or NULL */
	const char *report;		/* file for the summary as Markdown; or NULL */
	const char *user;		/* who the command runs as; NULL: as we do */
	bool fail_on_violation;
	bool keep;			/* processes that outlive the command stay, guarded */
	bool quiet;			/* no lines and no summary on standard error */
	char *const *command;		/* NULL-terminated */
};

/* Returns the exit status. Whatever went wrong was said on standard error. */
int job_run(const struct run_options *options);

#endif
