/* SPDX-License-Identifier: GPL-2.0 */
/* Policies as YAML: see write.h. */
#include "write.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "target.h"

/* Comments line up behind entries up to this long. */
#define COMMENT_COLUMN	56
#define SOURCE_MAX	4096

static const char *const list_names[] = {
	[LIST_ALLOW] = "allow",
	[LIST_DENY] = "deny",
	[LIST_EXPECTED] = "expected",
	[LIST_INBOUND] = "inbound",
	[LIST_BUILTIN] = "builtin",
};

const char *rule_list_name(enum rule_list list)
{
	return list_names[list];
}

void target_format_ports(const struct target *target, char ret_text[static PORTS_TEXT_LEN])
{
	const char *protocol = target->protocol == IPPROTO_TCP ? "tcp" :
			       target->protocol == IPPROTO_UDP ? "udp" : "any";

	if (!target->port_low)
		snprintf(ret_text, PORTS_TEXT_LEN, "%s", protocol);
	else if (target->port_low == target->port_high)
		snprintf(ret_text, PORTS_TEXT_LEN, "%s/%u", protocol, target->port_low);
	else
		snprintf(ret_text, PORTS_TEXT_LEN, "%s/%u-%u", protocol, target->port_low,
			 target->port_high);
}

void expires_format(time_t expires, char ret_text[static DAY_TEXT_LEN])
{
	time_t last = expires - 1;
	struct tm day = {};

	gmtime_r(&last, &day);
	strftime(ret_text, DAY_TEXT_LEN, "%Y-%m-%d", &day);
}

/* The character that UTF-8 has at `bytes`, and its length. A stray byte stands for itself. */
static uint32_t character_read(const unsigned char *bytes, size_t *ret_len)
{
	size_t len = bytes[0] < 0xc0 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
	uint32_t code = len == 1 ? bytes[0] : bytes[0] & (0x7fU >> len);

	*ret_len = 1;
	for (size_t i = 1; i < len; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return bytes[0];
		code = code << 6 | (bytes[i] & 0x3f);
	}
	*ret_len = len;
	return code;
}

/*
 * A double-quoted YAML text: one line of printable ASCII without "##", whatever it holds, since a
 * terminal or a pipeline page may show it. Returns how many bytes were written.
 */
static int quoted_write(FILE *out, const char *text)
{
	int written = 2;
	size_t len;

	fputc('"', out);
	for (const char *c = text; *c; c += len) {
		uint32_t code = character_read((const unsigned char *)c, &len);

		if (code == '"' || code == '\\')
			written += fprintf(out, "\\%c", (int)code);
		else if (code > 0xffff)
			written += fprintf(out, "\\U%08x", code);
		else if (code > 0xff)
			written += fprintf(out, "\\u%04x", code);
		else if (code < 0x20 || code > 0x7e || (code == '#' && c[1] == '#'))
			written += fprintf(out, "\\x%02x", code);
		else
			written += fputc((int)code, out) != EOF;
	}
	fputc('"', out);
	return written;
}

/* A file's name may hold anything, a line's end too. */
static int comment_write(FILE *out, const struct rule *rule, int column)
{
	_cleanup_free_ char *source = escape_string(rule->source, SOURCE_MAX);
	char ports[PORTS_TEXT_LEN];

	if (!source)
		return -ENOMEM;
	target_format_ports(&rule->target, ports);
	fprintf(out,
		"%*s# %s, %s", column < COMMENT_COLUMN ? COMMENT_COLUMN - column : 2, "", ports,
		source);
	if (rule->line)
		fprintf(out, ":%u", rule->line);
	fputc('\n', out);
	return 0;
}

static int rule_write(FILE *out, const struct rule *rule, const char *indent)
{
	bool named = strcmp(rule->label, rule->text) != 0;
	bool is_long = named || rule->reason || rule->expires;
	char text[TARGET_TEXT_LEN], day[DAY_TEXT_LEN];
	int column, r;

	target_format(&rule->target, rule->list, text);
	column = fprintf(out, "%s- %s", indent, is_long ? "to: " : "");
	column += quoted_write(out, text);
	r = comment_write(out, rule, column);
	if (r)
		return r;
	if (named) {
		fprintf(out, "%s  name: ", indent);
		quoted_write(out, rule->label);
		fputc('\n', out);
	}
	if (rule->reason) {
		fprintf(out, "%s  reason: ", indent);
		quoted_write(out, rule->reason);
		fputc('\n', out);
	}
	if (rule->expires) {
		expires_format(rule->expires, day);
		fprintf(out, "%s  expires: %s\n", indent, day);
	}
	return 0;
}

bool policy_has_rules(const struct policy *policy, enum rule_list list)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		if (policy->rules[i].list == list)
			return true;
	}
	return false;
}

int policy_write_rules(const struct policy *policy, enum rule_list list, FILE *out)
{
	bool inbound = list == LIST_INBOUND;
	int r = 0;

	if (policy_has_rules(policy, list))
		fprintf(out, "%s:\n%s", rule_list_name(list), inbound ? "  allow:\n" : "");
	for (size_t i = 0; !r && i < policy->rule_count; i++) {
		if (policy->rules[i].list == list)
			r = rule_write(out, &policy->rules[i], inbound ? "    " : "  ");
	}
	return r;
}

static void resolvers_write(const struct policy *policy, FILE *out)
{
	char addr[TARGET_TEXT_LEN];

	fprintf(out, "dns: { servers: ");
	if (policy->resolvers_auto)
		fprintf(out, "auto");
	for (unsigned int i = 0; i < policy->resolver_count; i++) {
		struct target resolver = { .kind = TARGET_PREFIX, .prefix_bits = 128 };

		memcpy(resolver.addr, policy->resolvers[i], ADDR_LEN);
		target_format_host(&resolver, addr);
		fprintf(out, "%s\"%s\"", i ? ", " : "[ ", addr);
	}
	fprintf(out, "%s }\n", policy->resolvers_auto ? "" : " ]");
}

void policy_write_settings(const struct policy *policy, FILE *out)
{
	fprintf(out, "metadata: %s\n", policy->metadata_allowed ? "allow" : "deny");
	fprintf(out, "loopback: %s\n", policy->loopback_allowed ? "allow" : "deny");
	fprintf(out, "private_answers: %s\n", policy->private_answers_allowed ? "allow" : "deny");
	fprintf(out, "min_ttl: %us\n", policy->min_ttl_s);
	resolvers_write(policy, out);
}

int policy_write_yaml(const struct policy *policy, FILE *out)
{
	static const enum rule_list order[] = {
		LIST_ALLOW, LIST_DENY, LIST_INBOUND, LIST_EXPECTED,
	};

	fprintf(out, "# sha256 of what was read: %s\n", policy->hash);
	fprintf(out, "version: 1\n");
	fprintf(out, "mode: %s\n", mode_name(policy->mode));
	policy_write_settings(policy, out);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		int r = policy_write_rules(policy, order[i], out);

		if (r)
			return r;
	}
	return 0;
}
