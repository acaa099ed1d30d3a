/* SPDX-License-Identifier: GPL-2.0 */
/* Stub: see identity.h. */
#include "watch/identity.h"

#include <errno.h>

int identity_read(pid_t pid, uint64_t start_ticks, const struct agent_kind *kind,
		  struct identity **ret_identity)
{
	(void)pid;
	(void)start_ticks;
	(void)kind;
	(void)ret_identity;
	return -ENOSYS;
}

void identity_free(struct identity *identity)
{
	(void)identity;
}
