/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of guard/ share; nobody else includes it but tests. */
#ifndef BUILDFENCE_GUARD_INTERNAL_H
#define BUILDFENCE_GUARD_INTERNAL_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "guard/guard.h"
#include "guard/ring.h"

struct buildfence_bpf;

/* The tables of a job, each an inner map. */
enum job_table {
	TABLE_LEARNED,
	TABLE_QUESTIONS,
	TABLE_PEERS,
	TABLE_REACHED,
	TABLE_FOLDS,			/* two of them, by the lowest bit of the epoch */
	TABLE_COUNT = TABLE_FOLDS + FOLD_EPOCHS,
};

/*
 * What is held of one job: the descriptors of its tables, since opening one by its id would need
 * CAP_SYS_ADMIN, but none of its links, whose pins can be opened by name.
 */
struct guard_job {
	bool used;
	bool spare;			/* its tables wait for a job */
	uint8_t links;			/* bit i: programs[i] has a pinned link */
	bool swept_empty;		/* the last sweep left nothing */
	int tables[TABLE_COUNT];	/* -1: none */
	uint64_t cgroup_id;		/* 0: not attached */
	uint64_t refused_seen;		/* at the last drain */
	uint64_t drain_until;		/* the turn in which its tables are empty for sure */
	uint64_t kept_seen;		/* at the last sweep */
};

/* Without tables and links: what an entry is before and after its job. */
extern const struct guard_job guard_job_none;

/* Flips after which a job that was seen to refuse has been drained whole, stragglers included. */
#define DRAIN_TURNS	2

struct guard {
	struct buildfence_bpf *skeleton;
	struct bpf_program *programs[GUARD_PROGRAMS];
	struct ring ring;
	uint32_t jobs_max;			/* jobs[0] and policies[0] stay unused */
	uint32_t policies_max;
	uint32_t spares;
	struct guard_job *jobs;
	bool *policies;
	const struct job_counters *counters;	/* the map itself, by job */
	const struct account *accounts;		/* the same; written by accounts_write() */
	struct epoch epoch;			/* as in the map, whose only writer we are */
	uint64_t turn;				/* flips of the fold tables */
	uint64_t sweeps;
	char *pins;				/* folder of our own pins, or NULL */
	char *links;				/* folder with a folder of pinned links per job */
};

/* --- jobs --------------------------------------------------------------------------------- */

/* The job, or NULL where there is no such job. */
struct guard_job *guard_job_get(struct guard *guard, uint32_t job);

/*
 * Opens the tables that a predecessor made for jobs, and decides by whether a job is attached: one
 * that was not whole yet, or no more, is removed or gets the tables it lacks. Returns 0 or -errno.
 */
int jobs_take_over(struct guard *guard);

/* Writes guard->epoch into its map. Returns 0 or -errno. */
int epoch_write(struct guard *guard);

/* --- reports ------------------------------------------------------------------------------ */

/* The names of reports; `count` is that of the report. */
struct report_id report_id_first(const struct refusal *refusal);
struct report_id report_id_repeats(const struct refusal *refusal, uint64_t count);

/* Do both come from the same place in the ring or a fold table? */
bool report_id_equal(const struct report_id *a, const struct report_id *b);

/* Gives a report out, and writes it into the job's account. Returns 0, or what `take` returned. */
int report_give(struct guard *guard, struct guard_report *report, const struct report_id *id,
		guard_report_fn take, void *context);

/*
 * The same for attempts of a reason that could not be kept apart: all up to `total` in unfolded[],
 * or, at a job's end, in refused[].
 */
int report_give_lost(struct guard *guard, uint32_t job, uint32_t reason, bool at_end,
		     uint64_t total, guard_report_fn take, void *context);

/*
 * After a takeover: removes what a predecessor gave out but could not remove, and puts the report
 * called last_uid (NULL: none) into its account, if it is not yet. Returns 0 or -errno.
 */
int reports_settle(struct guard *guard, const char *last_uid);

/* --- maps --------------------------------------------------------------------------------- */

/* Makes an inner map and puts it at `index` of an outer one. Returns its descriptor or -errno. */
int inner_map_add(const struct bpf_map *outer, uint32_t index, enum bpf_map_type type,
		  uint32_t key_size, uint32_t value_size, uint32_t max_entries, uint32_t flags);

/* Which policies a predecessor left whole; the others are removed. */
int policies_take_over(struct guard *guard);

/* --- pins --------------------------------------------------------------------------------- */

/* Mounts the bpf file system if need be, and makes GUARD_PINS. Returns 0 or -errno. */
int pins_root_make(void);
int folder_make(const char *path);

/* Removes a folder of pins and what is in it; none is fine. Returns 0 or -errno. */
int folder_remove(int parent_fd, const char *name);

/* Do all pins below a folder guard nothing? */
bool folder_is_dead(int parent_fd, const char *name);

/* The link behind a descriptor: the id of its cgroup, 0 if that is gone or it is no such link. */
uint64_t link_cgroup(int link_fd);

/*
 * Before the object is loaded: has it use the maps that are pinned for `options`, or clears the way
 * for new ones. *ret_fresh: there were none to take over. `said` is for the log.
 */
int pinned_maps_prepare(struct guard *guard, const struct guard_options *options, bool *ret_fresh,
			char *said, size_t said_size);

/* After it is loaded: pins the maps that were made. */
int pinned_maps_finish(struct guard *guard);

/* Gives all links of a predecessor our programs. Returns 0 or -errno. */
int links_take_over(struct guard *guard);

/* Does the kernel have bpf_set_retval() in sock_create programs (5.18)? */
bool probe_set_retval(void);

#endif
