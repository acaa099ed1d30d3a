/* SPDX-License-Identifier: GPL-2.0 */
/* The top-level keys of policies and presets, and the settings among them. Entries: entry.c. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "read.h"

#define MIN_TTL_MAX_S	(7 * 24 * 60 * 60)

enum key_owner {
	OWNER_POLICY = 1,
	OWNER_PRESET = 2,
	OWNER_BOTH = 3,
};

bool mode_parse(const char *word, enum guard_mode *ret_mode)
{
	if (strcmp(word, "enforce") && strcmp(word, "audit"))
		return false;
	*ret_mode = strcmp(word, "audit") ? MODE_ENFORCE : MODE_AUDIT;
	return true;
}

void tls_check(const struct reading *reading, const struct node *node)
{
	const char *text = node_text(&reading->document, node, "'off'");

	if (!text || !strcmp(text, "off"))
		return;
	if (!strcmp(text, "check"))
		node_report(&reading->document, node,
			    "'tls: check' is not built yet; write 'off', or leave 'tls' out");
	else
		node_report(&reading->document, node, "tls is 'off', not '%.40s'", text);
}

static void version_read(struct reading *reading, const struct node *node)
{
	const char *text = node_text(&reading->document, node, "1");

	if (text && strcmp(text, "1"))
		node_report(&reading->document, node,
			    "version '%.40s' is not known here; this buildfence reads version 1",
			    text);
}

static void mode_read(struct reading *reading, const struct node *node)
{
	const char *text = node_text(&reading->document, node, "'enforce' or 'audit'");

	if (text && !mode_parse(text, &reading->policy->mode))
		node_report(&reading->document, node,
			    "mode is 'enforce' or 'audit', not '%.40s'", text);
}

static void value_check(const struct reading *reading, const struct node *node)
{
	const char *text = node_text(&reading->document, node, "a text");

	if (text && !value_is_valid(text))
		node_report(&reading->document, node,
			    "'%.60s' cannot fill a placeholder: letters, digits, '-', '_' and '.' can",
			    text);
}

static void organization_read(struct reading *reading, const struct node *node)
{
	value_check(reading, node);
	/* The command line's comes first. An unusable one counts as given: it was reported. */
	if (!reading->values.organization)
		reading->values.organization = node->kind == NODE_TEXT ? node->text : "invalid";
}

static void values_read(struct reading *reading, const struct node *node)
{
	if (node->kind == NODE_INVALID || node_is_null(node))
		return;
	if (node->kind != NODE_MAP) {
		node_report(&reading->document, node,
			    "'values' is a mapping, as in 'values: { vault: contoso-build }'");
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		const struct node *value = node->items[i];

		if (!strcmp(node->keys[i]->text, "organization"))
			node_report(&reading->document, node->keys[i],
				    "write 'organization' at the top level, not under 'values'");
		if (value->kind == NODE_LIST && !value->count)
			node_report(&reading->document, value,
				    "an empty list; give '%.60s' a value", node->keys[i]->text);
		if (value->kind != NODE_LIST)
			value_check(reading, value);
		for (size_t j = 0; value->kind == NODE_LIST && j < value->count; j++)
			value_check(reading, value->items[j]);
	}
	reading->values.map = node;
}

/* Reads allow or deny; leaves *ret_allowed as it was on an error. */
static void permission_read(const struct reading *reading, const struct node *node,
			    bool *ret_allowed)
{
	const char *text = node_text(&reading->document, node, "'allow' or 'deny'");

	if (!text)
		return;
	if (!strcmp(text, "allow") || !strcmp(text, "deny"))
		*ret_allowed = !strcmp(text, "allow");
	else
		node_report(&reading->document, node,
			    "expected 'allow' or 'deny', not '%.40s'", text);
}

static void metadata_read(struct reading *reading, const struct node *node)
{
	permission_read(reading, node, &reading->policy->metadata_allowed);
}

static void loopback_read(struct reading *reading, const struct node *node)
{
	permission_read(reading, node, &reading->policy->loopback_allowed);
}

static void private_answers_read(struct reading *reading, const struct node *node)
{
	permission_read(reading, node, &reading->policy->private_answers_allowed);
}

static void tls_read(struct reading *reading, const struct node *node)
{
	tls_check(reading, node);
}

static void min_ttl_read(struct reading *reading, const struct node *node)
{
	static const struct { char unit; uint32_t seconds; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
	};
	const char *text = node_text(&reading->document, node, "a time such as 10m");
	size_t digits = text ? strspn(text, "0123456789") : 0;
	uint64_t seconds = 0;

	if (!text)
		return;
	for (size_t i = 0; digits && digits <= 7 && i < ARRAY_SIZE(units); i++) {
		if (text[digits] == units[i].unit && !text[digits + 1])
			seconds = strtoull(text, NULL, 10) * units[i].seconds;
	}
	if (!seconds || seconds > MIN_TTL_MAX_S)
		node_report(&reading->document, node,
			    "'%.40s' is not a time from 1s to 7d; write it as in 30s, 10m, 2h",
			    text);
	else
		reading->policy->min_ttl_s = (uint32_t)seconds;
}

static void resolver_read(struct reading *reading, const struct node *node)
{
	const char *text = node_text(&reading->document, node, "a resolver's address");
	struct policy *policy = reading->policy;
	uint8_t addr[ADDR_LEN] = { [10] = 0xff, [11] = 0xff };

	if (!text)
		return;
	if (inet_pton(AF_INET, text, addr + 12) != 1 && inet_pton(AF_INET6, text, addr) != 1) {
		node_report(&reading->document, node,
			    "'%.60s' is not the address of a resolver; write it as in 192.0.2.53",
			    text);
		return;
	}
	if (policy->resolver_count == RESOLVERS_MAX) {
		node_report(&reading->document, node, "more than %d resolvers", RESOLVERS_MAX);
		return;
	}
	memcpy(policy->resolvers[policy->resolver_count++], addr, ADDR_LEN);
}

static void dns_read(struct reading *reading, const struct node *node)
{
	const struct node *servers = node_get(node, "servers");

	if (node->kind == NODE_INVALID)
		return;
	if (node->kind != NODE_MAP) {
		node_report(&reading->document, node,
			    "'dns' is a mapping, as in 'dns: { servers: auto }'");
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		if (strcmp(node->keys[i]->text, "servers"))
			node_report(&reading->document, node->keys[i],
				    "unknown key '%.60s'; 'dns' has 'servers'",
				    node->keys[i]->text);
	}
	if (!servers || (servers->kind == NODE_TEXT && !strcmp(servers->text, "auto")))
		return;
	if (servers->kind != NODE_LIST || !servers->count) {
		node_report(&reading->document, servers,
			    "servers are 'auto' or a list of addresses, as in [192.0.2.53]");
		return;
	}
	reading->policy->resolvers_auto = false;
	for (size_t i = 0; i < servers->count; i++)
		resolver_read(reading, servers->items[i]);
}

static void placeholders_read(struct reading *reading, const struct node *node)
{
	if (node->kind == NODE_MAP)
		reading->placeholders = node;
	else if (node->kind != NODE_INVALID)
		node_report(&reading->document, node,
			    "'placeholders' is a mapping of words to what they stand for");
}

static int allow_read(struct reading *reading, const struct node *node)
{
	return entries_read(reading, LIST_ALLOW, node);
}

static int deny_read(struct reading *reading, const struct node *node)
{
	return entries_read(reading, LIST_DENY, node);
}

static int expected_read(struct reading *reading, const struct node *node)
{
	return entries_read(reading, LIST_EXPECTED, node);
}

static int inbound_read(struct reading *reading, const struct node *node)
{
	const struct node *allow = node_get(node, "allow");

	if (node->kind == NODE_INVALID || node_is_null(node))
		return 0;
	if (node->kind != NODE_MAP) {
		node_report(&reading->document, node,
			    "'inbound' is a mapping, as in 'inbound: { allow: [ \"tcp://10.0.0.0/8:8080\" ] }'");
		return 0;
	}
	for (size_t i = 0; i < node->count; i++) {
		if (strcmp(node->keys[i]->text, "allow"))
			node_report(&reading->document, node->keys[i],
				    "unknown key '%.60s'; 'inbound' has 'allow'",
				    node->keys[i]->text);
	}
	return allow ? entries_read(reading, LIST_INBOUND, allow) : 0;
}

/* A key is read in one of two passes: what fills placeholders comes before the entries. */
static const struct key {
	const char *name;
	enum key_owner owner;
	void (*setting)(struct reading *reading, const struct node *node);
	int (*entries)(struct reading *reading, const struct node *node);
} keys[] = {
	{ "version", OWNER_BOTH, version_read, NULL },
	{ "mode", OWNER_POLICY, mode_read, NULL },
	{ "organization", OWNER_POLICY, organization_read, NULL },
	{ "values", OWNER_POLICY, values_read, NULL },
	{ "presets", OWNER_POLICY, NULL, NULL },	/* by read.c */
	{ "allow", OWNER_BOTH, NULL, allow_read },
	{ "deny", OWNER_BOTH, NULL, deny_read },
	{ "inbound", OWNER_BOTH, NULL, inbound_read },
	{ "expected", OWNER_BOTH, NULL, expected_read },
	{ "metadata", OWNER_POLICY, metadata_read, NULL },
	{ "loopback", OWNER_POLICY, loopback_read, NULL },
	{ "private_answers", OWNER_POLICY, private_answers_read, NULL },
	{ "tls", OWNER_POLICY, tls_read, NULL },
	{ "min_ttl", OWNER_POLICY, min_ttl_read, NULL },
	{ "dns", OWNER_POLICY, dns_read, NULL },
	{ "description", OWNER_PRESET, NULL, NULL },	/* for people */
	{ "source", OWNER_PRESET, NULL, NULL },
	{ "date", OWNER_PRESET, NULL, NULL },
	{ "placeholders", OWNER_PRESET, placeholders_read, NULL },
};

/* Finds a key of this kind of document, or reports it. */
static const struct key *key_find(const struct reading *reading, const struct node *node,
				  bool report)
{
	enum key_owner owner = reading->is_preset ? OWNER_PRESET : OWNER_POLICY;
	const char *names[ARRAY_SIZE(keys)];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (keys[i].owner & owner)
			names[count++] = keys[i].name;
		if (strcmp(keys[i].name, node->text))
			continue;
		if (keys[i].owner & owner)
			return &keys[i];
		if (report)
			node_report(&reading->document, node, reading->is_preset ?
				    "'%s' is the policy's own; a preset cannot set it" :
				    "'%s' belongs in a preset; leave it out", node->text);
		return NULL;
	}
	if (!report)
		return NULL;
	node_report_key(&reading->document, node, names, count, "");
	return NULL;
}

int schema_read(struct reading *reading, const struct node *document)
{
	reading->placeholders = NULL;
	if (!document || document->kind == NODE_INVALID || node_is_null(document))
		return 0;
	if (document->kind != NODE_MAP) {
		node_report(&reading->document, document,
			    "expected a mapping ('allow:' and other keys), but here is %s",
			    node_kind_name(document));
		return 0;
	}
	for (size_t i = 0; i < document->count; i++) {
		const struct key *key = key_find(reading, document->keys[i], true);

		if (key && key->setting)
			key->setting(reading, document->items[i]);
	}
	for (size_t i = 0; i < document->count; i++) {
		const struct key *key = key_find(reading, document->keys[i], false);
		int r = key && key->entries ? key->entries(reading, document->items[i]) : 0;

		if (r)
			return r;
	}
	return 0;
}
