/* SPDX-License-Identifier: GPL-2.0 */
/* A process may end between any two reads of ours. */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/directory.h"

#define PIECE		4096

/* A descriptor, or -errno; a process that is gone is -ESRCH. */
static int file_open(pid_t pid, const char *file)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return fd;
}

ssize_t proc_read(pid_t pid, const char *file, char *ret_text, size_t size)
{
	_cleanup_close_ int fd = file_open(pid, file);
	ssize_t length;

	if (fd < 0)
		return fd;
	length = read(fd, ret_text, size - 1);
	if (length < 0)
		return -errno;
	ret_text[length] = '\0';
	return length;
}

int proc_start_parse(const char *stat, uint64_t *ret_ticks)
{
	/* The name, field 2, may hold spaces and parentheses: count from its last parenthesis. */
	const char *field = strrchr(stat, ')');

	for (int number = 2; field && number < 22; number++)
		field = strchr(field + 1, ' ');
	return field && sscanf(field, " %" SCNu64, ret_ticks) == 1 ? 0 : -EINVAL;
}

int proc_start(pid_t pid, uint64_t *ret_ticks)
{
	char stat[1024];
	ssize_t length = proc_read(pid, "stat", stat, sizeof(stat));

	return length < 0 ? (int)length : proc_start_parse(stat, ret_ticks);
}

/* The children of one thread: numbers, each with a space behind. */
static bool children_of_thread(const char *path, proc_child_fn call, void *context)
{
	_cleanup_fclose_ FILE *list = fopen(path, "re");
	int child;

	while (list && fscanf(list, "%d", &child) == 1) {
		if (call(child, context))
			return true;
	}
	return false;
}

int proc_children(pid_t pid, proc_child_fn call, void *context)
{
	_cleanup_directory_ DIR *threads = NULL;
	char path[64 + NAME_MAX];
	struct dirent *thread;
	int error;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	error = directory_open(AT_FDCWD, path, &threads);
	if (error)
		return error == -ENOENT ? -ESRCH : error;
	while ((thread = directory_next(threads))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/children", pid, thread->d_name);
		if (children_of_thread(path, call, context))
			break;
	}
	return 0;
}

/* --- what stands in its memory ---------------------------------------------------------------- */

/* More place for bytes, of which nothing stays in memory that is given back. NULL: none left. */
static char *bytes_grow(char *bytes, size_t length, size_t size)
{
	char *grown = malloc(size);

	if (grown)
		memcpy(grown, bytes, length);
	answer_free(bytes, (ssize_t)length);
	return grown;
}

/* Returns how many there were, 0 at the end, or -errno. */
static ssize_t piece_read(int fd, char *ret_piece)
{
	ssize_t length;

	do
		length = read(fd, ret_piece, PIECE);
	while (length < 0 && errno == EINTR);
	return length < 0 ? -errno : length;
}

static ssize_t memory_read(pid_t pid, const char *file, size_t max, char **ret_bytes)
{
	_cleanup_close_ int fd = file_open(pid, file);
	size_t total = 0, size = 2 * PIECE;
	ssize_t length = 0;
	char *bytes;

	if (fd < 0)
		return fd;
	bytes = malloc(size);
	while (bytes && total < max && (length = piece_read(fd, bytes + total)) > 0) {
		total += (size_t)length;
		if (size - total < PIECE)
			bytes = bytes_grow(bytes, total, size *= 2);
	}
	if (!bytes)
		return -ENOMEM;
	if (length < 0) {
		answer_free(bytes, (ssize_t)total);
		return length;
	}
	*ret_bytes = bytes;
	return (ssize_t)total;
}

ssize_t proc_memory_read(enum reader_use use, pid_t pid, const char *file, size_t max,
			 char **ret_bytes)
{
	return reader_ask(use, memory_read, pid, file, max, ret_bytes);
}
