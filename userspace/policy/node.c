/* SPDX-License-Identifier: GPL-2.0 */
/* Messages about the nodes of a YAML document: see node.h. */
#include "node.h"

#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy.h"

void node_report(const struct document *document, const struct node *node, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&message, format, arguments) < 0)
		message = NULL;
	va_end(arguments);
	diagnostics_error(document->diag, document->source, node->line, node->column, "%s",
			  message ? message : "out of memory");
}

const char *node_text(const struct document *document, const struct node *node, const char *what)
{
	if (node->kind == NODE_TEXT && !node_is_null(node))
		return node->text;
	if (node->kind != NODE_INVALID)
		node_report(document, node,
			    "expected %s, but here is %s", what, node_kind_name(node));
	return NULL;
}

void node_report_key(const struct document *document, const struct node *key,
		     const char *const *names, size_t count, const char *else_say)
{
	const char *nearest = text_nearest(key->text, names, count);

	if (nearest)
		node_report(document, key,
			    "unknown key '%.60s'; did you mean '%s'?", key->text, nearest);
	else
		node_report(document, key, "unknown key '%.60s'%s", key->text, else_say);
}

char *path_beside(const char *name, const char *file)
{
	_cleanup_free_ char *copy = NULL;
	char *path;

	if (!file || *name == '/' || !strchr(file, '/'))
		return strdup(name);
	copy = strdup(file);
	if (!copy || asprintf(&path, "%s/%s", dirname(copy), name) < 0)
		return NULL;
	return path;
}
