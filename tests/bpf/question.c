/* SPDX-License-Identifier: GPL-2.0 */
/* DNS questions in every odd form: only what a stub resolver sends, for a name that is allowed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "world.h"

#define PASSES		REASON_COUNT
#define QUERY		0x0100		/* recursion desired */
#define IN_A		"\0\1\0\1"
#define OPT(size)	"\0\0\x29\x04\xd0\0\0\0\0" size
#define LABEL_63	"\x3f" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LABEL_64	"\x40" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LABEL_53	"\x35" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LABEL_52	"\x34" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char rules[] =
	"allow:\n"
	"  - https://dev.azure.com\n"					/* 1 */
	"  - https://*.feeds.example\n"					/* 2 */
	"  - https://*cdn.example\n"					/* 3 */
	"  - { to: https://old.example, expires: 2020-01-01 }\n"	/* 4 */
	"  - https://*.aaa\n"						/* 5 */
	"  - tcp://partly.example:1-1000\n"				/* 6 */
	"deny:\n"
	"  - bad.feeds.example\n"					/* 7 */
	"  - tcp://partly.example:1-500\n"				/* 8 */
	"expected:\n"
	"  - telemetry.example\n";					/* 9 */

/* A question by its bytes behind the header. */
struct form_case {
	const char *what;
	uint16_t flags;
	uint16_t counts[4];
	const char *bytes;
	size_t len;
	unsigned int reason;
};

static const struct form_case forms[] = {
	{ "plain", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0" IN_A), PASSES },
	{ "no recursion", 0, { 1 }, BYTES("\3dev\5azure\3com\0" IN_A), PASSES },
	{ "authentic data wanted", 0x0120, { 1 }, BYTES("\3dev\5azure\3com\0" IN_A), PASSES },
	{ "odd case", QUERY, { 1 }, BYTES("\3dEv\5AZurE\3Com\0" IN_A), PASSES },
	{ "EDNS", QUERY, { 1, 0, 0, 1 }, BYTES("\3dev\5azure\3com\0" IN_A OPT("\0\0")), PASSES },
	{ "EDNS with a cookie", QUERY, { 1, 0, 0, 1 },
	  BYTES("\3dev\5azure\3com\0" IN_A OPT("\0\x0c") "\0\x0a\0\x08" "12345678"), PASSES },
	{ "EDNS that says less", QUERY, { 1, 0, 0, 1 },
	  BYTES("\3dev\5azure\3com\0" IN_A OPT("\0\1") "xx"), REASON_DNS_MALFORMED },
	{ "EDNS that says more", QUERY, { 1, 0, 0, 1 },
	  BYTES("\3dev\5azure\3com\0" IN_A OPT("\0\3") "xx"), REASON_DNS_MALFORMED },
	{ "EDNS cut", QUERY, { 1, 0, 0, 1 }, BYTES("\3dev\5azure\3com\0" IN_A "\0\0\x29\x04\xd0\0\0"),
	  REASON_DNS_MALFORMED },
	{ "EDNS of a name", QUERY, { 1, 0, 0, 1 },
	  BYTES("\3dev\5azure\3com\0" IN_A "\1x\0\0\x29\x04\xd0\0\0\0\0\0\0"),
	  REASON_DNS_MALFORMED },
	{ "EDNS that is not counted", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0" IN_A OPT("\0\0")),
	  REASON_DNS_MALFORMED },
	{ "EDNS counted but missing", QUERY, { 1, 0, 0, 1 }, BYTES("\3dev\5azure\3com\0" IN_A),
	  REASON_DNS_MALFORMED },
	{ "two EDNS", QUERY, { 1, 0, 0, 2 },
	  BYTES("\3dev\5azure\3com\0" IN_A OPT("\0\0") OPT("\0\0")), REASON_DNS_MALFORMED },
	{ "an address as additional", QUERY, { 1, 0, 0, 1 },
	  BYTES("\3dev\5azure\3com\0" IN_A "\0\0\1\0\1\0\0\0\0\0\4\1\2\3\4"),
	  REASON_DNS_MALFORMED },
	{ "bytes behind it", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0" IN_A "x"),
	  REASON_DNS_MALFORMED },
	{ "no question", QUERY, { 0 }, BYTES("\3dev\5azure\3com\0" IN_A), REASON_DNS_MALFORMED },
	{ "no question and no byte", QUERY, { 0 }, BYTES(""), REASON_DNS_MALFORMED },
	{ "two questions", QUERY, { 2 },
	  BYTES("\3dev\5azure\3com\0" IN_A "\3dev\5azure\3com\0" "\0\x1c\0\1"),
	  REASON_DNS_MALFORMED },
	{ "two questions, one by a pointer", QUERY, { 2 },
	  BYTES("\3dev\5azure\3com\0" IN_A "\xc0\x0c" "\0\x1c\0\1"), REASON_DNS_MALFORMED },
	{ "two questions, counted as one", QUERY, { 1 },
	  BYTES("\3dev\5azure\3com\0" IN_A "\4evil\4test\0" IN_A), REASON_DNS_MALFORMED },
	{ "an answer", 0x8180, { 1 }, BYTES("\3dev\5azure\3com\0" IN_A), REASON_DNS_MALFORMED },
	{ "a status request", 0x1000, { 1 }, BYTES("\3dev\5azure\3com\0" IN_A), REASON_DNS_MALFORMED },
	{ "an update", 0x2800, { 1 }, BYTES("\3dev\5azure\3com\0" IN_A), REASON_DNS_MALFORMED },
	{ "records of answer", QUERY, { 1, 1 },
	  BYTES("\3dev\5azure\3com\0" IN_A "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4"),
	  REASON_DNS_MALFORMED },
	{ "records of authority", QUERY, { 1, 0, 1 },
	  BYTES("\3dev\5azure\3com\0" IN_A "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4"),
	  REASON_DNS_MALFORMED },
	/* compression */
	{ "pointer to itself", QUERY, { 1 }, BYTES("\xc0\x0c" IN_A), REASON_DNS_MALFORMED },
	{ "pointer to its label", QUERY, { 1 }, BYTES("\1a\xc0\x0c" IN_A), REASON_DNS_MALFORMED },
	{ "pointer forwards", QUERY, { 1 }, BYTES("\xc0\x12" IN_A "\3dev\5azure\3com\0"),
	  REASON_DNS_MALFORMED },
	{ "two pointers in a circle", QUERY, { 1 }, BYTES("\1a\xc0\x10\xc0\x0c" IN_A),
	  REASON_DNS_MALFORMED },
	{ "pointer outside", QUERY, { 1 }, BYTES("\1a\xff\xff" IN_A), REASON_DNS_MALFORMED },
	{ "half a pointer", QUERY, { 1 }, BYTES("\1abcdefgh\xc0"), REASON_DNS_MALFORMED },
	{ "label type 01", QUERY, { 1 }, BYTES("\x41" "dev\5azure\3com\0" IN_A), REASON_DNS_MALFORMED },
	{ "label type 10", QUERY, { 1 }, BYTES("\x83" "dev\5azure\3com\0" IN_A), REASON_DNS_MALFORMED },
	/* lengths */
	{ "longest label", QUERY, { 1 }, BYTES(LABEL_63 "\3aaa\0" IN_A), PASSES },
	{ "label of 64 bytes", QUERY, { 1 }, BYTES(LABEL_64 "\3aaa\0" IN_A), REASON_DNS_MALFORMED },
	{ "longest name", QUERY, { 1 }, BYTES(LABEL_63 LABEL_63 LABEL_63 "\x39"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" "\3aaa\0" IN_A),
	  REASON_DNS_NAME },
	{ "name one byte too long", QUERY, { 1 }, BYTES(LABEL_63 LABEL_63 LABEL_63 "\x3a"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" "\3aaa\0" IN_A),
	  REASON_DNS_MALFORMED },
	{ "four longest labels", QUERY, { 1 }, BYTES(LABEL_63 LABEL_63 LABEL_63 LABEL_63 "\0" IN_A),
	  REASON_DNS_MALFORMED },
	{ "a star of 128 bytes", QUERY, { 1 }, BYTES(LABEL_63 LABEL_63 "\3aaa\0" IN_A), PASSES },
	{ "a star of 130 bytes", QUERY, { 1 }, BYTES(LABEL_63 LABEL_63 "\1a\3aaa\0" IN_A),
	  REASON_DNS_NAME },
	{ "a name without an end", QUERY, { 1 }, BYTES("\3dev\5azure\3com"), REASON_DNS_MALFORMED },
	{ "a label longer than the message", QUERY, { 1 }, BYTES("\3dev\5azure\x30" "com\0" IN_A),
	  REASON_DNS_MALFORMED },
	{ "no class", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0\0\1"), REASON_DNS_MALFORMED },
	{ "half a class", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0\0\1\0"), REASON_DNS_MALFORMED },
	/* types and classes */
	{ "AAAA", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0" "\0\x1c\0\1"), PASSES },
	{ "TXT", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0" "\0\x10\0\1"), PASSES },
	{ "HTTPS", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0" "\0\x41\0\1"), PASSES },
	{ "type 0", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0" "\0\0\0\1"), REASON_DNS_MALFORMED },
	{ "NULL", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0" "\0\x0a\0\1"), REASON_DNS_MALFORMED },
	{ "OPT", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0" "\0\x29\0\1"), REASON_DNS_MALFORMED },
	{ "TKEY", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0" "\0\xf9\0\1"), REASON_DNS_MALFORMED },
	{ "IXFR", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0" "\0\xfb\0\1"), REASON_DNS_MALFORMED },
	{ "AXFR", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0" "\0\xfc\0\1"), REASON_DNS_MALFORMED },
	{ "ANY", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0" "\0\xff\0\1"), REASON_DNS_MALFORMED },
	{ "class CHAOS", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0" "\0\1\0\3"), REASON_DNS_MALFORMED },
	{ "class ANY", QUERY, { 1 }, BYTES("\3dev\5azure\3com\0" "\0\1\0\xff"), REASON_DNS_MALFORMED },
	/* labels that could imitate others */
	{ "the root", QUERY, { 1 }, BYTES("\0" IN_A), REASON_DNS_MALFORMED },
	{ "a space", QUERY, { 1 }, BYTES("\3a b\5feeds\7example\0" IN_A), REASON_DNS_MALFORMED },
	{ "a dot", QUERY, { 1 }, BYTES("\3a.b\5feeds\7example\0" IN_A), REASON_DNS_MALFORMED },
	{ "a dot for a boundary", QUERY, { 1 }, BYTES("\15feeds.example\0" IN_A),
	  REASON_DNS_MALFORMED },
	{ "a whole name in one label", QUERY, { 1 }, BYTES("\15dev.azure.com\0" IN_A),
	  REASON_DNS_MALFORMED },
	{ "a NUL", QUERY, { 1 }, BYTES("\3a\0b\5feeds\7example\0" IN_A), REASON_DNS_MALFORMED },
	{ "a length byte", QUERY, { 1 }, BYTES("\3a\5b\5feeds\7example\0" IN_A), REASON_DNS_MALFORMED },
	{ "delete", QUERY, { 1 }, BYTES("\3a\x7f" "b\5feeds\7example\0" IN_A), REASON_DNS_MALFORMED },
	{ "a high byte", QUERY, { 1 }, BYTES("\3a\xe4" "b\5feeds\7example\0" IN_A),
	  REASON_DNS_MALFORMED },
	{ "underscore and more", QUERY, { 1 }, BYTES("\5_a-~!\5feeds\7example\0" IN_A), PASSES },
};

static void form_run(struct trial *trial, enum guard_mode mode, const struct form_case *row,
		     const char *resolver)
{
	struct made packet = {};
	struct outcome outcome;

	made_ip(&packet, IPPROTO_UDP, strchr(resolver, ':') ? "2001:db8::1" : "192.0.2.1",
		resolver);
	made_transport(&packet, IPPROTO_UDP, 40000, DNS_PORT);
	made_dns_head(&packet, 0x1234, row->flags, row->counts);
	made_add(&packet, row->bytes, row->len);
	outcome = trial_egress(trial, &packet);
	if (row->reason == PASSES)
		outcome_expect_pass(&outcome, row->what);
	else
		outcome_expect_refusal(&outcome, row->what, mode, row->reason);
	if (row->reason == REASON_DNS_MALFORMED)
		cr_expect_eq(outcome.refusal.name_len, 0, "%s", row->what);
}

static void forms_run(enum guard_mode mode, const char *resolver)
{
	_cleanup_trial_ struct trial trial;

	trial_open(&trial, mode);
	trial_policy(&trial, rules);
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		form_run(&trial, mode, &forms[i], resolver);
}

Test(question, in_any_odd_form_is_refused)
{
	forms_run(MODE_ENFORCE, RESOLVER);
}

Test(question, in_any_odd_form_is_recorded_in_audit)
{
	forms_run(MODE_AUDIT, RESOLVER_V6);
}

struct name_case {
	const char *name;
	unsigned int reason;
	uint32_t rule;
	bool expected;
};

static const struct name_case names[] = {
	{ "dev.azure.com", PASSES, 0, false },
	{ "azure.com", REASON_DNS_NAME, 0, false },
	{ "com", REASON_DNS_NAME, 0, false },
	{ "x.dev.azure.com", REASON_DNS_NAME, 0, false },
	{ "evildev.azure.com", REASON_DNS_NAME, 0, false },
	{ "dev.azure.com.evil", REASON_DNS_NAME, 0, false },
	{ "dev.azure.co", REASON_DNS_NAME, 0, false },
	{ "ev.azure.com", REASON_DNS_NAME, 0, false },
	{ "dev-azure.com", REASON_DNS_NAME, 0, false },
	/* *.feeds.example: what is below it, not itself, nor a neighbour */
	{ "a.feeds.example", PASSES, 0, false },
	{ "a.b.c.feeds.example", PASSES, 0, false },
	{ "feeds.example", REASON_DNS_NAME, 0, false },
	{ "evilfeeds.example", REASON_DNS_NAME, 0, false },
	{ "evil-feeds.example", REASON_DNS_NAME, 0, false },
	{ "feeds.example.evil", REASON_DNS_NAME, 0, false },
	{ "a.feeds.example.evil", REASON_DNS_NAME, 0, false },
	{ "bad.feeds.example", REASON_DENIED_BY_RULE, 7, false },
	{ "a.bad.feeds.example", PASSES, 0, false },
	{ "xbad.feeds.example", PASSES, 0, false },
	/* *cdn.example: any end, also inside a label */
	{ "cdn.example", PASSES, 0, false },
	{ "mycdn.example", PASSES, 0, false },
	{ "my-cdn.example", PASSES, 0, false },
	{ "a.cdn.example", PASSES, 0, false },
	{ "dn.example", REASON_DNS_NAME, 0, false },
	{ "cdnx.example", REASON_DNS_NAME, 0, false },
	{ "cdn.example.test", REASON_DNS_NAME, 0, false },
	{ "old.example", REASON_EXPIRED, 4, false },
	{ "telemetry.example", REASON_DNS_NAME, 9, true },
	/* half of its ports are denied, the other half is not */
	{ "partly.example", PASSES, 0, false },
};

static void name_run(struct trial *trial, enum guard_mode mode, const struct name_case *row)
{
	struct made packet = {};
	struct outcome outcome;

	made_ip(&packet, IPPROTO_UDP, "192.0.2.1", RESOLVER_FAR);
	made_transport(&packet, IPPROTO_UDP, 40000, DNS_PORT);
	made_question(&packet, 1, row->name, DNS_AAAA);
	outcome = trial_egress(trial, &packet);
	if (row->reason == PASSES) {
		outcome_expect_pass(&outcome, row->name);
		return;
	}
	outcome_expect_refusal(&outcome, row->name, mode, row->reason);
	cr_expect_str_eq(outcome.name, row->name);
	cr_expect_eq(outcome.refusal.rule, row->rule, "%s: rule %u", row->name,
		     outcome.refusal.rule);
	cr_expect_eq(outcome.refusal.flags & REFUSAL_EXPECTED, row->expected ? REFUSAL_EXPECTED : 0,
		     "%s", row->name);
	cr_expect_eq(outcome.refusal.dport, DNS_PORT);
	cr_expect_eq(outcome.refusal.sport, 40000);
}

Test(question, wildcards_end_at_their_boundaries)
{
	_cleanup_trial_ struct trial trial;

	trial_open(&trial, MODE_ENFORCE);
	trial_policy(&trial, rules);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		name_run(&trial, MODE_ENFORCE, &names[i]);
}

Test(question, for_a_refused_name_is_recorded_and_passes_in_audit)
{
	_cleanup_trial_ struct trial trial;

	trial_open(&trial, MODE_AUDIT);
	trial_policy(&trial, rules);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		name_run(&trial, MODE_AUDIT, &names[i]);
}

/* A textual name of `length` bytes, in labels of 60 at most, behind which `end` stands. */
static void long_name(char *ret_name, size_t length, const char *end)
{
	for (size_t i = 0; i < length; i++)
		ret_name[i] = i % 60 == 59 && i + 1 < length ? '.' : (char)('a' + i % 26);
	strcpy(ret_name + length, end);
}

/* Names are read, and their keys written, a block at a time. */
Test(question, of_any_length_is_judged_by_the_whole_name)
{
	_cleanup_trial_ struct trial trial;
	struct name_case row = { .reason = REASON_DNS_NAME };
	char name[NAME_LEN];

	trial_open(&trial, MODE_ENFORCE);
	trial_policy(&trial, rules);
	row.name = name;
	for (size_t length = 1; length < NAME_MAX_LEN; length++) {
		long_name(name, length, "");
		name_run(&trial, MODE_ENFORCE, &row);
	}
	for (size_t length = 1; length <= 128; length++) {
		/* A star stands for 128 bytes at most, with its dot. */
		row.reason = length < 128 ? PASSES : REASON_DNS_NAME;
		row.rule = 2;
		long_name(name, length, ".feeds.example");
		name_run(&trial, MODE_ENFORCE, &row);
	}
}

/* One of several sockets of the job with the same address. */
static int socket_shared(struct world *world, const struct sockaddr_storage *address)
{
	int fd = socket_job(world, AF_INET, SOCK_DGRAM), one = 1;

	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	cr_assert_eq(bind(fd, (const void *)address, address_len(address)), 0);
	return fd;
}

/*
 * Two sockets of one address; the one that is connected to the resolver hears what the other one
 * asked for. That lets nothing be asked unjudged, at whichever port Docker's resolver listens.
 */
Test(question, of_a_socket_that_heard_anothers_answer_is_judged)
{
	_cleanup_world_ struct world world;
	struct made good = {}, bad = {}, message = {};
	struct sockaddr_storage docker = address_of(AF_INET, RESOLVER_DOCKER, 33333);
	struct sockaddr_storage own = address_of(AF_INET, "127.0.0.1", 4000);
	_cleanup_close_ int asker = -1, hearer = -1, resolver = -1;
	struct outcome outcome;

	world_open(&world, MODE_ENFORCE, rules);
	resolver = server_outside(AF_INET, SOCK_DGRAM, RESOLVER_DOCKER, 33333);
	hearer = socket_shared(&world, &own);
	cr_assert_eq(connect(hearer, (void *)&docker, address_len(&docker)), 0);
	asker = socket_shared(&world, &own);
	made_question(&good, 1, "dev.azure.com", DNS_A);
	cr_assert_eq(send_to(asker, good.bytes, good.len, RESOLVER_DOCKER, 33333), 0);
	cr_assert(hears(resolver, 1000));
	cr_assert_gt(recv(resolver, message.bytes, sizeof(message.bytes), 0), 0);
	message = (struct made){};
	made_answer(&message, 1, "dev.azure.com", DNS_A, 1);
	made_record_addr(&message, NULL, 60, "198.51.100.1");
	cr_assert_eq(send_to(resolver, message.bytes, message.len, "127.0.0.1", 4000), 0);
	cr_assert(hears(hearer, 1000));
	refusals_take(world.guard, world.job);
	made_question(&bad, 1, "secret.evil.test", DNS_A);
	cr_expect_eq(send(hearer, bad.bytes, bad.len, 0), -1);
	cr_expect_eq(errno, EPERM);
	cr_expect_not(hears(resolver, 100));
	outcome = refusals_take(world.guard, world.job);
	cr_expect_eq(outcome.refusals, 1);
	cr_expect_eq(outcome.refusal.reason, REASON_DNS_NAME);
}

Test(question, a_packet_of_several_datagrams_is_refused)
{
	_cleanup_trial_ struct trial trial;
	struct made packet = {};
	struct outcome outcome;

	trial_open(&trial, MODE_ENFORCE);
	trial_policy(&trial, rules);
	made_ip(&packet, IPPROTO_UDP, "192.0.2.1", RESOLVER);
	made_transport(&packet, IPPROTO_UDP, 40000, DNS_PORT);
	made_question(&packet, 1, "dev.azure.com", DNS_A);
	outcome = trial_egress_gso(&trial, &packet, 1);
	outcome_expect_pass(&outcome, "one datagram");
	outcome = trial_egress_gso(&trial, &packet, 2);
	outcome_expect_refusal(&outcome, "two datagrams", MODE_ENFORCE, REASON_DNS_MALFORMED);
}

/* Every cut of a good question is refused, and none makes the reader look behind its end. */
Test(question, cut_anywhere_is_refused)
{
	_cleanup_trial_ struct trial trial;
	struct made packet = {};
	size_t start, whole;

	trial_open(&trial, MODE_ENFORCE);
	trial_policy(&trial, rules);
	made_ip(&packet, IPPROTO_UDP, "192.0.2.1", RESOLVER);
	made_transport(&packet, IPPROTO_UDP, 40000, DNS_PORT);
	start = packet.len;
	made_question(&packet, 1, "dev.azure.com", DNS_A);
	whole = packet.len;
	for (packet.len = start; packet.len < whole; packet.len++) {
		struct outcome outcome = trial_egress(&trial, &packet);

		outcome_expect_refusal(&outcome, "cut", MODE_ENFORCE, REASON_DNS_MALFORMED);
	}
}

Test(question, is_refused_when_no_more_questions_can_be_kept)
{
	_cleanup_trial_ struct trial trial;
	struct question question = { .expires_ns = ~0ULL };
	struct question_key key = {};
	struct made packet = {};
	struct outcome outcome;

	trial_open(&trial, MODE_ENFORCE);
	trial_policy(&trial, rules);
	while (key.cookie < QUESTIONS_MAX) {
		key.cookie++;
		cr_assert_eq(bpf_map_update_elem(table_fd(trial.guard, 1, TABLE_QUESTIONS), &key,
						 &question, BPF_ANY), 0);
	}
	made_ip(&packet, IPPROTO_UDP, "192.0.2.1", RESOLVER);
	made_transport(&packet, IPPROTO_UDP, 40000, DNS_PORT);
	made_question(&packet, 1, "dev.azure.com", DNS_A);
	outcome = trial_egress(&trial, &packet);
	cr_expect_not(outcome.passed);
	cr_expect_eq(counters_read(trial.guard, 1).questions_full, 1);
}
