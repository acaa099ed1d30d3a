/* SPDX-License-Identifier: GPL-2.0 */
/* What a run that was killed left behind, and the warden that cleans up at once. */
#ifndef BUILDFENCE_LEFTOVER_H
#define BUILDFENCE_LEFTOVER_H

#include <stdbool.h>
#include <sys/types.h>

struct cgroup;

/*
 * Kills and removes the cgroups of runs that are gone, then their pins: first nothing runs there
 * any more, then the pins that guarded it go. Kept cgroups (".keep") go once they are empty.
 * Returns how many cgroups were removed, or -errno of the last failure.
 */
int job_collect_dead(void);

/*
 * Is a cgroup (its path from cgroup2's root, which `root_fd` is) that of a run, or below one, also
 * of a run that is dead? Only root makes those: another's cgroup of such a name is none.
 */
bool cgroup_is_of_run(int root_fd, const char *path);

struct warden {
	pid_t pid;
	int pipe_fd;		/* closing it without a word starts the clean-up */
};

/*
 * Starts a small process outside the job's cgroup. Should this process die, it kills the job, then
 * removes its pins and its cgroup. It has a session and process group of its own, so that a signal
 * to ours does not reach it. Returns 0 or -errno.
 */
int warden_start(const struct cgroup *cgroup, struct warden *ret_warden);

/* Ends it with nothing done, and waits for it. */
void warden_stop(struct warden *warden);

#endif
