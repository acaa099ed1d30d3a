/* SPDX-License-Identifier: GPL-2.0 */
/*
 * YAML as a policy or the daemon's configuration may use it: one document of mappings, lists and
 * texts, each with its position. Anchors, aliases, tags and duplicate keys are errors: they make a
 * file mean something else than it seems to. What the keys mean is its reader's business.
 */
#ifndef BUILDFENCE_POLICY_YAML_H
#define BUILDFENCE_POLICY_YAML_H

#include <stdbool.h>
#include <stddef.h>

struct diagnostics;

#define YAML_SIZE_MAX	(1024 * 1024)
#define YAML_DEPTH_MAX	16
#define YAML_KEYS_MAX	256		/* of one mapping */

enum node_kind {
	NODE_INVALID = 0,		/* an error was reported; say nothing more about it */
	NODE_TEXT,
	NODE_LIST,
	NODE_MAP,
};

struct node {
	enum node_kind kind;
	unsigned int line, column;	/* from 1, in characters */
	char *text;			/* NODE_TEXT */
	bool quoted;			/* NODE_TEXT: a quoted or block scalar */
	struct node **keys;		/* NODE_MAP: texts, in the file's order, no two alike */
	struct node **items;		/* NODE_LIST: its items; NODE_MAP: the keys' values */
	size_t count;
};

/*
 * Reads a whole file, or the first bytes of one that is too large: more than YAML_SIZE_MAX, which
 * yaml_read() then reports. Returns 0 or -errno.
 */
int yaml_bytes_read(const char *path, char **ret_bytes, size_t *ret_len);

/*
 * Reads a document. Errors go to `diag` under the name `source`, as many as can be told apart.
 * Returns 0, -EINVAL (no tree could be made: reported) or -ENOMEM. With 0, errors may have been
 * reported as well: their nodes are NODE_INVALID. An empty document gives *ret_node NULL.
 */
int yaml_read(const char *source, const char *bytes, size_t len, struct diagnostics *diag,
	      struct node **ret_node);

/* The value of a key, or NULL; `map` may be NULL or any kind of node. */
struct node *node_get(const struct node *map, const char *key);

/* Is it an empty value, as in "allow:" with nothing behind it? */
bool node_is_null(const struct node *node);

/* What the node is, for messages: "a text", "a list", "a mapping". */
const char *node_kind_name(const struct node *node);

void node_free(struct node *node);

static inline void node_cleanup(struct node **node)
{
	node_free(*node);
}
#define _cleanup_node_ __attribute__((cleanup(node_cleanup)))

#endif
