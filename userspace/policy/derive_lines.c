/* SPDX-License-Identifier: GPL-2.0 */
/* Readers of configuration in lines "key = value": npm, yarn, pip, git. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "derive_found.h"

struct reader {
	struct findings *findings;
	struct origin origin;
	char section[64];		/* git: in lower case */
	char *subsection;		/* git: what stands between quotes; may be NULL */
	enum value_form form;		/* pip: of the key that continuation lines belong to */
	bool wanted;			/* pip: is that key one of ours? */
};

/* Cuts a comment: '#' or ';' at the line's start or behind a blank. */
static void comment_cut(char *line)
{
	for (char *c = line; *c; c++) {
		if ((*c == '#' || *c == ';') && (c == line || c[-1] == ' ' || c[-1] == '\t')) {
			*c = '\0';
			return;
		}
	}
}

/* Splits "key = value" at the first of `separators`; NULL: there is none. */
static char *value_split(char *line, const char *separators)
{
	char *value = strpbrk(line, separators);

	if (!value)
		return NULL;
	*value = '\0';
	return value + 1;
}

static void npmrc_line(char *line, unsigned int number, void *context)
{
	struct reader *reader = context;
	char *value, *key;

	comment_cut(line);
	value = value_split(line, "=");
	key = trimmed(line);
	if (!value)
		return;
	reader->origin.line = number;
	if (!strcmp(key, "registry") || (*key == '@' && text_ends_with(key, ":registry"))) {
		reader->origin.key = key;
		findings_add(reader->findings, &reader->origin, FORM_URL, unquoted(value));
	} else if (!strcmp(key, "proxy") || !strcmp(key, "https-proxy")) {
		reader->origin.key = key;
		findings_add(reader->findings, &reader->origin, FORM_PROXY, unquoted(value));
	}
}

void derive_npmrc(struct findings *findings, const char *path)
{
	struct reader reader = {
		.findings = findings,
		.origin = { .tool = TOOL_NPM, .path = path },
	};

	lines_read(path, npmrc_line, &reader);
}

/* Both forms: yarn 1's `registry "URL"`, and `npmRegistryServer: "URL"` at any depth. */
static void yarnrc_line(char *line, unsigned int number, void *context)
{
	struct reader *reader = context;
	char *value, *key;

	comment_cut(line);
	key = trimmed(line);
	value = value_split(key, " :");
	if (!value)
		return;
	if (!strcmp(key, "registry") || !strcmp(key, "npmRegistryServer") ||
	    !strcmp(key, "npmPublishRegistry")) {
		reader->origin.line = number;
		reader->origin.key = key;
		findings_add(reader->findings, &reader->origin, FORM_URL, unquoted(value));
	}
}

void derive_yarnrc(struct findings *findings, const char *path)
{
	struct reader reader = {
		.findings = findings,
		.origin = { .tool = TOOL_NPM, .path = path },
	};

	lines_read(path, yarnrc_line, &reader);
}

static void pip_line(char *line, unsigned int number, void *context)
{
	static const struct {
		const char *key;
		enum value_form form;
	} keys[] = {
		{ "index-url", FORM_URL },
		{ "extra-index-url", FORM_URL },
		{ "find-links", FORM_URL_OR_PATH },
		{ "proxy", FORM_PROXY },
	};
	struct reader *reader = context;
	bool continued = *line == ' ' || *line == '\t';
	char *key, *value = line;

	key = trimmed(line);
	if (!*key || *key == '#' || *key == ';')
		return;
	if (!continued) {
		reader->wanted = false;
		value = value_split(key, "=:");
		if (!value)
			return;
		for (char *c = key; *c; c++)
			*c = *c == '_' ? '-' : *c;
		key = trimmed(key);
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			if (strcmp(key, keys[i].key))
				continue;
			reader->wanted = true;
			reader->origin.key = keys[i].key;
			reader->form = keys[i].form;
		}
	}
	reader->origin.line = number;
	if (reader->wanted)
		findings_add_list(reader->findings, &reader->origin, reader->form, value);
}

void derive_pip_conf(struct findings *findings, const char *path)
{
	struct reader reader = {
		.findings = findings,
		.origin = { .tool = TOOL_PIP, .path = path },
	};

	lines_read(path, pip_line, &reader);
}

/* "[remote "origin"]" */
static void git_section(struct reader *reader, char *line)
{
	size_t len = strcspn(line, " \t\"]");
	char *open = strchr(line, '"'), *close = strrchr(line, '"');

	if (len >= sizeof(reader->section))
		len = sizeof(reader->section) - 1;
	memcpy(reader->section, line, len);
	reader->section[len] = '\0';
	free(reader->subsection);
	reader->subsection = NULL;
	if (open && close > open) {
		reader->subsection = strndup(open + 1, (size_t)(close - open - 1));
		if (!reader->subsection)
			reader->findings->failed = true;
	}
}

static void git_line(char *line, unsigned int number, void *context)
{
	struct reader *reader = context;
	const char *section = reader->section;
	char *value, *key = trimmed(line);

	if (*key == '[') {
		git_section(reader, key + 1);
		return;
	}
	comment_cut(key);
	value = value_split(key, "=");
	if (!value)
		return;
	key = trimmed(key);
	value = unquoted(value);
	reader->origin.line = number;
	if ((!strcasecmp(section, "remote") || !strcasecmp(section, "submodule")) &&
	    (!strcasecmp(key, "url") || !strcasecmp(key, "pushurl"))) {
		reader->origin.key = key;
		findings_add(reader->findings, &reader->origin, FORM_GIT, value);
	} else if (!strcasecmp(section, "url") && reader->subsection &&
		   (!strcasecmp(key, "insteadOf") || !strcasecmp(key, "pushInsteadOf"))) {
		reader->origin.key = key;
		findings_add(reader->findings, &reader->origin, FORM_GIT, reader->subsection);
	} else if (!strcasecmp(section, "http") && !strcasecmp(key, "proxy")) {
		reader->origin.key = "http.proxy";
		findings_add(reader->findings, &reader->origin, FORM_PROXY, value);
	}
}

void derive_git_config(struct findings *findings, const char *path)
{
	struct reader reader = {
		.findings = findings,
		.origin = { .tool = TOOL_GIT, .path = path },
	};

	lines_read(path, git_line, &reader);
	free(reader.subsection);
}
