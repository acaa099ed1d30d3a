/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The BPF program of exec.bpf.c, and its reports. What they mean is judged by workers.c and
 * awaiting.c, with the help of /proc.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mount.h"
#include "config/config.h"
#include "exec.skel.h"
#include "job/cgroup.h"
#include "watch/internal.h"

_Static_assert(WATCH_NAMES_MAX == EXEC_NAMES, "as many kinds as the kernel takes names");
_Static_assert(WATCH_AWAITED_MAX == EXEC_AWAITED, "as many workers as the kernel awaits");

/* Others' turn comes between so many: programs may begin faster than they can be looked at. */
#define EVENTS_MAX		256

/* PROC_PID_INIT_INO of the kernel's proc_ns.h: the first PID namespace, on every machine. */
#define FIRST_PID_NAMESPACE	0xeffffffcU

#define TRACEFS			"/sys/kernel/tracing"

/* As the kernel counts it for /proc/PID/stat. */
static uint64_t ticks_of(uint64_t ns)
{
	return ns / (1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK));
}

/*
 * A worker's parent, as it was at exec: by now it may be gone, or have another name. Returns
 * whether the process may go on.
 */
static bool worker_began(struct watch_call *call, const struct exec_event *event)
{
	struct process parent = {
		.pid = (pid_t)event->parent, .start_ticks = ticks_of(event->parent_start_ns),
	};
	struct process process = {
		.pid = (pid_t)event->pid, .start_ticks = ticks_of(event->start_ns),
		.parent = parent.pid, .state = event->what & EXEC_HELD ? 'T' : 'R',
	};
	const struct agent_kind *kind;

	if (is_in_job(call->watch, process.pid))
		return true;
	memcpy(process.comm, event->name.comm, sizeof(process.comm));
	memcpy(parent.comm, event->parent_name.comm, sizeof(parent.comm));
	kind = worker_kind(call->watch, &process, &parent, false);
	return !kind || worker_report(call, &process, kind);
}

static void child_began(struct watch_call *call, const struct exec_event *event)
{
	struct awaiting *awaiting = awaiting_find(call->watch, (pid_t)event->parent);
	struct process child = {
		.pid = (pid_t)event->pid, .start_ticks = ticks_of(event->start_ns),
	};

	memcpy(child.comm, event->name.comm, sizeof(child.comm));
	if (awaiting && awaiting->start_ticks == ticks_of(event->parent_start_ns))
		child_look(call, awaiting, &child);
}

/*
 * The next ones must be read whatever becomes of this one: errors are kept in the call. -EAGAIN: it
 * was taken, and the rest is left for the next call. Without a call the watch ends, and nobody asks
 * what it was.
 */
static int event_read(void *context, void *bytes, size_t size)
{
	struct watch_call *call = ((struct watch *)context)->call;
	struct exec_event event;
	bool go_on = true;

	if (size < sizeof(event))
		return 0;
	memcpy(&event, bytes, sizeof(event));
	if (call && event.what & EXEC_WORKER)
		go_on = worker_began(call, &event);
	if (call && event.what & EXEC_CHILD)
		child_began(call, &event);
	/* A child, whatever became of it: its worker's guard is around it. */
	if (go_on && event.what & EXEC_HELD)
		process_continue((pid_t)event.pid, ticks_of(event.start_ns));
	return call && ++call->events == EVENTS_MAX ? -EAGAIN : 0;
}

static int names_load(struct watch *watch)
{
	int fd = bpf_map__fd(watch->skeleton->maps.names);
	uint32_t value = 1;
	int error = 0;

	for (size_t i = 0; !error && i < watch->kind_count; i++) {
		struct exec_name name = {};
		size_t length = strlen(watch->kinds[i].worker);

		memcpy(name.comm, watch->kinds[i].worker,
		       length < EXEC_COMM_LEN ? length : EXEC_COMM_LEN - 1);
		error = bpf_map_update_elem(fd, &name, &value, BPF_ANY);
	}
	return error;
}

static int descriptors_open(struct watch *watch)
{
	struct epoll_event readable = { .events = EPOLLIN };

	watch->fresh_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (watch->fresh_fd < 0 || watch->epoll_fd < 0 ||
	    epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, watch->fresh_fd, &readable) < 0 ||
	    epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, ring_buffer__epoll_fd(watch->ring),
		      &readable) < 0)
		return -errno;
	return 0;
}

static int program_start(struct watch *watch, uint32_t ring_bytes)
{
	int error = 0;

	watch->skeleton = exec_bpf__open();
	if (!watch->skeleton)
		return -errno;
	if (ring_bytes)
		error = bpf_map__set_max_entries(watch->skeleton->maps.execs, ring_bytes);
	if (!error)
		error = exec_bpf__load(watch->skeleton);
	if (!error)
		error = names_load(watch);
	if (error)
		return error;
	watch->ring = ring_buffer__new(bpf_map__fd(watch->skeleton->maps.execs), event_read, watch,
				       NULL);
	if (!watch->ring)
		return -errno;
	error = descriptors_open(watch);
	/* libbpf looks up the tracepoint's number there. */
	if (!error)
		error = mount_ensure("tracefs", TRACEFS, TRACEFS_MAGIC);
	return error ? error : exec_bpf__attach(watch->skeleton);
}

int watch_open_sized(const struct agent_kind *kinds, size_t count, uint32_t ring_bytes,
		     struct watch **ret_watch)
{
	_cleanup_watch_ struct watch *watch = NULL;
	struct stat namespace;
	int error;

	if (count > WATCH_NAMES_MAX)
		return -E2BIG;
	if (stat("/proc/self/ns/pid", &namespace) < 0)
		return -errno;
	if (namespace.st_ino != FIRST_PID_NAMESPACE)
		return -EOPNOTSUPP;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->epoll_fd = -1;
	watch->fresh_fd = -1;
	watch->kinds = kinds;
	watch->kind_count = count;
	error = program_start(watch, ring_bytes);
	if (!error)
		*ret_watch = TAKE_PTR(watch);
	return error;
}

int watch_open(const struct agent_kind *kinds, size_t count, struct watch **ret_watch)
{
	return watch_open_sized(kinds, count, 0, ret_watch);
}

void watch_close(struct watch *watch)
{
	if (!watch)
		return;
	while (watch->awaiting)
		watch_worker_remove(watch, watch->awaiting->pid);
	if (watch->ring) {
		exec_bpf__detach(watch->skeleton);
		ring_buffer__consume(watch->ring);
	}
	ring_buffer__free(watch->ring);
	exec_bpf__destroy(watch->skeleton);
	close_fd(&watch->epoll_fd);
	close_fd(&watch->fresh_fd);
	free(watch->jobs);
	free(watch);
}

int watch_fd(const struct watch *watch)
{
	return watch->epoll_fd;
}

uint64_t watch_lost(const struct watch *watch)
{
	uint64_t lost = __atomic_load_n(&watch->skeleton->bss->lost, __ATOMIC_RELAXED);
	int fd = bpf_program__fd(watch->skeleton->progs.watch_exec_again);
	struct bpf_prog_info program = {};
	__u32 size = sizeof(program);

	/* Whom this one misses, the other one has mostly seen; but nobody says so. */
	if (!bpf_obj_get_info_by_fd(fd, &program, &size))
		lost += program.recursion_misses;
	return lost;
}

int watch_read(struct watch *watch, worker_fn worker, identity_fn identity, void *context)
{
	struct watch_call call = {
		.watch = watch, .worker = worker, .identity = identity, .context = context,
	};
	uint64_t number;
	int consumed;

	/* Only to make it unreadable: what is fresh is marked so. */
	if (read(watch->fresh_fd, &number, sizeof(number)) < 0 && errno != EAGAIN)
		return -errno;
	awaiting_look(&call);
	watch->call = &call;
	consumed = ring_buffer__consume(watch->ring);
	watch->call = NULL;
	if (consumed < 0 && consumed != -EAGAIN)
		watch->search = true;

	/* Read after the ring is empty: while it is full, nothing new is told. */
	number = watch_lost(watch);
	if (number != watch->lost || watch->search) {
		watch->lost = number;
		processes_search(&call);
	}
	awaiting_look(&call);
	return call.error;
}

int watch_scan(struct watch *watch, worker_fn worker, void *context)
{
	struct watch_call call = { .watch = watch, .worker = worker, .context = context };

	processes_search(&call);
	return call.error;
}

static int cgroup_open(const char *cgroup)
{
	_cleanup_free_ char *mount = NULL, *directory = NULL;
	_cleanup_fclose_ FILE *mounts = fopen("/proc/self/mounts", "re");
	int error, fd;

	if (!mounts)
		return -errno;
	error = cgroup_mount_find(mounts, &mount);
	if (error)
		return error;
	if (asprintf(&directory, "%s%s", mount, cgroup) < 0)
		return -ENOMEM;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int watch_jobs_below(struct watch *watch, const char *cgroup)
{
	int map_fd = bpf_map__fd(watch->skeleton->maps.jobs), error = 0;
	_cleanup_free_ char *jobs = NULL;
	_cleanup_close_ int fd = -1;
	uint32_t key = 0;

	if (cgroup) {
		jobs = strdup(cgroup);
		if (!jobs)
			return -ENOMEM;
		for (size_t end = strlen(jobs); end && jobs[end - 1] == '/'; end--)
			jobs[end - 1] = '\0';
		/* Everyone is below the root. */
		if (*jobs != '/')
			return -EINVAL;
		fd = cgroup_open(jobs);
		if (fd < 0)
			return fd;
		error = bpf_map_update_elem(map_fd, &key, &fd, BPF_ANY);
	} else {
		error = bpf_map_delete_elem(map_fd, &key);
	}
	/* There was nothing to delete. */
	if (error && (cgroup || error != -ENOENT))
		return error;
	free(watch->jobs);
	watch->jobs = TAKE_PTR(jobs);
	return 0;
}
