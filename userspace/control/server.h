/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The daemon's side of its socket: who asks, one whole and well-formed request, the answer, and
 * lines for those who follow. What a request means is the daemon's matter. Nothing here blocks, and
 * memory is bounded whatever clients do: at most clients_max are served at a time, a quarter of
 * the places is kept for root, another user gets half of them at most and a cgroup of others a
 * sixteenth (but at least one), and who finds no place is told so and closed. Which root is trusted
 * that far, control_trust() may narrow.
 */
#ifndef BUILDFENCE_CONTROL_SERVER_H
#define BUILDFENCE_CONTROL_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct control;
struct loop;

/*
 * Who connected. `cgroup` is the path from cgroup2's root, or NULL when it is not known (the
 * process has ended, is of another PID namespace, ...): then it may be in a job or not.
 */
struct control_peer {
	uid_t uid;
	pid_t pid;
	char *cgroup;
	bool trusted;		/* root, and control_trust() agrees */
};

/*
 * What the daemon answers; the server sets it to "nothing" (past_fd -1) before it asks. The server
 * then owns all of it.
 *   body	the answer's line; {"ok":true} is added where there is no "ok"
 *   stream	lines follow; else the connection is closed behind the answer
 *   past_fd	a file of lines, sent from its current offset to its end; -1: none
 *   past_only	only lines of that file that hold this string, e.g. "\"JobName\":\"build-7.11\""
 *		(inside a JSON string the quotes would be escaped); NULL: all
 *   follow	lines of control_publish() follow, until the client or control_job_end() ends it
 *   job	only those of this job; 0: of all jobs
 */
struct control_answer {
	json_t *body;
	bool stream;
	int past_fd;
	char *past_only;
	bool follow;
	uint32_t job;
};

/* May call control_publish() and control_job_end(), not control_close(). */
typedef void (*control_fn)(const struct control_peer *peer, const json_t *request,
			   struct control_answer *ret_answer, void *context);

/* Sets the body to {"ok":false,"error":...}; the message must quote what others chose escaped. */
void control_answer_error(struct control_answer *ret_answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Listens at `path` (mode 0666) and serves from `loop`. A socket that is there already is replaced,
 * whoever may listen to it: that no other daemon lives is for the caller to know. Returns 0 or
 * -errno: -ENAMETOOLONG above CONTROL_PATH_MAX, -ENOTSOCK when something else is at `path`.
 */
int control_open(const char *path, unsigned int clients_max, struct loop *loop, control_fn answer,
		 void *context, struct control **ret_control);

/* Which root is trusted, asked once for each connection of root's; without it, all are. */
typedef bool (*control_trust_fn)(const struct control_peer *peer, void *context);
void control_trust(struct control *control, control_trust_fn trust);

/* Closes all connections and removes the socket, if it is still ours. NULL is fine. */
void control_close(struct control *control);

/*
 * Gives a line (its newline is added) to all who follow this job or all. A reader who is slow
 * loses lines from then on until it has read what was waiting, and is told how many.
 */
void control_publish(struct control *control, uint32_t job, const char *line, size_t length);

/* Ends the streams of those who follow this job only, once what is waiting is sent. */
void control_job_end(struct control *control, uint32_t job);

/* How many are served now. */
unsigned int control_clients(const struct control *control);

static inline void control_cleanup(struct control **control)
{
	control_close(*control);
}
#define _cleanup_control_ __attribute__((cleanup(control_cleanup)))

#endif
