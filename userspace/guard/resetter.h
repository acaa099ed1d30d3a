/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Resetting connections (guard_reset()) without waiting for it. The kernel takes the socket's lock
 * for it, and sleeps where no signal wakes it; a job holds that lock for as long as it likes, by
 * sending from memory that it never lets the kernel read. So it is done by another process, which
 * has nothing else open and whose end nobody waits for.
 */
#ifndef BUILDFENCE_RESETTER_H
#define BUILDFENCE_RESETTER_H

#include <sys/types.h>

struct refusal;

struct resetter {
	int fd;		/* of the socket to it; -1: not started */
	pid_t pid;
};

/*
 * Starts it, with the privileges of privileges_drop(). The caller still needs its own, and must
 * have no thread yet. Returns 0 or -errno.
 */
int resetter_start(struct resetter *ret_resetter);

/*
 * Resets the TCP connection of a refusal with REFUSAL_RESET, soon; or never, where one that cannot
 * be reset came before it (before 6.9, where the kernel resets one at a time), or too many: it
 * stays refused, and hangs until it times out. Never waits.
 */
void resetter_ask(const struct resetter *resetter, const struct refusal *refusal);

/* Ends it: also one that is not started, or was ended. Waits a moment, but not for a lock. */
void resetter_end(struct resetter *resetter);

#endif
