/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files of the compiler; others include compile.h. */
#ifndef BUILDFENCE_POLICY_COMPILE_INTERNAL_H
#define BUILDFENCE_POLICY_COMPILE_INTERNAL_H

#include "compile.h"
#include "runs.h"

struct compiler {
	const struct policy *policy;
	const struct machine_dns *dns;	/* may be NULL */
	time_t now;
	struct diagnostics *diag;
	struct run_pool pool;
	struct image *image;
};

/*
 * What a rule does to the ports that it names. False: nothing any more, since its last day has
 * passed (an allow rule stays, as ACTION_EXPIRED, so that a refusal can say so).
 */
bool compile_port_rule(const struct rule *rule, time_t now, struct port_rule *ret_port_rule);

/*
 * Fill the names and the prefixes of compiler->image. Return 0, -E2BIG (said in diag) or -ENOMEM;
 * what is in the image then is freed with it.
 */
int compile_names(struct compiler *compiler);
int compile_prefixes(struct compiler *compiler);

/* Says that an entry has too many port rules. `rule` is one of its own. Returns -E2BIG. */
int compile_too_many(struct compiler *compiler, const struct rule *rule);

#endif
