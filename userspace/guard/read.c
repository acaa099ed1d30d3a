/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel recorded, exact: every refused attempt was counted once in refused[], and is
 * given out once: through the ring, from a fold table, or among those that could not be kept apart.
 * That a report is given out once is report.c's matter.
 */
#include "guard/internal.h"

#include <errno.h>
#include <string.h>

#include "buildfence.skel.h"

int guard_refusals_fd(const struct guard *guard)
{
	return guard->ring.epoll_fd;
}

int guard_refusals_read(struct guard *guard, guard_report_fn take, void *context)
{
	struct refusal refusal;
	size_t size;

	ring_notified(&guard->ring);
	while ((size = ring_peek(&guard->ring, &refusal, sizeof(refusal)))) {
		struct guard_report report = {
			.refusal = &refusal, .count = 1, .last_ns = refusal.time_ns,
			.apart = true, .first = true,
		};
		struct report_id id = report_id_first(&refusal);
		int error = size < sizeof(refusal) ? 0 :
			    report_give(guard, &report, &id, take, context);

		if (error)
			return error;
		ring_release(&guard->ring);
	}
	return 0;
}

static int fold_give(struct guard *guard, const struct fold *fold, guard_report_fn take,
		     void *context)
{
	uint64_t count = fold->count - (fold->announced ? 1 : 0);
	struct guard_report report = {
		.refusal = &fold->refusal, .count = count, .last_ns = fold->last_ns, .apart = true,
	};
	struct report_id id = report_id_repeats(&fold->refusal, count);

	return count ? report_give(guard, &report, &id, take, context) : 0;
}

/*
 * Takes everything out of a table that no program writes now. The next key is taken before its
 * predecessor goes, or the kernel would begin anew, and walk over all that is empty already.
 */
static int folds_take(struct guard *guard, int fd, guard_report_fn take, void *context)
{
	struct fold_key key, next;
	struct fold fold;
	bool more = !bpf_map_get_next_key(fd, NULL, &key);

	while (more) {
		int error = bpf_map_lookup_elem(fd, &key, &fold);

		more = !bpf_map_get_next_key(fd, &key, &next);
		if (!error)
			error = fold_give(guard, &fold, take, context);
		if (!error)
			error = bpf_map_delete_elem(fd, &key);
		if (error)
			return error;
		key = next;
	}
	return 0;
}

static int unfolded_take(struct guard *guard, uint32_t job, guard_report_fn take, void *context)
{
	int error = 0;

	for (uint32_t reason = 0; !error && reason < REASON_SLOTS; reason++)
		error = report_give_lost(guard, job, reason, false,
					 guard->counters[job].unfolded[reason], take, context);
	return error;
}

/* Has this job refused anything that may still be in its tables? One that is idle costs nothing. */
static bool job_is_busy(struct guard *guard, uint32_t job, struct guard_job *entry)
{
	uint64_t refused = 0;

	for (uint32_t reason = 0; reason < REASON_SLOTS; reason++)
		refused += guard->counters[job].refused[reason];
	if (refused != entry->refused_seen) {
		entry->refused_seen = refused;
		entry->drain_until = guard->turn + DRAIN_TURNS;
	}
	return guard->turn <= entry->drain_until;
}

/*
 * Empties the tables that were written until the last call, and has them written from now on. So a
 * table rests for a whole turn before it is emptied, and no program still counts in it.
 */
int guard_folds_drain(struct guard *guard, guard_report_fn take, void *context)
{
	uint32_t resting = (guard->epoch.epoch + 1) & 1;
	int error = guard_refusals_read(guard, take, context);

	for (uint32_t job = 1; !error && job <= guard->jobs_max; job++) {
		struct guard_job *entry = guard_job_get(guard, job);

		if (!entry || !job_is_busy(guard, job, entry))
			continue;
		error = folds_take(guard, entry->tables[TABLE_FOLDS + resting], take, context);
		if (!error)
			error = unfolded_take(guard, job, take, context);
	}
	if (error)
		return error;
	guard->turn++;
	guard->epoch.epoch = resting;
	return epoch_write(guard);
}

int guard_job_drain(struct guard *guard, uint32_t job, guard_report_fn take, void *context)
{
	struct guard_job *entry = guard_job_get(guard, job);
	int error;

	if (!entry)
		return -EINVAL;
	error = guard_refusals_read(guard, take, context);
	for (uint32_t i = 0; !error && i < FOLD_EPOCHS; i++)
		error = folds_take(guard, entry->tables[TABLE_FOLDS + i], take, context);
	if (!error)
		error = unfolded_take(guard, job, take, context);
	/* What a program still counted in an entry while it was taken: never more than a few. */
	for (uint32_t reason = 0; !error && reason < REASON_SLOTS; reason++)
		error = report_give_lost(guard, job, reason, true,
					 guard->counters[job].refused[reason], take, context);
	return error;
}

int guard_reached_read(struct guard *guard, uint32_t job, reached_fn take, void *context)
{
	struct guard_job *entry = guard_job_get(guard, job);
	struct reached_key key, *previous = NULL;
	struct reached reached;
	int fd;

	if (!entry)
		return -EINVAL;
	fd = entry->tables[TABLE_REACHED];
	while (!bpf_map_get_next_key(fd, previous, &key)) {
		if (!bpf_map_lookup_elem(fd, &key, &reached))
			take(&key, &reached, context);
		previous = &key;
	}
	return 0;
}

int guard_counters_read(struct guard *guard, uint32_t job, struct job_counters *ret_counters)
{
	if (!guard_job_get(guard, job))
		return -EINVAL;
	/* Each is written atomically by the programs; together they are no snapshot. */
	*ret_counters = guard->counters[job];
	return 0;
}
