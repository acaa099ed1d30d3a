/* SPDX-License-Identifier: GPL-2.0 */
/* Reading a policy: a YAML file, presets, and additions from the command line. */
#ifndef BUILDFENCE_POLICY_LOAD_H
#define BUILDFENCE_POLICY_LOAD_H

#include "policy.h"

/* What `run` and `policy` may add to, or put in place of, a file. All members may be zero. */
struct policy_request {
	const char *file;		/* NULL: no file */
	const char *const *presets;	/* names of presets to add; NULL-terminated, or NULL */
	const char *const *allow;	/* targets to add; NULL-terminated, or NULL */
	const char *organization;	/* placeholder {organization}; NULL: as in the file */
	const char *mode;		/* "enforce" or "audit"; NULL: as in the file */
};

/*
 * Reads and checks a policy. With neither file nor preset nor allow: the preset azure-devops.
 * Messages go to `diag`. Returns 0, -EINVAL (errors were reported; nothing is kept), or -errno
 * when the file cannot be read (also reported).
 */
int policy_load(const struct policy_request *request, struct diagnostics *diag,
		struct policy **ret_policy);

/*
 * Parses one target as it may stand in an entry. `list` decides what a bare name means.
 * Returns 0 or -EINVAL with a message that says what was expected in ret_error (static or
 * caller's buffer of 256 bytes).
 */
int target_parse(const char *text, enum rule_list list, struct target *ret_target,
		 char ret_error[static 256]);

#endif
