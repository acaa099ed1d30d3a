/* SPDX-License-Identifier: GPL-2.0 */
/* Events for the tests of records, lines and the summary. */
#include "event_made.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"

static struct policy policy_made = { .name = (char *)"contoso", .hash = "0123abcd" };

const struct event_job job_made = {
	.name = "nightly",
	.cgroup_path = "/agent/buildfence-nightly.1-2-3",
	.policy = &policy_made,
	.mode = MODE_ENFORCE,
};

struct event event_made(const char *name, enum refusal_reason reason, enum guard_hook hook)
{
	struct event event = {
		.job = &job_made,
		.count = 1,
		.kept_apart = true,
		.first = true,
		.start = { 1769000000, 123456000 },
		.end = { 1769000001, 0 },
		.refusal = {
			.dst = { [10] = 0xff, 0xff, 198, 51, 100, 7 },
			.dport = 443,
			.family = 4,
			.protocol = IPPROTO_TCP,
			.reason = (__u8)reason,
			.hook = (__u8)hook,
			.pid = 4711,
			.uid = 1000,
			.comm = "curl",
		},
	};

	snprintf(event.name, sizeof(event.name), "%s", name);
	return event;
}
