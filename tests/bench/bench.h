/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the benchmarks share. Ratios of what runs interleaved in one process tree decide, never
 * absolute times: machines differ, and this one may be busy.
 */
#ifndef BUILDFENCE_BENCH_H
#define BUILDFENCE_BENCH_H

#include <stdint.h>

#include "guard/guard.h"

/* Judged by a prefix, and a local address of the benchmark's own network namespace. */
#define BENCH_ADDR4	"198.51.100.1"
#define BENCH_ADDR6	"2001:db8::1"

/* What a program in a cgroup of the given kind took. */
enum side {
	SIDE_PLAIN = 0,		/* no programs at all */
	SIDE_EMPTY,		/* the same hooks with programs that only say yes */
	SIDE_GUARDED,
	SIDES,
};

/* What a worker runs: returns nanoseconds, or 0 if something went wrong. */
typedef uint64_t (*work_fn)(const char *addr, unsigned int times);

/* Ends the program with a message where the benchmark cannot go on. */
void bench_check(int error, const char *what) __attribute__((nonnull(2)));

uint64_t bench_now_ns(void);
double bench_median(double *values, unsigned int count);

/*
 * Puts the policy preset azure-devops, loopback, the benchmark's own addresses and `extra` more
 * names and prefixes into the guard. Returns its number; *ret_load_ns is what compiling and
 * loading took.
 */
uint32_t bench_policy_add(struct guard *guard, unsigned int extra, uint64_t *ret_load_ns);

/* One row of the result; `must` and `aim` are limits: at most, or at least for `at_least`. */
struct row {
	const char *what;
	double must, aim;
	double measured;
	int at_least;
	const char *note;
};
void bench_row(const struct row *row);

/* Cgroups with a worker in each. `attach_ns` is what attaching the guard took. */
struct world;
struct world *world_open(unsigned int extra, uint64_t *ret_attach_ns, uint64_t *ret_load_ns);
void world_close(struct world *world);

/* Runs work number `work` of works[] on one side; nanoseconds. */
uint64_t world_run(struct world *world, enum side side, unsigned int work, const char *addr,
		   unsigned int times);

/* Median of `pairs` ratios, a to b, each of two runs that follow each other. */
double world_ratio(struct world *world, unsigned int work, const char *addr, unsigned int times,
		   enum side a, enum side b, unsigned int pairs);

/* traffic.c */
enum { WORK_CHURN, WORK_SENDTO, WORK_BULK };
extern const work_fn works[3];

/* packet.c: the packet hooks alone, by BPF_PROG_TEST_RUN. */
void packet_rows(unsigned int extra);

#endif
