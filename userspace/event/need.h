/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a job needed, as one record tells it: between suggest.c, which collects and prints needs,
 * need.c, which reads them, and fold.c's wildcards. Nobody else includes this.
 */
#ifndef BUILDFENCE_NEED_H
#define BUILDFENCE_NEED_H

#include <stdint.h>

#include "policy/target.h"

enum need_kind {
	NEED_ALLOW = 0,			/* an entry under `allow` */
	NEED_INBOUND,			/* an entry under `inbound.allow` */
	NEED_NOTE,			/* no entry: `text` says why, as a comment */
};

struct need {
	enum need_kind kind;
	struct target target;		/* not of NEED_NOTE */
	char *text;			/* the entry, or the comment: printable ASCII */
	char *process;			/* who; printable ASCII */
	const char *remark;		/* static, or NULL */
	bool asked;			/* a DNS question: no connection is known */
	uint64_t attempts;
};

struct needs {
	struct need *items;
	size_t count;
	size_t capacity;
};

struct bases;

/*
 * Reads one record, and notes its policy. Returns 0 with *ret_need to be cleared by need_clear(),
 * -EINVAL with what is wrong in ret_error, or -ENOMEM.
 */
int need_read(const char *line, size_t len, struct bases *bases, struct need *ret_need,
	      char ret_error[static 256]);

void need_clear(struct need *need);

/* Takes over what `need` holds, also on failure. Returns 0 or -ENOMEM. */
int needs_add(struct needs *needs, struct need *need);
void needs_clear(struct needs *needs);

/*
 * Replaces names by "*.parent" where at least `least` names with the same protocol and port are
 * below that parent: the deepest parent first, and never one above a name's registrable domain.
 * Returns 0, -ENOENT (no list of public suffixes) or -ENOMEM.
 */
int needs_fold(struct needs *needs, unsigned int least);

#endif
