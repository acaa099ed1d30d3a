/* SPDX-License-Identifier: GPL-2.0 */
/* The watch itself, for the files that read the kernel's reports and those that search /proc. */
#ifndef BUILDFENCE_WATCH_INTERNAL_H
#define BUILDFENCE_WATCH_INTERNAL_H

#include <stdbool.h>

#include "exec.h"
#include "watch/process.h"
#include "watch/watch.h"

struct exec_bpf;
struct ring_buffer;
struct watch_call;

/* A worker whose identity is awaited. */
struct awaiting {
	struct awaiting *next;
	const struct agent_kind *kind;
	uint64_t start_ticks;
	pid_t pid;
	bool fresh;			/* nobody looked yet at what runs already */
};

struct watch {
	struct exec_bpf *skeleton;
	struct ring_buffer *ring;
	const struct agent_kind *kinds;
	size_t kind_count;
	struct awaiting *awaiting;
	char *jobs;			/* see watch_jobs_below(); NULL: nowhere */
	uint64_t lost;			/* that we know of */
	struct watch_call *call;	/* that is under way, for the ring's reader */
	bool search;			/* something was missed */
	int epoll_fd;
	int fresh_fd;			/* an eventfd: some of `awaiting` are fresh */
};

/* One call of watch_read() or watch_scan(). */
struct watch_call {
	struct watch *watch;
	worker_fn worker;
	identity_fn identity;		/* NULL in a scan */
	void *context;
	unsigned int events;		/* that the kernel reported */
	int error;			/* the first one */
};

/* watch_open() with a ring of so many bytes (a power of two of pages; 0: as exec.bpf.c says). */
int watch_open_sized(const struct agent_kind *kinds, size_t count, uint32_t ring_bytes,
		     struct watch **ret_watch);

/*
 * The kind of a worker, whose parent is `parent` and had the name `parent_comm` when it began; NULL
 * when it is none. With `deep`, its files and arguments may tell its name too.
 */
const struct agent_kind *worker_kind(const struct watch *watch, const struct process *process,
				     const struct process *parent, bool deep);

/* Is it in a job, and so no worker, whatever its names are? */
bool is_in_job(const struct watch *watch, pid_t pid);

/* Hands a worker to the caller, unless it has ended or is in a job. Returns: it may go on. */
bool worker_report(struct watch_call *call, const struct process *process,
		   const struct agent_kind *kind);

/* identity.c's word on those who are fresh, and on one child of an awaited worker. */
void awaiting_look(struct watch_call *call);
struct awaiting *awaiting_find(const struct watch *watch, pid_t worker);
void child_look(struct watch_call *call, struct awaiting *awaiting, const struct process *child);

/* Searches /proc for workers, and for children of awaited ones. */
void processes_search(struct watch_call *call);

#endif
