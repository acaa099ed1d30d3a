/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel recorded, exact: every refused attempt was counted once in refused[], and is
 * given out once: through the ring, from a fold table, or among those that could not be kept apart.
 */
#include "guard/internal.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "buildfence.skel.h"

#define NS_PER_S	1000000000ULL

static void refusal_give(struct guard *guard, const struct refusal *refusal, uint64_t count,
			 uint64_t last_ns, bool apart, guard_report_fn take, void *context)
{
	struct guard_job *entry = guard_job_get(guard, refusal->job);
	struct guard_report report = {
		.refusal = refusal, .count = count, .last_ns = last_ns, .apart = apart,
		.first = guard->first,
	};

	if (entry)
		entry->given[refusal->reason % REASON_SLOTS] += count;
	take(&report, context);
}

int refusal_from_ring(void *context, void *bytes, size_t size)
{
	struct guard *guard = context;
	const struct refusal *refusal = bytes;

	if (size < sizeof(*refusal))
		return 0;
	refusal_give(guard, refusal, 1, refusal->time_ns, true, guard->take, guard->take_context);
	return 0;
}

int guard_refusals_fd(const struct guard *guard)
{
	return ring_buffer__epoll_fd(guard->ring);
}

int guard_refusals_read(struct guard *guard, guard_report_fn take, void *context)
{
	int taken;

	guard->take = take;
	guard->take_context = context;
	guard->first = true;
	taken = ring_buffer__consume(guard->ring);
	guard->first = false;
	return taken < 0 ? taken : 0;
}

/* Takes everything out of a table that no program writes now. */
static void folds_take(struct guard *guard, int fd, guard_report_fn take, void *context)
{
	struct fold_key key;
	struct fold fold;

	while (!bpf_map_get_next_key(fd, NULL, &key)) {
		uint64_t count;

		if (bpf_map_lookup_elem(fd, &key, &fold) || bpf_map_delete_elem(fd, &key))
			break;
		count = fold.count - (fold.announced ? 1 : 0);
		if (count)
			refusal_give(guard, &fold.refusal, count, fold.last_ns, true, take,
				     context);
	}
}

static void lost_give(struct guard *guard, uint32_t job, uint32_t reason, uint64_t count,
		      guard_report_fn take, void *context)
{
	struct refusal refusal = { .job = job, .reason = (uint8_t)reason };
	struct timespec now;

	if (!count)
		return;
	clock_gettime(CLOCK_BOOTTIME, &now);
	refusal.time_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	refusal_give(guard, &refusal, count, refusal.time_ns, false, take, context);
}

static int unfolded_take(struct guard *guard, uint32_t job, guard_report_fn take, void *context)
{
	struct guard_job *entry = guard_job_get(guard, job);
	struct job_counters counters;
	int error = guard_counters_read(guard, job, &counters);

	for (uint32_t reason = 0; !error && reason < REASON_SLOTS; reason++) {
		uint64_t count = counters.unfolded[reason] - entry->unfolded[reason];

		entry->unfolded[reason] = counters.unfolded[reason];
		lost_give(guard, job, reason, count, take, context);
	}
	return error;
}

/*
 * Empties the tables that were written until the last call, and has them written from now on. So a
 * table rests for a whole turn before it is emptied, and no program still counts in it.
 */
int guard_folds_drain(struct guard *guard, guard_report_fn take, void *context)
{
	uint32_t resting = (guard->epoch + 1) & 1, zero = 0;
	struct epoch epoch = { .epoch = resting, .generation = guard->generation };
	int error = 0;

	for (uint32_t job = 1; !error && job <= guard->jobs_max; job++) {
		struct guard_job *entry = guard_job_get(guard, job);

		if (!entry)
			continue;
		folds_take(guard, entry->folds_fd[resting], take, context);
		error = unfolded_take(guard, job, take, context);
	}
	guard->epoch = resting;
	if (!error)
		error = bpf_map_update_elem(bpf_map__fd(guard->skeleton->maps.epochs), &zero,
					    &epoch, BPF_ANY);
	return error;
}

int guard_job_drain(struct guard *guard, uint32_t job, guard_report_fn take, void *context)
{
	struct guard_job *entry = guard_job_get(guard, job);
	struct job_counters counters;
	int error;

	if (!entry)
		return -EINVAL;
	guard_refusals_read(guard, take, context);
	for (uint32_t i = 0; i < FOLD_EPOCHS; i++)
		folds_take(guard, entry->folds_fd[i], take, context);
	error = unfolded_take(guard, job, take, context);
	if (error)
		return error;
	/* What a program still counted in an entry while it was taken: never more than a few. */
	error = guard_counters_read(guard, job, &counters);
	for (uint32_t reason = 0; !error && reason < REASON_SLOTS; reason++) {
		if (counters.refused[reason] > entry->given[reason])
			lost_give(guard, job, reason,
				  counters.refused[reason] - entry->given[reason], take, context);
	}
	return error;
}

int guard_reached_read(struct guard *guard, uint32_t job, reached_fn take, void *context)
{
	struct guard_job *entry = guard_job_get(guard, job);
	struct reached_key key, *previous = NULL;
	struct reached reached;

	if (!entry)
		return -EINVAL;
	while (!bpf_map_get_next_key(entry->reached_fd, previous, &key)) {
		if (!bpf_map_lookup_elem(entry->reached_fd, &key, &reached))
			take(&key, &reached, context);
		previous = &key;
	}
	return 0;
}

int guard_counters_read(struct guard *guard, uint32_t job, struct job_counters *ret_counters)
{
	return bpf_map_lookup_elem(bpf_map__fd(guard->skeleton->maps.counters), &job, ret_counters);
}
