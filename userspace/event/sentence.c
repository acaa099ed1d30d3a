/* SPDX-License-Identifier: GPL-2.0 */
/* Words for one event; where they are printed, and how often, is the sinks' matter. */
#include "event/sentence.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "event/names.h"
#include "policy/target.h"

/* What was refused, and what to do where a rule cannot help. */
static const struct {
	const char *what;
	const char *remedy;
} reasons[REASON_COUNT] = {
	[REASON_NOT_ALLOWED] = { "not allowed", NULL },
	[REASON_PORT] = { "port not allowed", NULL },
	[REASON_DNS_NAME] = { "name not allowed", NULL },
	[REASON_DNS_SERVER] = { "not one of the allowed DNS servers",
				DNS_SERVER_ADVICE },
	[REASON_DNS_MALFORMED] = { "not a plain DNS question",
				   "only A, AAAA and similar questions, "
				   "one per message, can pass" },
	[REASON_METADATA] = { "cloud metadata service", "to allow: metadata: allow" },
	[REASON_INBOUND] = { "inbound, nobody asked for it", NULL },
	[REASON_SOCKET_TYPE] = { "no socket of this type is allowed", "use TCP or UDP" },
	[REASON_TLS_NAME] = { "TLS server name not allowed", NULL },
	[REASON_LOOPBACK] = { "loopback is denied by the policy", "to allow: loopback: allow" },
	[REASON_DENIED_BY_RULE] = { "denied by a rule", NULL },
	[REASON_EXPIRED] = { "the rule has expired", NULL },
	[REASON_TAMPER] = { "an attempt to disarm the guard", NULL },
};

static const char *protocol_lower(__u8 protocol, char buffer[static 16])
{
	char number[8];

	snprintf(buffer, 16, "%s", protocol_name(protocol, number));
	for (char *byte = buffer; *byte; byte++)
		*byte = (char)tolower((unsigned char)*byte);
	return buffer;
}

void sentence_endpoint(const __u8 addr[ADDR_LEN], __u16 port, __u8 protocol, struct text *out)
{
	char address[INET6_ADDRSTRLEN], buffer[16];

	address_text(addr, address, sizeof(address));
	if (!port)
		text_printf(out, "%s", address);
	else
		text_printf(out, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
	if (protocol)
		text_printf(out, "/%s", protocol_lower(protocol, buffer));
}

static void process_add(const struct event *event, struct text *out)
{
	char comm[COMM_LEN * 4 + 1];

	escape_bytes(event->refusal.comm, strnlen(event->refusal.comm, COMM_LEN), comm,
		     sizeof(comm));
	if (comm[0])
		text_printf(out, "%s", comm);
	if (event->refusal.pid)
		text_printf(out, "[%u]", event->refusal.pid);
}

void sentence_where(const struct event *event, struct text *out)
{
	const struct refusal *refusal = &event->refusal;
	char buffer[16], type[12];

	if (!event->kept_apart) {
		text_printf(out, "attempts that could not be kept apart");
	} else if (refusal->direction == DIRECTION_IN) {
		sentence_endpoint(refusal->src, refusal->sport, 0, out);
		text_printf(out, " -> :%u/%s", refusal->dport,
			    protocol_lower(refusal->protocol, buffer));
	} else if (refusal->reason == REASON_SOCKET_TYPE) {
		text_printf(out, "socket %s", socket_type_name(refusal->socket_type, type));
		if (refusal->protocol)
			text_printf(out, " (%s)", protocol_lower(refusal->protocol, buffer));
	} else if (refusal->reason == REASON_DNS_NAME) {
		text_printf(out, "%s (DNS)", event->name);
	} else if (event->name[0]) {
		text_printf(out, "%s (", event->name);
		sentence_endpoint(refusal->dst, refusal->dport, refusal->protocol, out);
		text_printf(out, ")");
	} else {
		sentence_endpoint(refusal->dst, refusal->dport, refusal->protocol, out);
	}
}

void sentence_who(const struct event *event, struct text *out)
{
	bool process = event->refusal.comm[0] || event->refusal.pid;

	if (event->kept_apart && process && event->refusal.direction == DIRECTION_OUT) {
		process_add(event, out);
		text_printf(out, " -> ");
	}
	sentence_where(event, out);
	if (event->kept_apart && process && event->refusal.direction == DIRECTION_IN) {
		text_printf(out, " ");
		process_add(event, out);
	}
}

/*
 * The entry that would allow it. False: there is none, as for a name of odd bytes, or headers that
 * could not be read.
 */
static bool entry_suggest(const struct event *event, char ret_text[static TARGET_TEXT_LEN])
{
	const struct refusal *refusal = &event->refusal;
	bool inbound = refusal->direction == DIRECTION_IN;
	struct target target = {
		.kind = TARGET_PREFIX,
		.prefix_bits = 128,
		.protocol = refusal->protocol,
		.port_low = refusal->dport,
		.port_high = refusal->dport,
	};

	if (refusal->reason == REASON_DNS_NAME) {
		target.protocol = IPPROTO_TCP;
		target.port_low = target.port_high = 443;
	}
	if (!target.protocol)
		return false;
	if (target.protocol != IPPROTO_TCP && target.protocol != IPPROTO_UDP)
		target.protocol = target.port_low = target.port_high = 0;
	else if (!target.port_low)
		return false;
	if (event->name[0] && !inbound) {
		for (const char *byte = event->name; *byte; byte++) {
			if (!isalnum((unsigned char)*byte) && !strchr("-_.", *byte))
				return false;
		}
		if (strlen(event->name) >= sizeof(target.name))
			return false;
		target.kind = TARGET_NAME;
		memcpy(target.name, event->name, strlen(event->name) + 1);
	} else {
		memcpy(target.addr, inbound ? refusal->src : refusal->dst, ADDR_LEN);
		/* An entry would do nothing. It would have left on a link: see guard_egress. */
		if (!inbound && target_is_loopback(&target))
			return false;
	}
	target_format(&target, inbound ? LIST_INBOUND : LIST_ALLOW, ret_text);
	return true;
}

/* (rule "no paste", job.yaml:12) */
static void rule_add(const struct rule *rule, struct text *out)
{
	_cleanup_free_ char *label = escape_string(rule->label, 256);
	_cleanup_free_ char *source = escape_string(rule->source, 256);

	text_printf(out, " (rule \"%s\"", label ? label : "");
	if (source && *source)
		text_printf(out, ", %s", source);
	if (rule->line)
		text_printf(out, ":%u", rule->line);
	text_printf(out, ")");
}

/* "; to allow: ..." by an entry, or why there should be none. */
static void entry_add(const struct event *event, struct text *out)
{
	bool inbound = event->refusal.direction == DIRECTION_IN;
	const char *objection = inbound ? NULL : name_objection(event->name);
	char entry[TARGET_TEXT_LEN];

	if (objection)
		text_printf(out, "; %s", objection);
	else if (entry_suggest(event, entry))
		text_printf(out, "; to allow%s: \"%s\"%s", inbound ? ", under inbound: allow" : "",
			    entry, strncmp(entry, "any://", strlen("any://")) ? "" :
			    ", which opens every protocol and port");
}

/* An address outlived its DNS answer; with a number, its rule outlived its last day. */
static bool address_has_expired(const struct event *event)
{
	return event->refusal.reason == REASON_EXPIRED && !event->refusal.rule && !event->rule;
}

void sentence_why(const struct event *event, struct text *out)
{
	unsigned int reason = event->refusal.reason;

	if (reason >= REASON_COUNT) {
		text_printf(out, "%s", reason_name(reason));
		return;
	}
	if (address_has_expired(event)) {
		text_printf(out, "its DNS answer has expired; ask again before connecting, or "
				 "raise `min_ttl`");
		return;
	}
	if (reason == REASON_NOT_ALLOWED && event->kept_apart)
		text_printf(out, "%s ", event->name[0] ? "name" : "address");
	text_printf(out, "%s", reasons[reason].what);
	if (event->rule)
		rule_add(event->rule, out);
	if (reasons[reason].remedy)
		text_printf(out, "; %s", reasons[reason].remedy);
	else if (reason == REASON_DENIED_BY_RULE)
		text_printf(out, "; to allow: remove the rule");
	else if (reason == REASON_EXPIRED)
		text_printf(out, "; to allow: give it a later `expires`");
	else if (reason != REASON_TAMPER && event->kept_apart)
		entry_add(event, out);
}
