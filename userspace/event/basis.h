/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The policies that the records' runs had. What those allowed left no record, so what suggest.c
 * prints must stand on them, or say that it does not. Between suggest.c and need.c; nobody else
 * includes this.
 */
#ifndef BUILDFENCE_BASIS_H
#define BUILDFENCE_BASIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "policy/load.h"

enum basis_state {
	BASIS_UNKNOWN = 0,
	BASIS_NOT_ALONE,	/* named after presets, but those alone are not what it was */
	BASIS_CHANGED,		/* named as what was given, which is not what it was */
	BASIS_KNOWN,		/* what it allowed is in `presets` or `rules` below */
};

/* One policy of the records. */
struct basis {
	char *name;		/* PolicyName, or "" */
	char *hash;		/* PolicyHash, or "" */
	enum basis_state state;
};

struct bases {
	struct basis *items;
	size_t count;
	const char **presets;	/* built in, each once: their own names */
	size_t preset_count;
	bool given;		/* the command line named something */
	struct policy *rules;	/* that, where names of presets cannot stand for it; or NULL */
};

/* Notes the policy of one record. Returns 0 or -ENOMEM. */
int bases_note(struct bases *bases, const char *name, const char *hash);

/*
 * Finds out what the policies allowed: from name and hash, where it was built-in presets and
 * nothing else; others by `request`, which may be empty. What is missing is reported as a warning
 * at `source`. Returns 0, -EINVAL (the request's policy has errors: reported) or another -errno.
 */
int bases_resolve(struct bases *bases, const struct policy_request *request, const char *source,
		  struct diagnostics *diag);

/* A comment about what is missing, if something is; then the key `presets`, if there are some. */
void bases_write_gaps(const struct bases *bases, FILE *out);
void bases_write_presets(const struct bases *bases, FILE *out);

void bases_clear(struct bases *bases);

#endif
