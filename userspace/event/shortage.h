/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a full table or missing memory cost a job, beyond what its policy refuses: nothing opens,
 * but what is allowed was refused, or is not told apart. For the daemon's log and its status.
 */
#ifndef BUILDFENCE_SHORTAGE_H
#define BUILDFENCE_SHORTAGE_H

#include <stddef.h>
#include <stdint.h>

struct job_counters;

enum { SHORTAGES = 5 };

struct shortage {
	const char *key;	/* for machines */
	const char *text;	/* goes on behind a number */
	size_t counter;		/* its offset in struct job_counters */
};

extern const struct shortage shortages[SHORTAGES];

/* How many there were, of one of `shortages`. */
uint64_t shortage_count(const struct shortage *shortage, const struct job_counters *counters);

#endif
