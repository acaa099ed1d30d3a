/* SPDX-License-Identifier: GPL-2.0 */
/* The configuration's keys at the top level, and the values that are one text or number. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config_read.h"
#include "control/protocol.h"
#include "policy/policy.h"

#define KEYS_MAX	16
#define WORD_MAX	32
#define PATH_LEN_MAX	1024

void config_text_keep(struct config_reading *reading, const char *text, char **ret_text)
{
	free(*ret_text);
	*ret_text = strdup(text);
	if (!*ret_text)
		reading->no_memory = true;
}

void config_map_read(struct config_reading *reading, const struct node *map,
		     const struct config_key *keys, size_t count, const char *what, void *ret)
{
	const char *names[KEYS_MAX];
	char known[160] = "";
	size_t len = 0;

	for (size_t i = 0; i < count && i < KEYS_MAX; i++) {
		names[i] = keys[i].name;
		len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s", i ? ", " : "",
					names[i]);
	}
	for (size_t i = 0; i < map->count; i++) {
		char else_say[200];
		size_t j = 0;

		while (j < count && strcmp(keys[j].name, map->keys[i]->text))
			j++;
		if (j < count) {
			keys[j].read(reading, map->items[i], (char *)ret + keys[j].offset);
			continue;
		}
		snprintf(else_say, sizeof(else_say), "; %s has %s", what, known);
		node_report_key(&reading->document, map->keys[i], names, count, else_say);
	}
}

void *config_list_read(struct config_reading *reading, const struct node *node, size_t most,
		       size_t size, const char *example, size_t *ret_count)
{
	void *items;

	*ret_count = 0;
	if (node->kind == NODE_INVALID || node_is_null(node))
		return NULL;
	if (node->kind != NODE_LIST) {
		node_report(&reading->document, node, "expected a list, as in '%s', but here is %s",
			    example, node_kind_name(node));
		return NULL;
	}
	if (node->count > most) {
		node_report(&reading->document, node, "%zu entries, and %zu is the most",
			    node->count, most);
		return NULL;
	}
	items = node->count ? calloc(node->count, size) : NULL;
	if (items)
		*ret_count = node->count;
	else if (node->count)
		reading->no_memory = true;
	return items;
}

/* A word that may stand in the name of a job, of a cgroup, of a folder. */
void config_word_read(struct config_reading *reading, const struct node *node, void *ret_text)
{
	static const char letters[] =
		"-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const char *text = node_text(&reading->document, node, "a word");

	if (!text)
		return;
	if (!*text || strlen(text) > WORD_MAX || *text == '-' || *text == '_' ||
	    text[strspn(text, letters)])
		node_report(&reading->document, node,
			    "'%.60s' is not a word here: a letter or digit first, then letters, digits, '-' or '_', at most %d",
			    text, WORD_MAX);
	else
		config_text_keep(reading, text, ret_text);
}

/* A path of a file: relative to the configuration's folder, kept absolute. */
void config_path_read(struct config_reading *reading, const struct node *node, void *ret_text)
{
	const char *text = node_text(&reading->document, node, "a path");
	_cleanup_free_ char *path = NULL;

	if (!text)
		return;
	if (!*text || text[strlen(text) - 1] == '/' || strlen(text) > PATH_LEN_MAX ||
	    strpbrk(text, "\n\t")) {
		node_report(&reading->document, node,
			    "'%.60s' is not the path of a file; write it as in /run/buildfence, without a slash at the end",
			    text);
		return;
	}
	if (!strncmp(text, "./", 2))
		text += 2;
	if (*text != '/' && asprintf(&path, "%s/%s", reading->folder, text) < 0) {
		path = NULL;
		reading->no_memory = true;
		return;
	}
	config_text_keep(reading, path ? path : text, ret_text);
}

static void socket_read(struct config_reading *reading, const struct node *node, void *ret_text)
{
	char **path = ret_text;

	config_path_read(reading, node, path);
	if (*path && strlen(*path) > CONTROL_PATH_MAX)
		node_report(&reading->document, node,
			    "'%.120s' has %zu bytes; the path of a socket has %d at most",
			    *path, strlen(*path), CONTROL_PATH_MAX);
}

/* Whether a socket finds room there is known once it is known that `socket` is missing. */
static void state_read(struct config_reading *reading, const struct node *node, void *ret_text)
{
	config_path_read(reading, node, ret_text);
	reading->state = node;
}

bool config_cgroup_check(struct config_reading *reading, const struct node *node, const char *path)
{
	const char *part = path;

	while (*part == '/' && part[1] != '/' && strlen(path) <= PATH_LEN_MAX) {
		size_t len = strcspn(++part, "/");

		if ((len == 1 && *part == '.') || (len == 2 && !strncmp(part, "..", 2)) ||
		    (!len && part != path + 1))
			break;
		part += len;
		if (!*part)
			return true;
	}
	node_report(&reading->document, node,
		    "'%.120s' is not a path from cgroup2's root; write it as in /system.slice/agent.service, without a slash at the end",
		    path);
	return false;
}

static void cgroup_read(struct config_reading *reading, const struct node *node, void *ret_text)
{
	const char *text = node_text(&reading->document, node, "a cgroup's path");

	if (text && config_cgroup_check(reading, node, text))
		config_text_keep(reading, text, ret_text);
}

/* `run` keeps its pins in run-TAG, and removes those whose run is gone. */
static void pins_read(struct config_reading *reading, const struct node *node, void *ret_text)
{
	char **name = ret_text;

	config_word_read(reading, node, name);
	if (*name && !strncmp(*name, "run-", 4))
		node_report(&reading->document, node,
			    "'%s': names that begin with 'run-' are those of 'buildfence run'; choose another",
			    *name);
}

static void version_read(struct config_reading *reading, const struct node *node, void *unused)
{
	const char *text = node_text(&reading->document, node, "1");

	(void)unused;
	if (text && strcmp(text, "1"))
		node_report(&reading->document, node,
			    "version '%.40s' is not known here; this buildfence reads version 1",
			    text);
}

static void azure_read(struct config_reading *reading, const struct node *node, void *unused)
{
	const char *text = node_text(&reading->document, node, "'on' or 'off'");

	(void)unused;
	if (text && strcmp(text, "on") && strcmp(text, "off"))
		node_report(&reading->document, node, "expected 'on' or 'off', not '%.40s'", text);
	reading->azure_off = text && !strcmp(text, "off");
}

struct range {
	uint32_t low, high;
	const char *too_low, *too_high;
};

/* Digits alone, with no sign and no more than a number up to 9,999,999 has. */
static void number_read(struct config_reading *reading, const struct node *node,
			const struct range *range, uint32_t *ret_number)
{
	const char *text = node_text(&reading->document, node, "a number"), *reason = "";
	size_t digits = text ? strspn(text, "0123456789") : 0;
	bool is_number = digits && digits < 8 && !text[digits];
	uint32_t number = is_number ? (uint32_t)strtoul(text, NULL, 10) : 0;

	if (!text)
		return;
	if (is_number)
		reason = number < range->low ? range->too_low :
			 number > range->high ? range->too_high : NULL;
	if (reason)
		node_report(&reading->document, node,
			    "expected a number from %u to %u, not '%.40s'%s%s", range->low,
			    range->high, text, *reason ? ": " : "", reason);
	else
		*ret_number = number;
}

static void jobs_read(struct config_reading *reading, const struct node *node, void *ret_number)
{
	static const struct range range = {
		1, CONFIG_JOBS_MAX, "with none, no job could run guarded",
		"each job has tables of its own in the kernel",
	};

	number_read(reading, node, &range, ret_number);
}

static void policies_read(struct config_reading *reading, const struct node *node, void *ret_number)
{
	static const struct range range = {
		2, CONFIG_POLICIES_MAX, "a reload keeps the old policy until the new one acts",
		"each policy has tables of its own in the kernel",
	};

	number_read(reading, node, &range, ret_number);
}

static void clients_read(struct config_reading *reading, const struct node *node, void *ret_number)
{
	static const struct range range = {
		4, CONFIG_CLIENTS_MAX,
		"with fewer, those that follow events would keep the others out",
		"each takes one of the daemon's file descriptors",
	};

	number_read(reading, node, &range, ret_number);
}

static void limits_read(struct config_reading *reading, const struct node *node, void *ret_config)
{
	static const struct config_key keys[] = {
		{ "jobs", jobs_read, offsetof(struct config, jobs_max) },
		{ "policies", policies_read, offsetof(struct config, policies_max) },
		{ "clients", clients_read, offsetof(struct config, clients_max) },
	};

	if (node->kind == NODE_INVALID || node_is_null(node))
		return;
	if (node->kind != NODE_MAP) {
		node_report(&reading->document, node,
			    "'limits' is a mapping, as in 'limits: { jobs: 256 }', but here is %s",
			    node_kind_name(node));
		return;
	}
	reading->limits = node;
	config_map_read(reading, node, keys, ARRAY_SIZE(keys), "'limits'", ret_config);
}

void config_schema_read(struct config_reading *reading, const struct node *document)
{
	static const struct config_key keys[] = {
		{ "version", version_read, 0 },
		{ "policy", config_policy_read, offsetof(struct config, policy) },
		{ "policies", config_choices_read, 0 },
		{ "agents", config_agents_read, 0 },
		{ "azure", azure_read, 0 },
		{ "guard", config_guard_read, 0 },
		{ "records", config_path_read, offsetof(struct config, records) },
		{ "limits", limits_read, 0 },
		{ "state", state_read, offsetof(struct config, state) },
		{ "socket", socket_read, offsetof(struct config, socket) },
		{ "pins", pins_read, offsetof(struct config, pins) },
		{ "cgroup", cgroup_read, offsetof(struct config, cgroup) },
	};

	if (!document || document->kind == NODE_INVALID || node_is_null(document))
		return;
	if (document->kind != NODE_MAP) {
		node_report(&reading->document, document,
			    "expected a mapping ('policy:' and other keys), but here is %s",
			    node_kind_name(document));
		return;
	}
	config_map_read(reading, document, keys, ARRAY_SIZE(keys), "a configuration",
			reading->config);
}
