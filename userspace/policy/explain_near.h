/* SPDX-License-Identifier: GPL-2.0 */
/* Inside explain: which rules nearly allowed what was refused. */
#ifndef BUILDFENCE_POLICY_EXPLAIN_NEAR_H
#define BUILDFENCE_POLICY_EXPLAIN_NEAR_H

#include "explain.h"

/*
 * Fills ret->near: first the allow rules for the same host with other ports (or whose last day has
 * passed), then those with a name that is probably meant.
 */
void explain_near(const struct policy *policy, const struct query *query, struct explanation *ret);

#endif
