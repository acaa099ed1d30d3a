/* SPDX-License-Identifier: GPL-2.0 */
/* Warnings about rules that are valid, but probably not what their author meant. */
#ifndef BUILDFENCE_POLICY_LINT_H
#define BUILDFENCE_POLICY_LINT_H

#include "policy.h"

/*
 * Warns, at each rule's place, of names that anyone can register below or behind, rules that never
 * match or do nothing, rules that have expired or soon will (counted from `now`), URL paths, and
 * very wide prefixes. Returns 0 or -ENOMEM.
 */
int policy_lint(const struct policy *policy, time_t now, struct diagnostics *diag);

#endif
