/* SPDX-License-Identifier: GPL-2.0 */
/* Files of state: written under another name and renamed, so that a kill leaves either of them. */
#include "daemon/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* The kernel gives back a dying daemon's memory and maps first, and its lock behind them. */
#define LOCK_PATIENCE_MS	3000
#define LOCK_PAUSE_NS		(20 * 1000 * 1000)

int store_folder_open(int parent_fd, const char *name)
{
	int fd;

	if (mkdirat(parent_fd, name, 0700) && errno != EEXIST)
		return -errno;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int store_lock(int folder_fd)
{
	int64_t end_ms = clock_ms(CLOCK_MONOTONIC) + LOCK_PATIENCE_MS;
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	_cleanup_close_ int fd = openat(folder_fd, "lock",
					O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK || clock_ms(CLOCK_MONOTONIC) >= end_ms)
			return -errno;
		nanosleep(&pause, NULL);
	}
	return TAKE_FD(fd);
}

int store_write(int folder_fd, const char *name, const json_t *object)
{
	_cleanup_free_ char *text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
	_cleanup_close_ int fd = -1;
	char fresh[NAME_MAX];
	size_t length;

	if (!text)
		return -ENOMEM;
	length = strlen(text);
	snprintf(fresh, sizeof(fresh), "%s.new", name);
	fd = openat(folder_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	errno = ENOSPC;
	if (write(fd, text, length) != (ssize_t)length ||
	    renameat(folder_fd, fresh, folder_fd, name)) {
		int error = -errno;

		unlinkat(folder_fd, fresh, 0);
		return error;
	}
	return 0;
}

int store_read(int folder_fd, const char *name, json_t **ret_object)
{
	_cleanup_fclose_ FILE *file = NULL;
	_cleanup_close_ int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	json_t *object;

	if (fd < 0)
		return -errno;
	file = fdopen(fd, "r");
	if (!file)
		return -errno;
	TAKE_FD(fd);
	object = json_loadf(file, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(object)) {
		json_decref(object);
		return -EBADMSG;
	}
	*ret_object = object;
	return 0;
}
