/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Entries for the mirrors, registries and remotes that this machine is configured for, which no
 * preset can know: npm and yarn, pip, apt, Docker, git, NuGet, and proxies.
 */
#ifndef BUILDFENCE_DERIVE_H
#define BUILDFENCE_DERIVE_H

#include <stdio.h>

/* Where to look. Each member may be NULL: not looked for. */
struct derive_request {
	const char *root;		/* put in front of /etc/...; NULL: this machine's own */
	const char *home;		/* a user's home folder; as it is, not below root */
	const char *project;		/* a repository: its git remotes, .npmrc, nuget.config */
	char *const *environment;	/* "NAME=value", NULL-terminated */
};

/*
 * Writes a policy file with one entry per host and port, and comments that say where each came
 * from. User names, passwords and tokens in URLs are never written; what is not understood becomes
 * a comment that names the place, not the value. Files that are missing are no error.
 * Returns 0 or -ENOMEM.
 */
int policy_derive(const struct derive_request *request, FILE *out);

#endif
