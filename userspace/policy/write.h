/* SPDX-License-Identifier: GPL-2.0 */
/* A loaded policy as text: flattened, with presets read in and placeholders filled. */
#ifndef BUILDFENCE_POLICY_WRITE_H
#define BUILDFENCE_POLICY_WRITE_H

#include <jansson.h>

#include "policy.h"

/*
 * Writes YAML that policy_load() reads back as the same rules and settings. A comment behind each
 * rule tells its protocol, ports, and where it was written. Returns 0 or -ENOMEM; errors of `out`
 * are left in its error flag.
 */
int policy_write_yaml(const struct policy *policy, FILE *out);

/* The two parts of it: the settings but for `mode`, and one list's rules below its own heading. */
void policy_write_settings(const struct policy *policy, FILE *out);
int policy_write_rules(const struct policy *policy, enum rule_list list, FILE *out);

/* Has the policy a rule in this list? */
bool policy_has_rules(const struct policy *policy, enum rule_list list);

/* A JSON string. Arguments and file names may be no UTF-8, which JSON cannot hold: then escaped. */
json_t *text_json(const char *text);

/*
 * Writes JSON on lines of its own, as ASCII without "##", which a pipeline page would obey.
 * `layout` is JSON_COMPACT or JSON_INDENT(n). Returns 0 or -ENOMEM.
 */
int json_write(const json_t *json, size_t layout, FILE *out);

/* Writes one JSON object with a member for each setting, and `rules`. Returns 0 or -ENOMEM. */
int policy_write_json(const struct policy *policy, FILE *out);

/* "allow", "deny", "expected", "inbound". */
const char *rule_list_name(enum rule_list list);

/* "tcp/443", "udp/123-125", "any", as a person reads a target's protocol and ports. */
#define PORTS_TEXT_LEN	24
void target_format_ports(const struct target *target, char ret_text[static PORTS_TEXT_LEN]);

/* The last day of a rule that expires: "2027-01-31". */
#define DAY_TEXT_LEN	16
void expires_format(time_t expires, char ret_text[static DAY_TEXT_LEN]);

#endif
