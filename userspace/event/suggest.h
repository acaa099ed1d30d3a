/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From the records of an audit run to the smallest policy that would have let it pass. Takes any
 * records of buildfence-records(5), denials too; what no rule can allow, and what nobody should
 * allow without a second look (metadata, denied by rule), becomes a comment.
 */
#ifndef BUILDFENCE_SUGGEST_H
#define BUILDFENCE_SUGGEST_H

#include <stdio.h>

#include "policy/load.h"

struct suggest_options {
	const char *source;		/* name of `records` in messages */
	unsigned int fold;		/* names of one parent that become a wildcard; 0: never */
	struct policy_request run;	/* the policy that the run had, as far as told; no `mode` */
};

/*
 * Reads NDJSON from `records` and writes a policy to `out`. Every entry covers its record and is
 * one that policy_load() accepts, whatever the records hold. What the run's policy allowed left no
 * record: it is added, where the records' PolicyName and PolicyHash or `run` tell what it was, and
 * a warning and a comment say where it is missing. Messages go to `diag`; a last line that was cut
 * off is a warning.
 * Returns 0, -EINVAL (a line that is no record, or `run` has errors; reported, nothing is written),
 * -ENOENT (folding without a list of public suffixes; reported) or another -errno.
 */
int suggest(FILE *records, const struct suggest_options *options, struct diagnostics *diag,
	    FILE *out);

#endif
