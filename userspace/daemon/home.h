/* SPDX-License-Identifier: GPL-2.0 */
/* Where cgroups are: cgroup2's root, and the daemon's cgroup, below which it makes the jobs'. */
#ifndef BUILDFENCE_HOME_H
#define BUILDFENCE_HOME_H

#include <stdbool.h>
#include <stdint.h>

struct home {
	int root_fd;
	char *mount;		/* of cgroup2, for messages */
	int fd;
	char *path;		/* of the daemon's cgroup, from cgroup2's root; "" for the root */
};

/* `path` (from cgroup2's root) must exist; NULL: the caller's own. Returns 0 or -errno. */
int home_open(const char *path, struct home *ret_home);
void home_close(struct home *home);

/* Opens any cgroup by its path from cgroup2's root. Returns a descriptor or -errno. */
int home_cgroup_open(const struct home *home, const char *path);

/* The id of a cgroup: its directory's inode number. 0: there is none. */
uint64_t home_cgroup_id(const struct home *home, const char *path);

/* Makes a cgroup below the daemon's. Returns a descriptor or -errno. */
int home_cgroup_make(const struct home *home, const char *name);

/* Does `path` lie below `above`, or is it the same? */
bool cgroup_is_within(const char *path, const char *above);

/*
 * Is this cgroup the Azure VM agent's unit, in whatever slice, or one of those that have it below
 * them? What is below the unit is not its.
 */
bool cgroup_holds_vm_agent(const char *path);

/*
 * Is it a path from cgroup2's root in the only form that can be compared: no "." or "..", no empty
 * part, no slash at the end, but for the root's?
 */
bool cgroup_path_is_plain(const char *path);

#endif
