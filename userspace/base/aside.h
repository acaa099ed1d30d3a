/* SPDX-License-Identifier: GPL-2.0 */
/* A process that works beside the one that forked it, and holds nothing that others wait for. */
#ifndef BUILDFENCE_ASIDE_H
#define BUILDFENCE_ASIDE_H

#include <stddef.h>

/* Where the descriptors that it keeps begin, and how many they may be. */
#define ASIDE_FD	3
#define ASIDE_FDS_MAX	3

/*
 * In the child, before anything else: a session of its own, no signal but SIGKILL, `name` (15
 * bytes) for ps, and of all descriptors only these, as ASIDE_FD and the following. Without them it
 * exits.
 */
void aside_begin(const char *name, const int *fds, size_t count);

#endif
