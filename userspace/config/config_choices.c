/* SPDX-License-Identifier: GPL-2.0 */
/* `policies:` of the configuration: which job gets which policy. */
#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "config_read.h"
#include "policy/policy.h"

#define GLOB_MAX	256

/* A bracket right behind the first one, or behind its "!", stands for itself. */
static bool glob_closes(const char *glob)
{
	for (const char *c = glob; (c = strchr(c, '[')); c++) {
		c++;
		c += *c == '!' || *c == '^';
		c += *c == ']';
		c = strchr(c, ']');
		if (!c)
			return false;
	}
	return true;
}

void config_glob_check(struct config_reading *reading, const struct node *node, const char *glob)
{
	if (!glob_closes(glob))
		node_report(&reading->document, node,
			    "'%.60s' has a '[' that no ']' ends; for the character itself write '[[]'",
			    glob);
}

static void glob_read(struct config_reading *reading, const struct node *node, void *ret_text)
{
	const char *text = node_text(&reading->document, node, "a name or a glob");
	size_t len = text ? strlen(text) : 0;

	if (!text)
		return;
	if (!len || len > GLOB_MAX) {
		node_report(&reading->document, node,
			    len ? "more than %d characters: '%.20s...'" :
			    "an empty name, which no job has; leave the key out where any will do",
			    GLOB_MAX, text);
		return;
	}
	config_glob_check(reading, node, text);
	config_text_keep(reading, text, ret_text);
}

static const struct config_key keys[] = {
	{ "agent", glob_read, offsetof(struct policy_choice, agent) },
	{ "pool", glob_read, offsetof(struct policy_choice, pool) },
	{ "project", glob_read, offsetof(struct policy_choice, project) },
	{ "definition", glob_read, offsetof(struct policy_choice, definition) },
	{ "policy", config_policy_read, offsetof(struct policy_choice, policy) },
};

static bool glob_is_any(const char *glob)
{
	return !glob || !strcmp(glob, "*");
}

/* Does whatever the later glob matches match the earlier one, as far as can be seen at once? */
static bool glob_covers(const char *earlier, const char *later)
{
	return glob_is_any(earlier) || (later && !strcasecmp(earlier, later));
}

static bool choice_covers(const struct policy_choice *earlier, const struct policy_choice *later)
{
	return glob_covers(earlier->agent, later->agent) &&
	       glob_covers(earlier->pool, later->pool) &&
	       glob_covers(earlier->project, later->project) &&
	       glob_covers(earlier->definition, later->definition);
}

static void choice_read(struct config_reading *reading, const struct node *node,
			struct policy_choice *choice)
{
	unsigned int errors = reading->document.diag->errors;

	choice->line = node->line;
	choice->column = node->column;
	if (node->kind == NODE_INVALID)
		return;
	if (node->kind != NODE_MAP) {
		node_report(&reading->document, node,
			    "expected a mapping, as in '{ agent: \"build-*\", policy: release.yaml }', but here is %s",
			    node_kind_name(node));
		return;
	}
	config_map_read(reading, node, keys, ARRAY_SIZE(keys), "an entry of 'policies'", choice);
	if (!node_get(node, "policy") && reading->document.diag->errors == errors)
		node_report(&reading->document, node,
			    "an entry without 'policy'; say which policy these jobs get");
}

/* The first match wins: an entry behind one that matches all it could match is a mistake. */
static void shadows_warn(const struct config_reading *reading, const struct policy_choice *choices,
			 size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (!choice_covers(&choices[j], &choices[i]))
				continue;
			diagnostics_warning(reading->document.diag, reading->document.source,
					    choices[i].line, choices[i].column,
					    "this entry is never used: the one in line %u matches every job that it would; put it further up, or leave it out",
					    choices[j].line);
			break;
		}
	}
}

void config_choices_read(struct config_reading *reading, const struct node *node, void *unused)
{
	struct config *config = reading->config;
	unsigned int errors = reading->document.diag->errors;

	(void)unused;
	config->choices = config_list_read(reading, node, CONFIG_ENTRIES_MAX,
					   sizeof(*config->choices),
					   "policies: [ { agent: \"build-*\", policy: release.yaml } ]",
					   &config->choice_count);
	for (size_t i = 0; i < config->choice_count; i++)
		choice_read(reading, node->items[i], &config->choices[i]);
	if (reading->document.diag->errors == errors)
		shadows_warn(reading, config->choices, config->choice_count);
}

static bool glob_matches(const char *glob, const char *name)
{
	return glob_is_any(glob) || (name && !fnmatch(glob, name, FNM_CASEFOLD));
}

const char *config_policy_choose(const struct config *config, const char *agent, const char *pool,
				 const char *project, const char *definition)
{
	for (size_t i = 0; i < config->choice_count; i++) {
		const struct policy_choice *choice = &config->choices[i];

		if (glob_matches(choice->agent, agent) && glob_matches(choice->pool, pool) &&
		    glob_matches(choice->project, project) &&
		    glob_matches(choice->definition, definition))
			return choice->policy;
	}
	return config->policy;
}
