/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What boots with the machine: guards the cgroups of its configuration and the jobs of its agents,
 * writes their violations down, and answers on its socket. When it dies, the kernel goes on
 * enforcing, and the next one takes over.
 */
#ifndef BUILDFENCE_DAEMON_H
#define BUILDFENCE_DAEMON_H

/*
 * Runs until SIGTERM or SIGINT. Returns the exit status: 0 when it was told to end, 1 when it could
 * not begin or go on, with the reason said on standard error.
 */
int daemon_run(const char *config_path);

#endif
