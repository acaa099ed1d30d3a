/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the policy reader share: read.c gathers the documents, schema.c knows their
 * keys, entry.c their entries. Errors go to the diagnostics; a return value other than 0 means that
 * memory ran out.
 */
#ifndef BUILDFENCE_POLICY_READ_H
#define BUILDFENCE_POLICY_READ_H

#include "node.h"
#include "policy.h"

/* More than a policy of 1 MiB can name without placeholders. */
#define RULES_MAX	500000

/* Values for {word}: the policy's, for all its presets too. */
struct values {
	const char *organization;	/* NULL: none */
	const struct node *map;		/* of `values:`; NULL: none */
	bool used[YAML_KEYS_MAX];	/* by index into map */
};

struct reading {
	struct policy *policy;
	struct values values;
	size_t rule_capacity;
	bool is_full;			/* RULES_MAX was reached, and reported */
	bool entry_failed;		/* something of the entry was reported: no more of it */
	struct document document;	/* that is being read */
	bool is_preset;
	const struct node *placeholders;	/* of a preset; NULL: none */
};

/* Reads everything but `presets`, which stays in the document for the caller. */
int schema_read(struct reading *reading, const struct node *document);

/* Is the word a `mode`? Writes ret_mode only then. */
bool mode_parse(const char *word, enum guard_mode *ret_mode);

/* Reports a preset that is not built in. `position` may be NULL: a name of the command line. */
void preset_report_unknown(const struct document *document, const struct node *position,
			   const char *name);

/* May the text stand for a placeholder? */
bool value_is_valid(const char *text);

/* Reads the entries of one list, in long or short form. */
int entries_read(struct reading *reading, enum rule_list list, const struct node *entries);

/* Adds a target from the command line, as a short entry of `allow`. */
int entry_add_text(struct reading *reading, const char *text);

/* `tls: off`, of a policy or an entry: the only value until server names are checked. */
void tls_check(const struct reading *reading, const struct node *node);

#endif
