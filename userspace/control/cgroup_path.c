/* SPDX-License-Identifier: GPL-2.0 */
/* Resolving what --cgroup says; see cgroup_path.h. */
#include "control/cgroup_path.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "job/cgroup.h"

/* `directory` with its links and dots resolved, less the mount point's path. */
static int below_mount(const char *mount, const char *directory, char **ret_path)
{
	_cleanup_free_ char *real = realpath(directory, NULL);
	size_t length = strlen(mount);
	struct statfs fs;
	struct stat status;

	if (!real || stat(real, &status) || statfs(real, &fs))
		return -errno;
	if (!S_ISDIR(status.st_mode) || fs.f_type != CGROUP2_SUPER_MAGIC ||
	    strncmp(real, mount, length) || (real[length] && real[length] != '/'))
		return -ENOENT;
	*ret_path = strdup(real[length] ? real + length : "/");
	return *ret_path ? 0 : -ENOMEM;
}

int cgroup_path_resolve(const char *argument, char **ret_path)
{
	_cleanup_fclose_ FILE *mounts = fopen("/proc/self/mounts", "re");
	_cleanup_free_ char *mount = NULL, *real_mount = NULL, *directory = NULL;

	if (!strcmp(argument, "self"))
		return cgroup_of_process(0, ret_path);
	if (argument[0] != '/')
		return -EINVAL;
	if (!mounts)
		return -errno;
	if (cgroup_mount_find(mounts, &mount))
		return -ENOMEDIUM;
	real_mount = realpath(mount, NULL);
	if (!real_mount)
		return -errno;
	if (!below_mount(real_mount, argument, ret_path))
		return 0;
	if (asprintf(&directory, "%s%s", real_mount, argument) < 0)
		return -ENOMEM;
	return below_mount(real_mount, directory, ret_path);
}
