/* SPDX-License-Identifier: GPL-2.0 */
/* Cgroups that the configuration guards from the start: found now, and seen when they appear. */
#ifndef BUILDFENCE_GUARDED_H
#define BUILDFENCE_GUARDED_H

struct config;
struct guarded;
struct jobs;
struct loop;

/* Sees new cgroups from now on. Returns 0 or -errno. */
int guarded_new(struct jobs *jobs, const char *cgroup_mount, struct loop *loop,
		struct guarded **ret_guarded);
void guarded_free(struct guarded *guarded);

/*
 * Guards what the configuration names and is not guarded yet; `config` must live until the next
 * call or guarded_free(). Failures are logged.
 */
void guarded_scan(struct guarded *guarded, const struct config *config);

/* The same for the configuration that was given last. */
void guarded_scan_again(void *guarded);

#endif
