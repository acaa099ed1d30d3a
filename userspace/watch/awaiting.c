/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Workers that wait for their identity. The first child that has one decides: later ones run what a
 * pipeline chose, and could say anything. So could the first, had it ended its first program before
 * we read it; names in records are the agent's word only as far as we are that fast.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "config/config.h"
#include "exec.skel.h"
#include "watch/internal.h"

struct awaiting *awaiting_find(const struct watch *watch, pid_t worker)
{
	struct awaiting *awaiting = watch->awaiting;

	while (awaiting && awaiting->pid != worker)
		awaiting = awaiting->next;
	return awaiting;
}

static int awaited_fd(const struct watch *watch)
{
	return bpf_map__fd(watch->skeleton->maps.awaited);
}

int watch_worker_add(struct watch *watch, pid_t worker, uint64_t start_ticks,
		     const struct agent_kind *kind)
{
	struct awaiting *awaiting = awaiting_find(watch, worker);
	uint64_t one = 1;
	uint32_t key = (uint32_t)worker, value = 1;
	struct process process;
	int error;

	error = process_look(worker, &process);
	if (error)
		return error;
	if (process.start_ticks != start_ticks)
		return -ESRCH;
	if (awaiting && awaiting->start_ticks == start_ticks)
		return 0;
	watch_worker_remove(watch, worker);
	if (kind->identity_in_child)
		error = bpf_map_update_elem(awaited_fd(watch), &key, &value, BPF_ANY);
	if (error)
		return error;
	awaiting = calloc(1, sizeof(*awaiting));
	if (!awaiting) {
		bpf_map_delete_elem(awaited_fd(watch), &key);
		return -ENOMEM;
	}
	awaiting->pid = worker;
	awaiting->start_ticks = start_ticks;
	awaiting->kind = kind;
	awaiting->fresh = true;
	awaiting->next = watch->awaiting;
	watch->awaiting = awaiting;
	/* Full only after 2^64 - 2 workers. */
	if (write(watch->fresh_fd, &one, sizeof(one)) < 0)
		watch->search = true;
	return 0;
}

void watch_worker_remove(struct watch *watch, pid_t worker)
{
	uint32_t key = (uint32_t)worker;

	for (struct awaiting **place = &watch->awaiting; *place; place = &(*place)->next) {
		struct awaiting *awaiting = *place;

		if (awaiting->pid != worker)
			continue;
		if (awaiting->kind->identity_in_child)
			bpf_map_delete_elem(awaited_fd(watch), &key);
		*place = awaiting->next;
		free(awaiting);
		return;
	}
}

/* Reads a process's environment for a worker. True: it was told, and `awaiting` is gone. */
static bool identity_tell(struct watch_call *call, struct awaiting *awaiting, pid_t pid,
			  uint64_t start_ticks)
{
	_cleanup_identity_ struct identity *identity = NULL;
	pid_t worker = awaiting->pid;
	int error = identity_read(pid, start_ticks, awaiting->kind, &identity);

	if (error == -ENOMEM) {
		call->watch->search = true;
		call->error = call->error ? call->error : error;
	}
	/* It goes without: a later child could say to be whoever it likes. */
	if (error == -EBUSY || error == -ETIMEDOUT) {
		log_error("process %d, the first child of worker %d, cannot be read: %s; its job "
			  "has no name and keeps its pool's policy", pid, worker, strerror(-error));
		watch_worker_remove(call->watch, worker);
		call->identity(worker, NULL, call->context);
		return true;
	}
	if (error)
		return false;
	watch_worker_remove(call->watch, worker);
	call->identity(worker, identity, call->context);
	return true;
}

/* Could the child's environment tell whose job it is? */
static bool child_may_tell(const struct agent_kind *kind, const struct process *child)
{
	return !kind->mute_child || !process_comm_is(child->comm, kind->mute_child);
}

void child_look(struct watch_call *call, struct awaiting *awaiting, const struct process *child)
{
	if (awaiting->kind->identity_in_child && child_may_tell(awaiting->kind, child))
		identity_tell(call, awaiting, child->pid, child->start_ticks);
}

struct children {
	struct watch_call *call;
	struct awaiting *awaiting;
};

static bool child_judge(const struct process *child, void *context)
{
	struct children *children = context;

	return child_may_tell(children->awaiting->kind, child) &&
	       identity_tell(children->call, children->awaiting, child->pid, child->start_ticks);
}

/* Children that began before it was added were not reported. */
static void fresh_look(struct watch_call *call, struct awaiting *awaiting)
{
	struct children children = { .call = call, .awaiting = awaiting };

	awaiting->fresh = false;
	if (awaiting->kind->identity_in_child)
		process_children(awaiting->pid, child_judge, &children);
	else if (!identity_tell(call, awaiting, awaiting->pid, awaiting->start_ticks))
		watch_worker_remove(call->watch, awaiting->pid);
}

/* Whoever is told may add and remove: begin again after each. */
void awaiting_look(struct watch_call *call)
{
	struct awaiting *awaiting = call->watch->awaiting;

	while (awaiting) {
		if (!awaiting->fresh) {
			awaiting = awaiting->next;
			continue;
		}
		fresh_look(call, awaiting);
		awaiting = call->watch->awaiting;
	}
}
