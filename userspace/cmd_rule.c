/* SPDX-License-Identifier: GPL-2.0 */
/* A rule in what commands print: see cmd_rule.h. */
#include "cmd_rule.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "policy/write.h"

#define TEXT_MAX	1024

void rule_print(FILE *out, const struct rule *rule)
{
	_cleanup_free_ char *text = escape_string(rule->text, TEXT_MAX);
	_cleanup_free_ char *source = escape_string(rule->source, TEXT_MAX);

	fprintf(out, "%s \"%s\"  (%s", rule_list_name(rule->list), text ? text : "",
		source ? source : "");
	if (rule->line)
		fprintf(out, ":%u:%u", rule->line, rule->column);
	fprintf(out, ")");
}

json_t *rule_json(const struct rule *rule)
{
	if (!rule)
		return json_null();
	return json_pack("{s:i, s:s, s:o, s:o, s:o, s:i, s:i}", "id", (int)rule->id, "list",
			 rule_list_name(rule->list), "target", text_json(rule->text), "name",
			 text_json(rule->label), "source", text_json(rule->source), "line",
			 (int)rule->line, "column", (int)rule->column);
}
