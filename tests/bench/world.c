/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Three cgroups, one guarded, one with empty programs at the same hooks, one with nothing, and in
 * each a worker that runs what it is told. All in a network namespace of our own.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench.h"
#include "job/cgroup.h"

/* The hooks of guard_attach(). */
static const struct {
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
} hooks[] = {
	{ BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE },
	{ BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS },
	{ BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS },
	{ BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT },
	{ BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_CONNECT },
	{ BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG },
	{ BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_SENDMSG },
};

struct order {
	unsigned int work;
	unsigned int times;
	char addr[64];
};

struct worker {
	struct cgroup *cgroup;
	pid_t pid;
	int orders, results;
};

struct world {
	struct guard *guard;
	uint32_t job;
	struct worker workers[SIDES];
	int links[ARRAY_SIZE(hooks)];
};

static void empty_attach(struct world *world, int cgroup_fd)
{
	/* r0 = 1; exit */
	const struct bpf_insn yes[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1 }, { .code = BPF_JMP | BPF_EXIT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = hooks[i].attach);
		_cleanup_close_ int fd = bpf_prog_load(hooks[i].type, "empty", "GPL", yes,
						       ARRAY_SIZE(yes), &options);

		bench_check(fd, "load an empty program");
		world->links[i] = bpf_link_create(fd, cgroup_fd, hooks[i].attach, NULL);
		bench_check(world->links[i], "attach an empty program");
	}
}

/* Runs orders until the pipe closes. */
static void worker_main(int orders, int results)
{
	struct order order;

	while (read(orders, &order, sizeof(order)) == (ssize_t)sizeof(order)) {
		uint64_t ns = works[order.work](order.addr, order.times);

		if (write(results, &ns, sizeof(ns)) != (ssize_t)sizeof(ns))
			break;
	}
	_exit(0);
}

static void worker_enter(int cgroup_fd)
{
	_cleanup_close_ int fd = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(1);
}

static void worker_start(struct world *world, enum side side)
{
	struct worker *worker = &world->workers[side];
	int orders[2], results[2];

	bench_check(pipe2(orders, O_CLOEXEC) ? -errno : 0, "make a pipe");
	bench_check(pipe2(results, O_CLOEXEC) ? -errno : 0, "make a pipe");
	worker->pid = fork();
	bench_check(worker->pid < 0 ? -errno : 0, "fork");
	if (worker->pid == 0) {
		/* The ends of the workers before: they would never see theirs close. */
		for (enum side i = 0; i < side; i++)
			close(world->workers[i].orders);
		close(orders[1]);
		close(results[0]);
		worker_enter(worker->cgroup->fd);
		worker_main(orders[0], results[1]);
	}
	close(orders[0]);
	close(results[1]);
	worker->orders = orders[1];
	worker->results = results[0];
}

struct world *world_open(unsigned int extra, uint64_t *ret_attach_ns, uint64_t *ret_load_ns)
{
	static const char *const names[SIDES] = { "bench-plain", "bench-empty", "bench-guarded" };
	struct world *world = calloc(1, sizeof(*world));
	uint32_t policy;
	uint64_t start;

	bench_check(world ? 0 : -ENOMEM, "make the benchmark's world");
	for (enum side side = 0; side < SIDES; side++)
		bench_check(cgroup_make(names[side], false, &world->workers[side].cgroup),
			    "make a cgroup");
	bench_check(guard_open(NULL, &world->guard), "load the programs");
	policy = bench_policy_add(world->guard, extra, ret_load_ns);
	bench_check(guard_job_add(world->guard, &world->job), "make a job's tables");
	start = bench_now_ns();
	bench_check(guard_attach(world->guard, world->workers[SIDE_GUARDED].cgroup->fd, world->job,
				 policy, MODE_ENFORCE, NULL, NULL), "attach the guard");
	*ret_attach_ns = bench_now_ns() - start;
	empty_attach(world, world->workers[SIDE_EMPTY].cgroup->fd);
	for (enum side side = 0; side < SIDES; side++)
		worker_start(world, side);
	return world;
}

void world_close(struct world *world)
{
	for (enum side side = 0; side < SIDES; side++) {
		struct worker *worker = &world->workers[side];

		close(worker->orders);
		close(worker->results);
		waitpid(worker->pid, NULL, 0);
		if (side == SIDE_GUARDED)
			guard_detach(world->guard, world->job);
		cgroup_remove(worker->cgroup->parent_fd, worker->cgroup->name);
		cgroup_free(worker->cgroup);
	}
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		close(world->links[i]);
	guard_close(world->guard);
	free(world);
}

uint64_t world_run(struct world *world, enum side side, unsigned int work, const char *addr,
		   unsigned int times)
{
	struct worker *worker = &world->workers[side];
	struct order order = { .work = work, .times = times };
	uint64_t ns = 0;

	snprintf(order.addr, sizeof(order.addr), "%s", addr);
	if (write(worker->orders, &order, sizeof(order)) != (ssize_t)sizeof(order) ||
	    read(worker->results, &ns, sizeof(ns)) != (ssize_t)sizeof(ns) || !ns)
		bench_check(-EIO, "run a worker");
	return ns;
}

double world_ratio(struct world *world, unsigned int work, const char *addr, unsigned int times,
		   enum side a, enum side b, unsigned int pairs)
{
	double ratios[64];

	/* One run each for what is only slow at first. */
	world_run(world, a, work, addr, times);
	world_run(world, b, work, addr, times);
	for (unsigned int i = 0; i < pairs && i < ARRAY_SIZE(ratios); i++) {
		bool swap = i & 1;
		uint64_t first = world_run(world, swap ? b : a, work, addr, times);
		uint64_t second = world_run(world, swap ? a : b, work, addr, times);

		ratios[i] = swap ? (double)second / (double)first : (double)first / (double)second;
	}
	return bench_median(ratios, pairs);
}
