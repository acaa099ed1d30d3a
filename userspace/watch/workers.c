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
	if (error)
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

static bool is_workers_child(const struct watch *watch, const struct process *parent)
{
	struct process grandparent;

	return parent->parent && !process_look(parent->parent, &grandparent) &&
	       worker_kind(watch, parent, &grandparent, true);
}

/* One process of a search. Never the last. */
static bool process_judge(const struct process *process, void *context)
{
	struct watch_call *call = context;
	struct awaiting *awaiting = awaiting_find(call->watch, process->parent);
	bool held = process->state == 'T', go_on;
	const struct agent_kind *kind;
	struct process parent;

	if (!process->parent || process_look(process->parent, &parent))
		return false;
	if (call->identity && awaiting && awaiting->start_ticks == parent.start_ticks)
		child_look(call, awaiting, process);
	kind = worker_kind(call->watch, process, &parent, true);
	/* Where identities are asked for, a child that is held goes on when its report is read. */
	go_on = kind ? worker_report(call, process, kind) :
		       held && !call->identity && is_workers_child(call->watch, &parent);
	/* A watch that was killed has let nobody go on; this one, whom it was told to keep. */
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
