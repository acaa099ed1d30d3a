/* SPDX-License-Identifier: GPL-2.0 */
/* Mounting what is missing: see mount.h. */
#include "base/mount.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/vfs.h>

int mount_ensure(const char *type, const char *path, unsigned long magic)
{
	struct statfs fs;

	if (!statfs(path, &fs) && (unsigned long)fs.f_type == magic)
		return 0;
	if (mount(type, path, type, MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return -errno;
	return 0;
}
