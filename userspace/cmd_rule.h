/* SPDX-License-Identifier: GPL-2.0 */
/* How the policy commands show a rule, for people and as JSON. */
#ifndef BUILDFENCE_CMD_RULE_H
#define BUILDFENCE_CMD_RULE_H

#include <jansson.h>
#include <stdio.h>

#include "policy/policy.h"

/* Writes: allow "https://dev.azure.com"  (ci.yaml:4:5) */
void rule_print(FILE *out, const struct rule *rule);

/* An object, or null for NULL. NULL only when memory ran out. */
json_t *rule_json(const struct rule *rule);

#endif
