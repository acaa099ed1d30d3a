/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of guard/ share; nobody else includes it. */
#ifndef BUILDFENCE_GUARD_INTERNAL_H
#define BUILDFENCE_GUARD_INTERNAL_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "guard/guard.h"

struct buildfence_bpf;

/* Tables of one job; descriptors are -1 where there is none. */
struct guard_job {
	bool used;
	int learned_fd;
	int questions_fd;
	int peers_fd;
	int reached_fd;
	int folds_fd[FOLD_EPOCHS];
	uint64_t unfolded[REASON_SLOTS];	/* of job_counters, as far as given out */
	uint64_t given[REASON_SLOTS];		/* attempts given out, one way or the other */
	uint64_t cgroup_id;			/* 0: not attached */
	struct bpf_link *links[GUARD_PROGRAMS];
	char *pins;				/* folder of the links' pins, or NULL */
};

struct guard {
	struct buildfence_bpf *skeleton;
	struct bpf_program *programs[GUARD_PROGRAMS];
	struct ring_buffer *ring;
	uint32_t jobs_max;			/* jobs[0] and policies[0] stay unused */
	uint32_t policies_max;
	struct guard_job *jobs;
	bool *policies;
	uint32_t generation;			/* of the slot written last */
	uint32_t epoch;				/* fold tables written now */
	bool first;
	guard_report_fn take;			/* while the ring is read */
	void *take_context;
};

/* The job, or NULL where there is no such job. */
struct guard_job *guard_job_get(struct guard *guard, uint32_t job);

/* Does the kernel have bpf_set_retval() in sock_create programs (5.18)? */
bool probe_set_retval(void);

/* Makes an inner map and puts it at `index` of an outer one. Returns its descriptor or -errno. */
int inner_map_add(const struct bpf_map *outer, uint32_t index, enum bpf_map_type type,
		  uint32_t key_size, uint32_t value_size, uint32_t max_entries, uint32_t flags);

/* Makes the folder for a job's pins, and the bpf file system if need be. Returns 0 or -errno. */
int pins_folder_make(uint32_t job, char **ret_path);

/* The ring's callback; `context` is the guard. */
int refusal_from_ring(void *context, void *bytes, size_t size);

#endif
