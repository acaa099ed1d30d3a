/* SPDX-License-Identifier: GPL-2.0 */
/* The check of inherited descriptors; sockets that the job makes itself are the guard's matter. */
#include "job/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/directory.h"

static bool descriptor_is_unguarded(int fd)
{
	char path[64], target[64] = "";
	int domain;
	socklen_t length = sizeof(domain);

	if (!getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length))
		return domain != AF_UNIX && domain != AF_NETLINK;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, target, sizeof(target) - 1) < 0)
		return false;
	return !strcmp(target, "anon_inode:[io_uring]");
}

int descriptors_check(int *ret_fd)
{
	_cleanup_directory_ DIR *directory = NULL;
	struct dirent *entry;
	int error = directory_open(AT_FDCWD, "/proc/self/fd", &directory);

	if (error)
		return error;
	while ((entry = directory_next(directory))) {
		int fd = atoi(entry->d_name);

		if (fd == dirfd(directory) || !descriptor_is_unguarded(fd))
			continue;
		if (fd <= STDERR_FILENO) {
			*ret_fd = fd;
			return -EBADF;
		}
		close(fd);
	}
	return 0;
}
