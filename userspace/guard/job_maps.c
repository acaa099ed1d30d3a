/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tables of a job: made, swept and taken away; read by read.c. Making them takes a while, since
 * the kernel waits: some are made ahead, for jobs to come.
 */
#include "guard/internal.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "buildfence.skel.h"

/* Every how many sweeps the learned addresses are looked at. */
#define LEARNED_SWEEPS	12
/* Of a thread that makes one system call or two. */
#define THREAD_STACK	(64U << 10)
/*
 * Jobs looked for at one time. Before 6.8 the kernel waits as above with each look into an outer
 * map too: 6 for each job.
 */
#define TAKEOVER_THREADS	32

/* Jobs whose tables are made at one time: one that begins, and others to come. */
#define JOBS_AT_ONCE	(GUARD_SPARES_MAX + 1)

const struct guard_job guard_job_none = {
	.tables = { [0 ... TABLE_COUNT - 1] = -1 },
};

struct guard_job *guard_job_get(struct guard *guard, uint32_t job)
{
	if (job == 0 || job > guard->jobs_max || !guard->jobs[job].used)
		return NULL;
	return &guard->jobs[job];
}

struct table_form {
	size_t key_size;
	size_t value_size;
	uint32_t max_entries;
};

static const struct table_form forms[TABLE_COUNT] = {
	[TABLE_LEARNED] = { sizeof(struct learned_key), sizeof(struct learned), LEARNED_MAX },
	[TABLE_QUESTIONS] = { sizeof(struct question_key), sizeof(struct question), QUESTIONS_MAX },
	[TABLE_PEERS] = { sizeof(struct peer_key), sizeof(struct peer), PEERS_MAX },
	[TABLE_REACHED] = { sizeof(struct reached_key), sizeof(struct reached), REACHED_MAX },
	[TABLE_FOLDS] = { sizeof(struct fold_key), sizeof(struct fold), FOLDS_MAX },
	[TABLE_FOLDS + 1] = { sizeof(struct fold_key), sizeof(struct fold), FOLDS_MAX },
};

/* The outer map that holds a kind of table, and its place in there. */
static const struct bpf_map *outer_of(struct guard *guard, enum job_table table, uint32_t job,
				      uint32_t *ret_index)
{
	*ret_index = job;
	switch (table) {
	case TABLE_LEARNED:
		return guard->skeleton->maps.learned_addrs;
	case TABLE_QUESTIONS:
		return guard->skeleton->maps.questions;
	case TABLE_PEERS:
		return guard->skeleton->maps.peers;
	case TABLE_REACHED:
		return guard->skeleton->maps.reached_addrs;
	default:
		*ret_index = job * FOLD_EPOCHS + (table - TABLE_FOLDS);
		return guard->skeleton->maps.folds;
	}
}

/* What a thread does: to one table of a job, or to several jobs, of which `job` is the first. */
struct work {
	struct guard *guard;
	pthread_t thread;
	uint32_t job;
	enum job_table table;
	bool started;
	int error;
};

static int table_add(struct guard *guard, uint32_t job, enum job_table table)
{
	const struct table_form *form = &forms[table];
	uint32_t index;
	const struct bpf_map *outer = outer_of(guard, table, job, &index);
	int *entry = &guard->jobs[job].tables[table], fd;

	if (*entry >= 0)
		return 0;
	fd = inner_map_add(outer, index, BPF_MAP_TYPE_HASH, (uint32_t)form->key_size,
			   (uint32_t)form->value_size, form->max_entries, BPF_F_NO_PREALLOC);
	if (fd < 0)
		return fd;
	*entry = fd;
	return 0;
}

static int table_remove(struct guard *guard, uint32_t job, enum job_table table)
{
	int *entry = &guard->jobs[job].tables[table];
	uint32_t index;
	const struct bpf_map *outer = outer_of(guard, table, job, &index);

	if (*entry < 0)
		return 0;
	bpf_map_delete_elem(bpf_map__fd(outer), &index);
	close_fd(entry);
	*entry = -1;
	return 0;
}

static void *table_add_run(void *argument)
{
	struct work *work = argument;

	work->error = table_add(work->guard, work->job, work->table);
	return NULL;
}

static void *table_remove_run(void *argument)
{
	struct work *work = argument;

	work->error = table_remove(work->guard, work->job, work->table);
	return NULL;
}

/* Does all of it at once, or where no thread can be made, there. Returns 0 or the first -errno. */
static int works_run(struct work *works, size_t count, void *(*run)(void *))
{
	pthread_attr_t small;
	int error = 0;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, THREAD_STACK);
	for (size_t i = 0; i < count; i++)
		works[i].started = !pthread_create(&works[i].thread, &small, run, &works[i]);
	for (size_t i = 0; i < count; i++) {
		if (works[i].started)
			pthread_join(works[i].thread, NULL);
		else
			run(&works[i]);
		if (!error)
			error = works[i].error;
	}
	pthread_attr_destroy(&small);
	return error;
}

/*
 * Does the same to all tables of up to JOBS_AT_ONCE jobs. The kernel waits with each change of an
 * outer map until every program that runs has ended, some 15 ms; together, they wait once.
 */
static int tables_each(struct guard *guard, const uint32_t *jobs, uint32_t count,
		       void *(*run)(void *))
{
	struct work works[JOBS_AT_ONCE * TABLE_COUNT];

	for (uint32_t i = 0; i < count * TABLE_COUNT; i++)
		works[i] = (struct work){
			.guard = guard, .job = jobs[i / TABLE_COUNT], .table = i % TABLE_COUNT,
		};
	return works_run(works, count * TABLE_COUNT, run);
}

/* Makes the tables that jobs lack. */
static int tables_add(struct guard *guard, const uint32_t *jobs, uint32_t count)
{
	return tables_each(guard, jobs, count, table_add_run);
}

/* The account comes first: who takes over looks for tables only where there is one. */
static int account_begin(struct guard *guard, uint32_t job, uint64_t begun_ns)
{
	const struct account account = { .begun_ns = begun_ns };
	const struct job_counters counters = {};
	int error = bpf_map_update_elem(bpf_map__fd(guard->skeleton->maps.counters), &job,
					&counters, BPF_ANY);

	return error ? error : bpf_map_update_elem(bpf_map__fd(guard->skeleton->maps.accounts),
						   &job, &account, BPF_ANY);
}

/* With the jobs' accounts, which go last: without one, nobody looks for tables. */
static void tables_remove(struct guard *guard, const uint32_t *jobs, uint32_t count)
{
	const struct account none = {};

	tables_each(guard, jobs, count, table_remove_run);
	for (uint32_t i = 0; i < count; i++)
		bpf_map_update_elem(bpf_map__fd(guard->skeleton->maps.accounts), &jobs[i], &none,
				    BPF_ANY);
}

/* Opens those that are there; returns how many, or -errno. */
static int tables_open(struct guard *guard, uint32_t job)
{
	struct guard_job *entry = &guard->jobs[job];
	int count = 0;

	for (enum job_table table = 0; table < TABLE_COUNT; table++) {
		uint32_t index, id;
		const struct bpf_map *outer = outer_of(guard, table, job, &index);

		if (bpf_map_lookup_elem(bpf_map__fd(outer), &index, &id))
			continue;
		entry->tables[table] = bpf_map_get_fd_by_id(id);
		if (entry->tables[table] < 0)
			return -errno;
		count++;
	}
	return count;
}

/* Makes the tables of so many jobs to come, or of none: returns 0 or -errno. */
static int spares_make(struct guard *guard, uint32_t count)
{
	uint32_t jobs[JOBS_AT_ONCE], found = 0;
	int error = 0;

	for (uint32_t job = 1; !error && job <= guard->jobs_max && found < count; job++) {
		if (guard->jobs[job].used || guard->jobs[job].spare)
			continue;
		guard->jobs[job] = guard_job_none;
		jobs[found++] = job;
		error = account_begin(guard, job, ACCOUNT_SPARE);
	}
	if (!found)
		return -ENOSPC;
	if (!error)
		error = tables_add(guard, jobs, found);
	if (error)
		tables_remove(guard, jobs, found);
	for (uint32_t i = 0; !error && i < found; i++)
		guard->jobs[jobs[i]].spare = true;
	return error;
}

/* Returns how many there are, and the first one's number. */
static uint32_t spares_count(const struct guard *guard, uint32_t *ret_first)
{
	uint32_t count = 0;

	for (uint32_t job = guard->jobs_max; job > 0; job--) {
		if (guard->jobs[job].spare) {
			count++;
			*ret_first = job;
		}
	}
	return count;
}

int guard_jobs_prepare(struct guard *guard)
{
	uint32_t first, count = spares_count(guard, &first);
	int error = count < guard->spares ? spares_make(guard, guard->spares - count) : 0;

	return error == -ENOSPC ? 0 : error;
}

int guard_job_add(struct guard *guard, uint32_t *ret_job)
{
	uint32_t job = 0;
	int error = 0;

	/* Where one has to wait, others that follow need not; but rather one than none. */
	if (!spares_count(guard, &job)) {
		error = spares_make(guard, guard->spares + 1);
		if (error && error != -ENOSPC && guard->spares)
			error = spares_make(guard, 1);
		spares_count(guard, &job);
	}
	if (!error)
		error = account_begin(guard, job, clock_ns(CLOCK_BOOTTIME));
	if (error)
		return error;
	guard->jobs[job].spare = false;
	guard->jobs[job].used = true;
	*ret_job = job;
	return 0;
}

int guard_job_remove(struct guard *guard, uint32_t job)
{
	struct guard_job *entry = guard_job_get(guard, job);

	if (!entry)
		return -EINVAL;
	guard_detach(guard, job);
	tables_remove(guard, &job, 1);
	*entry = guard_job_none;
	return 0;
}

static int job_take_over(struct guard *guard, uint32_t job)
{
	struct guard_job *entry = &guard->jobs[job];
	int count;

	if (!guard->accounts[job].begun_ns && !entry->links)
		return 0;
	count = tables_open(guard, job);
	if (count < 0)
		return count;
	if (count < TABLE_COUNT && !entry->links) {
		tables_remove(guard, &job, 1);
		return 0;
	}
	entry->spare = guard->accounts[job].begun_ns == ACCOUNT_SPARE && !entry->links;
	entry->used = !entry->spare;
	/* Its tables may hold anything. */
	entry->drain_until = guard->turn + DRAIN_TURNS;
	return count < TABLE_COUNT ? tables_add(guard, &job, 1) : 0;
}

/* Every TAKEOVER_THREADS-th job, from one on. */
static void *takeover_run(void *argument)
{
	struct work *work = argument;

	for (uint32_t job = work->job; !work->error && job <= work->guard->jobs_max;
	     job += TAKEOVER_THREADS)
		work->error = job_take_over(work->guard, job);
	return NULL;
}

int jobs_take_over(struct guard *guard)
{
	struct work works[TAKEOVER_THREADS];

	for (uint32_t i = 0; i < TAKEOVER_THREADS; i++)
		works[i] = (struct work){ .guard = guard, .job = i + 1 };
	return works_run(works, TAKEOVER_THREADS, takeover_run);
}

/*
 * Removes entries whose time was over before `before`; every value begins with it. The next key is
 * taken before its predecessor goes, or the kernel would begin anew. Returns whether none is left.
 */
static bool table_sweep(int fd, const struct table_form *form, uint64_t before,
			bool (*keep)(int fd, const void *key))
{
	_Alignas(8) unsigned char key[64], next[64], value[512];
	bool more = !bpf_map_get_next_key(fd, NULL, key), empty = true;

	while (more) {
		more = !bpf_map_get_next_key(fd, key, next);
		if (!bpf_map_lookup_elem(fd, key, value) && *(uint64_t *)value < before &&
		    !(keep && keep(fd, key)))
			bpf_map_delete_elem(fd, key);
		else
			empty = false;
		memcpy(key, next, form->key_size);
	}
	return empty;
}

_Static_assert(sizeof(struct question_key) <= 64 && sizeof(struct learned_key) <= 64 &&
	       sizeof(struct learned) <= 512, "table_sweep");

/* Ways of one address have no holes but the one that this sweep may make at a time. */
static bool way_has_next(int fd, const void *key)
{
	struct learned_key next = *(const struct learned_key *)key;
	struct learned learned;

	next.way++;
	return next.way < WAYS_MAX && !bpf_map_lookup_elem(fd, &next, &learned);
}

/* An empty table that got nothing since costs as much to walk as a full one: its buckets. */
static void job_sweep(struct guard *guard, uint32_t job, struct guard_job *entry, uint64_t now)
{
	uint64_t kept = guard->counters[job].questions_kept + guard->counters[job].peers_kept;
	bool empty;

	if (kept == entry->kept_seen && entry->swept_empty)
		return;
	empty = table_sweep(entry->tables[TABLE_QUESTIONS], &forms[TABLE_QUESTIONS], now, NULL);
	empty &= table_sweep(entry->tables[TABLE_PEERS], &forms[TABLE_PEERS], now, NULL);
	entry->swept_empty = empty;
	entry->kept_seen = kept;
}

int guard_sweep(struct guard *guard)
{
	uint64_t now = clock_ns(CLOCK_BOOTTIME);
	/*
	 * Long after the kernel may reuse an entry (LEARNED_REUSE_NS): the two never meet at one.
	 */
	uint64_t learned_before = now > LEARNED_SWEEP_NS ? now - LEARNED_SWEEP_NS : 0;

	guard->sweeps++;
	for (uint32_t job = 1; job <= guard->jobs_max; job++) {
		struct guard_job *entry = guard_job_get(guard, job);

		if (!entry)
			continue;
		job_sweep(guard, job, entry, now);
		/* They stay for an hour: no hurry, and not all jobs at once. */
		if ((guard->sweeps + job) % LEARNED_SWEEPS == 0)
			table_sweep(entry->tables[TABLE_LEARNED], &forms[TABLE_LEARNED],
				    learned_before, way_has_next);
	}
	return 0;
}
