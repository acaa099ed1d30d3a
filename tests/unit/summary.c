/* SPDX-License-Identifier: GPL-2.0 */
/* The account at the end: exact sums, expected apart, readable as text and as Markdown. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "event/summary.h"
#include "event_made.h"
#include "policy/compile.h"

static char *summary_text(const struct summary *summary, enum summary_format format)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_not_null(out);
	summary_write(summary, format, out);
	fclose(out);
	return text;
}

Test(summary, repeats_of_one_kind_are_one_row)
{
	struct event event = event_made("paste.example", REASON_NOT_ALLOWED, HOOK_CONNECT);
	_cleanup_summary_ struct summary *summary = NULL;
	_cleanup_free_ char *text = NULL;

	cr_assert_eq(summary_new(&job_made, &summary), 0);
	summary_event(summary, &event);
	event.count = 57;
	summary_event(summary, &event);
	text = summary_text(summary, SUMMARY_TEXT);
	cr_expect_eq(summary_violations(summary), 58);
	cr_expect_not_null(strstr(text,
				  "58  paste.example (198.51.100.7:443/tcp)  name not allowed"),
			   "%s", text);
	cr_expect_not_null(strstr(text, "58 attempts blocked."), "%s", text);
}

Test(summary, expected_refusals_are_no_violations)
{
	struct event event = event_made("telemetry.example", REASON_NOT_ALLOWED, HOOK_CONNECT);
	_cleanup_summary_ struct summary *summary = NULL;
	_cleanup_free_ char *text = NULL;

	cr_assert_eq(summary_new(&job_made, &summary), 0);
	event.refusal.flags = REFUSAL_EXPECTED;
	event.count = 4;
	summary_event(summary, &event);
	text = summary_text(summary, SUMMARY_TEXT);
	cr_expect_eq(summary_violations(summary), 0);
	cr_expect_not_null(strstr(text, "0 attempts blocked, 4 more were expected"), "%s", text);
	cr_expect_not_null(strstr(text, "Blocked as expected\n       4  telemetry.example"), "%s",
			   text);
	cr_expect_null(strstr(text, "\nBlocked\n"));
}

/* Nothing was refused, so nothing may say that it was. */
Test(summary, an_audit_run_is_told_as_one)
{
	static const struct job_counters counters = {
		.learn_full = 1, .questions_full = 2, .peers_full = 3, .out_of_memory = 4,
	};
	struct event event = event_made("telemetry.example", REASON_NOT_ALLOWED, HOOK_CONNECT);
	_cleanup_summary_ struct summary *summary = NULL;
	struct event_job job = job_made;
	_cleanup_free_ char *text = NULL;

	job.mode = MODE_AUDIT;
	cr_assert_eq(summary_new(&job, &summary), 0);
	event.refusal.flags = REFUSAL_EXPECTED | REFUSAL_AUDIT;
	summary_event(summary, &event);
	event.refusal.flags = REFUSAL_AUDIT;
	for (unsigned int i = 0; i < 5000; i++) {
		event.refusal.dport = (__u16)(1 + i);
		summary_event(summary, &event);
	}
	summary_counters(summary, &counters);
	text = summary_text(summary, SUMMARY_TEXT);
	cr_expect_not_null(strstr(text, ", 5000 attempts would have been blocked, 1 more were"));
	cr_expect_not_null(strstr(text, "\nWould have been blocked\n"));
	cr_expect_not_null(strstr(text, "\nWould have been blocked, as expected\n       1  tele"),
			   "%s", text);
	cr_expect_not_null(strstr(text, "905 attempts are in no line above"));
	cr_expect_not_null(strstr(text, "\n1 addresses were not learned because the job's table "
				  "was full: connections to them would have been refused\n"));
	cr_expect_not_null(strstr(text, "2 DNS questions would have been refused because"));
	cr_expect_not_null(strstr(text, "3 datagrams would have been refused because"));
	cr_expect_not_null(strstr(text, "4 packets could not be judged"));
	cr_expect_null(strstr(text, "Blocked"), "%s", text);
	cr_expect_null(strstr(text, "were refused"), "%s", text);
}

Test(summary, an_inbound_callers_own_port_makes_no_row_of_its_own)
{
	struct event event = event_made("", REASON_INBOUND, HOOK_INGRESS);
	_cleanup_summary_ struct summary *summary = NULL;
	_cleanup_free_ char *text = NULL;

	cr_assert_eq(summary_new(&job_made, &summary), 0);
	memcpy(event.refusal.src, event.refusal.dst, ADDR_LEN);
	event.refusal.direction = DIRECTION_IN;
	for (event.refusal.sport = 40000; event.refusal.sport < 40010; event.refusal.sport++)
		summary_event(summary, &event);
	text = summary_text(summary, SUMMARY_TEXT);
	cr_expect_not_null(strstr(text, "10  198.51.100.7 -> :443/tcp"), "%s", text);
}

Test(summary, what_was_reached_has_name_address_port_and_times)
{
	struct reached_key key = {
		.addr = { [10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 9 },
		.port = 443,
		.protocol = IPPROTO_TCP
	};
	struct reached reached = { .count = 12 };
	_cleanup_summary_ struct summary *summary = NULL;
	_cleanup_free_ char *text = NULL;

	cr_assert_eq(summary_new(&job_made, &summary), 0);
	reached.name_len = (__u32)name_reverse("dev.azure.com", reached.name);
	summary_reached(summary, &key, &reached);
	text = summary_text(summary, SUMMARY_TEXT);
	cr_expect_not_null(strstr(text, "Reached\n      12  dev.azure.com (192.0.2.9:443/tcp)\n"),
			   "%s", text);
	cr_expect_not_null(strstr(text, "1 destination reached"), "%s", text);
}

Test(summary, more_kinds_than_there_is_room_for_are_still_counted)
{
	_cleanup_summary_ struct summary *summary = NULL;
	_cleanup_free_ char *text = NULL;

	cr_assert_eq(summary_new(&job_made, &summary), 0);
	for (unsigned int i = 0; i < 5000; i++) {
		struct event event = event_made("", REASON_NOT_ALLOWED, HOOK_CONNECT);

		event.refusal.dport = (__u16)(1 + i);
		summary_event(summary, &event);
	}
	text = summary_text(summary, SUMMARY_TEXT);
	cr_expect_eq(summary_violations(summary), 5000);
	cr_expect_not_null(strstr(text, "and 4076 more"), "%s", text);
	cr_expect_not_null(strstr(text, "904 refused attempts are in no line above"), "%s", text);
}

Test(summary, markdown_cannot_be_written_by_the_job)
{
	struct event event = event_made("x|[l](javascript:a)<b>`c`", REASON_DNS_NAME, HOOK_EGRESS);
	_cleanup_summary_ struct summary *summary = NULL;
	_cleanup_free_ char *text = NULL;

	cr_assert_eq(summary_new(&job_made, &summary), 0);
	summary_event(summary, &event);
	text = summary_text(summary, SUMMARY_MARKDOWN);
	cr_expect_not_null(strstr(text,
				  "| 1 | x\\|\\[l\\]\\(javascript:a\\)&lt;b\\>\\`c\\` \\(DNS\\) |"),
			   "%s", text);
}
