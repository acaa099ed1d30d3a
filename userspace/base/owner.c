/* SPDX-License-Identifier: GPL-2.0 */
/* The owner's tag in the names of cgroups and pin folders; who uses it decides what to remove. */
#include "base/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/proc.h"

int process_start(pid_t pid, uint64_t *ret_ticks)
{
	char stat[1024];
	const char *field;
	ssize_t length = proc_read(pid, "stat", stat, sizeof(stat));

	if (length < 0)
		return (int)length;
	/* The name, field 2, may hold spaces and parentheses: count from its last parenthesis. */
	field = strrchr(stat, ')');
	for (int number = 2; field && number < 22; number++)
		field = strchr(field + 1, ' ');
	if (!field || sscanf(field, " %" SCNu64, ret_ticks) != 1)
		return -EINVAL;
	return 0;
}

static int pid_namespace(unsigned long *ret_inode)
{
	struct stat status;

	if (stat("/proc/self/ns/pid", &status) < 0)
		return -errno;
	*ret_inode = (unsigned long)status.st_ino;
	return 0;
}

int owner_tag(char ret_tag[static OWNER_TAG_SIZE])
{
	unsigned long namespace = 0;
	uint64_t start = 0;
	int error;

	error = process_start(getpid(), &start);
	if (!error)
		error = pid_namespace(&namespace);
	if (error)
		return error;
	snprintf(ret_tag, OWNER_TAG_SIZE, "%d-%" PRIu64 "-%lu", getpid(), start, namespace);
	return 0;
}

enum owner_state owner_state(const char *tag)
{
	unsigned long namespace, own_namespace = 0;
	uint64_t start, running;
	int pid, error, end = 0;

	if (sscanf(tag, "%d-%" SCNu64 "-%lu%n", &pid, &start, &namespace, &end) != 3 || tag[end])
		return OWNER_UNKNOWN;
	if (pid <= 0 || pid_namespace(&own_namespace) || namespace != own_namespace)
		return OWNER_UNKNOWN;
	error = process_start(pid, &running);
	if (error == -ESRCH)
		return OWNER_DEAD;
	if (error)
		return OWNER_UNKNOWN;
	return running == start ? OWNER_ALIVE : OWNER_DEAD;
}
