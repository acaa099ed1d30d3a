/* SPDX-License-Identifier: GPL-2.0 */
/* The cgroup of a job: make it below the caller's own, see it empty, kill it, remove it. */
#ifndef BUILDFENCE_CGROUP_H
#define BUILDFENCE_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* Where cgroup2 is mounted according to `mounts` (the format of /proc/self/mounts). */
int cgroup_mount_find(FILE *mounts, char **ret_path);

/* The path of cgroup2 in `membership` (the format of /proc/self/cgroup), from cgroup2's root. */
int cgroup_own_find(FILE *membership, char **ret_path);

/* Opens the root directory of cgroup2. Returns a descriptor, -ENOENT, or another -errno. */
int cgroup_root_open(char **ret_directory);

/*
 * The cgroup of a process (0: the caller's), from cgroup2's root. Returns 0, -ESRCH (it is gone),
 * -ENOENT (the caller is in none), or another -errno.
 */
int cgroup_of_process(pid_t pid, char **ret_path);

/*
 * A job's name as part of a cgroup's name: letters, digits, '_' and '-' stay, everything else
 * becomes '_'; at most `size` - 1 bytes; never empty.
 */
void cgroup_name_clean(const char *job, char *ret_name, size_t size);

struct cgroup {
	int parent_fd;
	int fd;			/* the directory, O_RDONLY: it can be listed and attached to */
	char *name;
	char *path;		/* from cgroup2's root */
	char *directory;	/* in the file system, for messages */
};

/*
 * Makes "buildfence-JOB.TAG" (with ".keep" when its processes may outlive their owner) in the
 * caller's own cgroup. Returns 0, -ENOENT (no cgroup2 here), or another -errno.
 */
int cgroup_make(const char *job, bool keep, struct cgroup **ret_cgroup);

/* Closes the descriptors; the cgroup itself stays. NULL is fine. */
void cgroup_free(struct cgroup *cgroup);

static inline void cgroup_cleanup(struct cgroup **cgroup)
{
	cgroup_free(*cgroup);
}
#define _cleanup_cgroup_ __attribute__((cleanup(cgroup_cleanup)))

/*
 * Moves a process, and its descendants that were born before it was moved, into a cgroup. Returns
 * 0, -ESRCH (it is gone), or another -errno.
 */
int cgroup_move(int cgroup_fd, pid_t pid);

/* 1: some process is in it or below it; 0: none; or -errno (-ENODEV: it is gone). */
int cgroup_populated(int cgroup_fd);

/*
 * The same, read from an open cgroup.events: this also arms the next EPOLLPRI, which tells that it
 * changed.
 */
int cgroup_events_populated(int events_fd);

/* Waits until it is empty. Returns 0, -ETIMEDOUT, or another -errno. */
int cgroup_empty_wait(int cgroup_fd, int timeout_ms);

/* Kills everything in it and below it and waits until it is empty. The same results. */
int cgroup_kill(int cgroup_fd, int timeout_ms);

/* Removes a cgroup and all cgroups below it. Returns 0 or -errno (-EBUSY: not empty). */
int cgroup_remove(int parent_fd, const char *name);

#endif
