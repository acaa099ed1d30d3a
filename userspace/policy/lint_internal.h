/* SPDX-License-Identifier: GPL-2.0 */
/* Between the parts of the lint. Each warns at the place of the rule that it is about. */
#ifndef BUILDFENCE_POLICY_LINT_INTERNAL_H
#define BUILDFENCE_POLICY_LINT_INTERNAL_H

#include <libpsl.h>

#include "policy.h"

void rule_warn(struct diagnostics *diag, const struct rule *rule, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Of an allow rule by name. `denied` as lint_pairs() has filled it; `suffixes` may be NULL: only
 * what stands in our own list is known.
 */
void lint_tenants(const struct policy *policy, const struct rule *rule, const bool *denied,
		  const psl_ctx_t *suffixes, struct diagnostics *diag);

/*
 * Rules twice, and allow rules that a deny covers whole: denied[index] is set for these, so that
 * nothing else is said of them. Returns 0 or -ENOMEM.
 */
int lint_pairs(const struct policy *policy, time_t now, struct diagnostics *diag, bool *denied);

#endif
