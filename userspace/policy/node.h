/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the readers of a YAML document say of its nodes, be it a policy or the daemon's
 * configuration: one shape of messages, with the place and what was probably meant.
 */
#ifndef BUILDFENCE_POLICY_NODE_H
#define BUILDFENCE_POLICY_NODE_H

#include <stddef.h>

#include "yaml.h"

/* A document that is read: its name in messages, and where they go. */
struct document {
	const char *source;
	struct diagnostics *diag;
};

void node_report(const struct document *document, const struct node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Reports where a node is not a text, and returns NULL; else its text. `what` names what was
 * expected, for the message.
 */
const char *node_text(const struct document *document, const struct node *node, const char *what);

/*
 * Reports a key that is none of `names`: the nearest is offered; with none near, the message ends
 * with `else_say` ("; an entry has to and name").
 */
void node_report_key(const struct document *document, const struct node *key,
		     const char *const *names, size_t count, const char *else_say);

/*
 * The path of a file that a document names: relative to the document's own. `file` may be NULL: the
 * command line named it. To be freed; NULL only when memory ran out.
 */
char *path_beside(const char *name, const char *file);

#endif
