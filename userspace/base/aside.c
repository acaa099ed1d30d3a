/* SPDX-License-Identifier: GPL-2.0 */
/* How a process beside us begins. */
#include "base/aside.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define FD_HIGH		64

void aside_begin(const char *name, const int *fds, size_t count)
{
	int high[ASIDE_FDS_MAX];
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, name);
	/* By way of higher numbers, since one may stand already where another is to be. */
	for (size_t i = 0; i < count; i++)
		high[i] = fcntl(fds[i], F_DUPFD, FD_HIGH);
	for (size_t i = 0; i < count; i++) {
		if (dup2(high[i], ASIDE_FD + (int)i) < 0)
			_exit(EXIT_FAILURE);
	}
	/* A caller may wait for the end of a pipe that it gave to us, or for a lock. */
	close_range(0, ASIDE_FD - 1, 0);
	close_range(ASIDE_FD + (unsigned int)count, ~0U, 0);
}
