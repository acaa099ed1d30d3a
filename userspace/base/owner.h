/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who owns a thing that outlives a process: a cgroup, a folder of pins. The tag stands in its name
 * and tells a later run whether the owner still lives, also when its pid was given away again.
 */
#ifndef BUILDFENCE_OWNER_H
#define BUILDFENCE_OWNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define OWNER_TAG_SIZE	64

/* Writes this process's tag, "PID-START-PIDNS", into ret_tag. Returns 0 or -errno. */
int owner_tag(char ret_tag[static OWNER_TAG_SIZE]);

enum owner_state {
	OWNER_UNKNOWN = 0,	/* not a tag, or of another PID namespace: leave it alone */
	OWNER_ALIVE,
	OWNER_DEAD,
};

enum owner_state owner_state(const char *tag);

#endif
