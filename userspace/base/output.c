/* SPDX-License-Identifier: GPL-2.0 */
/* What an earlier job left in our file's place must neither keep us waiting nor have our words. */
#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

int output_open(const char *path, mode_t mode)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY |
				      O_CLOEXEC | O_NONBLOCK, mode);
	struct stat status;
	int flags;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (S_ISFIFO(status.st_mode))
		return -ENXIO;
	if (S_ISREG(status.st_mode) && (status.st_uid != geteuid() || status.st_nlink != 1))
		return -EPERM;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return -errno;
	return TAKE_FD(fd);
}

const char *output_objection(int error)
{
	switch (error) {
	case -ELOOP:
		return "is a symbolic link; give the file itself";
	case -EPERM:
		return "belongs to another user, or has another name too; remove it, or take another";
	case -ENXIO:
		return "is a FIFO; take '-' and a pipe";
	default:
		return strerror(-error);
	}
}
