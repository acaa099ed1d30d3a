/* SPDX-License-Identifier: GPL-2.0 */
/* Tables that are made before their jobs begin: given out, taken over, and in nobody's way. */
#include <criterion/criterion.h>
#include <errno.h>

#include "guard/internal.h"
#include "buildfence.skel.h"
#include "world.h"

static const char rules[] = "allow: []";

static void job_count(const struct guard_found *found, void *context)
{
	unsigned int *count = context;

	(void)found;
	(*count)++;
}

static unsigned int jobs_in(const struct guard *guard)
{
	unsigned int count = 0;

	guard_jobs_found(guard, job_count, &count);
	return count;
}

static bool has_questions(const struct guard *guard, uint32_t job)
{
	uint32_t id;

	return !bpf_map_lookup_elem(bpf_map__fd(guard->skeleton->maps.questions), &job, &id);
}

static unsigned int spares_in(const struct guard *guard)
{
	unsigned int count = 0;

	for (uint32_t job = 1; job <= guard->jobs_max; job++) {
		count += guard->jobs[job].spare;
		cr_expect(!guard->jobs[job].spare || !guard->jobs[job].used);
	}
	return count;
}

Test(spares, stay_with_the_next_guard)
{
	_cleanup_world_ struct world world;
	int accounts_fd, table;
	struct account account;
	uint32_t job;

	world_open_pinned(&world, MODE_ENFORCE, rules);
	world.options.spares = 2;
	world_take_over(&world, NULL);
	cr_assert_eq(guard_jobs_prepare(world.guard), 0);
	cr_expect_eq(spares_in(world.guard), 2);
	cr_expect_eq(jobs_in(world.guard), 1, "what is to come is no job");
	/* One of them was only half made when its maker was killed. */
	cr_assert_eq(bpf_map_delete_elem(bpf_map__fd(world.guard->skeleton->maps.peers),
					 &(uint32_t){ 3 }), 0);
	world_take_over(&world, NULL);
	cr_expect_eq(spares_in(world.guard), 1);
	cr_expect_eq(jobs_in(world.guard), 1);
	cr_expect(!has_questions(world.guard, 3));

	/* It becomes a job without anything being made. */
	table = table_fd(world.guard, 2, TABLE_LEARNED);
	cr_assert_eq(guard_job_add(world.guard, &job), 0);
	cr_expect_eq(job, 2);
	cr_expect_eq(table_fd(world.guard, job, TABLE_LEARNED), table);
	cr_expect_eq(spares_in(world.guard), 0);
	accounts_fd = bpf_map__fd(world.guard->skeleton->maps.accounts);
	cr_assert_eq(bpf_map_lookup_elem(accounts_fd, &job, &account), 0);
	cr_expect_gt(account.begun_ns, ACCOUNT_SPARE);
	world_take_over(&world, NULL);
	cr_expect_eq(jobs_in(world.guard), 2);
}

Test(spares, are_no_more_than_there_are_numbers)
{
	_cleanup_world_ struct world world;
	uint32_t job, all = 1;

	world_open_pinned(&world, MODE_ENFORCE, rules);
	world.options.spares = GUARD_SPARES_MAX;
	world_take_over(&world, NULL);
	cr_assert_eq(guard_jobs_prepare(world.guard), 0);
	cr_expect_eq(spares_in(world.guard), world.guard->jobs_max - 1);
	while (!guard_job_add(world.guard, &job))
		cr_expect_eq(job, ++all);
	cr_expect_eq(all, world.guard->jobs_max);
	cr_expect_eq(guard_job_add(world.guard, &job), -ENOSPC);
	cr_expect_eq(guard_jobs_prepare(world.guard), 0);
	cr_expect_eq(spares_in(world.guard), 0);
	/* Whose turn it is waits, and finds more ready than its own. */
	for (job = 2; job <= world.guard->jobs_max; job++)
		cr_assert_eq(guard_job_remove(world.guard, job), 0);
	cr_assert_eq(guard_job_add(world.guard, &job), 0);
	cr_expect_eq(spares_in(world.guard), world.guard->jobs_max - 2);
}

Test(spares, are_no_reason_to_keep_a_predecessors_sizes)
{
	_cleanup_world_ struct world world;

	world_open_pinned(&world, MODE_ENFORCE, rules);
	world.options.spares = 2;
	world_take_over(&world, NULL);
	cr_assert_eq(guard_jobs_prepare(world.guard), 0);
	cr_assert_eq(guard_job_remove(world.guard, world.job), 0);
	world.options.jobs_max = 9;
	world_take_over(&world, NULL);
	cr_expect_eq(guard_jobs_max(world.guard), 9);
	cr_expect_eq(spares_in(world.guard), 0);
}
