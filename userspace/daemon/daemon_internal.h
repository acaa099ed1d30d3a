/* SPDX-License-Identifier: GPL-2.0 */
/* The daemon's own state: daemon.c is its life, workers.c and requests.c are what it is told. */
#ifndef BUILDFENCE_DAEMON_INTERNAL_H
#define BUILDFENCE_DAEMON_INTERNAL_H

#include <stdbool.h>
#include <time.h>

#include "daemon/home.h"
#include "guard/resetter.h"

struct config;
struct control;
struct guard;
struct guarded;
struct jobs;
struct loop;
struct policies;
struct records;
struct watch;

/* What is NULL or -1 was not reached yet. */
struct daemon {
	const char *config_path;
	struct config *config;
	struct loop *loop;
	struct home home;
	struct guard *guard;
	struct resetter resetter;
	struct policies *policies;
	struct records *records;
	struct jobs *jobs;
	struct guarded *guarded;
	struct watch *watch;
	struct control *control;
	int state_fd;
	int lock_fd;
	int jobs_fd;
	int policies_fd;
	time_t started;
	bool worker_waits;		/* one could not be given a job; tried again */
};

/* Reads configuration and policies anew. Returns 0, or -errno with *ret_error (to be freed). */
int daemon_reload(struct daemon *daemon, char **ret_error);

/*
 * workers.c: makes a watch for the agents of a configuration, which must live as long; NULL if it
 * has none. The one in force stays until workers_begin(). Returns 0, or -errno (logged).
 */
int workers_prepare(struct daemon *daemon, const struct config *config, struct watch **ret_watch);
/* Takes back what workers_prepare() made. NULL is fine. */
void workers_drop(struct daemon *daemon, struct watch *watch);
/* Sees agents' workers begin, and takes those that run: for the configuration as it is now. */
void workers_begin(struct daemon *daemon, struct watch *watch);
/* When the watch can be read, and once a second. `context` is the daemon. */
void workers_read(void *context);
/* Every few seconds: tries again what failed. */
void workers_retry(struct daemon *daemon);
void workers_gone(int worker, void *context);

/* requests.c: a control_fn and a control_trust_fn; `context` is the daemon. */
struct control_answer;
struct control_peer;
struct json_t;
void request_answer(const struct control_peer *peer, const struct json_t *request,
		    struct control_answer *ret_answer, void *context);
bool request_trust(const struct control_peer *peer, void *context);

#endif
