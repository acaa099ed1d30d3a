/* SPDX-License-Identifier: GPL-2.0 */
/* What belongs to a policy whoever reads, compiles or explains it: messages, and freeing. */
#include "policy.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/text.h"

__attribute__((format(printf, 6, 0)))
static void diagnostics_write(FILE *out, const char *source, unsigned int line, unsigned int column,
			      const char *kind, const char *format, va_list arguments)
{
	_cleanup_free_ char *message = NULL, *escaped = NULL;
	_cleanup_text_ struct text text = {};

	if (!out)
		return;
	if (vasprintf(&message, format, arguments) < 0)
		message = NULL;
	text_printf(&text, "%s:", source);
	if (line)
		text_printf(&text, "%u:%u:", line, column);
	text_printf(&text, " %s%s", kind, message ? message : "out of memory");
	/* It quotes what somebody wrote: no terminal and no pipeline page shall obey that. */
	escaped = text.failed ? NULL : escape_again(text.bytes);
	fprintf(out, "%s\n", escaped ? escaped : "out of memory");
}

void diagnostics_error(struct diagnostics *diag, const char *source, unsigned int line,
		       unsigned int column, const char *format, ...)
{
	va_list arguments;

	diag->errors++;
	va_start(arguments, format);
	diagnostics_write(diag->out, source, line, column, "", format, arguments);
	va_end(arguments);
}

void diagnostics_warning(struct diagnostics *diag, const char *source, unsigned int line,
			 unsigned int column, const char *format, ...)
{
	va_list arguments;

	diag->warnings++;
	va_start(arguments, format);
	diagnostics_write(diag->out, source, line, column, "warning: ", format, arguments);
	va_end(arguments);
}

const char *mode_name(enum guard_mode mode)
{
	return mode == MODE_AUDIT ? "audit" : "enforce";
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->rule_count; i++) {
		struct rule *rule = &policy->rules[i];

		free(rule->text);
		free(rule->label);
		free(rule->reason);
		free(rule->source);
	}
	free(policy->rules);
	free(policy->name);
	free(policy);
}
