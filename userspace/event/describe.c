/* SPDX-License-Identifier: GPL-2.0 */
/* It is read after the attempt, so everything is checked to belong to the process that made it. */
#include "event/describe.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/directory.h"
#include "base/escape.h"
#include "base/proc.h"
#include "event/mask.h"

/* Each costs some 10 us, of every attempt. Java has many, each with its name. */
#define THREADS_READ	256
/* Of the command line. */
#define ARGUMENTS_MAX	4096

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
	char link[64], target[4096], *arguments;
	uint64_t start, start_after;
	ssize_t length;

	*ret_path = NULL;
	*ret_command_line = NULL;
	if (proc_start(pid, &start) ||
	    start * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK)) > time_ns ||
	    !thread_is_named(pid, comm))
		return;
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	length = readlink(link, target, sizeof(target) - 1);
	if (length > 0) {
		target[length] = '\0';
		path = escape_string(target, PROCESS_SIZE);
	}
	length = proc_memory_read(READER_RECORDS, pid, "cmdline", ARGUMENTS_MAX, &arguments);
	if (length > 0)
		masked = command_line_mask(arguments, length < ARGUMENTS_MAX ? (size_t)length :
							ARGUMENTS_MAX - 1);
	answer_free(arguments, length);
	/* The number may have been given to another process while we read. */
	if (proc_start(pid, &start_after) || start_after != start)
		return;
	*ret_path = TAKE_PTR(path);
	if (masked)
		*ret_command_line = escape_string(masked, COMMAND_LINE_SIZE);
}
