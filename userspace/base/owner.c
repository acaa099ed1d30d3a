/* SPDX-License-Identifier: GPL-2.0 */
/* The owner's tag in the names of cgroups and pin folders; who uses it decides what to remove. */
#include "base/owner.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/proc.h"

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

	error = proc_start(getpid(), &start);
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
	error = proc_start(pid, &running);
	if (error == -ESRCH)
		return OWNER_DEAD;
	if (error)
		return OWNER_UNKNOWN;
	return running == start ? OWNER_ALIVE : OWNER_DEAD;
}
