/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whose job it is, from a process's environment: only the variables that an agent's kind names are
 * kept. The rest holds secrets; it is wiped from memory and never printed.
 */
#ifndef BUILDFENCE_IDENTITY_H
#define BUILDFENCE_IDENTITY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct agent_kind;

/* A longer value is cut: the record writer cuts at the same length. */
#define IDENTITY_VALUE_MAX	256

/*
 * Values are the raw bytes of the environment, chosen by whoever wrote the pipeline: who prints
 * them escapes them. NULL: not set, or empty, or the kind does not name it.
 */
struct identity {
	char **pairs;			/* "AzpJobId=...", NULL-terminated; never NULL itself */
	char *job;
	char *agent;
	char *pool;
	char *project;
	char *definition;
};

/*
 * Picks a kind's variables out of a stream of environment entries: identity_take() as often as
 * there are bytes, in pieces of any size, then identity_finish(). Of a variable that is set twice
 * the first counts, as for getenv(); of two variables for one field the first of the kind's.
 */
struct identity_reader;

int identity_reader_new(const struct agent_kind *kind, struct identity_reader **ret_reader);
void identity_take(struct identity_reader *reader, const char *bytes, size_t length);

/*
 * Returns 0; -ENODATA for a child (kind->identity_in_child) without the variable that names the job
 * (kind->job): not the process we wait for; or -ENOMEM. The reader is wiped and freed in any case.
 */
int identity_finish(struct identity_reader *reader, struct identity **ret_identity);

/*
 * Reads it from /proc/PID/environ. `start_ticks` tells the process from a later one of its number
 * (see proc_start()). Returns 0; -ENODATA as above; -ESRCH when the process has ended, before or
 * while it was read; or another -errno. Another user's process needs CAP_SYS_PTRACE.
 */
int identity_read(pid_t pid, uint64_t start_ticks, const struct agent_kind *kind,
		  struct identity **ret_identity);

/* NULL is fine. */
void identity_free(struct identity *identity);

static inline void identity_cleanup(struct identity **identity)
{
	identity_free(*identity);
}
#define _cleanup_identity_ __attribute__((cleanup(identity_cleanup)))

#endif
