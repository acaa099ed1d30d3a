/* SPDX-License-Identifier: GPL-2.0 */
/*
 * `guard:` of the configuration: cgroups that are guarded whenever they exist. Cut off, the Azure
 * VM agent would take the machine out of its owner's hands, and the daemon guarding itself would
 * guard its jobs twice: what could cover either is an error, also as a glob.
 */
#include <fnmatch.h>
#include <string.h>

#include "base/cleanup.h"
#include "config_read.h"
#include "policy/policy.h"

#define DEFAULT_NAME	"guarded"

/* A unit name is full of backslashes ("\x2d" for '-'), which stand for themselves. */
#define PATTERN_FLAGS	(FNM_PATHNAME | FNM_NOESCAPE)

bool config_guard_match(const struct guarded_cgroup *guarded, const char *cgroup)
{
	return !fnmatch(guarded->pattern, cgroup, PATTERN_FLAGS);
}

/* What has WALinuxAgent's unit below it, with and without Azure's slice. */
static const struct {
	const char *path;
	const char *name;
} above[] = {
	{ "/", "the root" },
	{ "/azure.slice", "azure.slice" },
	{ "/system.slice", "system.slice" },
};

/* The units that must stay outside, in whatever slice. */
static const struct {
	const char *unit;
	const char *what;
} outside[] = {
	{ "walinuxagent.service", "the Azure VM agent" },
	{ "waagent.service", "the Azure VM agent" },
	{ "buildfence.service", "the daemon, whose jobs have policies of their own," },
};

/* Does the pattern's part (without slashes) match this name? */
static bool part_covers(const char *part, size_t len, const char *name)
{
	char copy[256];

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, part, len);
	copy[len] = '\0';
	return !fnmatch(copy, name, PATTERN_FLAGS);
}

/*
 * A part other than the last one stands for a folder: in a pattern, only a unit that is written out
 * counts, or "/x/<star>/y" could be no pattern at all.
 */
static bool part_is(const char *part, size_t len, const char *name)
{
	return len == strlen(name) && !strncmp(part, name, len);
}

/*
 * Could the part in front of this one be a slice? A unit is in one, or at the root: "/docker/b*"
 * covers none.
 */
static bool is_in_slice(const char *pattern, const char *part)
{
	static const char suffix[] = ".slice";
	size_t len = (size_t)(part - pattern) - 1;

	return !len || strchr("*?]", pattern[len - 1]) ||
	       (len > strlen(suffix) &&
		!strncmp(pattern + len - strlen(suffix), suffix, strlen(suffix)));
}

static void pattern_check(struct config_reading *reading, const struct node *node,
			  const char *pattern)
{
	for (size_t i = 0; i < ARRAY_SIZE(above); i++) {
		if (fnmatch(pattern, above[i].path, PATTERN_FLAGS))
			continue;
		node_report(&reading->document, node,
			    "'%.120s' covers %s, with the Azure VM agent below it, which must never be guarded; write the path of the build agent's own cgroup",
			    pattern, above[i].name);
		return;
	}
	for (const char *part = pattern + 1; *part; part += *part == '/') {
		size_t len = strcspn(part, "/");
		bool last = !part[len];

		for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
			if (last ? !is_in_slice(pattern, part) ||
				   !part_covers(part, len, outside[i].unit) :
				   !part_is(part, len, outside[i].unit))
				continue;
			node_report(&reading->document, node, last ?
				    "'%.120s' covers %s: %s must never be guarded; write more of the name" :
				    "'%.120s' is inside %s: %s must never be guarded",
				    pattern, outside[i].unit, outside[i].what);
			return;
		}
		part += len;
	}
}

/* systemd writes the '-' of an agent's, pool's or organisation's name in its own way. */
static void dash_warn(const struct config_reading *reading, const struct node *node,
		      const char *pattern)
{
	const char *unit = strrchr(pattern, '/') + 1;

	if (!strncmp(unit, "vsts.agent.", strlen("vsts.agent.")) && strchr(unit, '-'))
		diagnostics_warning(reading->document.diag, reading->document.source, node->line,
				    node->column,
				    "in '%.120s' a '-' stands as '\\x2d' in the unit's real name; write it so, without double quotes, or use a star",
				    pattern);
}

static void pattern_read(struct config_reading *reading, const struct node *node, void *ret_text)
{
	const char *text = node_text(&reading->document, node, "a cgroup's path");

	if (!text || !config_cgroup_check(reading, node, text))
		return;
	config_glob_check(reading, node, text);
	pattern_check(reading, node, text);
	dash_warn(reading, node, text);
	config_text_keep(reading, text, ret_text);
}

static void guarded_read(struct config_reading *reading, const struct node *node,
			 struct guarded_cgroup *guarded)
{
	static const struct config_key keys[] = {
		{ "cgroup", pattern_read, offsetof(struct guarded_cgroup, pattern) },
		{ "policy", config_policy_read, offsetof(struct guarded_cgroup, policy) },
		{ "name", config_word_read, offsetof(struct guarded_cgroup, name) },
	};
	unsigned int errors = reading->document.diag->errors;

	guarded->line = node->line;
	guarded->column = node->column;
	config_text_keep(reading, DEFAULT_NAME, &guarded->name);
	if (node->kind == NODE_INVALID)
		return;
	if (node->kind != NODE_MAP) {
		node_report(&reading->document, node,
			    "expected a mapping, as in '{ cgroup: \"/system.slice/agent.service\", name: agent }', but here is %s",
			    node_kind_name(node));
		return;
	}
	config_map_read(reading, node, keys, ARRAY_SIZE(keys), "an entry of 'guard'", guarded);
	if (!node_get(node, "cgroup") && reading->document.diag->errors == errors)
		node_report(&reading->document, node,
			    "an entry without 'cgroup'; say which cgroup, by its path from cgroup2's root");
}

/* The first entry that covers a cgroup decides, so a pattern a second time does nothing. */
static void pattern_check_twice(struct config_reading *reading, const struct node *node, size_t at)
{
	const struct guarded_cgroup *guarded = reading->config->guarded;

	for (size_t i = 0; i < at && guarded[at].pattern; i++) {
		if (!guarded[i].pattern || strcmp(guarded[i].pattern, guarded[at].pattern))
			continue;
		node_report(&reading->document, node,
			    "'%.120s' stands here twice; the first is in line %u",
			    guarded[at].pattern, guarded[i].line);
		return;
	}
}

void config_guard_read(struct config_reading *reading, const struct node *node, void *unused)
{
	struct config *config = reading->config;

	(void)unused;
	config->guarded = config_list_read(reading, node, CONFIG_ENTRIES_MAX,
					   sizeof(*config->guarded),
					   "guard: [ { cgroup: \"/system.slice/agent.service\", name: agent } ]",
					   &config->guarded_count);
	for (size_t i = 0; i < config->guarded_count; i++) {
		guarded_read(reading, node->items[i], &config->guarded[i]);
		pattern_check_twice(reading, node->items[i], i);
	}
}
