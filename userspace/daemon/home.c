/* SPDX-License-Identifier: GPL-2.0 */
/* Cgroups by their paths from cgroup2's root. What is done with them is job/cgroup.h's matter. */
#include "daemon/home.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "job/cgroup.h"

int home_open(const char *path, struct home *ret_home)
{
	struct home home = { .root_fd = -1, .fd = -1 };
	int error = 0;

	home.root_fd = cgroup_root_open(&home.mount);
	if (home.root_fd < 0)
		return home.root_fd;
	if (path)
		home.path = strdup(path);
	else
		error = cgroup_of_process(0, &home.path);
	if (!error && !home.path)
		error = -ENOMEM;
	if (!error) {
		home.fd = home_cgroup_open(&home, home.path);
		error = home.fd < 0 ? home.fd : 0;
	}
	if (error) {
		home_close(&home);
		return error;
	}
	if (!strcmp(home.path, "/"))
		home.path[0] = '\0';
	*ret_home = home;
	return 0;
}

void home_close(struct home *home)
{
	close_fd(&home->fd);
	close_fd(&home->root_fd);
	free(home->path);
	free(home->mount);
	*home = (struct home){ .root_fd = -1, .fd = -1 };
}

static const char *relative(const char *path)
{
	path += strspn(path, "/");
	return *path ? path : ".";
}

int home_cgroup_open(const struct home *home, const char *path)
{
	int fd = openat(home->root_fd, relative(path),
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

uint64_t home_cgroup_id(const struct home *home, const char *path)
{
	struct stat status;

	return fstatat(home->root_fd, relative(path), &status, AT_SYMLINK_NOFOLLOW) ? 0 :
	       status.st_ino;
}

int home_cgroup_make(const struct home *home, const char *name)
{
	int fd;

	if (mkdirat(home->fd, name, 0755) < 0)
		return -errno;
	fd = openat(home->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		int error = -errno;

		unlinkat(home->fd, name, AT_REMOVEDIR);
		return error;
	}
	return fd;
}

bool cgroup_is_within(const char *path, const char *above)
{
	size_t length = strlen(above);

	while (length && above[length - 1] == '/')
		length--;
	return !strncmp(path, above, length) && (path[length] == '/' || path[length] == '\0');
}

bool cgroup_holds_vm_agent(const char *path)
{
	static const char *const slices[] = { "/azure.slice", "/system.slice" };
	static const char *const units[] = { "walinuxagent.service", "waagent.service" };
	size_t length = strlen(path), name;

	while (length && path[length - 1] == '/')
		length--;
	for (name = length; name && path[name - 1] != '/'; name--)
		;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (length - name == strlen(units[i]) &&
		    !strncmp(path + name, units[i], length - name))
			return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(slices); i++) {
		if (cgroup_is_within(slices[i], path))
			return true;
	}
	return false;
}

bool cgroup_path_is_plain(const char *path)
{
	if (!strcmp(path, "/"))
		return true;
	if (strlen(path) >= PATH_MAX)
		return false;
	while (*path == '/') {
		size_t length = strcspn(++path, "/");

		if (!length || (length == 1 && *path == '.') ||
		    (length == 2 && !strncmp(path, "..", 2)))
			return false;
		path += length;
		if (!*path)
			return true;
	}
	return false;
}
