/* SPDX-License-Identifier: GPL-2.0 */
/* A policy that changes under connections, names that share an address, and full tables. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "base/cleanup.h"
#include "world.h"

#define ADDR		"198.51.100.1"

static const char both[] = "allow: [ https://dev.azure.com, https://kept.example ]";
static const char kept[] = "allow: [ https://kept.example ]";

static void name_learn(struct world *world, uint16_t id, const char *name, const char *addr)
{
	_cleanup_close_ int fd = socket_job(world, AF_INET, SOCK_DGRAM);
	struct made message = {};

	ask(world, fd, id, name);
	made_answer(&message, id, name, DNS_A, 1);
	made_record_addr(&message, NULL, 60, addr);
	answer(world, world->resolver, fd, &message);
}

/* A connection of the job to a server outside; both ends. */
static void connection_make(struct world *world, const char *addr, int *ret_job, int *ret_far)
{
	_cleanup_close_ int server = server_outside(AF_INET, SOCK_STREAM, addr, 443);

	*ret_job = socket_job(world, AF_INET, SOCK_STREAM);
	cr_assert_eq(connect_to(*ret_job, addr, 443), 0);
	*ret_far = accept(server, NULL, NULL);
	cr_assert(*ret_far >= 0);
}

static bool bytes_arrive(int from, int to, int timeout_ms)
{
	char byte;

	cr_expect_eq(send(from, "x", 1, MSG_NOSIGNAL), 1);
	return hears(to, timeout_ms) && recv(to, &byte, 1, 0) == 1;
}

Test(change, cuts_connections_to_names_that_are_no_longer_allowed)
{
	int revoked[2], stays[2];
	_cleanup_world_ struct world world;
	struct outcome outcome;

	world_open(&world, MODE_ENFORCE, both);
	name_learn(&world, 1, "dev.azure.com", ADDR);
	name_learn(&world, 2, "kept.example", "198.51.100.2");
	connection_make(&world, ADDR, &revoked[0], &revoked[1]);
	connection_make(&world, "198.51.100.2", &stays[0], &stays[1]);
	cr_expect(bytes_arrive(revoked[0], revoked[1], 1000));
	world_policy(&world, kept, MODE_ENFORCE);
	cr_expect_not(bytes_arrive(revoked[0], revoked[1], 100));
	outcome = refusals_take(world.guard, world.job);
	cr_expect_geq(outcome.refusals, 1);
	cr_expect(outcome.refusal.flags & REFUSAL_RESET);
	cr_expect(bytes_arrive(stays[0], stays[1], 1000));
	/* Also when the address has expired, and another policy that allows the name comes. */
	learned_clear(&world);
	world_policy(&world, both, MODE_ENFORCE);
	cr_expect(bytes_arrive(stays[0], stays[1], 1000));
	cr_expect_eq(connect_to(socket_job(&world, AF_INET, SOCK_STREAM), "198.51.100.2", 443),
		     -EPERM);
}

Test(change, from_audit_to_enforce_cuts_what_was_only_recorded)
{
	_cleanup_world_ struct world world;
	struct outcome outcome;
	int ends[2];

	world_open(&world, MODE_AUDIT, kept);
	connection_make(&world, ADDR, &ends[0], &ends[1]);
	cr_expect(bytes_arrive(ends[0], ends[1], 1000));
	outcome = refusals_take(world.guard, world.job);
	cr_expect_eq(outcome.refusals, 1, "%u recorded", outcome.refusals);
	cr_expect(outcome.refusal.flags & REFUSAL_AUDIT);
	world_policy(&world, kept, MODE_ENFORCE);
	cr_expect_not(bytes_arrive(ends[0], ends[1], 100));
}

Test(change, a_full_table_of_addresses_is_counted_and_closed)
{
	_cleanup_world_ struct world world;
	struct learned learned = { .expires_ns = ~0ULL };
	struct learned_key key = {};
	struct outcome outcome;

	world_open(&world, MODE_ENFORCE, both);
	for (key.netns = 1; key.netns <= LEARNED_MAX; key.netns++)
		cr_assert_eq(bpf_map_update_elem(table_fd(world.guard, world.job, TABLE_LEARNED),
						 &key, &learned, BPF_ANY), 0);
	name_learn(&world, 1, "dev.azure.com", ADDR);
	cr_expect_eq(counters_read(world.guard, world.job).learn_full, 1);
	cr_expect_eq(connect_to(socket_job(&world, AF_INET, SOCK_STREAM), ADDR, 443), -EPERM);
	outcome = refusals_take(world.guard, world.job);
	cr_expect_eq(outcome.refusals, 1);
	cr_expect_eq(outcome.refusal.reason, REASON_NOT_ALLOWED);
}

/* Each name has a port of its own, so none can stand for another. */
Test(change, sixteen_names_may_share_an_address_and_the_next_is_counted)
{
	_cleanup_world_ struct world world;
	char yaml[2048] = "allow:\n";

	for (int i = 0; i < WAYS_MAX + 1; i++)
		snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml),
			 "  - tcp://n%d.example:%d\n", i, 1001 + i);
	world_open(&world, MODE_ENFORCE, yaml);
	for (int i = 0; i < WAYS_MAX + 1; i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%d.example", i);
		name_learn(&world, (uint16_t)i, name, ADDR);
		cr_expect_eq(counters_read(world.guard, world.job).learn_full, i == WAYS_MAX);
	}
	for (int i = 0; i < WAYS_MAX + 1; i++) {
		_cleanup_close_ int fd = socket_job(&world, AF_INET, SOCK_STREAM);

		cr_expect_eq(connect_to(fd, ADDR, (uint16_t)(1001 + i)),
			     i < WAYS_MAX ? -ECONNREFUSED : -EPERM, "name %d", i);
	}
}

static const char *const wandered[] = { "203.0.113.2", "203.0.113.3" };

/* A socket that goes from one address to the other, so that each packet is judged anew. */
struct wanderer {
	pthread_t thread;
	int fd;
	atomic_int paused;	/* 1: asked to; 2: it does */
	atomic_bool ended;
};

static void *wanderer_run(void *argument)
{
	struct wanderer *wanderer = argument;

	while (!wanderer->ended) {
		for (size_t i = 0; i < ARRAY_SIZE(wandered); i++) {
			connect_to(wanderer->fd, wandered[i], 9000);
			send(wanderer->fd, "x", 1, MSG_NOSIGNAL);
		}
		if (wanderer->paused)
			wanderer->paused = 2;
		while (wanderer->paused == 2 && !wanderer->ended)
			sched_yield();
	}
	return NULL;
}

/* Ends between any two instructions of the judgement, if only often enough. */
Test(change, of_policy_while_a_packet_is_judged_leaves_nothing_open, .timeout = 120)
{
	struct wanderer wanderer = {};
	_cleanup_world_ struct world world;
	uint32_t narrow;
	int open = 0;

	world_open(&world, MODE_ENFORCE, "allow: [ 'udp://203.0.113.0/24:9000' ]");
	narrow = guard_policy_from_text(world.guard, "allow: [ 'udp://203.0.113.1:9000' ]");
	wanderer.fd = socket_job(&world, AF_INET, SOCK_DGRAM);
	cr_assert_eq(pthread_create(&wanderer.thread, NULL, wanderer_run, &wanderer), 0);
	for (int round = 0; open == 0 && round < 20000; round++) {
		cr_assert_eq(guard_job_policy_set(world.guard, world.job, world.policy,
						  MODE_ENFORCE, NULL), 0);
		/* Awake, so that both run at the same time. */
		for (volatile int spin = round * 7 % 20000; spin; spin--)
			;
		cr_assert_eq(guard_job_policy_set(world.guard, world.job, narrow, MODE_ENFORCE,
						  NULL), 0);
		wanderer.paused = 1;
		while (wanderer.paused != 2)
			sched_yield();
		/* What is refused displaces nothing: a verdict of before would still be there. */
		for (size_t i = 0; i < ARRAY_SIZE(wandered); i++) {
			connect_to(wanderer.fd, wandered[i], 9000);
			open += send(wanderer.fd, "x", 1, MSG_NOSIGNAL) == 1;
		}
		wanderer.paused = 0;
	}
	cr_expect_eq(open, 0);
	wanderer.ended = true;
	pthread_join(wanderer.thread, NULL);
}
