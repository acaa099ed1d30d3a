/* SPDX-License-Identifier: GPL-2.0 */
/* The machine's resolvers as policies are compiled with, and whether they are others by now. */
#ifndef BUILDFENCE_RESOLVERS_H
#define BUILDFENCE_RESOLVERS_H

#include <stdbool.h>
#include <time.h>

#include "policy/compile.h"

struct resolvers {
	struct machine_dns dns;
	struct timespec changed;	/* resolv.conf, as it was read */
};

/* Zeroed at first. Returns whether they are others than were read last; errors are logged. */
bool resolvers_read(struct resolvers *resolvers);

#endif
