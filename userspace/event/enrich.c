/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What userspace adds to a refusal. It is read after the attempt, so everything from /proc is
 * checked to belong to the process that made it. All text that leaves here is escaped.
 */
#include "event/enrich.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/directory.h"
#include "base/escape.h"
#include "base/owner.h"
#include "event/mask.h"
#include "policy/policy.h"

#define THREADS_READ	256

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

/* Reads at most size - 1 bytes and ends them with NUL. Returns their number or -errno. */
static ssize_t proc_read(pid_t pid, const char *name, char *ret_bytes, size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[300];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = read(fd, ret_bytes, size - 1);
	if (length < 0)
		return -errno;
	ret_bytes[length] = '\0';
	return length;
}

/* Does a thread of the process have this name? The kernel gave the name of the one that tried. */
static bool thread_is_named(pid_t pid, const char comm[static COMM_LEN])
{
	_cleanup_directory_ DIR *directory = NULL;
	struct dirent *entry;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	if (directory_open(AT_FDCWD, path, &directory))
		return false;
	for (int i = 0; i < THREADS_READ && (entry = directory_next(directory)); i++) {
		char name[300], thread[COMM_LEN + 1];
		ssize_t length;

		snprintf(name, sizeof(name), "task/%s/comm", entry->d_name);
		length = proc_read(pid, name, thread, sizeof(thread));
		if (length <= 0)
			continue;
		thread[length - 1] = '\0';
		if (!strncmp(thread, comm, COMM_LEN))
			return true;
	}
	return false;
}

void process_describe(pid_t pid, const char comm[static COMM_LEN], uint64_t time_ns,
		      char **ret_path, char **ret_command_line)
{
	_cleanup_free_ char *path = NULL, *masked = NULL;
	char link[64], target[4096], arguments[4096];
	uint64_t start, start_after;
	ssize_t length;

	*ret_path = NULL;
	*ret_command_line = NULL;
	if (process_start(pid, &start) ||
	    start * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK)) > time_ns ||
	    !thread_is_named(pid, comm))
		return;
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	length = readlink(link, target, sizeof(target) - 1);
	if (length > 0) {
		target[length] = '\0';
		path = escape_string(target, PROCESS_SIZE);
	}
	length = proc_read(pid, "cmdline", arguments, sizeof(arguments));
	if (length > 0)
		masked = command_line_mask(arguments, (size_t)length);
	/* The number may have been given to another process while we read. */
	if (process_start(pid, &start_after) || start_after != start)
		return;
	*ret_path = TAKE_PTR(path);
	if (masked)
		*ret_command_line = escape_string(masked, COMMAND_LINE_SIZE);
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
