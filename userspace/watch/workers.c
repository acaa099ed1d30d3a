/* SPDX-License-Identifier: GPL-2.0 */
/* Which process is a worker, and what it tells about itself before its identity is known. */
#include "watch/internal.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/owner.h"
#include "job/cgroup.h"
#include "watch/agent.h"

const struct agent_kind *worker_kind(const struct watch *watch, const struct process *process,
				     const struct process *parent, bool deep)
{
	for (size_t i = 0; i < watch->kind_count; i++) {
		const struct agent_kind *kind = &watch->kinds[i];

		if (!process_comm_is(process->comm, kind->worker) &&
		    !(deep && process_is(process, kind->worker)))
			continue;
		if (process_is(parent, kind->parent))
			return kind;
	}
	return NULL;
}

static bool is_below(const char *cgroup, const char *jobs)
{
	size_t length = strlen(jobs);

	return !strncmp(cgroup, jobs, length) && (!cgroup[length] || cgroup[length] == '/');
}

bool is_in_job(const struct watch *watch, pid_t pid)
{
	_cleanup_free_ char *cgroup = NULL;

	return watch->jobs && !cgroup_of_process(pid, &cgroup) && is_below(cgroup, watch->jobs);
}

static int worker_tell(struct watch_call *call, const struct process *process,
		       const struct agent_kind *kind, bool *ret_go_on)
{
	_cleanup_free_ char *cgroup = NULL, *agent = NULL, *pool = NULL;
	struct worker worker = {
		.pid = process->pid, .start_ticks = process->start_ticks, .kind = kind,
		.held = process->state == 'T',
	};
	struct process now;
	int error;

	error = cgroup_of_process(process->pid, &cgroup);
	if (!error)
		error = process_look(process->pid, &now);
	if (error)
		return error;
	if (now.start_ticks != process->start_ticks)
		return -ESRCH;
	if (call->watch->jobs && is_below(cgroup, call->watch->jobs))
		return 0;
	if (kind->is_azure)
		error = agent_azure_find(cgroup, process->parent, &agent, &pool);
	worker.unread = error == -EBUSY;
	if (error && !worker.unread)
		return error;
	worker.cgroup = cgroup;
	worker.agent = agent;
	worker.pool = pool;
	*ret_go_on = call->worker(&worker, call->context);
	return 0;
}

bool worker_report(struct watch_call *call, const struct process *process,
		   const struct agent_kind *kind)
{
	bool go_on = true;
	int error = worker_tell(call, process, kind, &go_on);

	if (!error || error == -ESRCH)
		return go_on;
	call->watch->search = true;
	if (!call->error)
		call->error = error;
	return false;
}

/* Is one that is stopped held by a watch: a worker, or the child of one? */
static bool may_be_held(const struct watch *watch, const struct process *parent,
			const struct agent_kind *kind)
{
	struct process grandparent;

	return kind || (parent->parent && !process_look(parent->parent, &grandparent) &&
			worker_kind(watch, parent, &grandparent, true));
}

/* One process of a search. Never the last. */
static bool process_judge(const struct process *process, void *context)
{
	struct watch_call *call = context;
	struct awaiting *awaiting = awaiting_find(call->watch, process->parent);
	/* A watch that was killed let nobody go on, not even who was in a job by then. */
	bool held = process->state == 'T', left = held && !call->identity, in_job, go_on;
	const struct agent_kind *kind = NULL;
	struct process parent;

	if (!process->parent || process_look(process->parent, &parent))
		return false;
	if (call->identity && awaiting && awaiting->start_ticks == parent.start_ticks)
		child_look(call, awaiting, process);
	/* Before anything else of it is read: a job may see to it that this takes its time. */
	in_job = is_in_job(call->watch, process->pid);
	if (!in_job || left)
		kind = worker_kind(call->watch, process, &parent, true);
	/* Where identities are asked for, a child that is held goes on when its report is read. */
	if (kind && !in_job)
		go_on = worker_report(call, process, kind);
	else
		go_on = left && may_be_held(call->watch, &parent, kind);
	if (held && go_on)
		process_continue(process->pid, process->start_ticks);
	return false;
}

void processes_search(struct watch_call *call)
{
	int error;

	/* A scan does not look for children: that is still to be done. */
	if (call->identity)
		call->watch->search = false;
	error = process_all(process_judge, call);
	if (!error)
		return;
	call->watch->search = true;
	if (!call->error)
		call->error = error;
}
