/* SPDX-License-Identifier: GPL-2.0 */
/* The tables of a job: made, swept and taken away; read by read.c. */
#include "guard/internal.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "buildfence.skel.h"

#define NS_PER_S	1000000000ULL

struct guard_job *guard_job_get(struct guard *guard, uint32_t job)
{
	if (job == 0 || job > guard->jobs_max || !guard->jobs[job].used)
		return NULL;
	return &guard->jobs[job];
}

static int table_add(const struct bpf_map *outer, uint32_t index, size_t key_size,
		     size_t value_size, uint32_t max_entries, int *ret_fd)
{
	int fd = inner_map_add(outer, index, BPF_MAP_TYPE_HASH, (uint32_t)key_size,
			       (uint32_t)value_size, max_entries, BPF_F_NO_PREALLOC);

	*ret_fd = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

static int tables_add(struct guard *guard, uint32_t job)
{
	struct guard_job *entry = &guard->jobs[job];
	struct buildfence_bpf *skeleton = guard->skeleton;
	int error;

	error = table_add(skeleton->maps.learned_addrs, job, sizeof(struct learned_key),
			  sizeof(struct learned), LEARNED_MAX, &entry->learned_fd);
	if (!error)
		error = table_add(skeleton->maps.questions, job, sizeof(struct question_key),
				  sizeof(struct question), QUESTIONS_MAX, &entry->questions_fd);
	if (!error)
		error = table_add(skeleton->maps.peers, job, sizeof(struct peer_key),
				  sizeof(struct peer), PEERS_MAX, &entry->peers_fd);
	if (!error)
		error = table_add(skeleton->maps.reached_addrs, job, sizeof(struct reached_key),
				  sizeof(struct reached), REACHED_MAX, &entry->reached_fd);
	for (uint32_t i = 0; !error && i < FOLD_EPOCHS; i++)
		error = table_add(skeleton->maps.folds, job * FOLD_EPOCHS + i,
				  sizeof(struct fold_key), sizeof(struct fold), FOLDS_MAX,
				  &entry->folds_fd[i]);
	return error;
}

int guard_job_add(struct guard *guard, uint32_t *ret_job)
{
	struct job_counters zero = {};
	struct guard_job *entry;
	uint32_t job = 1;
	int error;

	while (job <= guard->jobs_max && guard->jobs[job].used)
		job++;
	if (job > guard->jobs_max)
		return -ENOSPC;
	entry = &guard->jobs[job];
	*entry = (struct guard_job){
		.used = true, .learned_fd = -1, .questions_fd = -1, .peers_fd = -1,
		.reached_fd = -1, .folds_fd = { -1, -1 },
	};
	error = bpf_map_update_elem(bpf_map__fd(guard->skeleton->maps.counters), &job, &zero,
				    BPF_ANY);
	if (!error)
		error = tables_add(guard, job);
	if (error) {
		guard_job_remove(guard, job);
		return error;
	}
	*ret_job = job;
	return 0;
}

int guard_job_remove(struct guard *guard, uint32_t job)
{
	struct guard_job *entry = guard_job_get(guard, job);
	const struct bpf_map *outer[] = {
		guard->skeleton->maps.learned_addrs, guard->skeleton->maps.questions,
		guard->skeleton->maps.peers, guard->skeleton->maps.reached_addrs,
	};

	if (!entry)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(outer); i++)
		bpf_map_delete_elem(bpf_map__fd(outer[i]), &job);
	for (uint32_t i = 0; i < FOLD_EPOCHS; i++) {
		uint32_t index = job * FOLD_EPOCHS + i;

		bpf_map_delete_elem(bpf_map__fd(guard->skeleton->maps.folds), &index);
		close_fd(&entry->folds_fd[i]);
	}
	close_fd(&entry->learned_fd);
	close_fd(&entry->questions_fd);
	close_fd(&entry->peers_fd);
	close_fd(&entry->reached_fd);
	entry->used = false;
	return 0;
}

static uint64_t boot_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/*
 * Removes entries whose time is over from a table; every value begins with it. The next key is
 * taken before its predecessor goes, or the kernel would begin anew.
 */
static int table_sweep(int fd, size_t key_size, size_t value_size, uint64_t now,
		       bool (*keep)(int fd, const void *key))
{
	_Alignas(8) unsigned char key[64], next[64], value[512];
	bool more;

	if (key_size > sizeof(key) || value_size > sizeof(value))
		return -EINVAL;
	more = !bpf_map_get_next_key(fd, NULL, key);
	while (more) {
		more = !bpf_map_get_next_key(fd, key, next);
		if (!bpf_map_lookup_elem(fd, key, value) && *(uint64_t *)value < now &&
		    !(keep && keep(fd, key)))
			bpf_map_delete_elem(fd, key);
		memcpy(key, next, key_size);
	}
	return 0;
}

/* Ways of one address have no holes but the one that this sweep may make at a time. */
static bool way_has_next(int fd, const void *key)
{
	struct learned_key next = *(const struct learned_key *)key;
	struct learned learned;

	next.way++;
	return next.way < WAYS_MAX && !bpf_map_lookup_elem(fd, &next, &learned);
}

int guard_sweep(struct guard *guard)
{
	uint64_t now = boot_ns();
	/*
	 * Long after the kernel may reuse an entry (LEARNED_REUSE_NS): the two never meet at one.
	 */
	uint64_t learned_before = now > LEARNED_SWEEP_NS ? now - LEARNED_SWEEP_NS : 0;
	int error = 0;

	for (uint32_t job = 1; !error && job <= guard->jobs_max; job++) {
		struct guard_job *entry = guard_job_get(guard, job);

		if (!entry)
			continue;
		error = table_sweep(entry->learned_fd, sizeof(struct learned_key),
				    sizeof(struct learned), learned_before, way_has_next);
		if (!error)
			error = table_sweep(entry->questions_fd, sizeof(struct question_key),
					    sizeof(struct question), now, NULL);
		if (!error)
			error = table_sweep(entry->peers_fd, sizeof(struct peer_key),
					    sizeof(struct peer), now, NULL);
	}
	return error;
}
