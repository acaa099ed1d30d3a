/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A policy as its author wrote it: the rules in order, with their presets read in and their
 * placeholders filled. compile.h flattens it for the kernel; explain.h judges by it directly, so
 * that the two can be held against each other.
 */
#ifndef BUILDFENCE_POLICY_H
#define BUILDFENCE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "abi.h"

/* Which names a target covers. */
enum name_match {
	NAME_EXACT = 0,		/* dev.azure.com */
	NAME_BELOW,		/* *.azure.com: any name below, not azure.com itself */
	NAME_SUFFIX,		/* *cdn.vsassets.io: any name that ends so */
};

enum target_kind {
	TARGET_NAME = 0,
	TARGET_PREFIX,
};

/* What an entry names: "*.example.com:8443", "udp://192.0.2.0/24:123-125". */
struct target {
	enum target_kind kind;
	enum name_match match;
	char name[NAME_LEN];		/* lower case, A-labels, no star, no dot at either end */
	uint8_t addr[ADDR_LEN];		/* host bits zero */
	uint8_t prefix_bits;		/* 0 to 128, counted on the 16-byte form */
	uint8_t protocol;		/* IPPROTO_TCP, IPPROTO_UDP, or 0: any */
	uint16_t port_low;
	uint16_t port_high;
	bool has_path;			/* a URL path stood there, which is not enforced */
	bool everything;		/* no scheme, no port: in `deny`, `expected`: all ports */
};

enum rule_list {
	LIST_ALLOW = 0,
	LIST_DENY,
	LIST_EXPECTED,
	LIST_INBOUND,
	LIST_BUILTIN,			/* loopback, metadata: the compiler's, not the author's */
};

struct rule {
	uint32_t id;			/* from 1, unique in the policy: index + 1 */
	enum rule_list list;
	struct target target;
	char *text;			/* as written, placeholders filled */
	char *label;			/* NetworkRuleName: `name`, else the text */
	char *reason;			/* may be NULL */
	char *source;			/* file or "preset azure-devops" */
	unsigned int line, column;	/* from 1; 0: from the command line */
	time_t expires;			/* first second after its last day, UTC; 0: never */
};

struct policy {
	char *name;			/* file's base name without suffix, or the preset's name */
	char hash[65];			/* SHA-256 in hex of all that was read, for PolicyHash */
	enum guard_mode mode;
	struct rule *rules;
	size_t rule_count;
	bool metadata_allowed;		/* default false */
	bool loopback_allowed;		/* default true */
	bool private_answers_allowed;	/* default true */
	uint32_t min_ttl_s;		/* default 600 */
	bool resolvers_auto;		/* dns.servers: auto */
	uint8_t resolvers[RESOLVERS_MAX][ADDR_LEN];	/* where not auto */
	unsigned int resolver_count;
};

/*
 * Messages about a policy: one line each, "file:line:column: text". Errors refuse the policy;
 * warnings do not.
 */
struct diagnostics {
	FILE *out;			/* NULL: count only */
	unsigned int errors;
	unsigned int warnings;
};

/*
 * Reports an error or a warning ("file:line:column: warning: text"). Line 0 leaves the position
 * out. What is no printable ASCII is shown as \xNN, and "##" as "\x23#"; see base/escape.h.
 */
void diagnostics_error(struct diagnostics *diag, const char *source, unsigned int line,
		       unsigned int column, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
void diagnostics_warning(struct diagnostics *diag, const char *source, unsigned int line,
			 unsigned int column, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* "enforce" or "audit", as `mode` has it. */
const char *mode_name(enum guard_mode mode);

/* Frees a policy and all that it holds. NULL is fine. */
void policy_free(struct policy *policy);

static inline void policy_cleanup(struct policy **policy)
{
	policy_free(*policy);
}
#define _cleanup_policy_ __attribute__((cleanup(policy_cleanup)))

#endif
