/* SPDX-License-Identifier: GPL-2.0 */
/* The cgroup that a person names, as the daemon names it: the path from cgroup2's root. */
#ifndef BUILDFENCE_CONTROL_CGROUP_PATH_H
#define BUILDFENCE_CONTROL_CGROUP_PATH_H

/*
 * Resolves "self" (the caller's own), a directory in the file system, or a path from cgroup2's
 * root; the cgroup must be there. Returns 0 and a path to free ("/" for the root), -EINVAL (neither
 * "self" nor absolute), -ENOENT, -ENOMEDIUM (cgroup2 is not mounted), or another -errno.
 */
int cgroup_path_resolve(const char *argument, char **ret_path);

#endif
