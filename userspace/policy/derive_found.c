/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From configured values to targets, and the list of them. Values hold credentials, so all of a URL
 * but scheme, host and port is dropped at the entrance, and when in doubt the whole of it.
 */
#include "derive_found.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "load.h"
#include "target.h"

/* Schemes as tools write them, and what stands for them in a policy; NULL: nothing leaves here. */
static const struct {
	const char *name, *scheme;
} schemes[] = {
	{ "https", "https" },
	{ "http", "http" },
	{ "ssh", "ssh" },
	{ "git", "git" },
	{ "tcp", "tcp" },
	{ "git+ssh", "ssh" },
	{ "ssh+git", "ssh" },
	{ "git+https", "https" },
	{ "git+http", "http" },
	{ "mirror", "http" },
	{ "mirror+http", "http" },
	{ "mirror+https", "https" },
	{ "socks", "tcp" },
	{ "socks5", "tcp" },
	{ "socks5h", "tcp" },
	{ "file", NULL },
};

static const char *const tool_names[TOOL_COUNT] = {
	[TOOL_NPM] = "npm", [TOOL_PIP] = "pip", [TOOL_APT] = "apt", [TOOL_DOCKER] = "docker",
	[TOOL_GIT] = "git", [TOOL_NUGET] = "nuget", [TOOL_PROXY] = "proxy",
};

/* "npm: /home/agent/.npmrc:3: registry", fit for a comment. */
static char *origin_describe(const struct origin *origin, const char *why)
{
	_cleanup_free_ char *text = NULL;
	char line[16] = "";

	if (origin->line)
		snprintf(line, sizeof(line), ":%u", origin->line);
	if (asprintf(&text, "%s: %s%s: %s%s%s", tool_names[origin->tool], origin->path, line,
		     origin->key, *why ? ": " : "", why) < 0) {
		text = NULL;
		return NULL;
	}
	return escape_string(text, 4096);
}

static struct found *found_get(struct findings *findings, const char *entry)
{
	struct found *items;

	for (size_t i = 0; entry && i < findings->count; i++) {
		if (findings->items[i].entry && !strcmp(findings->items[i].entry, entry))
			return &findings->items[i];
	}
	items = reallocarray(findings->items, findings->count + 1, sizeof(*items));
	if (!items)
		return NULL;
	findings->items = items;
	items[findings->count] = (struct found){ .entry = entry ? strdup(entry) : NULL };
	if (entry && !items[findings->count].entry)
		return NULL;
	return &items[findings->count++];
}

/* Files the source under an entry; under NULL, a comment of its own. */
static void findings_file(struct findings *findings, const struct origin *origin,
			  const char *entry, const char *why)
{
	_cleanup_free_ char *source = origin_describe(origin, why);
	struct found *found = source ? found_get(findings, entry) : NULL;
	char **sources;

	findings->configured[origin->tool] = true;
	sources = found ? reallocarray(found->sources, found->source_count + 1, sizeof(*sources)) :
			  NULL;
	if (!sources) {
		findings->failed = true;
		return;
	}
	found->sources = sources;
	sources[found->source_count++] = TAKE_PTR(source);
}

void findings_note(struct findings *findings, const struct origin *origin, const char *why)
{
	findings_file(findings, origin, NULL, why);
}

/* Words that tools take for "no proxy". */
static bool is_no_proxy(const char *value)
{
	static const char *const words[] = { "", "DIRECT", "false", "null", "none" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcasecmp(value, words[i]))
			return true;
	}
	return false;
}

/* Finds the policy's scheme for a value (NULL: it is local), and where its authority begins. */
static bool scheme_split(const char *value, enum value_form form, const char **ret_scheme,
			 const char **ret_authority)
{
	const char *end = strstr(value, "://");
	size_t len = end ? (size_t)(end - value) : strcspn(value, ":");

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		if (strlen(schemes[i].name) != len || strncasecmp(schemes[i].name, value, len))
			continue;
		if (!end && schemes[i].scheme)
			continue;
		*ret_scheme = schemes[i].scheme;
		*ret_authority = end ? end + 3 : value + len;
		return true;
	}
	*ret_authority = value;
	*ret_scheme = NULL;
	if (end || form == FORM_URL)
		return false;
	if (form == FORM_PROXY)
		*ret_scheme = "http";
	/* host:path, but not ./a:b, and not C:\repository */
	if (form == FORM_GIT && value[len] == ':' && len > 1 && !memchr(value, '/', len))
		*ret_scheme = "ssh";
	return true;
}

/*
 * The target of one value. Returns NULL or what is wrong, without quoting the value; an empty
 * ret_entry means that the value names nothing outside of this machine.
 */
static const char *value_target(const char *value, enum value_form form,
				char ret_entry[static TARGET_TEXT_LEN])
{
	const char *scheme, *authority, *host;
	char text[TARGET_TEXT_LEN + 16], error[256];
	struct target target;
	bool scp;
	size_t len;

	*ret_entry = '\0';
	if (form == FORM_PROXY && is_no_proxy(value))
		return NULL;
	if (!scheme_split(value, form, &scheme, &authority))
		return "not a URL that buildfence knows; add its host by hand";
	if (!scheme)
		return NULL;
	scp = authority == value && form == FORM_GIT;
	len = strcspn(authority, scp ? ":/?#" : "/?#");
	/* A password with a slash: an '@' follows, and what looks like the host is none. */
	for (const char *at = strchr(authority + len, '@'); at; at = strchr(at + 1, '@')) {
		if (at[-1] != '/')
			return "an '@' where none should be; add its host by hand";
	}
	host = memrchr(authority, '@', len);
	host = host ? host + 1 : authority;
	len -= (size_t)(host - authority);
	if (len && host[len - 1] == ':')
		len--;
	if (memchr(host, '$', len))
		return "a variable stands for the host; add it by hand";
	if (len >= NAME_LEN)
		return "its host is too long";
	snprintf(text, sizeof(text), "%s://%.*s", scheme, (int)len, host);
	if (target_parse(text, LIST_ALLOW, &target, error) || target.match != NAME_EXACT ||
	    (target.kind == TARGET_PREFIX && target.prefix_bits != 128))
		return "not a URL with a host; add it by hand";
	target_format(&target, LIST_ALLOW, ret_entry);
	return NULL;
}

/* Does `loopback` decide about this entry, and no rule? */
static bool is_loopback(const char *entry)
{
	const char *host = strstr(entry, "://");
	size_t len = strlen("localhost");

	if (!host)
		return false;
	host += 3;
	if (!strncmp(host, "localhost", len))
		return !host[len] || host[len] == ':';
	return !strncmp(host, "127.", 4) || !strncmp(host, "[::1]", 5);
}

void findings_add(struct findings *findings, const struct origin *origin, enum value_form form,
		  const char *value)
{
	struct origin from = *origin;
	char entry[TARGET_TEXT_LEN];
	const char *wrong = value_target(value, form, entry);

	/* A tool that has a proxy configured may still use its default registry. */
	if (form == FORM_PROXY)
		from.tool = TOOL_PROXY;
	if (wrong)
		findings_note(findings, &from, wrong);
	else if (is_loopback(entry))
		findings_note(findings, &from, "on this machine; `loopback: allow` covers it");
	else if (*entry)
		findings_file(findings, &from, entry, "");
}

void findings_add_list(struct findings *findings, const struct origin *origin,
		       enum value_form form, const char *values)
{
	_cleanup_free_ char *copy = strdup(values);
	char *rest = copy, *value;

	if (!copy)
		findings->failed = true;
	while (copy && (value = strsep(&rest, " \t\r\n"))) {
		if (*value)
			findings_add(findings, origin, form, value);
	}
}

void findings_clear(struct findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		for (size_t j = 0; j < findings->items[i].source_count; j++)
			free(findings->items[i].sources[j]);
		free(findings->items[i].sources);
		free(findings->items[i].entry);
	}
	free(findings->items);
	*findings = (struct findings){};
}

void lines_read(const char *path, line_fn take, void *context)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	unsigned int number = 0;
	size_t capacity = 0;

	while (file && getline(&line, &capacity, file) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		take(line, ++number, context);
	}
}

char *trimmed(char *text)
{
	size_t len;

	text += strspn(text, " \t");
	for (len = strlen(text); len && strchr(" \t", text[len - 1]); len--)
		continue;
	text[len] = '\0';
	return text;
}

char *unquoted(char *text)
{
	size_t len;

	text = trimmed(text);
	len = strlen(text);
	if (len > 1 && (*text == '"' || *text == '\'') && text[len - 1] == *text) {
		text[len - 1] = '\0';
		text++;
	}
	return text;
}
