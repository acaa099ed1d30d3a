/* SPDX-License-Identifier: GPL-2.0 */
/* The lines a person reads, through a pipe as the sink writes them. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "event/sink.h"
#include "event_made.h"
#include "policy/policy.h"

static void line_read(const struct event *event, bool colour, char ret_line[static 1024])
{
	struct sink *sink;
	ssize_t length;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(sink_text_open(ends[1], colour, &sink), 0);
	cr_assert_eq(sink_event(sink, event), 0);
	sink_close(sink);
	close(ends[1]);
	length = read(ends[0], ret_line, 1023);
	cr_assert_gt(length, 0);
	ret_line[length] = '\0';
	close(ends[0]);
}

struct line_case {
	char name[32];
	enum refusal_reason reason;
	__u16 port;
	__u8 protocol;
	char line[200];
};

ParameterizedTestParameters(lines, an_outbound_attempt_says_who_where_why_and_what_to_do)
{
	static struct line_case cases[] = {
		{ "paste.example", REASON_NOT_ALLOWED, 443, IPPROTO_TCP,
		  "blocked  curl[4711] -> paste.example (198.51.100.7:443/tcp)  name not allowed; "
		  "to allow: \"https://paste.example\"\n" },
		{ "", REASON_NOT_ALLOWED, 4444, IPPROTO_UDP,
		  "blocked  curl[4711] -> 198.51.100.7:4444/udp  address not allowed; "
		  "to allow: \"udp://198.51.100.7:4444\"\n" },
		{ "feed.example", REASON_PORT, 8080, IPPROTO_TCP,
		  "blocked  curl[4711] -> feed.example (198.51.100.7:8080/tcp)  port not allowed; "
		  "to allow: \"tcp://feed.example:8080\"\n" },
		{ "paste.example", REASON_DNS_NAME, 53, IPPROTO_UDP,
		  "blocked  curl[4711] -> paste.example (DNS)  name not allowed; "
		  "to allow: \"https://paste.example\"\n" },
		{ "a\\x0ab.example", REASON_DNS_NAME, 53, IPPROTO_UDP,
		  "blocked  curl[4711] -> a\\x0ab.example (DNS)  name not allowed\n" },
		{ "66.113.0.203.in-addr.arpa", REASON_DNS_NAME, 53, IPPROTO_UDP,
		  "blocked  curl[4711] -> 66.113.0.203.in-addr.arpa (DNS)  name not allowed; "
		  "a reverse lookup, which builds do without\n" },
		{ "7.0.8.b.d.0.1.0.0.2.IP6.arpa", REASON_DNS_NAME, 53, IPPROTO_UDP,
		  "blocked  curl[4711] -> 7.0.8.b.d.0.1.0.0.2.IP6.arpa (DNS)  name not allowed; "
		  "a reverse lookup, which builds do without\n" },
		{ "", REASON_DNS_SERVER, 53, IPPROTO_UDP,
		  "blocked  curl[4711] -> 198.51.100.7:53/udp  not one of the allowed DNS servers; "
		  "ask the machine's own: a list in `dns: { servers: [...] }` stands in their place\n" },
		{ "", REASON_NOT_ALLOWED, 0, IPPROTO_ICMP,
		  "blocked  curl[4711] -> 198.51.100.7/icmp  address not allowed; to allow: "
		  "\"any://198.51.100.7\", which opens every protocol and port\n" },
		{ "feed.example", REASON_PORT, 0, 132,
		  "blocked  curl[4711] -> feed.example (198.51.100.7/sctp)  port not allowed; to allow: "
		  "\"any://feed.example\", which opens every protocol and port\n" },
		/* Headers that could not be read: no entry helps. */
		{ "", REASON_NOT_ALLOWED, 0, IPPROTO_UDP,
		  "blocked  curl[4711] -> 198.51.100.7/udp  address not allowed\n" },
		{ "", REASON_NOT_ALLOWED, 0, 0, "blocked  curl[4711] -> 198.51.100.7  address not allowed\n" },
		{ "", REASON_METADATA, 80, IPPROTO_TCP,
		  "blocked  curl[4711] -> 198.51.100.7:80/tcp  cloud metadata service; "
		  "to allow: metadata: allow\n" },
		{ "", REASON_COUNT, 80, IPPROTO_TCP, "blocked  curl[4711] -> 198.51.100.7:80/tcp  unknown\n" },
	};

	return cr_make_param_array(struct line_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct line_case *row, lines,
		  an_outbound_attempt_says_who_where_why_and_what_to_do)
{
	struct event event = event_made(row->name, row->reason, HOOK_CONNECT);
	char line[1024];

	event.refusal.dport = row->port;
	event.refusal.protocol = row->protocol;
	line_read(&event, false, line);
	cr_expect_str_eq(line, row->line);
}

Test(lines, inbound_says_from_whom_to_which_port)
{
	struct event event = event_made("", REASON_INBOUND, HOOK_INGRESS);
	char line[1024];

	memcpy(event.refusal.src, event.refusal.dst, ADDR_LEN);
	event.refusal.sport = 40112;
	event.refusal.dport = 8080;
	event.refusal.direction = DIRECTION_IN;
	event.refusal.pid = 0;
	event.refusal.comm[0] = '\0';
	line_read(&event, false, line);
	cr_expect_str_eq(line,
			 "blocked  198.51.100.7:40112 -> :8080/tcp  inbound, nobody asked for it; "
			 "to allow, under inbound: allow: \"tcp://198.51.100.7:8080\"\n");
}

Test(lines, a_rule_that_decided_shows_with_its_place)
{
	static const struct { const char *source; unsigned int line; const char *shown; } rows[] = {
		{ "ci/job.yaml", 12, "(rule \"no paste\", ci/job.yaml:12); to allow: remove the rule\n" },
		{ "##vso[x]\n.yaml", 3, "(rule \"no paste\", \\x23#vso[x]\\x0a.yaml:3); " },
		{ "--allow", 0, "(rule \"no paste\", --allow); " },
		/* Of a policy that an earlier daemon loaded, only the label is known. */
		{ "", 0, "(rule \"no paste\"); " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rule rule = { .label = (char *)"no paste", .source = (char *)rows[i].source,
				     .line = rows[i].line };
		struct event event = event_made("paste.example", REASON_DENIED_BY_RULE,
						HOOK_CONNECT);
		char line[1024];

		event.rule = &rule;
		line_read(&event, false, line);
		cr_expect(strstr(line, rows[i].shown), "%s", line);
		event.refusal.reason = REASON_EXPIRED;
		line_read(&event, false, line);
		cr_expect(strstr(line, "\"no paste\""), "%s", line);
		cr_expect(strstr(line, "); to allow: give it a later `expires`\n"), "%s", line);
	}
}

/* No rule has: the address was learned longer ago than its answer, and the policy, let it count. */
Test(lines, an_address_that_has_expired_is_told_from_a_rule)
{
	struct event event = event_made("feed.example", REASON_EXPIRED, HOOK_CONNECT);
	char line[1024];

	event.refusal.rule = 0;
	line_read(&event, false, line);
	cr_expect(strstr(line, "  its DNS answer has expired; ask again before connecting, or "
			       "raise `min_ttl`\n"), "%s", line);
}

Test(lines, repeats_audit_and_rules_show)
{
	struct rule rule = { .label = (char *)"no paste\n", .source = (char *)"job.yaml",
			     .line = 4 };
	struct event event = event_made("paste.example", REASON_DENIED_BY_RULE, HOOK_CONNECT);
	char line[1024];

	event.rule = &rule;
	event.refusal.flags = REFUSAL_AUDIT;
	event.first = false;
	event.count = 57;
	line_read(&event, false, line);
	cr_expect_str_eq(
		line, "would block  curl[4711] -> paste.example (198.51.100.7:443/tcp)  denied by "
		      "a rule (rule \"no paste\\x0a\", job.yaml:4); to allow: remove the rule "
		      "(x57)\n");
}

Test(lines, colour_is_only_where_it_is_asked_for)
{
	struct event event = event_made("", REASON_NOT_ALLOWED, HOOK_CONNECT);
	char line[1024];

	line_read(&event, true, line);
	cr_expect_eq(strncmp(line, "\033[1;31mblocked\033[0m", 18), 0, "%s", line);
	line_read(&event, false, line);
	cr_expect_null(strchr(line, '\033'));
	cr_expect_not(colour_wanted(-1));
}

Test(lines, attempts_that_could_not_be_kept_apart_say_so)
{
	struct event event = { .job = &job_made, .count = 9, .refusal.reason = REASON_PORT };
	char line[1024];

	line_read(&event, false, line);
	cr_expect_str_eq(line,
			 "blocked  attempts that could not be kept apart  port not allowed (x9)\n");
}

static void flood_is_summed_up(unsigned int flags, const char *sum)
{
	struct event event = event_made("", REASON_NOT_ALLOWED, HOOK_CONNECT);
	char text[16384];
	struct sink *sink;
	ssize_t length;
	int ends[2], lines = 0;

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(sink_text_open(ends[1], false, &sink), 0);
	event.refusal.flags = (__u8)flags;
	for (int i = 0; i < 1000; i++)
		sink_event(sink, &event);
	sink_close(sink);
	close(ends[1]);
	length = read(ends[0], text, sizeof(text) - 1);
	cr_assert_gt(length, 0);
	text[length] = '\0';
	for (const char *byte = text; *byte; byte++)
		lines += *byte == '\n';
	cr_expect_eq(lines, 51);
	cr_expect_not_null(strstr(text, sum), "%s", text);
}

Test(lines, a_flood_of_different_attempts_is_summed_up)
{
	flood_is_summed_up(0, "\nblocked  950 more attempts");
	flood_is_summed_up(REFUSAL_AUDIT, "\nwould block  950 more attempts");
}
