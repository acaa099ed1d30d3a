/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From one record to what the job needed. A record holds what an attacker chose (names, programs):
 * nothing of it gets into an entry that target_parse() did not read back as exactly that host, and
 * into a comment only as printable ASCII.
 */
#include "need.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/text.h"
#include "event/basis.h"
#include "event/names.h"
#include "policy/load.h"

struct record {
	json_t *json;
	const char *reason;
	const char *name;		/* DstFQDN, or "" */
	const char *addr;		/* the remote end's, or "" */
	const char *protocol;
	json_int_t port;		/* remote; local for inbound; 0: none */
	bool inbound;
	bool asked;			/* a DNS question: port and address are the resolver's */
};

static void json_release(json_t **json)
{
	json_decref(*json);
}

/* The text of a field, or "" where there is none. */
static const char *record_text(const json_t *json, const char *field)
{
	const char *text = json_string_value(json_object_get(json, field));

	return text ? text : "";
}

/* Ports come as numbers; a text is read too, since some collectors turn every field into one. */
static json_int_t record_number(const json_t *json, const char *field)
{
	const json_t *value = json_object_get(json, field);

	if (json_is_string(value))
		return atoll(json_string_value(value));
	return json_integer_value(value);
}

static void record_open(json_t *json, struct record *ret_record)
{
	bool inbound = !strcasecmp(record_text(json, "NetworkDirection"), "Inbound");

	*ret_record = (struct record){
		.json = json,
		.reason = record_text(json, "Reason"),
		.name = inbound ? "" : record_text(json, "DstFQDN"),
		.addr = record_text(json, inbound ? "SrcIpAddr" : "DstIpAddr"),
		.protocol = record_text(json, "NetworkProtocol"),
		.port = record_number(json, "DstPortNumber"),
		.inbound = inbound,
		.asked = !strcmp(record_text(json, "Reason"), "dns-name"),
	};
}

static int need_set_process(const struct record *record, struct need *need)
{
	const char *field = record->inbound ? "DstProcessName" : "SrcProcessName";
	const char *process = record_text(record->json, field);

	need->process = escape_string(*process ? process : "a process that is not known", 80);
	return need->process ? 0 : -ENOMEM;
}

/* Makes the need a comment: "name: WHY", "192.0.2.7:443/TCP: WHY". */
static int need_set_note(const struct record *record, const char *why, struct need *need)
{
	_cleanup_text_ struct text text = {};
	char host[NAME_LEN * 4], protocol[16];

	escape_bytes(*record->name ? record->name : record->addr,
		     strlen(*record->name ? record->name : record->addr), host, sizeof(host));
	escape_bytes(record->protocol, strlen(record->protocol), protocol, sizeof(protocol));
	text_printf(&text, "%s", *host ? host : record->asked ? "an empty name" : "");
	if (record->port && !record->asked)
		text_printf(&text, ":%" JSON_INTEGER_FORMAT, record->port);
	if (*protocol && !record->asked)
		text_printf(&text, "/%s", protocol);
	text_printf(&text, "%s%s", text.len ? ": " : "", why);
	need->kind = NEED_NOTE;
	need->text = text_take(&text);
	return need->text ? 0 : -ENOMEM;
}

/* Is this what the policy's reader makes of it: the same one host, and no more ports? */
static bool target_is(const struct target *target, const struct record *record, bool every_port)
{
	if (target->has_path)
		return false;
	if (!every_port && !record->asked &&
	    (target->port_low != record->port || target->port_high != record->port))
		return false;
	if (*record->name)
		return target->kind == TARGET_NAME && target->match == NAME_EXACT &&
		       !strcasecmp(target->name, record->name);
	return target->kind == TARGET_PREFIX && target->prefix_bits == 128;
}

/* The narrowest entry for the record's destination; false if no policy can hold its host. */
static bool record_target(const struct record *record, enum rule_list list,
			  struct target *ret_target)
{
	const char *host = *record->name ? record->name : record->addr;
	const char *open = strchr(host, ':') ? "[" : "", *close = *open ? "]" : "";
	bool tcp = !strcasecmp(record->protocol, "TCP"), udp = !strcasecmp(record->protocol, "UDP");
	char text[TARGET_TEXT_LEN], error[256];

	if (strlen(host) >= NAME_LEN)
		return false;
	if (record->asked)
		snprintf(text, sizeof(text), "https://%s", host);
	else if (tcp || udp)
		snprintf(text, sizeof(text), "%s://%s%s%s:%u", tcp ? "tcp" : "udp", open, host,
			 close, (unsigned int)record->port);
	else
		snprintf(text, sizeof(text), "any://%s%s%s", open, host, close);
	return !target_parse(text, list, ret_target, error) &&
	       target_is(ret_target, record, !tcp && !udp);
}

static int need_set_entry(const struct record *record, struct need *need)
{
	enum rule_list list = record->inbound ? LIST_INBOUND : LIST_ALLOW;

	if (!*record->name && !*record->addr && !record->asked)
		return need_set_note(record, "too many kinds at once to tell apart; audit again",
				     need);
	if ((record->asked && !*record->name) || !record_target(record, list, &need->target))
		return need_set_note(record, "no host that a policy can name", need);
	if (need->target.protocol == 0)
		need->remark = "its protocol has no scheme, so this opens every protocol and port";
	if (!strcmp(record->reason, "expired"))
		need->remark = *record_text(record->json, "NetworkRuleName") ?
			       "the rule that allowed it has expired" :
			       "its DNS answer had expired: the program should ask again, or "
			       "`min_ttl` be longer";
	need->kind = record->inbound ? NEED_INBOUND : NEED_ALLOW;
	need->asked = record->asked;
	return 0;
}

/* What no entry can let through, or none should without a person's decision; NULL: an entry can. */
static const char *record_objection(const struct record *record)
{
	static const struct {
		const char *reason, *why;
	} objections[] = {
		{ "metadata", "only `metadata: allow` opens it, to every process, credentials and "
			      "all; consider `expected`" },
		{ "loopback", "`loopback: allow` is the default, and lets it pass" },
		{ "dns-server", DNS_SERVER_ADVICE },
		{ "denied-by-rule", "left out, since a deny rule forbids it on purpose" },
		{ "dns-malformed", "a DNS message that no rule can allow" },
		{ "socket-type", "a kind of socket that no rule can allow" },
		{ "tamper", "an attempt to disarm the guard" },
	};
	static const char *const entries[] = {
		"not-allowed", "port", "dns-name", "inbound", "tls-name", "expired",
	};

	for (size_t i = 0; i < ARRAY_SIZE(objections); i++) {
		if (!strcmp(record->reason, objections[i].reason))
			return objections[i].why;
	}
	if (name_objection(record->name))
		return name_objection(record->name);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		if (!strcmp(record->reason, entries[i]))
			return NULL;
	}
	return "refused for a reason that this version does not know";
}

int need_read(const char *line, size_t len, struct bases *bases, struct need *ret_need,
	      char ret_error[static 256])
{
	_cleanup_(json_release) json_t *json = NULL;
	struct record record;
	struct need need = {};
	json_int_t attempts;
	const char *why;
	json_error_t error;
	int r;

	json = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (!json) {
		snprintf(ret_error, 256, "not JSON: %s", error.text);
		return -EINVAL;
	}
	record_open(json, &record);
	if (!*record.reason) {
		snprintf(ret_error, 256, "not one of buildfence's records: it has no \"Reason\"");
		return -EINVAL;
	}
	if (record.port < 0 || record.port > 65535) {
		snprintf(ret_error, 256, "DstPortNumber %" JSON_INTEGER_FORMAT " is no port",
			 record.port);
		return -EINVAL;
	}
	r = bases_note(bases, record_text(json, "PolicyName"), record_text(json, "PolicyHash"));
	if (r)
		return r;
	attempts = record_number(json, "EventCount");
	need.attempts = attempts > 0 ? (uint64_t)attempts : 1;
	why = record_objection(&record);
	r = why ? need_set_note(&record, why, &need) : need_set_entry(&record, &need);
	if (!r)
		r = need_set_process(&record, &need);
	if (r) {
		need_clear(&need);
		return r;
	}
	*ret_need = need;
	return 0;
}

void need_clear(struct need *need)
{
	free(need->text);
	free(need->process);
	*need = (struct need){};
}

int needs_add(struct needs *needs, struct need *need)
{
	if (needs->count == needs->capacity) {
		size_t capacity = needs->capacity ? 2 * needs->capacity : 64;
		struct need *items = reallocarray(needs->items, capacity, sizeof(*items));

		if (!items) {
			need_clear(need);
			return -ENOMEM;
		}
		needs->items = items;
		needs->capacity = capacity;
	}
	needs->items[needs->count++] = *need;
	*need = (struct need){};
	return 0;
}

void needs_clear(struct needs *needs)
{
	for (size_t i = 0; i < needs->count; i++)
		need_clear(&needs->items[i]);
	free(needs->items);
	*needs = (struct needs){};
}
