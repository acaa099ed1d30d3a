/* SPDX-License-Identifier: GPL-2.0 */
/* Listing directories by descriptor; what the entries mean is the callers' matter. */
#include "base/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"

int directory_open(int parent_fd, const char *name, DIR **ret_directory)
{
	_cleanup_close_ int fd = -1;
	DIR *directory;

	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	directory = fdopendir(fd);
	if (!directory)
		return -errno;
	TAKE_FD(fd);
	*ret_directory = directory;
	return 0;
}

struct dirent *directory_next(DIR *directory)
{
	struct dirent *entry;

	do {
		entry = readdir(directory);
	} while (entry && (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")));
	return entry;
}
