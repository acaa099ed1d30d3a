/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tells the daemon of two kinds of processes, at the moment their program begins: those that have
 * the name of a worker, and those whose parent is a worker whose first child is awaited. Everyone
 * else costs two lookups. Whether it is a worker indeed is judged in userspace. Until then it is
 * held: stopped before its first instruction, so that none is run outside the job, and no child
 * tells another environment than the agent gave it.
 *
 * It is told twice of each exec, since the kernel skips a program on a processor where it was
 * interrupted. Tracepoints of new kernels can be preempted (seen on 7.3): a process to which that
 * happens in just this place, and that gets no more time, would hide all who come after. The other
 * way runs without preemption, but is skipped where somebody's bpf() call was interrupted, which is
 * counted since 6.7 only.
 *
 * An object of its own, loaded by watch/watch.c: it guards nothing and is never pinned, so nobody
 * is held while no daemon runs.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "exec.h"

#define SIGSTOP	19	/* of asm-generic/signal.h, as x86 and arm64 have it */

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
 * contended: `lost` is counted, nobody is held, and watch_read() searches /proc instead.
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

/*
 * Whom one of the two programs has seen, until the other one comes: the second finds the entry and
 * takes it away. Where the other was skipped, the kernel drops the entry some day.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, EXEC_AWAITED);
	__type(key, struct exec_seen);
	__type(value, __u32);
} seen SEC(".maps");

static __always_inline int is_second(__u32 pid, __u64 start_ns)
{
	struct exec_seen key = { .start_ns = start_ns, .pid = pid };
	__u32 value = 1;

	if (!bpf_map_delete_elem(&seen, &key))
		return 1;
	bpf_map_update_elem(&seen, &key, &value, BPF_ANY);
	return 0;
}

/* After the point of no return, in the new program. Always 0. */
static __always_inline int exec_report(struct task_struct *task)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	__u32 parent = BPF_CORE_READ(task, real_parent, tgid);
	struct exec_name name = {};
	struct exec_event *event;
	__u64 start_ns;
	__u32 what = 0;

	bpf_get_current_comm(&name, sizeof(name));
	if (bpf_map_lookup_elem(&names, &name) && bpf_current_task_under_cgroup(&jobs, 0) != 1)
		what |= EXEC_WORKER;
	if (bpf_map_lookup_elem(&awaited, &parent))
		what |= EXEC_CHILD;
	if (!what)
		return 0;

	start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	if (is_second(pid, start_ns))
		return 0;
	event = bpf_ringbuf_reserve(&execs, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	/* Before the report is readable: who is told to go on must have been stopped. */
	if (!bpf_send_signal(SIGSTOP))
		what |= EXEC_HELD;
	event->start_ns = start_ns;
	event->parent_start_ns = BPF_CORE_READ(task, real_parent, group_leader, start_boottime);
	event->pid = pid;
	event->parent = parent;
	event->what = what;
	event->pad = 0;
	event->name = name;
	BPF_CORE_READ_INTO(&event->parent_name.comm, task, real_parent, group_leader, comm);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* sched_process_exec(task, old pid, binary) */
SEC("raw_tp/sched_process_exec")
int watch_exec(struct bpf_raw_tracepoint_args *ctx)
{
	return exec_report((struct task_struct *)(unsigned long)ctx->args[0]);
}

SEC("tp/sched/sched_process_exec")
int watch_exec_again(void *ctx)
{
	return exec_report((struct task_struct *)bpf_get_current_task());
}

char LICENSE[] SEC("license") = "GPL";
