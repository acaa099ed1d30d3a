/* SPDX-License-Identifier: GPL-2.0 */
/* `make bench`: the budgets, as ratios of what runs side by side in one run. */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/cleanup.h"
#include "bench.h"
#include "policy/compile.h"
#include "policy/load.h"

#define PAIRS	21

static unsigned int over;

void bench_check(int error, const char *what)
{
	if (error >= 0)
		return;
	fprintf(stderr, "bench: cannot %s: %s\n", what, strerror(-error));
	exit(1);
}

uint64_t bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static int double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *values, unsigned int count)
{
	qsort(values, count, sizeof(*values), double_compare);
	return values[count / 2];
}

void bench_row(const struct row *row)
{
	bool is_over = row->at_least ? row->measured < row->must : row->measured > row->must;
	bool is_aim = row->at_least ? row->measured > row->aim : row->measured < row->aim;

	over += is_over;
	printf("%-46s %c%6.2f %6.2f %8.3f  %-5s %s\n", row->what, row->at_least ? '>' : '<',
	       row->must, row->aim, row->measured, is_over ? "OVER" : is_aim ? "aim" : "ok",
	       row->note ? row->note : "");
	fflush(stdout);
}

static void rule_add(struct policy *policy, const char *text)
{
	struct rule *rule = &policy->rules[policy->rule_count];
	char error[256];

	*rule = (struct rule){ .id = (uint32_t)policy->rule_count + 1, .list = LIST_ALLOW };
	bench_check(target_parse(text, LIST_ALLOW, &rule->target, error), text);
	rule->text = strdup(text);
	rule->label = strdup(text);
	rule->source = strdup("bench");
	policy->rule_count++;
}

/* `extra` names and as many prefixes; more than a file may hold, so they are put in directly. */
static void policy_grow(struct policy *policy, unsigned int extra)
{
	size_t wanted = policy->rule_count + 2 * (size_t)extra;

	policy->rules = reallocarray(policy->rules, wanted, sizeof(*policy->rules));
	bench_check(policy->rules ? 0 : -ENOMEM, "make a large policy");
	for (unsigned int i = 0; i < extra; i++) {
		char text[64];

		snprintf(text, sizeof(text), "https://*.host%u.net%u.example", i, i % 97);
		rule_add(policy, text);
		snprintf(text, sizeof(text), "tcp://10.%u.%u.%u/31:443", i >> 15, (i >> 7) & 255,
			 (i & 127) * 2);
		rule_add(policy, text);
	}
}

static struct policy *policy_make(unsigned int extra)
{
	static const char text[] =
		"version: 1\norganization: contoso\npresets: [azure-devops]\nallow:\n"
		"  - any://198.51.100.0/24:1-65535\n  - any://[2001:db8::]/64:1-65535\n"
		"inbound:\n  allow:\n  - any://198.51.100.0/24:1-65535\n  - any://[2001:db8::]/64:1-65535\n";
	char path[] = "/tmp/buildfence-bench-XXXXXX";
	const struct policy_request request = { .file = path };
	struct diagnostics diag = { .out = stderr };
	struct policy *policy = NULL;
	_cleanup_close_ int fd = mkstemp(path);
	int error;

	bench_check(write(fd, text, sizeof(text) - 1) < 0 ? -errno : 0, "write a policy");
	error = policy_load(&request, &diag, &policy);
	unlink(path);
	bench_check(error, "read the policy");
	policy_grow(policy, extra);
	return policy;
}

uint32_t bench_policy_add(struct guard *guard, unsigned int extra, uint64_t *ret_load_ns)
{
	_cleanup_policy_ struct policy *policy = policy_make(extra);
	_cleanup_image_ struct image *image = NULL;
	struct diagnostics diag = { .out = stderr };
	uint64_t start = bench_now_ns();
	uint32_t number;

	bench_check(policy_compile(policy, NULL, time(NULL), &diag, &image), "compile the policy");
	bench_check(guard_policy_add(guard, image, &number), "load the policy");
	*ret_load_ns = bench_now_ns() - start;
	return number;
}

static void namespace_enter(void)
{
	bench_check(unshare(CLONE_NEWNET) ? -errno : 0, "make a network namespace (as root?)");
	bench_check(system("ip link set lo up && ip address add " BENCH_ADDR4 "/32 dev lo && "
			   "ip address add " BENCH_ADDR6 "/128 dev lo nodad") ? -EIO : 0,
		    "set up the network namespace");
}

static void traffic_rows(struct world *world)
{
	static const struct {
		struct row row;
		unsigned int work, times;
		const char *addr;
		enum side a, b;
	} rows[] = {
		{ { "TCP churn, loopback, guarded / unguarded", 1.10, .aim = 1.05 }, WORK_CHURN, 2000,
		  "127.0.0.1", SIDE_GUARDED, SIDE_PLAIN },
		{ { "TCP churn, by prefix, guarded / unguarded", 1.10, .aim = 1.05 }, WORK_CHURN, 2000,
		  BENCH_ADDR4, SIDE_GUARDED, SIDE_PLAIN },
		{ { "TCP churn, by prefix, v6, guarded / unguarded", 1.10, .aim = 1.05 }, WORK_CHURN, 2000,
		  BENCH_ADDR6, SIDE_GUARDED, SIDE_PLAIN },
		{ { "TCP churn, by prefix, guarded / empty", 0, 0, .note = "for information" },
		  WORK_CHURN, 2000, BENCH_ADDR4, SIDE_GUARDED, SIDE_EMPTY },
		{ { "UDP sendto, loopback, guarded / empty", 1.10, .aim = 1.04 }, WORK_SENDTO, 20000,
		  "127.0.0.1", SIDE_GUARDED, SIDE_EMPTY },
		{ { "UDP sendto, by prefix, guarded / empty", 1.10, .aim = 1.04 }, WORK_SENDTO, 20000,
		  BENCH_ADDR4, SIDE_GUARDED, SIDE_EMPTY },
		{ { "UDP sendto, by prefix, v6, guarded / empty", 1.10, .aim = 1.04 }, WORK_SENDTO, 20000,
		  BENCH_ADDR6, SIDE_GUARDED, SIDE_EMPTY },
		{ { "UDP sendto, by prefix, empty / unguarded", 0, 0, .note = "for information" },
		  WORK_SENDTO, 20000, BENCH_ADDR4, SIDE_EMPTY, SIDE_PLAIN },
		/* Throughput: the times the other way round. */
		{ { "bulk TCP, loopback, guarded / unguarded", 0.97, 0.99, .at_least = 1 }, WORK_BULK,
		  2000, "127.0.0.1", SIDE_PLAIN, SIDE_GUARDED },
		{ { "bulk TCP, by prefix, guarded / unguarded", 0.97, 0.99, .at_least = 1 }, WORK_BULK,
		  2000, BENCH_ADDR4, SIDE_PLAIN, SIDE_GUARDED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct row row = rows[i].row;

		row.measured = world_ratio(world, rows[i].work, rows[i].addr, rows[i].times,
					   rows[i].a, rows[i].b, PAIRS);
		if (row.must > 0)
			bench_row(&row);
		else
			printf("%-46s %14s %8.3f  %s\n", row.what, "", row.measured, row.note);
	}
}

static void rows_with(unsigned int extra)
{
	uint64_t attach_ns, load_ns;
	struct world *world;

	printf("\nazure-devops and %u more names and prefixes\n%-46s %7s %6s %8s\n", extra, "what",
	       "must", "aim", "measured");
	packet_rows(extra);
	world = world_open(extra, &attach_ns, &load_ns);
	traffic_rows(world);
	world_close(world);
	bench_row(&(struct row){ "policy: compile and load, s", 2, 0.5, (double)load_ns / 1e9, 0,
				 "" });
	bench_row(&(struct row){ "attach one job, ms", 20, 5, (double)attach_ns / 1e6, 0, "" });
}

int main(int argc, char **argv)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	namespace_enter();
	if (argc < 2)
		rows_with(0);
	for (int i = 1; i < argc; i++)
		rows_with((unsigned int)strtoul(argv[i], NULL, 10));
	printf("\n%u over budget\n", over);
	return over > 0;
}
