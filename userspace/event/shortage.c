/* SPDX-License-Identifier: GPL-2.0 */
/* The counters of what was short, and their words. */
#include "event/shortage.h"

#include <string.h>

const struct shortage shortages[SHORTAGES] = {
	{ "addresses",
	  "addresses were not learned because the job's table was full: "
	  "connections to them were refused",
	  "addresses were not learned because the job's table was full: "
	  "connections to them would have been refused",
	  offsetof(struct job_counters, learn_full) },
	{ "questions",
	  "DNS questions were refused because the job's table was full",
	  "DNS questions would have been refused because the job's table was full",
	  offsetof(struct job_counters, questions_full) },
	{ "peers",
	  "datagrams were refused because the job's table of peers was full",
	  "datagrams would have been refused because the job's table of peers was full",
	  offsetof(struct job_counters, peers_full) },
	{ "memory",
	  "packets were refused because the kernel had no memory to judge them",
	  "packets could not be judged because the kernel had no memory",
	  offsetof(struct job_counters, out_of_memory) },
	[SHORTAGE_DESTINATIONS] = { "destinations",
	  "connections are not listed among what was reached: the job's table was full",
	  "connections are not listed among what was reached: the job's table was full",
	  offsetof(struct job_counters, reached_full) },
};

uint64_t shortage_count(const struct shortage *shortage, const struct job_counters *counters)
{
	uint64_t count;

	memcpy(&count, (const char *)counters + shortage->counter, sizeof(count));
	return count;
}

const char *shortage_text(const struct shortage *shortage, enum guard_mode mode)
{
	return mode == MODE_AUDIT ? shortage->audited : shortage->enforced;
}
