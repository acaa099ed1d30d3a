/* SPDX-License-Identifier: GPL-2.0 */
/* What userspace adds to a refusal. All text that leaves here is escaped. */
#include "event/enrich.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/escape.h"
#include "event/describe.h"
#include "policy/policy.h"

struct timespec time_from_boot(uint64_t boot_ns)
{
	uint64_t ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME) + boot_ns;

	return (struct timespec){ (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };
}

void name_forward(const __u8 *name, size_t length, char ret_name[static NAME_LEN * 4 + 1])
{
	__u8 forward[NAME_LEN];

	if (length > NAME_LEN)
		length = NAME_LEN;
	for (size_t i = 0; i < length; i++)
		forward[i] = name[length - 1 - i];
	/* "moc.eruza." reads ".azure.com": the dot behind the last label is in front now. */
	if (length && forward[0] == '.')
		escape_bytes(forward + 1, length - 1, ret_name, NAME_LEN * 4 + 1);
	else
		escape_bytes(forward, length, ret_name, NAME_LEN * 4 + 1);
}

/* From /etc/passwd alone: a name service may ask the network, and would hold up the records. */
static char *user_name(uid_t uid)
{
	_cleanup_fclose_ FILE *file = fopen("/etc/passwd", "re");
	struct passwd *entry;

	while (file && (entry = fgetpwent(file))) {
		if (entry->pw_uid == uid)
			return escape_string(entry->pw_name, 256);
	}
	return NULL;
}

static const struct rule *rule_find(const struct policy *policy, uint32_t id)
{
	return policy && id && id <= policy->rule_count ? &policy->rules[id - 1] : NULL;
}

int event_fill(const struct event_job *job, const struct refusal *refusal, uint64_t count,
	       uint64_t last_ns, bool kept_apart, bool first, struct event *ret_event)
{
	struct event event = {
		.job = job,
		.refusal = *refusal,
		.count = count,
		.kept_apart = kept_apart,
		.first = first,
		.rule = rule_find(job->policy, refusal->rule),
	};
	uint64_t end_ns = last_ns ? last_ns : clock_ns(CLOCK_BOOTTIME);
	uint64_t start_ns = refusal->time_ns ? refusal->time_ns : end_ns;
	char comm[COMM_LEN + 1] = "";

	event.start = time_from_boot(start_ns);
	event.end = time_from_boot(end_ns > start_ns ? end_ns : start_ns);
	name_forward(refusal->name, refusal->name_len, event.name);
	memcpy(comm, refusal->comm, COMM_LEN);
	if (refusal->pid) {
		process_describe((pid_t)refusal->pid, refusal->comm, start_ns, &event.process,
				 &event.command_line);
		event.username = user_name(refusal->uid);
	}
	if (!event.process && comm[0]) {
		event.process = escape_string(comm, PROCESS_SIZE);
		if (!event.process) {
			event_clear(&event);
			return -ENOMEM;
		}
	}
	*ret_event = event;
	return 0;
}

void event_clear(struct event *event)
{
	free(event->process);
	free(event->command_line);
	free(event->username);
}
