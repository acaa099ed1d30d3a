/* SPDX-License-Identifier: GPL-2.0 */
/* What can be said of one rule alone: see lint.h. */
#include "lint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "lint_internal.h"
#include "target.h"

#define DAY_S		((time_t)24 * 60 * 60)
#define SOON_DAYS	30
#define DNS_PORT	53
/* A prefix shorter than these holds a large part of the internet. */
#define WIDE_V4_BITS	(96 + 8)
#define WIDE_V6_BITS	24

#define V4(a, b, c, d)	{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d }

static void suffixes_cleanup(psl_ctx_t **suffixes)
{
	psl_free(*suffixes);
}

void rule_warn(struct diagnostics *diag, const struct rule *rule, const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&message, format, arguments) < 0)
		message = NULL;
	va_end(arguments);
	diagnostics_warning(diag, rule->source, rule->line, rule->column,
			    "'%.200s': %s", rule->text,
			    message ? message : "out of memory");
}

static void lint_expiry(const struct rule *rule, time_t now, struct diagnostics *diag)
{
	time_t last = rule->expires - 1, left = (rule->expires - now + DAY_S - 1) / DAY_S;
	struct tm day;
	char text[16];

	if (!rule->expires || left > SOON_DAYS || !gmtime_r(&last, &day))
		return;
	strftime(text, sizeof(text), "%Y-%m-%d", &day);
	if (rule->expires <= now)
		rule_warn(diag, rule,
			  "has expired; its last day was %s. Remove it, or give it a new day",
			  text);
	else
		rule_warn(diag, rule, "expires soon; its last day is %s", text);
}

static void lint_path(const struct rule *rule, struct diagnostics *diag)
{
	char host[TARGET_TEXT_LEN];

	if (!rule->target.has_path)
		return;
	target_format_host(&rule->target, host);
	rule_warn(diag, rule, "the path is not enforced; the rule is about all of %s", host);
}

static void lint_width(const struct rule *rule, struct diagnostics *diag)
{
	static const struct target private_v6[] = {
		{ .kind = TARGET_PREFIX, .addr = { 0xfc }, .prefix_bits = 7 },
		{ .kind = TARGET_PREFIX, .addr = { 0xfe, 0x80 }, .prefix_bits = 10 },
	};
	static const struct target all_v4 = {
		.kind = TARGET_PREFIX, .addr = V4(0, 0, 0, 0), .prefix_bits = 96,
	};
	const struct target *target = &rule->target;
	bool v4 = target_host_covers(&all_v4, target);

	if (target->kind != TARGET_PREFIX ||
	    target->prefix_bits >= (v4 ? WIDE_V4_BITS : WIDE_V6_BITS))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(private_v6); i++) {
		if (target_host_covers(&private_v6[i], target))
			return;
	}
	rule_warn(diag, rule, "a very wide prefix: /%u holds a large part of the internet",
		  v4 ? target->prefix_bits - 96u : target->prefix_bits);
}

/* Addresses that other keys of the policy decide about, so that a rule for them never does. */
static void lint_builtin(const struct policy *policy, const struct rule *rule,
			 struct diagnostics *diag)
{
	static const struct target metadata[] = {
		{ .kind = TARGET_PREFIX, .addr = V4(169, 254, 169, 254), .prefix_bits = 128,
		  .port_high = 65535 },
		{ .kind = TARGET_PREFIX, .addr = V4(168, 63, 129, 16), .prefix_bits = 128,
		  .protocol = IPPROTO_TCP, .port_low = 80, .port_high = 80 },
		{ .kind = TARGET_PREFIX, .addr = V4(168, 63, 129, 16), .prefix_bits = 128,
		  .protocol = IPPROTO_TCP, .port_low = 443, .port_high = 443 },
		{ .kind = TARGET_PREFIX, .addr = V4(168, 63, 129, 16), .prefix_bits = 128,
		  .protocol = IPPROTO_TCP, .port_low = 32526, .port_high = 32526 },
	};

	if (target_is_loopback(&rule->target) || target_is_localhost(&rule->target))
		rule_warn(diag, rule, "does nothing: 'loopback: %s' decides about loopback",
			  policy->loopback_allowed ? "allow" : "deny");
	for (size_t i = 0; i < ARRAY_SIZE(metadata) && rule->list == LIST_ALLOW; i++) {
		if (target_covers(&metadata[i], &rule->target))
			rule_warn(diag, rule,
				  "does nothing: 'metadata: %s' decides about cloud metadata",
				  policy->metadata_allowed ? "allow" : "deny");
	}
}

/*
 * "2001:db8::7:443" is one address. Was a port meant? Then what stands in front of the last colon
 * is an address too.
 */
static void lint_port_like(const struct rule *rule, struct diagnostics *diag)
{
	const char *colon = strrchr(rule->text, ':');
	char front[INET6_ADDRSTRLEN] = {};
	struct in6_addr addr;

	if (rule->target.kind != TARGET_PREFIX || !colon || strchr(rule->text, '[') ||
	    strchr(rule->text, '/') || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    (size_t)(colon - rule->text) >= sizeof(front))
		return;
	memcpy(front, rule->text, (size_t)(colon - rule->text));
	if (inet_pton(AF_INET6, front, &addr) == 1)
		rule_warn(diag, rule,
			  "names an address that ends in ':%s'; for a port write \"[%s]:%s\", for the address \"[%s]\"",
			  colon + 1, front, colon + 1, rule->text);
}

static void lint_dns_port(const struct rule *rule, struct diagnostics *diag)
{
	if (rule->list == LIST_ALLOW && rule->target.port_low == DNS_PORT &&
	    rule->target.port_high == DNS_PORT)
		rule_warn(diag, rule,
			  "never matches: port 53 is DNS, which goes to the resolvers of 'dns' only");
}

int policy_lint(const struct policy *policy, time_t now, struct diagnostics *diag)
{
	/* NULL where no list is installed: the multi-tenant names that we know stay. */
	_cleanup_(suffixes_cleanup) psl_ctx_t *suffixes = psl_latest(NULL);
	_cleanup_free_ bool *denied = calloc(policy->rule_count + 1, sizeof(*denied));
	int r;

	if (!denied)
		return -ENOMEM;
	r = lint_pairs(policy, now, diag, denied);
	for (size_t i = 0; !r && i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];

		lint_expiry(rule, now, diag);
		lint_path(rule, diag);
		lint_port_like(rule, diag);
		if (denied[i] || (rule->list != LIST_ALLOW && rule->list != LIST_INBOUND))
			continue;
		lint_width(rule, diag);
		lint_builtin(policy, rule, diag);
		lint_dns_port(rule, diag);
		if (rule->target.kind == TARGET_NAME)
			lint_tenants(policy, rule, denied, suffixes, diag);
	}
	return r;
}
