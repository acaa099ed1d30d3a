/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One guarded cgroup as the daemon knows it, and its record on disk by which a successor knows it
 * again. How jobs begin and end: jobs.h.
 */
#ifndef BUILDFENCE_DAEMON_JOB_H
#define BUILDFENCE_DAEMON_JOB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "daemon/records.h"
#include "event/event.h"
#include "event/shortage.h"

struct loaded;
struct policies;

enum job_origin {
	JOB_WORKER = 0,		/* an agent's worker, in a cgroup that the daemon made */
	JOB_ATTACHED,		/* a cgroup that `attach` named */
	JOB_GUARDED,		/* a cgroup of the configuration's `guard` list */
};

/* Policies that a job had a moment ago: refusals judged by them may still come. */
#define PAST_POLICIES	4

struct past_policy {
	struct loaded *loaded;		/* NULL: an empty place */
	uint32_t generation;
	unsigned int ticks;		/* seconds that it stays */
};

struct job {
	uint32_t number;		/* in the guard; 0: not yet */
	enum job_origin origin;
	char *name;
	char *cgroup;			/* path from cgroup2's root */
	uint64_t cgroup_id;		/* another cgroup may come to have the same path */
	char *policy_source;		/* what a reload reads */
	struct loaded *loaded;		/* the policy in force */
	uint32_t generation;
	struct past_policy past[PAST_POLICIES];
	char *agent;			/* this and the next: NULL where not known */
	char *pool;
	char *kind;			/* struct agent_kind's name */
	char *from;			/* cgroup that its worker began in; NULL: of no worker */
	char **identity;		/* "AzpJobId=...", NULL-terminated; or NULL */
	pid_t worker;			/* 0: none */
	uint64_t worker_start;		/* clock ticks */
	time_t started;
	int events_fd;			/* cgroup.events, or -1 */
	bool populated;
	bool ended;			/* its cgroup is gone; sockets of its may still exist */
	int64_t ended_ms;		/* CLOCK_MONOTONIC */
	struct records_place records_from;	/* the end of the records when the job began */
	uint64_t refused;		/* attempts that records tell of */
	uint64_t short_seen[SHORTAGES];	/* at the last look */
};

/* Returns an empty job, or NULL. */
struct job *job_new(enum job_origin origin);
/* Gives the references to policies back. NULL is fine. */
void job_free(struct policies *policies, struct job *job);

/* Another policy is in force from `generation` on; the job takes over the caller's reference. */
void job_policy_note(struct policies *policies, struct job *job, struct loaded *loaded,
		     uint32_t generation);
void job_tick(struct policies *policies, struct job *job);

/* What an event of that generation needs to know. The rules are known only if *ret_known. */
struct event_job job_event(const struct job *job, uint32_t generation, bool *ret_known);

/* The job's record: JSON to a file `NUMBER.json`, and back. Return 0 or -errno. */
int job_record_write(int folder_fd, const struct job *job);
int job_record_read(int folder_fd, const char *name, struct job **ret_job);
void job_record_remove(int folder_fd, uint32_t number);

/* "worker", "attached", "guarded". */
const char *job_origin_name(enum job_origin origin);

/* {"AzpJobId": "..."}; text that is no UTF-8 is escaped. */
json_t *job_identity_json(const struct job *job);

void strings_free(char **strings);

#endif
