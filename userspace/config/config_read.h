/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the configuration's reader share. config.c gathers them, config_schema.c knows
 * the keys at the top, config_agents.c, config_choices.c and config_guard.c one list each, and
 * config_policies.c what they name. Errors go to the diagnostics.
 */
#ifndef BUILDFENCE_CONFIG_READ_H
#define BUILDFENCE_CONFIG_READ_H

#include <stddef.h>

#include "config.h"
#include "policy/node.h"

/* A policy that the configuration names, at the first place that does. */
struct policy_use {
	char *policy;			/* as config.policy */
	char *shown;			/* the same as a path for messages: relative where it was */
	const struct node *position;	/* NULL: the default, which nothing names */
};

struct config_reading {
	struct document document;
	struct config *config;
	char *folder;			/* of the file, absolute: where relative paths begin */
	const struct node *agents;	/* the lists, once read; NULL: none */
	const struct node *limits;
	const struct node *state;	/* NULL: the default */
	bool azure_off;
	struct policy_use *uses;
	size_t use_count;
	bool no_memory;			/* nothing more is kept, and the result is -ENOMEM */
};

/* One key of a mapping, and the member of its struct that it fills. */
struct config_key {
	const char *name;
	void (*read)(struct config_reading *reading, const struct node *node, void *ret_member);
	size_t offset;
};

/*
 * Reads a mapping into a struct by a table of its keys. Any other key is reported; `what` is how
 * the struct is called there: "an agent".
 */
void config_map_read(struct config_reading *reading, const struct node *map,
		     const struct config_key *keys, size_t count, const char *what, void *ret);

/*
 * Room for the items of a list: NULL and *ret_count 0 where it is empty, or reported: not a list,
 * with an example, or longer than `most`.
 */
void *config_list_read(struct config_reading *reading, const struct node *node, size_t most,
		       size_t size, const char *example, size_t *ret_count);

/* Keeps a copy in place of what stood there. */
void config_text_keep(struct config_reading *reading, const char *text, char **ret_text);

/* Readers of one value each, for tables. */
void config_word_read(struct config_reading *reading, const struct node *node, void *ret_text);
void config_path_read(struct config_reading *reading, const struct node *node, void *ret_text);
void config_policy_read(struct config_reading *reading, const struct node *node, void *ret_text);

/* The same for a policy that no key names: a preset. */
void config_policy_use(struct config_reading *reading, const char *preset, char **ret_policy);

/* Reports a glob with a bracket that does not close. */
void config_glob_check(struct config_reading *reading, const struct node *node, const char *glob);

/* Reports what is no path from cgroup2's root, and returns false. */
bool config_cgroup_check(struct config_reading *reading, const struct node *node, const char *path);

/* Warns of a file that everyone can write: whoever can decides what jobs may reach. */
void config_writers_warn(struct diagnostics *diag, const char *path);

/* The whole document, and one key each. */
void config_schema_read(struct config_reading *reading, const struct node *document);
void config_agents_read(struct config_reading *reading, const struct node *node, void *unused);
void config_choices_read(struct config_reading *reading, const struct node *node, void *unused);
void config_guard_read(struct config_reading *reading, const struct node *node, void *unused);

/* What can only be said once every key was read. */
void config_agents_finish(struct config_reading *reading);
void config_policies_check(struct config_reading *reading);

#endif
