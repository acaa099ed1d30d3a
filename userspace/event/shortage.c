/* SPDX-License-Identifier: GPL-2.0 */
/* The counters of what was short, and their words. */
#include "event/shortage.h"

#include <string.h>

#include "abi.h"

const struct shortage shortages[SHORTAGES] = {
	{ "addresses",
	  "addresses could not be learned, and so are not allowed: the job's table was full",
	  offsetof(struct job_counters, learn_full) },
	{ "questions", "DNS questions were not allowed: the job's table was full",
	  offsetof(struct job_counters, questions_full) },
	{ "peers", "datagrams were not allowed: the job's table of peers was full",
	  offsetof(struct job_counters, peers_full) },
	{ "destinations",
	  "connections are not listed among what was reached: the job's table was full",
	  offsetof(struct job_counters, reached_full) },
	{ "memory", "packets were not allowed: the kernel had no memory to judge them",
	  offsetof(struct job_counters, out_of_memory) },
};

uint64_t shortage_count(const struct shortage *shortage, const struct job_counters *counters)
{
	uint64_t count;

	memcpy(&count, (const char *)counters + shortage->counter, sizeof(count));
	return count;
}
