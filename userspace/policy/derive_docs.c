/* SPDX-License-Identifier: GPL-2.0 */
/* Readers of configuration that is one document: Docker's JSON, NuGet's XML. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "derive_found.h"

/* A NuGet.Config is a few kilobytes. */
#define XML_MAX	(1024 * 1024)

static void json_release(json_t **json)
{
	json_decref(*json);
}

/*
 * An insecure registry is a host, a host and port, or a prefix. Without a port Docker tries HTTPS
 * and then plain HTTP.
 */
static void insecure_add(struct findings *findings, const struct origin *origin, const char *value)
{
	static const char *const schemes[] = { "https", "http" };
	const char *colon = strrchr(value, ':');
	bool port = colon && !strchr(colon, ']') && !strstr(value, "://");

	if (strchr(value, '/') && !strstr(value, "://")) {
		findings_note(findings, origin,
			      "a whole range of registries; add the one that is used by hand");
		return;
	}
	for (size_t i = 0; i < (port || strstr(value, "://") ? 1 : ARRAY_SIZE(schemes)); i++) {
		_cleanup_free_ char *url = NULL;

		if (asprintf(&url, "%s%s%s", strstr(value, "://") ? "" : port ? "tcp" : schemes[i],
			     strstr(value, "://") ? "" : "://", value) < 0) {
			url = NULL;
			findings->failed = true;
			return;
		}
		findings_add(findings, origin, FORM_URL, url);
	}
}

void derive_docker_daemon(struct findings *findings, const char *path)
{
	static const char *const proxies[] = { "http-proxy", "https-proxy" };
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_(json_release) json_t *json = NULL;
	struct origin origin = { .tool = TOOL_DOCKER, .path = path, .key = "daemon.json" };
	json_t *value;
	size_t i;

	if (!file)
		return;
	json = json_loadf(file, 0, NULL);
	if (!json) {
		findings_note(findings, &origin, "not JSON; add its registries by hand");
		return;
	}
	origin.key = "registry-mirrors";
	json_array_foreach(json_object_get(json, "registry-mirrors"), i, value) {
		if (json_is_string(value))
			findings_add(findings, &origin, FORM_URL, json_string_value(value));
	}
	origin.key = "insecure-registries";
	json_array_foreach(json_object_get(json, "insecure-registries"), i, value) {
		if (json_is_string(value))
			insecure_add(findings, &origin, json_string_value(value));
	}
	for (i = 0; i < ARRAY_SIZE(proxies); i++) {
		origin.key = proxies[i];
		value = json_object_get(json_object_get(json, "proxies"), proxies[i]);
		if (json_is_string(value))
			findings_add(findings, &origin, FORM_PROXY, json_string_value(value));
	}
}

/* The whole file as text, without comments; NULL: no such file, or longer than XML_MAX. */
static char *xml_read(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *text = file ? malloc(XML_MAX + 1) : NULL;
	char *from, *end;
	size_t len;

	if (!text)
		return NULL;
	len = fread(text, 1, XML_MAX + 1, file);
	if (len > XML_MAX)
		return NULL;
	text[len] = '\0';
	/* Blanks in place of comments keep the line numbers. */
	for (from = text; (from = strstr(from, "<!--")); from = end) {
		end = strstr(from, "-->");
		end = end ? end + 3 : from + strlen(from);
		for (char *c = from; c < end; c++)
			*c = *c == '\n' ? '\n' : ' ';
	}
	return TAKE_PTR(text);
}

/* An attribute's value within one tag, to be freed; NULL: there is none. */
static char *xml_attribute(const char *tag, const char *end, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = tag; (at = strcasestr(at, name)) && at < end; at++) {
		const char *value = at + len, *close;

		value += strspn(value, " \t\r\n");
		if (!strchr(" \t\r\n", at[-1]) || *value++ != '=')
			continue;
		value += strspn(value, " \t\r\n");
		close = *value == '"' || *value == '\'' ? strchr(value + 1, *value) : NULL;
		return close ? strndup(value + 1, (size_t)(close - value - 1)) : NULL;
	}
	return NULL;
}

static unsigned int line_number(const char *text, const char *at)
{
	unsigned int line = 1;

	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

/* <packageSources><add key="feed" value="https://..." /></packageSources> */
void derive_nuget_config(struct findings *findings, const char *path)
{
	_cleanup_free_ char *text = xml_read(path);
	struct origin origin = { .tool = TOOL_NUGET, .path = path, .key = "packageSources" };
	const char *sources = text ? strcasestr(text, "<packageSources>") : NULL;
	const char *sources_end = sources ? strcasestr(sources, "</packageSources>") : NULL;

	for (const char *tag = sources; sources_end && (tag = strcasestr(tag, "<add")) &&
					tag < sources_end; tag++) {
		const char *end = strchr(tag, '>');
		_cleanup_free_ char *value = end ? xml_attribute(tag, end, "value") : NULL;

		origin.line = line_number(text, tag);
		if (value)
			findings_add(findings, &origin, FORM_URL_OR_PATH, value);
	}
}
