/* SPDX-License-Identifier: GPL-2.0 */
/* What policy_derive()'s readers find, and the readers: between derive*.c, and nobody else. */
#ifndef BUILDFENCE_DERIVE_FOUND_H
#define BUILDFENCE_DERIVE_FOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum derive_tool {
	TOOL_NPM = 0,
	TOOL_PIP,
	TOOL_APT,
	TOOL_DOCKER,
	TOOL_GIT,
	TOOL_NUGET,
	TOOL_PROXY,
	TOOL_COUNT,
};

/* Where a value stands, for comments. */
struct origin {
	enum derive_tool tool;
	const char *path;
	unsigned int line;		/* 0: not known */
	const char *key;
};

/* What a value may be besides a URL with a scheme. */
enum value_form {
	FORM_URL = 0,
	FORM_URL_OR_PATH,		/* what is no URL is a local path, and nothing to allow */
	FORM_GIT,			/* the same, or user@host:path */
	FORM_PROXY,			/* host:port, or a word such as DIRECT or false */
};

struct found {
	char *entry;			/* a target; NULL: `sources` says what was not understood */
	char **sources;
	size_t source_count;
};

/* Zeroed before use. Memory that runs out sets `failed`, to be checked once, at the end. */
struct findings {
	struct found *items;
	size_t count;
	bool configured[TOOL_COUNT];
	bool failed;
};

/* Adds the host of a value. Nothing but scheme, host and port of it is kept. */
void findings_add(struct findings *findings, const struct origin *origin, enum value_form form,
		  const char *value);

/* The same for each of several values between blanks. */
void findings_add_list(struct findings *findings, const struct origin *origin,
		       enum value_form form, const char *values);

/* Adds a comment about a value, never the value. */
void findings_note(struct findings *findings, const struct origin *origin, const char *why);

void findings_clear(struct findings *findings);

/* Calls `take` for each line of a file, without its newline. A missing file has no lines. */
typedef void (*line_fn)(char *line, unsigned int number, void *context);
void lines_read(const char *path, line_fn take, void *context);

/* Cuts blanks from both ends, in place. */
char *trimmed(char *text);
/* The same, and then one pair of quotes. */
char *unquoted(char *text);

/* Readers: each takes a path that may not exist, and adds what it finds. */
void derive_npmrc(struct findings *findings, const char *path);
void derive_yarnrc(struct findings *findings, const char *path);
void derive_pip_conf(struct findings *findings, const char *path);
void derive_git_config(struct findings *findings, const char *path);
void derive_apt_list(struct findings *findings, const char *root, const char *path);
void derive_apt_deb822(struct findings *findings, const char *root, const char *path);
void derive_apt_conf(struct findings *findings, const char *path);
void derive_docker_daemon(struct findings *findings, const char *path);
void derive_nuget_config(struct findings *findings, const char *path);

#endif
