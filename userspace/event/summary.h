/* SPDX-License-Identifier: GPL-2.0 */
/* The account at the end of a job: what was reached, what was blocked, what was expected. */
#ifndef BUILDFENCE_SUMMARY_H
#define BUILDFENCE_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "event/event.h"

struct summary;

int summary_new(const struct event_job *job, struct summary **ret_summary);
void summary_free(struct summary *summary);

static inline void summary_cleanup(struct summary **summary)
{
	summary_free(*summary);
}
#define _cleanup_summary_ __attribute__((cleanup(summary_cleanup)))

/* Counts an event, expected ones too. What memory cannot hold is counted as "others". */
void summary_event(struct summary *summary, const struct event *event);
void summary_reached(struct summary *summary, const struct reached_key *key,
		     const struct reached *reached);

/* What the kernel's tables could not hold: said at the end. */
void summary_counters(struct summary *summary, const struct job_counters *counters);

/* Attempts that were denied, or would have been in audit mode; not the expected ones. */
uint64_t summary_violations(const struct summary *summary);

enum summary_format {
	SUMMARY_TEXT = 0,	/* the first lines of each part */
	SUMMARY_MARKDOWN,	/* all of it */
};

void summary_write(const struct summary *summary, enum summary_format format, FILE *out);

#endif
