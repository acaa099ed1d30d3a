/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tells the daemon of two kinds of processes, at the moment their program begins: those that have
 * the name of a worker, and those whose parent is a worker whose first child is awaited. Everyone
 * else costs two lookups. Whether it is a worker indeed is judged in userspace; nothing is kept
 * from running here.
 *
 * An object of its own, loaded by watch/watch.c: it guards nothing and is never pinned.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "exec.h"

/* The fields that are read, wherever a kernel has them; the tracepoint's task is the caller. */
struct task_struct {
	int tgid;
	struct task_struct *real_parent;	/* a thread: its leader has the process's name */
	struct task_struct *group_leader;
	__u64 start_boottime;
	char comm[EXEC_COMM_LEN];
} __attribute__((preserve_access_index));

/*
 * Names of workers. Written by watch_open(), read here. Preallocated, as the next one is: kernels
 * before 6.1 warn of a tracing program that would allocate. More names than fit: watch_open()
 * fails.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EXEC_NAMES);
	__type(key, struct exec_name);
	__type(value, __u32);
} names SEC(".maps");

/*
 * Workers (tgid) whose first child is awaited. Written by watch_worker_add(), which fails when it
 * is full.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, EXEC_AWAITED);
	__type(key, __u32);
	__type(value, __u32);
} awaited SEC(".maps");

/*
 * Read by watch_read(); holds 3,640 reports, since a thousand jobs may begin at once. Full, or
 * contended: `lost` is counted, and watch_read() searches /proc instead.
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 << 10);
} execs SEC(".maps");

__u64 lost;

/*
 * The cgroup below which the jobs are. A process there is in a job already, so no worker, whatever
 * it calls itself. Written by watch_jobs_below(); empty: nobody is. The helper's older sister is
 * used, since tracing programs of 5.10 may not ask for an ancestor's id.
 */
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} jobs SEC(".maps");

/* sched_process_exec(task, old pid, binary): after the point of no return, in the new program. */
SEC("raw_tp/sched_process_exec")
int watch_exec(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)(unsigned long)ctx->args[0];
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	__u32 parent = BPF_CORE_READ(task, real_parent, tgid);
	struct exec_event event = { .pid = pid, .parent = parent };

	bpf_get_current_comm(&event.name, sizeof(event.name));
	if (bpf_map_lookup_elem(&names, &event.name) &&
	    bpf_current_task_under_cgroup(&jobs, 0) != 1)
		event.what |= EXEC_WORKER;
	if (bpf_map_lookup_elem(&awaited, &parent))
		event.what |= EXEC_CHILD;
	if (!event.what)
		return 0;

	event.start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	event.parent_start_ns = BPF_CORE_READ(task, real_parent, group_leader, start_boottime);
	BPF_CORE_READ_INTO(&event.parent_name.comm, task, real_parent, group_leader, comm);
	if (bpf_ringbuf_output(&execs, &event, sizeof(event), 0))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
