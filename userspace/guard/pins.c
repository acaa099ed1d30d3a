/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The folders of pins below GUARD_PINS: run-TAG/JOB/PROGRAM, one for each link; or, for a guard
 * that is taken over, NAME/jobs/JOB/PROGRAM, and NAME/maps. A pin holds the guard in force when its
 * owner dies; one whose cgroup is gone guards nothing and is collected.
 */
#include "guard/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/directory.h"
#include "base/mount.h"
#include "base/owner.h"

#define BPFFS	"/sys/fs/bpf"

/* No dots in names: bpffs keeps those for itself and says EPERM. */
int folder_make(const char *path)
{
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

int pins_root_make(void)
{
	int error = mount_ensure("bpf", BPFFS, BPF_FS_MAGIC);

	return error ? error : folder_make(GUARD_PINS);
}

/* A folder of pins holds files and, at most, folders of files. */
int folder_remove(int parent_fd, const char *name)
{
	_cleanup_directory_ DIR *directory = NULL;
	struct dirent *entry;
	int error = directory_open(parent_fd, name, &directory);

	if (error)
		return error == -ENOENT ? 0 : error;
	while (!error && (entry = directory_next(directory))) {
		if (!unlinkat(dirfd(directory), entry->d_name, 0))
			continue;
		error = -errno;
		if (error == -EISDIR || error == -EPERM)
			error = folder_remove(dirfd(directory), entry->d_name);
	}
	if (!error && unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		error = -errno;
	return error;
}

uint64_t link_cgroup(int link_fd)
{
	struct bpf_link_info link = {};
	uint32_t size = sizeof(link);

	if (bpf_obj_get_info_by_fd(link_fd, &link, &size) || link.type != BPF_LINK_TYPE_CGROUP)
		return 0;
	return link.cgroup.cgroup_id;
}

/* Is this pin a link to that cgroup, or to one that is gone, for whose id the kernel says 0? */
static bool pin_is_of(int folder_fd, const char *name, uint64_t cgroup_id)
{
	struct bpf_link_info link = {};
	uint32_t size = sizeof(link);
	_cleanup_close_ int fd = -1;
	char path[64 + NAME_MAX];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", folder_fd, name);
	fd = bpf_obj_get(path);
	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &link, &size) &&
	       link.type == BPF_LINK_TYPE_CGROUP &&
	       (!link.cgroup.cgroup_id || link.cgroup.cgroup_id == cgroup_id);
}

/* Do all pins below a folder guard that cgroup, or nothing? */
static bool folder_is_of(int parent_fd, const char *name, uint64_t cgroup_id)
{
	_cleanup_directory_ DIR *directory = NULL;
	struct dirent *entry;

	if (directory_open(parent_fd, name, &directory))
		return false;
	while ((entry = directory_next(directory))) {
		bool is_of = entry->d_type == DT_DIR ?
			     folder_is_of(dirfd(directory), entry->d_name, cgroup_id) :
			     pin_is_of(dirfd(directory), entry->d_name, cgroup_id);

		if (!is_of)
			return false;
	}
	return true;
}

bool folder_is_dead(int parent_fd, const char *name)
{
	return folder_is_of(parent_fd, name, 0);
}

int guard_pins_remove(const char *tag, int cgroup_fd)
{
	_cleanup_close_ int fd = open(GUARD_PINS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[OWNER_TAG_SIZE + 8];
	struct stat status;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(cgroup_fd, &status))
		return -errno;
	snprintf(name, sizeof(name), "run-%s", tag);
	return folder_is_of(fd, name, status.st_ino) ? folder_remove(fd, name) : 0;
}

int guard_pins_collect(void)
{
	_cleanup_directory_ DIR *directory = NULL;
	struct dirent *entry;
	int error = directory_open(AT_FDCWD, GUARD_PINS, &directory);

	if (error)
		return error == -ENOENT ? 0 : error;
	while (!error && (entry = directory_next(directory))) {
		const char *tag = entry->d_name + strlen("run-");

		if (strncmp(entry->d_name, "run-", strlen("run-")) ||
		    owner_state(tag) != OWNER_DEAD)
			continue;
		if (folder_is_dead(dirfd(directory), entry->d_name))
			error = folder_remove(dirfd(directory), entry->d_name);
	}
	return error;
}
