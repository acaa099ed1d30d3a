/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a full table or missing memory cost a job, beyond what its policy refuses: nothing opens,
 * but what is allowed was refused, or is not told apart. For summaries, and the daemon's log and
 * status.
 */
#ifndef BUILDFENCE_SHORTAGE_H
#define BUILDFENCE_SHORTAGE_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"

enum {
	SHORTAGE_DESTINATIONS = 4,	/* the only one that refuses nothing */
	SHORTAGES,
};

struct shortage {
	const char *key;	/* for machines */
	const char *enforced;	/* goes on behind a number; in audit mode, the next */
	const char *audited;
	size_t counter;		/* its offset in struct job_counters */
};

extern const struct shortage shortages[SHORTAGES];

/* How many there were, of one of `shortages`. */
uint64_t shortage_count(const struct shortage *shortage, const struct job_counters *counters);

/* Its words. */
const char *shortage_text(const struct shortage *shortage, enum guard_mode mode);

#endif
