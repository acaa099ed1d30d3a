/* SPDX-License-Identifier: GPL-2.0 */
/* Stub: see watch.h. */
#include "watch/watch.h"

#include <errno.h>

#include "exec.skel.h"

int watch_open(const struct agent_kind *kinds, size_t count, struct watch **ret_watch)
{
	(void)kinds;
	(void)count;
	(void)ret_watch;
	return -ENOSYS;
}

void watch_close(struct watch *watch)
{
	(void)watch;
}

int watch_fd(const struct watch *watch)
{
	(void)watch;
	return -1;
}

int watch_read(struct watch *watch, worker_fn worker, identity_fn identity, void *context)
{
	(void)watch;
	(void)worker;
	(void)identity;
	(void)context;
	return -ENOSYS;
}

int watch_scan(struct watch *watch, worker_fn worker, void *context)
{
	(void)watch;
	(void)worker;
	(void)context;
	return -ENOSYS;
}

int watch_worker_add(struct watch *watch, pid_t worker, const struct agent_kind *kind)
{
	(void)watch;
	(void)worker;
	(void)kind;
	return -ENOSYS;
}

void watch_worker_remove(struct watch *watch, pid_t worker)
{
	(void)watch;
	(void)worker;
}

int watch_jobs_below(struct watch *watch, const char *cgroup)
{
	(void)watch;
	(void)cgroup;
	return -ENOSYS;
}

uint64_t watch_lost(const struct watch *watch)
{
	(void)watch;
	return 0;
}
