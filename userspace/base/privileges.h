/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the daemon gives up once it has started: every capability that the running daemon does not
 * need, privileges of programs it could execute, and the system calls it never makes. Which
 * capability is for what stands in privileges.c.
 */
#ifndef BUILDFENCE_PRIVILEGES_H
#define BUILDFENCE_PRIVILEGES_H

#include <stdint.h>

/*
 * Call it as root, when everything that needs more is done: bpffs mounted, folders made with their
 * owners, no thread started yet (later ones have no more). Afterwards files and cgroups that root
 * may write by their mode can be written (not cgroup2's root, whose mode is 0555: jobs' cgroups
 * must be made below another one), those of others only read. execve, fork, kill, and setns but
 * into a network namespace give EPERM, as does each call that is not on the list. There is no way
 * back. It needs CAP_SETPCAP, and before 5.11 CAP_SYS_RESOURCE, besides those that are kept.
 * Returns 0 or -errno; after a failure the process must end, since half may be given up.
 */
int privileges_drop(void);

/* The capabilities that are kept, as the mask that CapEff and CapPrm then show. */
uint64_t privileges_capabilities(void);

/*
 * What privileges_drop() promises, as the lines of /proc/PID/status that are then true (CapInh,
 * CapPrm, CapEff, CapBnd, CapAmb, NoNewPrivs, Seccomp), each ended by a newline, and a last line
 * "Capabilities:\tCAP_NET_ADMIN CAP_..." with the names. Memory to free, or NULL.
 */
char *privileges_promise(void);

#endif
