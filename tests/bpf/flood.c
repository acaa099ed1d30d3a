/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Many attempts at once: counts stay exact, whatever is full, and of two threads on one socket none
 * gets its refused packets out under the verdict on the other's.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/cleanup.h"
#include "world.h"

#define THREADS		4
#define FLOOD		250000		/* of each thread */
#define RACE		500000
#define REFUSED_ADDR	"198.51.100.9"
#define ALLOWED_ADDR	"203.0.113.1"
#define PORT		9000

static const char rules[] = "allow: [ 'udp://203.0.113.0/24:9000', https://dev.azure.com ]";

struct sender {
	pthread_t thread;
	int fd;
	const char *addr;
	uint16_t port;
	struct made payload;
	long count;
	long sent;
	long refused;
	bool one_cpu;
};

static void *sender_run(void *argument)
{
	struct sender *sender = argument;
	struct sockaddr_storage address = address_of(AF_INET, sender->addr, sender->port);
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sender->one_cpu)
		sched_setaffinity(0, sizeof(first), &first);
	for (long i = 0; i < sender->count; i++) {
		if (sendto(sender->fd, sender->payload.bytes, sender->payload.len, 0,
			   (struct sockaddr *)&address, address_len(&address)) >= 0)
			sender->sent++;
		else if (errno == EPERM)
			sender->refused++;
	}
	return NULL;
}

struct sum {
	uint64_t count;
	uint64_t apart;
	uint64_t by_port[THREADS];
};

static int sum_add(const struct guard_report *report, void *context)
{
	uint16_t port = report->refusal->dport;
	struct sum *sum = context;

	sum->count += report->count;
	if (report->apart)
		sum->apart += report->count;
	if (report->apart && port >= PORT && port < PORT + THREADS)
		sum->by_port[port - PORT] += report->count;
	return 0;
}

static uint64_t refused_total(struct world *world)
{
	struct job_counters counters = counters_read(world->guard, world->job);
	uint64_t total = 0;

	for (unsigned int reason = 0; reason < REASON_SLOTS; reason++)
		total += counters.refused[reason];
	return total;
}

/* Drained over and over while the threads run, so that both tables are flipped under them. */
Test(flood, of_a_million_refused_datagrams_is_counted_exactly)
{
	struct sender senders[THREADS] = {};
	_cleanup_world_ struct world world;
	struct sum sum = {};
	bool running = true;

	world_open(&world, MODE_ENFORCE, rules);
	for (int i = 0; i < THREADS; i++) {
		senders[i] = (struct sender){
			.fd = socket_job(&world, AF_INET, SOCK_DGRAM), .addr = REFUSED_ADDR,
			.port = (uint16_t)(PORT + i), .count = FLOOD, .payload.len = 64,
		};
	}
	for (int i = 0; i < THREADS; i++)
		pthread_create(&senders[i].thread, NULL, sender_run, &senders[i]);
	while (running) {
		usleep(20000);
		guard_refusals_read(world.guard, sum_add, &sum);
		cr_assert_eq(guard_folds_drain(world.guard, sum_add, &sum), 0);
		running = refused_total(&world) < THREADS * FLOOD;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(senders[i].thread, NULL);
	cr_assert_eq(guard_job_drain(world.guard, world.job, sum_add, &sum), 0);
	cr_expect_eq(sum.count, THREADS * FLOOD, "%lu counted", sum.count);
	for (int i = 0; i < THREADS; i++) {
		cr_expect_eq(senders[i].sent, 0);
		cr_expect_eq(senders[i].refused, FLOOD);
		/* What a program counted while its entry was taken is counted, but not apart. */
		cr_expect_leq(sum.by_port[i], FLOOD);
	}
	cr_expect_geq(sum.apart, THREADS * FLOOD - 1000, "%lu kept apart", sum.apart);
}

Test(flood, of_more_kinds_than_the_table_holds_is_counted_without_names)
{
	_cleanup_world_ struct world world;
	struct sum sum = {};
	uint64_t kinds = FOLDS_MAX + 500;
	int fd;

	/* Room for a few first attempts only: the others wait for the drain. */
	world_open_sized(&world, MODE_ENFORCE, rules, 4096);
	fd = socket_job(&world, AF_INET, SOCK_DGRAM);
	for (uint64_t kind = 0; kind < kinds; kind++)
		cr_assert_eq(send_to(fd, "x", 1, REFUSED_ADDR, (uint16_t)(10000 + kind)), -EPERM);
	cr_expect_gt(counters_read(world.guard, world.job).ring_full, 0);
	cr_assert_eq(guard_job_drain(world.guard, world.job, sum_add, &sum), 0);
	cr_expect_eq(sum.count, kinds);
	cr_expect_eq(sum.apart, FOLDS_MAX);
	cr_expect_eq(counters_read(world.guard, world.job).unfolded[REASON_NOT_ALLOWED], 500);
}

/* Lets only datagrams of one length into the queue, so that others cannot crowd it out. */
static void filter_length(int fd, uint32_t payload_len)
{
	struct sock_filter of_length[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, payload_len + 8, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = { .len = ARRAY_SIZE(of_length), .filter = of_length };

	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)), 0);
}

static void race_run(struct sender senders[2], bool one_cpu)
{
	for (int i = 0; i < 2; i++) {
		senders[i].one_cpu = one_cpu;
		senders[i].count = RACE / 2;
		senders[i].sent = senders[i].refused = 0;
		pthread_create(&senders[i].thread, NULL, sender_run, &senders[i]);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(senders[i].thread, NULL);
	cr_expect_eq(senders[0].refused, 0, "%ld of the allowed were refused", senders[0].refused);
	cr_expect_eq(senders[1].sent, 0, "%ld of the refused were sent", senders[1].sent);
	cr_expect_eq(senders[1].refused, RACE / 2);
}

Test(flood, of_questions_by_two_threads_on_one_socket_lets_no_refused_one_out)
{
	struct sender senders[2] = {};
	_cleanup_world_ struct world world;
	int fd;

	world_open(&world, MODE_ENFORCE, rules);
	fd = socket_job(&world, AF_INET, SOCK_DGRAM);
	for (int i = 0; i < 2; i++) {
		senders[i] = (struct sender){ .fd = fd, .addr = RESOLVER, .port = DNS_PORT };
		made_question(&senders[i].payload, 7, i ? "secret.paste.example" : "dev.azure.com",
			      DNS_A);
	}
	filter_length(world.resolver, (uint32_t)senders[1].payload.len);
	race_run(senders, true);
	race_run(senders, false);
	cr_expect_not(hears(world.resolver, 50), "a refused question was heard");
	cr_expect_eq(refusals_take(world.guard, world.job).refusals, RACE);
}

Test(flood, to_two_destinations_on_one_socket_lets_nothing_reach_the_refused_one)
{
	_cleanup_close_ int refused = -1, allowed = -1;
	struct sender senders[2] = {};
	_cleanup_world_ struct world world;
	int fd;

	world_open(&world, MODE_ENFORCE, rules);
	refused = server_outside(AF_INET, SOCK_DGRAM, REFUSED_ADDR, PORT);
	allowed = server_outside(AF_INET, SOCK_DGRAM, ALLOWED_ADDR, PORT);
	fd = socket_job(&world, AF_INET, SOCK_DGRAM);
	senders[0] = (struct sender){ .fd = fd, .addr = ALLOWED_ADDR, .port = PORT };
	senders[1] = (struct sender){ .fd = fd, .addr = REFUSED_ADDR, .port = PORT };
	senders[0].payload.len = senders[1].payload.len = 9;
	race_run(senders, true);
	race_run(senders, false);
	cr_expect(hears(allowed, 0));
	cr_expect_not(hears(refused, 50));
	cr_expect_eq(refusals_take(world.guard, world.job).refusals, RACE);
}
