/* SPDX-License-Identifier: GPL-2.0 */
/* Reading a request; the connection is server.c's, the meaning the daemon's. */
#include "control/request.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/text.h"

/* How much of a bad request is quoted. */
#define QUOTE_MAX	100

char *request_quote(const char *message, const char *bytes, size_t length)
{
	struct text text = {};
	char quote[QUOTE_MAX];

	escape_bytes(bytes, length, quote, sizeof(quote));
	text_printf(&text, "%s: \"%s\"", message, quote);
	return text_take(&text);
}

/* Whether arrays and objects are nested at most `levels` deep; looks no deeper than that. */
static bool depth_fits(const json_t *value, unsigned int levels)
{
	const char *key;
	json_t *member;
	size_t i;

	if (!json_is_object(value) && !json_is_array(value))
		return true;
	if (!levels)
		return false;
	json_array_foreach(value, i, member) {
		if (!depth_fits(member, levels - 1))
			return false;
	}
	json_object_foreach((json_t *)value, key, member) {
		if (!depth_fits(member, levels - 1))
			return false;
	}
	return true;
}

/* jansson's words, without its "near ...", which quotes bytes as they are. */
static char *parse_error(json_error_t *error, const char *line, size_t length)
{
	_cleanup_text_ struct text message = {};
	char *near = strstr(error->text, " near ");

	if (near)
		*near = '\0';
	for (char *byte = error->text; *byte; byte++) {
		if (*byte < ' ' || *byte > '~')
			*byte = '?';
	}
	text_printf(&message, "the request is not JSON: column %d: %s", error->column, error->text);
	return message.failed ? NULL : request_quote(message.bytes, line, length);
}

json_t *request_parse(const char *line, size_t length, char **ret_error)
{
	const char *zero = memchr(line, '\0', length);
	json_error_t error;
	json_t *request;

	if (zero) {
		*ret_error = request_quote("the request has a NUL byte", line, length);
		return NULL;
	}
	request = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!request)
		*ret_error = parse_error(&error, line, length);
	else if (!json_is_object(request))
		*ret_error = request_quote("the request is not a JSON object", line, length);
	else if (!depth_fits(request, REQUEST_DEPTH_MAX))
		*ret_error = request_quote("the request is nested too deep", line, length);
	else
		return request;
	json_decref(request);
	return NULL;
}
