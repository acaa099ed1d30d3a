/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading what another process can keep from being read: its memory, or a file where it has the say
 * over what is mounted. A thread reads, and nobody waits for it longer than a moment.
 */
#ifndef BUILDFENCE_READER_H
#define BUILDFENCE_READER_H

#include <stddef.h>
#include <sys/types.h>

/* Who asks. Each has threads and time of its own: what one is kept from is no other's loss. */
enum reader_use {
	READER_RECORDS = 0,	/* what a process was that was refused something */
	READER_SEARCH,		/* which program a process is */
	READER_FILES,		/* what stands in an agent's own file */
	READER_IDENTITY,	/* whose job it is, of processes that are held */
	READER_USES,
};

/*
 * Reads something of a process: at least `max` bytes, or all there is, into memory of malloc()'s.
 * Returns how many, or -errno. It may go on when nobody waits any more, so it touches nothing of
 * the program's but `what`, a literal. It has none of the program's descriptors.
 */
typedef ssize_t (*reader_fn)(pid_t pid, const char *what, size_t max, char **ret_bytes);

/*
 * Has a thread call `read`, and waits for it: some 50 us as a rule; one answer is waited for 200 ms
 * at most (a file: 1 s), and all that `use` asks for, a quarter of the time at most, of which
 * nothing is used up by a machine that is busy with others. *ret_bytes is the caller's to give to
 * answer_free(). Returns what `read` does, -ETIMEDOUT, or -EBUSY when it was not asked at all: the
 * process, or too many, did not answer yet, or the time is used up. For one thread of the program.
 */
ssize_t reader_ask(enum reader_use use, reader_fn read, pid_t pid, const char *what, size_t max,
		   char **ret_bytes);

/* Wipes and frees an answer, which may hold secrets. NULL is fine. */
void answer_free(char *bytes, ssize_t length);

/*
 * Ends the thread that waits for the next question, which starts another. Before privileges are
 * dropped: a thread keeps those that it was started with.
 */
void reader_end(void);

#endif
