/* SPDX-License-Identifier: GPL-2.0 */
/* Every rule of the verdict, on ordinary packets, in both modes. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "harness.h"

#define OUT	DIRECTION_OUT
#define IN	DIRECTION_IN
#define TCP	IPPROTO_TCP
#define UDP	IPPROTO_UDP
#define ICMP	IPPROTO_ICMP
#define ICMP6	IPPROTO_ICMPV6

/* reason PASSES: let through, nothing recorded. */
#define PASSES	REASON_COUNT

struct verdict_case {
	uint8_t direction;
	uint8_t protocol;
	const char *addr;		/* the remote end */
	uint16_t port;			/* remote; IN: local */
	unsigned int reason;
	uint32_t rule;
	bool expected;
};

static const char rules[] =
	"allow:\n"
	"  - tcp://198.51.100.0/24:443\n"				/* 1 */
	"  - any://203.0.113.0/28\n"					/* 2 */
	"  - udp://198.51.100.9:5000-5010\n"				/* 3 */
	"  - { to: tcp://203.0.113.99:443, expires: 2020-01-01 }\n"	/* 4 */
	"  - https://dev.azure.com\n"					/* 5 */
	"  - tcp://[2001:db8:1::]/48:443\n"				/* 6 */
	"deny:\n"
	"  - 198.51.100.66\n"						/* 7 */
	"  - udp://203.0.113.7:1-99\n"					/* 8 */
	"expected:\n"
	"  - tcp://203.0.113.200:443\n"					/* 9 */
	"inbound:\n"
	"  allow: [ 'tcp://10.0.0.0/8:8080', 'udp://10.0.0.0/8:8080' ]\n";	/* 10, 11 */

static const struct verdict_case cases[] = {
	/* by prefix, port and protocol */
	{ OUT, TCP, "198.51.100.7", 443, PASSES, 0, false },
	{ OUT, TCP, "198.51.100.7", 442, REASON_PORT, 0, false },
	{ OUT, TCP, "198.51.100.7", 444, REASON_PORT, 0, false },
	{ OUT, UDP, "198.51.100.7", 443, REASON_PORT, 0, false },
	{ OUT, TCP, "198.51.101.0", 443, REASON_NOT_ALLOWED, 0, false },
	{ OUT, TCP, "198.51.99.255", 443, REASON_NOT_ALLOWED, 0, false },
	{ OUT, UDP, "198.51.100.9", 5000, PASSES, 0, false },
	{ OUT, UDP, "198.51.100.9", 5010, PASSES, 0, false },
	{ OUT, UDP, "198.51.100.9", 5011, REASON_PORT, 0, false },
	{ OUT, TCP, "198.51.100.9", 443, PASSES, 0, false },
	{ OUT, TCP, "2001:db8:1::7", 443, PASSES, 0, false },
	{ OUT, TCP, "2001:db8:1:ffff::7", 443, PASSES, 0, false },
	{ OUT, TCP, "2001:db8:2::7", 443, REASON_NOT_ALLOWED, 0, false },
	{ OUT, TCP, "2001:db8:1::7", 80, REASON_PORT, 0, false },
	/* any:// covers protocols without ports; others do not */
	{ OUT, ICMP, "203.0.113.5", 0, PASSES, 0, false },
	{ OUT, UDP, "203.0.113.5", 1, PASSES, 0, false },
	{ OUT, IPPROTO_GRE, "203.0.113.5", 0, PASSES, 0, false },
	{ OUT, IPPROTO_SCTP, "203.0.113.5", 9, PASSES, 0, false },
	{ OUT, UDP, "203.0.113.16", 1, REASON_NOT_ALLOWED, 0, false },
	{ OUT, ICMP, "198.51.100.7", 0, REASON_PORT, 0, false },
	{ OUT, ICMP6, "2001:db8:1::7", 0, REASON_PORT, 0, false },
	{ OUT, IPPROTO_GRE, "198.51.100.7", 0, REASON_PORT, 0, false },
	{ OUT, IPPROTO_SCTP, "198.51.100.7", 443, REASON_PORT, 0, false },
	{ OUT, IPPROTO_UDPLITE, "198.51.100.9", 5000, REASON_PORT, 0, false },
	{ OUT, IPPROTO_DCCP, "198.51.100.7", 443, REASON_PORT, 0, false },
	/* deny wins, for all ports or for some; also in the middle of an allowed prefix */
	{ OUT, TCP, "198.51.100.66", 443, REASON_DENIED_BY_RULE, 7, false },
	{ OUT, UDP, "198.51.100.66", 9, REASON_DENIED_BY_RULE, 7, false },
	{ OUT, ICMP, "198.51.100.66", 0, REASON_DENIED_BY_RULE, 7, false },
	{ OUT, UDP, "203.0.113.7", 99, REASON_DENIED_BY_RULE, 8, false },
	{ OUT, UDP, "203.0.113.7", 100, PASSES, 0, false },
	{ OUT, TCP, "203.0.113.7", 99, PASSES, 0, false },
	{ OUT, TCP, "203.0.113.99", 443, REASON_EXPIRED, 4, false },
	{ OUT, TCP, "203.0.113.99", 80, REASON_NOT_ALLOWED, 0, false },
	{ OUT, TCP, "203.0.113.200", 443, REASON_NOT_ALLOWED, 9, true },
	{ OUT, TCP, "203.0.113.200", 80, REASON_NOT_ALLOWED, 0, false },
	/* loopback, and what stands for it */
	{ OUT, TCP, "127.0.0.1", 80, PASSES, 0, false },
	{ OUT, UDP, "127.255.255.254", 80, PASSES, 0, false },
	{ OUT, TCP, "::1", 80, PASSES, 0, false },
	{ OUT, TCP, "0.0.0.0", 80, PASSES, 0, false },
	{ OUT, TCP, "::", 80, PASSES, 0, false },
	{ OUT, TCP, "::2", 80, REASON_NOT_ALLOWED, 0, false },
	{ IN, TCP, "127.0.0.1", 80, PASSES, 0, false },
	{ IN, UDP, "::1", 80, PASSES, 0, false },
	/* metadata */
	{ OUT, TCP, "169.254.169.254", 80, REASON_METADATA, 0, false },
	{ OUT, UDP, "169.254.169.254", 9, REASON_METADATA, 0, false },
	{ OUT, TCP, "168.63.129.16", 80, REASON_METADATA, 0, false },
	{ OUT, TCP, "168.63.129.16", 443, REASON_METADATA, 0, false },
	{ OUT, TCP, "168.63.129.16", 32526, REASON_METADATA, 0, false },
	{ OUT, TCP, "168.63.129.16", 81, REASON_NOT_ALLOWED, 0, false },
	{ OUT, UDP, "168.63.129.16", 80, REASON_NOT_ALLOWED, 0, false },
	/* port 53: TCP to a resolver passes until a question comes, all else is refused */
	{ OUT, TCP, RESOLVER, 53, PASSES, 0, false },
	{ OUT, TCP, RESOLVER_FAR, 53, PASSES, 0, false },
	{ OUT, TCP, RESOLVER_V6, 53, PASSES, 0, false },
	{ OUT, TCP, RESOLVER_DOCKER, 53, PASSES, 0, false },
	{ OUT, TCP, RESOLVER_DOCKER, 33333, PASSES, 0, false },
	{ OUT, UDP, RESOLVER_DOCKER, 33333, REASON_DNS_MALFORMED, 0, false },
	{ OUT, UDP, RESOLVER, 53, REASON_DNS_MALFORMED, 0, false },
	{ OUT, TCP, RESOLVER, 54, PASSES, 0, false },
	{ OUT, TCP, RESOLVER_FAR, 54, REASON_NOT_ALLOWED, 0, false },
	{ OUT, ICMP, RESOLVER_DOCKER, 0, REASON_DNS_SERVER, 0, false },
	{ OUT, UDP, "198.51.100.7", 53, REASON_DNS_SERVER, 0, false },
	{ OUT, TCP, "198.51.100.7", 53, REASON_DNS_SERVER, 0, false },
	{ OUT, UDP, "203.0.113.5", 53, REASON_DNS_SERVER, 0, false },
	{ OUT, UDP, "127.0.0.1", 53, REASON_DNS_SERVER, 0, false },
	{ OUT, TCP, "::1", 53, REASON_DNS_SERVER, 0, false },
	{ OUT, UDP, "0.0.0.0", 53, REASON_DNS_SERVER, 0, false },
	{ OUT, IPPROTO_UDPLITE, RESOLVER, 53, REASON_DNS_SERVER, 0, false },
	/* inbound */
	{ IN, TCP, "10.1.2.3", 8080, PASSES, 0, false },
	{ IN, UDP, "10.255.255.255", 8080, PASSES, 0, false },
	{ IN, TCP, "10.1.2.3", 8081, REASON_INBOUND, 0, false },
	{ IN, TCP, "11.0.0.0", 8080, REASON_INBOUND, 0, false },
	{ IN, TCP, "198.51.100.7", 443, REASON_INBOUND, 0, false },
	{ IN, UDP, "2001:db8:1::7", 8080, REASON_INBOUND, 0, false },
	{ IN, ICMP, "203.0.113.5", 0, REASON_INBOUND, 0, false },
	{ IN, ICMP6, "2001:db8:1::7", 0, REASON_INBOUND, 0, false },
	{ IN, IPPROTO_SCTP, "10.1.2.3", 8080, REASON_INBOUND, 0, false },
};

static void case_run(struct trial *trial, enum guard_mode mode, const struct verdict_case *row)
{
	static const char *const directions[] = { "to", "from" };
	uint8_t remote[ADDR_LEN], local[ADDR_LEN];
	struct made packet = {};
	struct outcome outcome;
	char what[128];

	snprintf(what, sizeof(what), "protocol %u %s %s port %u", row->protocol,
		 directions[row->direction], row->addr, row->port);
	addr_parse(row->addr, remote);
	addr_parse(strchr(row->addr, ':') ? "2001:db8::1" : "192.0.2.1", local);
	if (row->direction == OUT) {
		made_packet(&packet, row->protocol, local, remote, 40000, row->port);
		outcome = trial_egress(trial, &packet);
	} else {
		made_packet(&packet, row->protocol, remote, local, 40000, row->port);
		outcome = trial_ingress(trial, &packet);
	}
	if (row->reason == PASSES) {
		outcome_expect_pass(&outcome, what);
		return;
	}
	outcome_expect_refusal(&outcome, what, mode, row->reason);
	cr_expect_eq(outcome.refusal.rule, row->rule, "%s: rule %u", what, outcome.refusal.rule);
	cr_expect_eq(outcome.refusal.flags & REFUSAL_EXPECTED, row->expected ? REFUSAL_EXPECTED : 0,
		     "%s", what);
	cr_expect_eq(outcome.refusal.protocol, row->protocol, "%s", what);
	cr_expect_eq(outcome.refusal.dport, row->port, "%s", what);
	cr_expect_arr_eq(row->direction == OUT ? outcome.refusal.dst : outcome.refusal.src, remote,
			 ADDR_LEN, "%s", what);
	cr_expect_arr_eq(row->direction == OUT ? outcome.refusal.src : outcome.refusal.dst, local,
			 ADDR_LEN, "%s", what);
}

static void cases_run(enum guard_mode mode, const char *yaml, const struct verdict_case *list,
		      size_t count)
{
	_cleanup_trial_ struct trial trial;

	trial_open(&trial, mode);
	trial_policy(&trial, yaml);
	for (size_t i = 0; i < count; i++)
		case_run(&trial, mode, &list[i]);
}

Test(verdict, follows_every_rule)
{
	cases_run(MODE_ENFORCE, rules, cases, ARRAY_SIZE(cases));
}

Test(verdict, is_the_same_in_audit_and_lets_through)
{
	cases_run(MODE_AUDIT, rules, cases, ARRAY_SIZE(cases));
}

Test(verdict, loopback_and_metadata_follow_their_settings)
{
	static const struct verdict_case turned[] = {
		{ OUT, TCP, "127.0.0.1", 80, REASON_LOOPBACK, 0, false },
		{ OUT, TCP, "::1", 80, REASON_LOOPBACK, 0, false },
		{ OUT, UDP, "0.0.0.0", 80, REASON_LOOPBACK, 0, false },
		{ OUT, TCP, "::", 80, REASON_LOOPBACK, 0, false },
		{ IN, TCP, "127.0.0.1", 80, REASON_LOOPBACK, 0, false },
		{ IN, TCP, "::1", 80, REASON_LOOPBACK, 0, false },
		{ OUT, TCP, RESOLVER, 53, PASSES, 0, false },
		{ OUT, TCP, "169.254.169.254", 80, PASSES, 0, false },
		{ OUT, TCP, "168.63.129.16", 32526, PASSES, 0, false },
		{ OUT, TCP, "168.63.129.16", 81, REASON_PORT, 0, false },
	};
	static const char yaml[] = "loopback: deny\nmetadata: allow\n";

	cases_run(MODE_ENFORCE, yaml, turned, ARRAY_SIZE(turned));
	cases_run(MODE_AUDIT, yaml, turned, ARRAY_SIZE(turned));
}

Test(verdict, an_empty_policy_allows_nothing)
{
	static const struct verdict_case closed[] = {
		{ OUT, TCP, "198.51.100.7", 443, REASON_NOT_ALLOWED, 0, false },
		{ OUT, UDP, "2001:db8::7", 443, REASON_NOT_ALLOWED, 0, false },
		{ IN, TCP, "198.51.100.7", 443, REASON_INBOUND, 0, false },
	};

	cases_run(MODE_ENFORCE, "mode: enforce\n", closed, ARRAY_SIZE(closed));
}

Test(verdict, a_policy_that_is_not_loaded_allows_nothing)
{
	_cleanup_trial_ struct trial trial;

	trial_open(&trial, MODE_ENFORCE);
	case_run(&trial, MODE_ENFORCE,
		 &(struct verdict_case){ OUT, TCP, "127.0.0.1", 80, REASON_NOT_ALLOWED, 0, false });
	trial_policy(&trial, rules);
	case_run(&trial, MODE_ENFORCE,
		 &(struct verdict_case){ OUT, TCP, "127.0.0.1", 80, PASSES, 0, false });
}

/* Nearly as many port rules as an address may have: a scan takes them in blocks, the last short. */
Test(verdict, each_of_many_port_rules_counts)
{
	struct verdict_case row = { .direction = OUT, .protocol = TCP, .addr = "198.51.100.7" };
	_cleanup_free_ char *yaml = NULL;
	_cleanup_trial_ struct trial trial;
	unsigned int allowed = 40, denied = 20, port;
	size_t size;
	FILE *out = open_memstream(&yaml, &size);

	/* The neighbours' rules stand beside these in the table; the third allows a denied port. */
	fputs("allow:\n  - tcp://198.51.100.6:1-65535\n  - tcp://198.51.100.8:1-65535\n"
	      "  - tcp://198.51.100.7:2000-2001\n", out);
	for (port = 0; port < allowed; port++)
		fprintf(out, "  - tcp://198.51.100.7:%u\n", 3000 + 2 * port);
	fputs("deny:\n", out);
	for (port = 0; port < denied; port++)
		fprintf(out, "  - tcp://198.51.100.7:%u\n", 2000 + 2 * port);
	fputs("expected:\n  - tcp://198.51.100.7:2000\n  - tcp://198.51.100.7:4000\n", out);
	fclose(out);
	trial_open(&trial, MODE_ENFORCE);
	trial_policy(&trial, yaml);
	row.reason = PASSES;
	for (row.port = 3000; row.port < 3000 + 2 * allowed; row.port += 2)
		case_run(&trial, MODE_ENFORCE, &row);
	row.reason = REASON_DENIED_BY_RULE;
	for (row.port = 2000; row.port < 2000 + 2 * denied; row.port += 2) {
		row.rule = 4 + allowed + (row.port - 2000) / 2;
		row.expected = row.port == 2000;
		case_run(&trial, MODE_ENFORCE, &row);
	}
	case_run(&trial, MODE_ENFORCE, &(struct verdict_case){ OUT, TCP, "198.51.100.7", 4000,
		 REASON_PORT, 5 + allowed + denied, true });
	case_run(&trial, MODE_ENFORCE, &(struct verdict_case){ OUT, TCP, "198.51.100.7", 4001,
		 REASON_PORT, 0, false });
}

/* Addresses that DNS answers gave: the rules are those of the name. */
static const char name_rules[] =
	"allow:\n"
	"  - https://dev.azure.com\n"					/* 1 */
	"  - tcp://*.feeds.example:8443\n"				/* 2 */
	"  - { to: https://old.example, expires: 2020-01-01 }\n"	/* 3 */
	"deny:\n"
	"  - tcp://bad.feeds.example:8443\n"				/* 4 */
	"  - 198.51.100.66\n"						/* 5 */
	"expected:\n"
	"  - https://telemetry.example\n";				/* 6 */

struct learned_case {
	const char *names[3];		/* in ways 0, 1, 2; '-' in front: its time is over */
	const char *addr;
	uint16_t port;
	unsigned int reason;
	uint32_t rule;
	bool expected;
	const char *found;		/* the name in the refusal; NULL: any of them */
};

static const struct learned_case learned_cases[] = {
	{ { "dev.azure.com" }, "198.51.100.1", 443, PASSES, 0, false, NULL },
	{ { "dev.azure.com" }, "2001:db8::1", 443, PASSES, 0, false, NULL },
	{ { "dev.azure.com" }, "198.51.100.1", 80, REASON_PORT, 0, false, "dev.azure.com" },
	{ { "-dev.azure.com" }, "198.51.100.1", 443, REASON_EXPIRED, 0, false, "dev.azure.com" },
	{ { "dev.azure.com" }, "198.51.100.66", 443, REASON_DENIED_BY_RULE, 5, false, "" },
	{ { "elsewhere.test" }, "198.51.100.1", 443, REASON_NOT_ALLOWED, 0, false,
	  "elsewhere.test" },
	{ { "a.feeds.example" }, "198.51.100.1", 8443, PASSES, 0, false, NULL },
	{ { "bad.feeds.example" }, "198.51.100.1", 8443, REASON_DENIED_BY_RULE, 4, false,
	  "bad.feeds.example" },
	{ { "old.example" }, "198.51.100.1", 443, REASON_EXPIRED, 3, false, "old.example" },
	{ { "telemetry.example" }, "198.51.100.1", 443, REASON_NOT_ALLOWED, 6, true,
	  "telemetry.example" },
	/* several names on one address: one that allows is enough */
	{ { "bad.feeds.example", "a.feeds.example" }, "198.51.100.1", 8443, PASSES, 0, false, NULL },
	{ { "a.feeds.example", "bad.feeds.example" }, "198.51.100.1", 8443, PASSES, 0, false, NULL },
	{ { "-dev.azure.com", "elsewhere.test", "dev.azure.com" }, "198.51.100.1", 443, PASSES, 0,
	  false, NULL },
	{ { "telemetry.example", "bad.feeds.example" }, "198.51.100.1", 8443, REASON_DENIED_BY_RULE,
	  4, false, "bad.feeds.example" },
	{ { "a.feeds.example", "dev.azure.com" }, "198.51.100.1", 22, REASON_PORT, 0, false,
	  NULL },
};

static void learned_case_run(struct trial *trial, enum guard_mode mode,
			     const struct learned_case *row)
{
	uint8_t remote[ADDR_LEN], local[ADDR_LEN];
	struct made packet = {};
	struct outcome outcome;

	addr_parse(row->addr, remote);
	addr_parse("192.0.2.1", local);
	for (uint32_t way = 0; way < ARRAY_SIZE(row->names) && row->names[way]; way++) {
		bool expired = row->names[way][0] == '-';

		trial_learn(trial, remote, row->names[way] + expired, way, expired);
	}
	made_packet(&packet, TCP, local, remote, 40000, row->port);
	outcome = trial_egress(trial, &packet);
	for (uint32_t way = 0; way < ARRAY_SIZE(row->names); way++)
		trial_unlearn(trial, remote, way);
	if (row->reason == PASSES) {
		outcome_expect_pass(&outcome, row->names[0]);
		return;
	}
	outcome_expect_refusal(&outcome, row->names[0], mode, row->reason);
	cr_expect_eq(outcome.refusal.rule, row->rule, "%s: rule %u", row->names[0],
		     outcome.refusal.rule);
	cr_expect_eq(outcome.refusal.flags & REFUSAL_EXPECTED, row->expected ? REFUSAL_EXPECTED : 0,
		     "%s", row->names[0]);
	if (row->found)
		cr_expect_str_eq(outcome.name, row->found, "%s: %s", row->names[0], outcome.name);
}

static void learned_cases_run(enum guard_mode mode)
{
	_cleanup_trial_ struct trial trial;

	trial_open(&trial, mode);
	trial_policy(&trial, name_rules);
	for (size_t i = 0; i < ARRAY_SIZE(learned_cases); i++)
		learned_case_run(&trial, mode, &learned_cases[i]);
}

Test(verdict, an_address_may_do_what_its_names_may)
{
	learned_cases_run(MODE_ENFORCE);
}

Test(verdict, of_a_name_is_the_same_in_audit)
{
	learned_cases_run(MODE_AUDIT);
}
