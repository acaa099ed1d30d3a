/* SPDX-License-Identifier: GPL-2.0 */
/* YAML as a policy or a configuration may use it, read with libyaml's events: see yaml.h. */
#include "yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "policy.h"

struct yaml_reader {
	yaml_parser_t parser;
	const char *source;
	const char *bytes;
	size_t len;
	struct diagnostics *diag;
};

static void event_cleanup(yaml_event_t *event)
{
	yaml_event_delete(event);
}
#define _cleanup_event_ _cleanup_(event_cleanup)

void node_free(struct node *node)
{
	if (!node)
		return;
	for (size_t i = 0; i < node->count; i++) {
		if (node->keys)
			node_free(node->keys[i]);
		node_free(node->items[i]);
	}
	free(node->keys);
	free(node->items);
	free(node->text);
	free(node);
}

struct node *node_get(const struct node *map, const char *key)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->count; i++) {
		if (!strcmp(map->keys[i]->text, key))
			return map->items[i];
	}
	return NULL;
}

bool node_is_null(const struct node *node)
{
	return node->kind == NODE_TEXT && !node->quoted &&
	       (!*node->text || !strcmp(node->text, "~") || !strcmp(node->text, "null"));
}

const char *node_kind_name(const struct node *node)
{
	switch (node->kind) {
	case NODE_TEXT:
		return node_is_null(node) ? "nothing" : "a text";
	case NODE_LIST:
		return "a list";
	case NODE_MAP:
		return "a mapping";
	case NODE_INVALID:
		break;
	}
	return "an error";
}

/* Length of the UTF-8 character at `bytes`, or 0 when there is none that YAML allows. */
static size_t character_len(const unsigned char *bytes, size_t len)
{
	static const uint32_t smallest[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t want = bytes[0] < 0x80 ? 1 : bytes[0] < 0xc2 ? 0 : bytes[0] < 0xe0 ? 2 :
		      bytes[0] < 0xf0 ? 3 : bytes[0] < 0xf5 ? 4 : 0;
	uint32_t code;

	if (!want || want > len)
		return 0;
	if (want == 1)
		return bytes[0] == '\t' || bytes[0] == '\n' || bytes[0] == '\r' ||
		       (bytes[0] >= 0x20 && bytes[0] != 0x7f);
	code = bytes[0] & (0x7f >> want);
	for (size_t i = 1; i < want; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (bytes[i] & 0x3f);
	}
	if (code < smallest[want] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ||
	    (code < 0xa0 && code != 0x85) || code == 0xfffe || code == 0xffff)
		return 0;
	return want;
}

/* Refuses what libyaml would refuse without a position. */
static int bytes_check(const struct yaml_reader *reader)
{
	const unsigned char *bytes = (const unsigned char *)reader->bytes;
	unsigned int line = 1, column = 1;

	if (reader->len > YAML_SIZE_MAX) {
		diagnostics_error(reader->diag, reader->source, 0, 0,
				  "larger than 1 MiB, the most that is read");
		return -EINVAL;
	}
	for (size_t i = 0, len; i < reader->len; i += len) {
		len = character_len(bytes + i, reader->len - i);
		if (!len) {
			diagnostics_error(reader->diag, reader->source, line, column,
					  "byte 0x%02x is a control character or not UTF-8; this must be UTF-8 text",
					  bytes[i]);
			return -EINVAL;
		}
		column++;
		if (bytes[i] == '\n') {
			line++;
			column = 1;
		}
	}
	return 0;
}

/* The n-th line's first byte that is not a blank or a list's dash; NUL when there is none. */
static char line_first(const struct yaml_reader *reader, size_t line)
{
	const char *at = reader->bytes, *end = reader->bytes + reader->len;

	for (size_t i = 0; i < line && at; i++) {
		at = memchr(at, '\n', (size_t)(end - at));
		if (at)
			at++;
	}
	while (at && at < end && (*at == ' ' || *at == '-'))
		at++;
	return at && at < end ? *at : '\0';
}

/* libyaml's words, and what people usually meant when they come up. */
static void syntax_report(const struct yaml_reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	const char *problem = parser->problem ? parser->problem : "cannot be read";
	size_t line = parser->problem_mark.line;
	const char *hint = "";
	char first;

	if (parser->context && strstr(parser->context, "scanning an alias"))
		line = parser->context_mark.line;
	first = line_first(reader, line);
	/* A flow mapping ends where the brace closes; what follows on the line is the problem. */
	if (first != '{' && first != '*' && line && parser->problem_mark.column <= 2 &&
	    line_first(reader, line - 1) == '{')
		first = '{';
	if (first == '*')
		hint = "; a name that begins with a star must stand in quotes: \"*.example.com\"";
	else if (first == '{')
		hint = "; an entry that begins with a brace must stand in quotes: "
		       "\"{organization}...\"";
	else if (first == '\t')
		hint = "; indent with blanks, not with tabs";
	diagnostics_error(reader->diag, reader->source,
			  (unsigned int)parser->problem_mark.line + 1,
			  (unsigned int)parser->problem_mark.column + 1,
			  "not valid YAML: %s%s", problem, hint);
}

static int event_next(struct yaml_reader *reader, yaml_event_t *ret_event)
{
	if (yaml_parser_parse(&reader->parser, ret_event))
		return 0;
	if (reader->parser.error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	syntax_report(reader);
	return -EINVAL;
}

__attribute__((format(printf, 3, 4)))
static void node_error(const struct yaml_reader *reader, struct node *node, const char *format, ...)
{
	char message[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	node->kind = NODE_INVALID;
	diagnostics_error(reader->diag, reader->source, node->line, node->column, "%s", message);
}

/* Makes room for one more item (and key, in a mapping). */
static int node_grow(struct node *node, bool keyed)
{
	size_t capacity = node->count ? 2 * node->count : 4;
	struct node **grown;

	if (node->count & (node->count - 1) || (node->count && node->count < 4))
		return 0;
	grown = reallocarray(node->items, capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	node->items = grown;
	if (!keyed)
		return 0;
	grown = reallocarray(node->keys, capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	node->keys = grown;
	return 0;
}

static int node_read(struct yaml_reader *reader, const yaml_event_t *event, unsigned int depth,
		     struct node **ret_node);

static int list_read(struct yaml_reader *reader, struct node *list, unsigned int depth)
{
	for (;;) {
		_cleanup_event_ yaml_event_t event = {};
		int r = event_next(reader, &event);

		if (r)
			return r;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		r = node_grow(list, false);
		if (!r)
			r = node_read(reader, &event, depth + 1, &list->items[list->count]);
		if (r)
			return r;
		list->count++;
	}
}

/* A key must be a text that the mapping does not have yet; anything else is dropped. */
static bool key_check(const struct yaml_reader *reader, struct node *map, struct node *key)
{
	if (key->kind == NODE_INVALID)
		return false;
	if (key->kind != NODE_TEXT) {
		node_error(reader, key, "a key must be a text");
		return false;
	}
	for (size_t i = 0; i < map->count; i++) {
		if (strcmp(map->keys[i]->text, key->text))
			continue;
		node_error(reader, key, "key '%s' stands here twice; the first is in line %u",
			   key->text, map->keys[i]->line);
		return false;
	}
	if (map->count == YAML_KEYS_MAX) {
		node_error(reader, key, "more than %d keys in one mapping", YAML_KEYS_MAX);
		return false;
	}
	return true;
}

static int map_read(struct yaml_reader *reader, struct node *map, unsigned int depth)
{
	for (;;) {
		_cleanup_event_ yaml_event_t key_event = {}, value_event = {};
		_cleanup_node_ struct node *key = NULL, *value = NULL;
		int r = event_next(reader, &key_event);

		if (r)
			return r;
		if (key_event.type == YAML_MAPPING_END_EVENT)
			return 0;
		r = node_read(reader, &key_event, depth + 1, &key);
		if (!r)
			r = event_next(reader, &value_event);
		if (!r)
			r = node_read(reader, &value_event, depth + 1, &value);
		if (r)
			return r;
		if (!key_check(reader, map, key))
			continue;
		r = node_grow(map, true);
		if (r)
			return r;
		map->keys[map->count] = TAKE_PTR(key);
		map->items[map->count++] = TAKE_PTR(value);
	}
}

static int text_read(const struct yaml_reader *reader, const yaml_event_t *event, struct node *node)
{
	const char *value = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;

	if (memchr(value, '\0', len)) {
		node_error(reader, node, "a NUL byte in a text");
		return 0;
	}
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	node->text = strdup(value);
	return node->text ? 0 : -ENOMEM;
}

static void anchor_check(const struct yaml_reader *reader, struct node *node,
			 const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		node_error(reader, node,
			   "anchor '&%s': anchors are not taken here; write the value out",
			   (const char *)anchor);
	else if (tag)
		node_error(reader, node, "tag '%s': tags are not taken here; leave it out",
			   (const char *)tag);
}

/* The event is the node's first one. Writes *ret_node only on success. */
static int node_read(struct yaml_reader *reader, const yaml_event_t *event, unsigned int depth,
		     struct node **ret_node)
{
	_cleanup_node_ struct node *node = calloc(1, sizeof(*node));
	int r = 0;

	if (!node)
		return -ENOMEM;
	node->line = (unsigned int)event->start_mark.line + 1;
	node->column = (unsigned int)event->start_mark.column + 1;
	if (depth > YAML_DEPTH_MAX) {
		node_error(reader, node, "nested more than %d deep", YAML_DEPTH_MAX);
		return -EINVAL;
	}
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		node->kind = NODE_TEXT;
		r = text_read(reader, event, node);
		anchor_check(reader, node, event->data.scalar.anchor, event->data.scalar.tag);
		break;
	case YAML_SEQUENCE_START_EVENT:
		node->kind = NODE_LIST;
		r = list_read(reader, node, depth);
		anchor_check(reader, node, event->data.sequence_start.anchor,
			     event->data.sequence_start.tag);
		break;
	case YAML_MAPPING_START_EVENT:
		node->kind = NODE_MAP;
		r = map_read(reader, node, depth);
		anchor_check(reader, node, event->data.mapping_start.anchor,
			     event->data.mapping_start.tag);
		break;
	default:
		node_error(reader, node,
			   "'*%s' is an alias to YAML; a name that begins with a star must stand in quotes",
			   event->type == YAML_ALIAS_EVENT ?
			   (const char *)event->data.alias.anchor : "");
		break;
	}
	if (!r)
		*ret_node = TAKE_PTR(node);
	return r;
}

/* Up to and with the first document's last event. */
static int document_read(struct yaml_reader *reader, struct node **ret_node)
{
	for (;;) {
		_cleanup_event_ yaml_event_t event = {};
		int r = event_next(reader, &event);

		if (r)
			return r;
		switch (event.type) {
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_START_EVENT:
			continue;
		case YAML_STREAM_END_EVENT:
		case YAML_DOCUMENT_END_EVENT:
			return 0;
		default:
			r = node_read(reader, &event, 1, ret_node);
			if (r)
				return r;
		}
	}
}

static int stream_read(struct yaml_reader *reader, struct node **ret_node)
{
	_cleanup_event_ yaml_event_t event = {};
	_cleanup_node_ struct node *node = NULL;
	int r;

	yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader->parser, (const unsigned char *)reader->bytes,
				     reader->len);
	r = document_read(reader, &node);
	if (r)
		return r;
	r = event_next(reader, &event);
	if (r)
		return r;
	if (event.type == YAML_DOCUMENT_START_EVENT)
		diagnostics_error(reader->diag, reader->source,
				  (unsigned int)event.start_mark.line + 1,
				  (unsigned int)event.start_mark.column + 1,
				  "a second YAML document; one is all that is read");
	*ret_node = TAKE_PTR(node);
	return 0;
}

int yaml_bytes_read(const char *path, char **ret_bytes, size_t *ret_len)
{
	_cleanup_free_ char *bytes = malloc(YAML_SIZE_MAX + 1);
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	if (!bytes)
		return -ENOMEM;
	if (!file)
		return -errno;
	errno = 0;
	*ret_len = fread(bytes, 1, YAML_SIZE_MAX + 1, file);
	if (ferror(file))
		return errno ? -errno : -EIO;
	*ret_bytes = TAKE_PTR(bytes);
	return 0;
}

int yaml_read(const char *source, const char *bytes, size_t len, struct diagnostics *diag,
	      struct node **ret_node)
{
	struct yaml_reader reader = { .source = source, .bytes = bytes, .len = len, .diag = diag };
	int r = bytes_check(&reader);

	if (r)
		return r;
	if (!yaml_parser_initialize(&reader.parser))
		return -ENOMEM;
	r = stream_read(&reader, ret_node);
	yaml_parser_delete(&reader.parser);
	return r;
}
