/* SPDX-License-Identifier: GPL-2.0 */
/* A summary's inside: between summary.c, which collects, and summary_write.c. Nobody else's. */
#ifndef BUILDFENCE_SUMMARY_ROWS_H
#define BUILDFENCE_SUMMARY_ROWS_H

#include <stddef.h>

#include "event/summary.h"

struct row {
	char *where;		/* escaped; NULL: an empty slot */
	char *why;		/* "" for what was reached */
	uint64_t count;
	bool expected;
};

/* A hash table by `where`, half full at most. */
struct rows {
	struct row *items;
	size_t slots;
	size_t count;
	uint64_t others;	/* attempts that found no room */
};

struct summary {
	const struct event_job *job;
	struct rows reached;
	struct rows refused;
	uint64_t violations;
	uint64_t expected;
	struct job_counters counters;
};

#endif
