/* SPDX-License-Identifier: GPL-2.0 */
/* Records: every field, every time, whatever the event holds. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <jansson.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "event/sink.h"
#include "event_made.h"

static const char *const fields[] = {
	"TimeGenerated", "EventStartTime", "EventEndTime", "EventCount", "EventType", "EventSchema",
	"EventSchemaVersion", "EventVendor", "EventProduct", "EventProductVersion", "EventSeverity",
	"EventResult", "EventResultDetails", "DvcAction", "DvcHostname", "NetworkDirection",
	"NetworkProtocol", "NetworkApplicationProtocol", "SrcIpAddr", "SrcPortNumber", "DstIpAddr",
	"DstPortNumber", "DstFQDN", "SrcProcessName", "SrcProcessId", "SrcUserId", "SrcUsername",
	"NetworkRuleName", "Reason", "Mode", "Hook", "PolicyName", "PolicyHash", "JobName",
	"CgroupPath", "ProcessCommandLine",
};

static json_t *record_read(const struct event *event)
{
	_cleanup_free_ char *line = ndjson_record(event);
	json_t *record;

	cr_assert_not_null(line);
	cr_assert_lt(strlen(line) + 1, 8192, "%zu bytes", strlen(line));
	cr_assert_null(strchr(line, '\n'));
	record = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	cr_assert_not_null(record, "%s", line);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		cr_expect_not_null(json_object_get(record, fields[i]), "lacks %s", fields[i]);
	return record;
}

static void expect(const json_t *record, const char *field, const char *value)
{
	const char *text = json_string_value(json_object_get(record, field));

	if (value)
		cr_expect_str_eq(text ? text : "(null)", value, "%s is %s", field, text);
	else
		cr_expect(json_is_null(json_object_get(record, field)), "%s is %s", field, text);
}

Test(ndjson, an_outbound_connect_is_denied_to_its_process)
{
	struct event event = event_made("paste.example", REASON_NOT_ALLOWED, HOOK_CONNECT);
	json_t *record;

	event.process = (char *)"/usr/bin/curl";
	event.username = (char *)"build";
	record = record_read(&event);
	expect(record, "EventStartTime", "2026-01-21T12:53:20.123456Z");
	expect(record, "DvcAction", "Deny");
	expect(record, "EventResult", "Failure");
	expect(record, "NetworkDirection", "Outbound");
	expect(record, "NetworkProtocol", "TCP");
	expect(record, "DstIpAddr", "198.51.100.7");
	expect(record, "DstFQDN", "paste.example");
	expect(record, "SrcIpAddr", NULL);
	expect(record, "SrcProcessName", "/usr/bin/curl");
	expect(record, "SrcProcessId", "4711");
	expect(record, "SrcUserId", "1000");
	expect(record, "Reason", "not-allowed");
	expect(record, "Hook", "connect");
	expect(record, "JobName", "nightly");
	cr_expect_eq(json_integer_value(json_object_get(record, "EventCount")), 1);
	cr_expect_eq(json_integer_value(json_object_get(record, "DstPortNumber")), 443);
	json_decref(record);
}

Test(ndjson, an_inbound_record_names_the_local_process_as_destination)
{
	struct event event = event_made("", REASON_INBOUND, HOOK_INGRESS);
	json_t *record;

	memcpy(event.refusal.src, event.refusal.dst, ADDR_LEN);
	event.refusal.direction = DIRECTION_IN;
	event.process = (char *)"/usr/bin/nc";
	record = record_read(&event);
	expect(record, "NetworkDirection", "Inbound");
	expect(record, "DstProcessName", "/usr/bin/nc");
	expect(record, "DstProcessId", "4711");
	expect(record, "SrcProcessName", NULL);
	expect(record, "SrcIpAddr", "198.51.100.7");
	json_decref(record);
}

struct action_case {
	enum guard_hook hook;
	__u8 protocol;
	__u8 flags;
	char action[8];
};

ParameterizedTestParameters(ndjson, the_action_says_what_the_caller_saw)
{
	static struct action_case cases[] = {
		{ HOOK_CONNECT, IPPROTO_TCP, 0, "Deny" },
		{ HOOK_SENDMSG, IPPROTO_UDP, 0, "Deny" },
		{ HOOK_SOCK_CREATE, IPPROTO_ICMP, 0, "Deny" },
		{ HOOK_EGRESS, IPPROTO_UDP, 0, "Deny" },
		{ HOOK_EGRESS, IPPROTO_TCP, 0, "Drop" },
		{ HOOK_INGRESS, IPPROTO_TCP, 0, "Drop" },
		{ HOOK_INGRESS, IPPROTO_UDP, 0, "Drop" },
		{ HOOK_EGRESS, IPPROTO_TCP, REFUSAL_AUDIT, "Allow" },
		{ HOOK_CONNECT, IPPROTO_TCP, REFUSAL_AUDIT, "Allow" },
	};

	return cr_make_param_array(struct action_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct action_case *row, ndjson, the_action_says_what_the_caller_saw)
{
	struct event event = event_made("", REASON_NOT_ALLOWED, row->hook);
	bool audit = row->flags & REFUSAL_AUDIT;
	json_t *record;

	event.refusal.protocol = row->protocol;
	event.refusal.flags = row->flags;
	record = record_read(&event);
	expect(record, "DvcAction", row->action);
	expect(record, "EventResult", audit ? "Success" : "Failure");
	expect(record, "EventResultDetails", audit ? "Simulation" : "NA");
	expect(record, "Mode", audit ? "audit" : "enforce");
	json_decref(record);
}

Test(ndjson, the_metadata_service_is_more_severe)
{
	struct event event = event_made("", REASON_METADATA, HOOK_CONNECT);
	json_t *record = record_read(&event);

	expect(record, "EventSeverity", "Medium");
	json_decref(record);
}

Test(ndjson, loopback_is_local)
{
	struct event event = event_made("", REASON_LOOPBACK, HOOK_CONNECT);
	json_t *record;

	event.refusal.dst[12] = 127;
	record = record_read(&event);
	expect(record, "NetworkDirection", "Local");
	json_decref(record);
}

Test(ndjson, attempts_that_could_not_be_kept_apart_say_so)
{
	struct event event = { .job = &job_made, .count = 1000000, .refusal.reason = REASON_PORT };
	json_t *record = record_read(&event);

	cr_expect(json_is_string(json_object_get(record, "EventMessage")));
	cr_expect_eq(json_integer_value(json_object_get(record, "EventCount")), 1000000);
	expect(record, "Reason", "port");
	expect(record, "DstIpAddr", NULL);
	expect(record, "SrcProcessId", NULL);
	json_decref(record);
}

Test(ndjson, the_longest_of_everything_stays_below_8_kib)
{
	struct event event = event_made("", REASON_DNS_NAME, HOOK_EGRESS);
	static char quotes[4096], command_line[2048], process[512];
	static char pairs[20][300];	/* as many fields as an agent may have */
	const char *identity[22] = { "AzpBuildId=42" };
	struct event_job job = job_made;
	json_t *record;

	memset(quotes, '"', sizeof(quotes) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		memset(pairs[i], '"', sizeof(pairs[i]) - 1);
		identity[1 + i] = pairs[i];
		memcpy(pairs[i], "Field", 5);
		pairs[i][5] = (char)('a' + i);
		pairs[i][6] = '=';
	}
	memset(command_line, '\\', sizeof(command_line) - 1);
	memset(process, '\\', sizeof(process) - 1);
	memset(event.name, '"', sizeof(event.name) - 1);
	job.identity = identity;
	job.name = quotes;
	job.cgroup_path = quotes;
	event.job = &job;
	event.process = process;
	event.command_line = command_line;
	record = record_read(&event);
	expect(record, "ProcessCommandLine", "(too long)");
	expect(record, "AzpBuildId", "42");
	cr_expect_geq(json_string_length(json_object_get(record, "JobName")), 250);
	json_decref(record);
}
