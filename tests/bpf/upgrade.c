/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A successor with other programs, really: each has an instruction more (TEST_OTHER_BUILD). They
 * come into force link by link, under traffic of which every packet is judged as before.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"
#include "job/cgroup.h"
#include "world.h"
#include "other.skel.h"

#define ALLOWED		"203.0.113.1"
#define REFUSED		"198.51.100.9"
#define PORT		9000
#define UPGRADES	6

static const char rules[] = "allow: [ 'udp://203.0.113.0/24:9000' ]";

struct traffic {
	pthread_t thread;
	int fd;
	const char *addr;
	volatile bool *stop;
	unsigned long passed;
	unsigned long refused;
	unsigned long otherwise;
};

static void *traffic_run(void *argument)
{
	struct traffic *traffic = argument;
	struct sockaddr_storage address = address_of(AF_INET, traffic->addr, PORT);

	while (!*traffic->stop) {
		if (sendto(traffic->fd, "x", 1, 0, (struct sockaddr *)&address,
			   address_len(&address)) >= 0)
			traffic->passed++;
		else if (errno == EPERM)
			traffic->refused++;
		else
			traffic->otherwise++;
	}
	return NULL;
}

/* What is attached in the place of a program: its tag, as the kernel computed it. */
static uint64_t link_tag(const struct world *world, const char *program)
{
	struct bpf_link_info link = {};
	struct bpf_prog_info info = {};
	uint32_t link_size = sizeof(link), size = sizeof(info);
	_cleanup_close_ int fd = -1, program_fd = -1;
	char path[256];
	uint64_t tag;

	snprintf(path, sizeof(path), GUARD_PINS "/%s/jobs/%u/%s", world->pins, world->job, program);
	fd = bpf_obj_get(path);
	cr_assert_eq(bpf_obj_get_info_by_fd(fd, &link, &link_size), 0, "%s", path);
	program_fd = bpf_prog_get_fd_by_id(link.prog_id);
	cr_assert_eq(bpf_obj_get_info_by_fd(program_fd, &info, &size), 0, "%s", path);
	memcpy(&tag, info.tag, sizeof(tag));
	return tag;
}

static void world_upgrade(struct world *world, bool other)
{
	world->options.object = NULL;
	if (other)
		world->options.object = other_bpf__elf_bytes(&world->options.object_size);
	world_take_over(world, NULL);
}

Test(upgrade, swaps_every_program_and_misjudges_no_packet, .timeout = 60)
{
	uint64_t before[GUARD_PROGRAMS];
	_cleanup_world_ struct world world;
	volatile bool stop = false;
	struct traffic traffic[2] = {
		{ .addr = ALLOWED, .stop = &stop }, { .addr = REFUSED, .stop = &stop },
	};
	uint64_t refused;

	world_open_pinned(&world, MODE_ENFORCE, rules);
	for (int i = 0; i < GUARD_PROGRAMS; i++)
		before[i] = link_tag(&world, bpf_program__name(world.guard->programs[i]));
	for (int i = 0; i < 2; i++) {
		traffic[i].fd = socket_job(&world, AF_INET, SOCK_DGRAM);
		pthread_create(&traffic[i].thread, NULL, traffic_run, &traffic[i]);
	}
	for (int i = 1; i <= UPGRADES; i++) {
		world_upgrade(&world, i % 2);
		for (int j = 0; j < GUARD_PROGRAMS; j++) {
			const char *name = bpf_program__name(world.guard->programs[j]);

			cr_expect_eq(link_tag(&world, name) != before[j], i % 2, "%s, upgrade %d",
				     name, i);
		}
	}
	stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(traffic[i].thread, NULL);
	cr_expect_eq(traffic[0].refused, 0, "%lu of the allowed refused", traffic[0].refused);
	cr_expect_eq(traffic[1].passed, 0, "%lu of the refused passed", traffic[1].passed);
	cr_expect_eq(traffic[0].otherwise + traffic[1].otherwise, 0);
	cr_log_info("%lu passed, %lu refused over %d upgrades", traffic[0].passed,
		    traffic[1].refused, UPGRADES);
	refused = refusals_take(world.guard, world.job).refusals;
	cr_expect_eq(refused, traffic[1].refused, "%lu recorded of %lu", refused,
		     traffic[1].refused);
}

Test(upgrade, removes_links_of_hooks_that_are_no_longer_known)
{
	_cleanup_close_ int program = -1, link = -1;
	_cleanup_world_ struct world world;
	char path[256];
	/* r0 = 0; exit: refuses all, so that it shows. */
	const struct bpf_insn no[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 0 }, { .code = BPF_JMP | BPF_EXIT },
	};

	world_open_pinned(&world, MODE_ENFORCE, rules);
	program = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "guard_of_old", "GPL", no, 2,
				&(struct bpf_prog_load_opts){
					.sz = sizeof(struct bpf_prog_load_opts),
					.expected_attach_type = BPF_CGROUP_INET_EGRESS,
				});
	link = bpf_link_create(program, world.cgroup->fd, BPF_CGROUP_INET_EGRESS, NULL);
	snprintf(path, sizeof(path), GUARD_PINS "/%s/jobs/%u/guard_of_old", world.pins, world.job);
	cr_assert_eq(bpf_obj_pin(link, path), 0, "%d %d", program, link);
	cr_expect_eq(send_to(socket_job(&world, AF_INET, SOCK_DGRAM), "x", 1, ALLOWED, PORT),
		     -EPERM);
	world_take_over(&world, NULL);
	cr_expect_neq(access(path, F_OK), 0);
	cr_expect_eq(link_cgroup(link), 0);
	cr_expect_eq(send_to(socket_job(&world, AF_INET, SOCK_DGRAM), "x", 1, ALLOWED, PORT), 0);
}
