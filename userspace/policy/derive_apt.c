/* SPDX-License-Identifier: GPL-2.0 */
/* Readers of apt's configuration: sources in both formats, lists of mirrors, proxies. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "derive_found.h"

#define MIRROR_FILE	"mirror+file:"

struct apt_reader {
	struct findings *findings;
	struct origin origin;
	const char *root;
	/* Of a deb822 stanza, which may be disabled below its URIs. */
	struct text uris;
	unsigned int uris_line;
	bool in_uris;
	bool disabled;
};

/* Each line of a list of mirrors: a URI, then a tab and properties. */
static void mirror_line(char *line, unsigned int number, void *context)
{
	struct apt_reader *reader = context;

	line[strcspn(line, "#\t ")] = '\0';
	reader->origin.line = number;
	if (*line)
		findings_add(reader->findings, &reader->origin, FORM_URL, line);
}

/* A local list of mirrors, as cloud images have it. */
static void mirror_file_read(const struct apt_reader *reader, const char *uri)
{
	const char *path = uri + strlen(MIRROR_FILE);
	_cleanup_free_ char *full = NULL;
	struct apt_reader mirrors = { .findings = reader->findings };

	if (!strncmp(path, "//", 2))
		path += 2;
	if (asprintf(&full, "%s%s", reader->root, path) < 0) {
		full = NULL;
		reader->findings->failed = true;
		return;
	}
	mirrors.origin = (struct origin){ .tool = TOOL_APT, .path = full, .key = "mirror" };
	lines_read(full, mirror_line, &mirrors);
}

static void uri_add(const struct apt_reader *reader, const char *uri)
{
	if (!strncmp(uri, MIRROR_FILE, strlen(MIRROR_FILE)))
		mirror_file_read(reader, uri);
	else if (strncmp(uri, "cdrom:", 6) && strncmp(uri, "copy:", 5))
		findings_add(reader->findings, &reader->origin, FORM_URL, uri);
}

/* "deb [arch=amd64 signed-by=...] URI suite component..." */
static void list_line(char *line, unsigned int number, void *context)
{
	struct apt_reader *reader = context;
	char *rest;

	line[strcspn(line, "#")] = '\0';
	rest = trimmed(line);
	if (!strncmp(rest, "deb-src", 7))
		rest += 7;
	else if (!strncmp(rest, "deb", 3))
		rest += 3;
	else
		return;
	rest += strspn(rest, " \t");
	if (*rest == '[') {
		rest = strchr(rest, ']');
		if (!rest)
			return;
		rest++;
	}
	rest = trimmed(rest);
	rest[strcspn(rest, " \t")] = '\0';
	reader->origin.line = number;
	reader->origin.key = "deb";
	if (*rest)
		uri_add(reader, rest);
}

void derive_apt_list(struct findings *findings, const char *root, const char *path)
{
	struct apt_reader reader = {
		.findings = findings,
		.root = root,
		.origin = { .tool = TOOL_APT, .path = path },
	};

	lines_read(path, list_line, &reader);
}

static void stanza_end(struct apt_reader *reader)
{
	char *rest = reader->uris.bytes, *uri;

	reader->origin.line = reader->uris_line;
	reader->origin.key = "URIs";
	if (reader->uris.failed)
		reader->findings->failed = true;
	while (rest && !reader->disabled && (uri = strsep(&rest, " \t"))) {
		if (*uri)
			uri_add(reader, uri);
	}
	text_free(&reader->uris);
	reader->in_uris = false;
	reader->disabled = false;
}

static void deb822_line(char *line, unsigned int number, void *context)
{
	struct apt_reader *reader = context;
	bool continued = *line == ' ' || *line == '\t';
	char *value;

	if (*line == '#')
		return;
	if (!*trimmed(line)) {
		stanza_end(reader);
		return;
	}
	if (continued) {
		if (reader->in_uris)
			text_printf(&reader->uris, " %s", trimmed(line));
		return;
	}
	value = strchr(line, ':');
	if (!value)
		return;
	*value++ = '\0';
	value = trimmed(value);
	reader->in_uris = !strcasecmp(line, "URIs");
	if (reader->in_uris) {
		reader->uris_line = number;
		text_printf(&reader->uris, " %s", value);
	}
	if (!strcasecmp(line, "Enabled"))
		reader->disabled = !strcasecmp(value, "no") || !strcasecmp(value, "false");
}

void derive_apt_deb822(struct findings *findings, const char *root, const char *path)
{
	struct apt_reader reader = {
		.findings = findings,
		.root = root,
		.origin = { .tool = TOOL_APT, .path = path },
	};

	lines_read(path, deb822_line, &reader);
	stanza_end(&reader);
}

/*
 * apt.conf: `Acquire::http::Proxy "URL";` or the same in braces, or for one host
 * `Acquire::http::Proxy::host "URL"`. The path of open braces is kept as one text.
 */
struct conf_reader {
	struct findings *findings;
	struct origin origin;
	char scope[256];		/* "Acquire::http::" */
	char name[128];			/* of the statement so far */
	bool in_comment;
};

static void scope_leave(struct conf_reader *reader)
{
	char *end = reader->scope + strlen(reader->scope);

	/* Each brace added "name::" and a newline, which no name holds. */
	if (end > reader->scope)
		end--;
	while (end > reader->scope && end[-1] != '\n')
		end--;
	*end = '\0';
}

static void scope_enter(struct conf_reader *reader)
{
	size_t len = strlen(reader->scope);

	snprintf(reader->scope + len, sizeof(reader->scope) - len, "%.100s::\n", reader->name);
	reader->name[0] = '\0';
}

static void conf_value(struct conf_reader *reader, const char *value)
{
	char full[sizeof(reader->scope) + sizeof(reader->name)], *out = full;

	for (const char *c = reader->scope; *c; c++) {
		if (*c != '\n')
			*out++ = *c;
	}
	snprintf(out, (size_t)(full + sizeof(full) - out), "%s", reader->name);
	if (strncasecmp(full, "Acquire::", 9) || !strcasestr(full, "::Proxy"))
		return;
	/* Proxy-Auto-Detect names a program. */
	if (strcasestr(full, "::Proxy-"))
		return;
	reader->origin.key = full;
	findings_add(reader->findings, &reader->origin, FORM_PROXY, value);
}

/* One token of a line; returns what follows it. */
static char *conf_token(struct conf_reader *reader, char *rest)
{
	size_t len;
	char *end;

	switch (*rest) {
	case '{':
		scope_enter(reader);
		return rest + 1;
	case '}':
		scope_leave(reader);
		return rest + 1;
	case ';':
		reader->name[0] = '\0';
		return rest + 1;
	case '"':
		end = strchr(rest + 1, '"');
		if (!end)
			return rest + strlen(rest);
		*end = '\0';
		conf_value(reader, rest + 1);
		return end + 1;
	default:
		len = strcspn(rest, " \t{};\"");
		if (reader->name[0]) {
			end = strndupa(rest, len);
			conf_value(reader, end);
		} else {
			snprintf(reader->name, sizeof(reader->name), "%.*s", (int)len, rest);
		}
		return rest + len;
	}
}

static void conf_line(char *line, unsigned int number, void *context)
{
	struct conf_reader *reader = context;
	char *rest = line;

	reader->origin.line = number;
	while (*rest) {
		if (reader->in_comment) {
			rest = strstr(rest, "*/");
			if (!rest)
				return;
			reader->in_comment = false;
			rest += 2;
		} else if (!strncmp(rest, "/*", 2)) {
			reader->in_comment = true;
			rest += 2;
		} else if (!strncmp(rest, "//", 2) || *rest == '#') {
			return;
		} else if (*rest == ' ' || *rest == '\t') {
			rest++;
		} else {
			rest = conf_token(reader, rest);
		}
	}
}

void derive_apt_conf(struct findings *findings, const char *path)
{
	struct conf_reader reader = {
		.findings = findings,
		.origin = { .tool = TOOL_APT, .path = path },
	};

	lines_read(path, conf_line, &reader);
}
