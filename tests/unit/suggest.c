/* SPDX-License-Identifier: GPL-2.0 */
/* From records to a policy: which entries, which comments, and nothing that a record made up. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "event/suggest.h"
#include "policy/load.h"
#include "policy/target.h"

#define OUT	"\"NetworkDirection\":\"Outbound\",\"SrcProcessName\":\"curl\""
#define TCP	OUT ",\"NetworkProtocol\":\"TCP\""
#define UDP	OUT ",\"NetworkProtocol\":\"UDP\""
#define IN	"\"NetworkDirection\":\"Inbound\",\"DstProcessName\":\"nc\"," \
		"\"DstIpAddr\":\"192.0.2.2\""

/* A refused TCP connection to port 443 of a name. */
#define REACHED(name) \
	"{\"Reason\":\"not-allowed\"," TCP ",\"DstPortNumber\":443,\"DstFQDN\":\"" name "\"}\n"
#define ASKED(name) \
	"{\"Reason\":\"dns-name\"," UDP ",\"DstIpAddr\":\"192.0.2.53\",\"DstPortNumber\":53," \
	"\"DstFQDN\":\"" name "\"}\n"

static int suggest_text(const char *records, unsigned int fold, struct diagnostics *diag,
			char **ret_text)
{
	const struct suggest_options options = { .source = "e.ndjson", .fold = fold };
	_cleanup_fclose_ FILE *in = fmemopen((void *)records, strlen(records), "r");
	size_t len;
	FILE *out = open_memstream(ret_text, &len);
	int r;

	cr_assert(in && out);
	r = suggest(in, &options, diag, out);
	fclose(out);
	return r;
}

/* The policy without its comments, which stand behind "  # " or alone on their lines. */
static char *entries_only(const char *policy)
{
	_cleanup_free_ char *copy = strdup(policy);
	char *kept = calloc(1, strlen(policy) + 2), *rest = copy, *line;

	while ((line = strsep(&rest, "\n"))) {
		char *comment = strstr(line, "  # ");

		if (comment)
			*comment = '\0';
		if (*line && *line != '#')
			strcat(strcat(kept, line), "\n");
	}
	return kept;
}

/* What policy_load() makes of the text. */
static struct policy *policy_read(const char *text)
{
	char path[] = "/tmp/suggest-XXXXXX";
	struct policy_request request = { .file = path };
	struct diagnostics diag = {};
	struct policy *policy = NULL;
	_cleanup_close_ int fd = mkstemp(path);
	int r;

	cr_assert(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	r = policy_load(&request, &diag, &policy);
	unlink(path);
	cr_assert_eq(r, 0, "refused:\n%s", text);
	cr_assert_eq(diag.errors, 0);
	return policy;
}

struct suggest_case {
	char records[1024];
	unsigned int fold;
	char entries[512];
};

#define ALLOW	"version: 1\nallow:\n"
#define NOTHING	"version: 1\nallow: []\n"

ParameterizedTestParameters(suggest, each_record_becomes_its_narrowest_entry)
{
	static struct suggest_case cases[] = {
		{ "", 0, NOTHING },
		{ "\n \n", 0, NOTHING },
		{ REACHED("dev.azure.com"), 0, ALLOW "  - \"https://dev.azure.com\"\n" },
		{ REACHED("B.example") REACHED("a.example") REACHED("b.example"), 0,
		  ALLOW "  - \"https://a.example\"\n  - \"https://b.example\"\n" },
		{ "{\"Reason\":\"port\"," TCP ",\"DstPortNumber\":8443,\"DstFQDN\":\"a.example\"}\n", 0,
		  ALLOW "  - \"tcp://a.example:8443\"\n" },
		{ "{\"Reason\":\"port\"," TCP ",\"DstPortNumber\":22,\"DstFQDN\":\"a.example\"}\n", 0,
		  ALLOW "  - \"ssh://a.example\"\n" },
		{ "{\"Reason\":\"not-allowed\"," UDP ",\"DstPortNumber\":443,"
		  "\"DstFQDN\":\"a.example\",\"DstIpAddr\":\"192.0.2.1\"}\n", 0,
		  ALLOW "  - \"udp://a.example:443\"\n" },
		{ "{\"Reason\":\"not-allowed\"," TCP ",\"DstPortNumber\":80,\"DstFQDN\":null,"
		  "\"DstIpAddr\":\"192.0.2.1\"}\n", 0, ALLOW "  - \"http://192.0.2.1\"\n" },
		{ "{\"Reason\":\"not-allowed\"," UDP ",\"DstPortNumber\":123,"
		  "\"DstIpAddr\":\"2001:db8::1\"}\n", 0, ALLOW "  - \"udp://[2001:db8::1]:123\"\n" },
		{ "{\"Reason\":\"not-allowed\"," OUT ",\"NetworkProtocol\":\"ICMP\","
		  "\"DstIpAddr\":\"192.0.2.1\"}\n", 0, ALLOW "  - \"any://192.0.2.1\"\n" },
		{ "{\"Reason\":\"inbound\"," IN ",\"NetworkProtocol\":\"TCP\","
		  "\"SrcIpAddr\":\"198.51.100.7\",\"SrcPortNumber\":40000,\"DstPortNumber\":443}\n", 0,
		  NOTHING "inbound:\n  allow:\n    - \"tcp://198.51.100.7:443\"\n" },
		/* A question: its own entry only where no connection followed, on whatever port. */
		{ ASKED("a.example"), 0, ALLOW "  - \"https://a.example\"\n" },
		{ ASKED("a.example") "{\"Reason\":\"port\"," TCP ",\"DstPortNumber\":8443,"
		  "\"DstFQDN\":\"a.example\"}\n", 0, ALLOW "  - \"tcp://a.example:8443\"\n" },
		{ ASKED("4.3.2.1.in-addr.arpa"), 0, NOTHING },
		{ ASKED(""), 0, NOTHING },
		/* What no entry can or should allow. */
		{ "{\"Reason\":\"metadata\"," TCP ",\"DstPortNumber\":80,"
		  "\"DstIpAddr\":\"169.254.169.254\"}\n", 0, NOTHING },
		{ "{\"Reason\":\"denied-by-rule\"," TCP ",\"DstPortNumber\":443,"
		  "\"DstFQDN\":\"a.example\"}\n", 0, NOTHING },
		{ "{\"Reason\":\"dns-server\"," UDP ",\"DstPortNumber\":53,"
		  "\"DstIpAddr\":\"192.0.2.53\"}\n", 0, NOTHING },
		{ "{\"Reason\":\"socket-type\"," OUT "}\n", 0, NOTHING },
		{ "{\"Reason\":\"not-allowed\",\"EventCount\":7}\n", 0, NOTHING },
		{ "{\"Reason\":\"from-tomorrow\"," TCP ",\"DstPortNumber\":443,"
		  "\"DstFQDN\":\"a.example\"}\n", 0, NOTHING },
	};

	return cr_make_param_array(struct suggest_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct suggest_case *c, suggest, each_record_becomes_its_narrowest_entry)
{
	_cleanup_free_ char *text = NULL, *entries = NULL;
	struct diagnostics diag = {};

	cr_assert_eq(suggest_text(c->records, c->fold, &diag, &text), 0);
	entries = entries_only(text);
	cr_assert_str_eq(entries, c->entries);
}

ParameterizedTestParameters(suggest, names_fold_only_as_far_as_one_owner_reaches)
{
	static struct suggest_case cases[] = {
		{ REACHED("a.x.example.com") REACHED("b.x.example.com"), 3,
		  ALLOW "  - \"https://a.x.example.com\"\n  - \"https://b.x.example.com\"\n" },
		{ REACHED("a.x.example.com") REACHED("b.x.example.com"), 2,
		  ALLOW "  - \"https://*.x.example.com\"\n" },
		{ REACHED("a.x.example.com") REACHED("a.x.example.com"), 2,
		  ALLOW "  - \"https://a.x.example.com\"\n" },
		/* The parent itself is not below itself. */
		{ REACHED("example.com") REACHED("a.example.com") REACHED("b.example.com"), 2,
		  ALLOW "  - \"https://*.example.com\"\n  - \"https://example.com\"\n" },
		/* What has folded already does not stand between two others. */
		{ REACHED("a.example.com") REACHED("a.m.example.com") REACHED("b.m.example.com")
			  REACHED("z.example.com"),
		  2, ALLOW "  - \"https://*.example.com\"\n  - \"https://*.m.example.com\"\n" },
		/* Another port is another entry. */
		{ REACHED("a.example.com") "{\"Reason\":\"port\"," TCP ",\"DstPortNumber\":8443,"
					   "\"DstFQDN\":\"b.example.com\"}\n",
		  2, ALLOW "  - \"https://a.example.com\"\n  - \"tcp://b.example.com:8443\"\n" },
		/* Public suffixes, from the list and its private section; and what it lacks. */
		{ REACHED("a.com") REACHED("b.com"), 2,
		  ALLOW "  - \"https://a.com\"\n  - \"https://b.com\"\n" },
		{ REACHED("a.co.uk") REACHED("b.co.uk"), 2,
		  ALLOW "  - \"https://a.co.uk\"\n  - \"https://b.co.uk\"\n" },
		{ REACHED("a.github.io") REACHED("b.github.io"), 2,
		  ALLOW "  - \"https://a.github.io\"\n  - \"https://b.github.io\"\n" },
		{ REACHED("a.blob.core.windows.net") REACHED("b.blob.core.windows.net"), 2,
		  ALLOW "  - \"https://a.blob.core.windows.net\"\n"
			"  - \"https://b.blob.core.windows.net\"\n" },
		{ REACHED("a.core.windows.net") REACHED("b.core.windows.net"), 2,
		  ALLOW
		  "  - \"https://a.core.windows.net\"\n  - \"https://b.core.windows.net\"\n" },
		{ REACHED("a.westeurope.cloudapp.azure.com") REACHED("b.westeurope.cloudapp.azure.com"), 2,
		  ALLOW "  - \"https://a.westeurope.cloudapp.azure.com\"\n"
			"  - \"https://b.westeurope.cloudapp.azure.com\"\n" },
		{ REACHED("a.dev.azure.com") REACHED("b.dev.azure.com"), 2,
		  ALLOW "  - \"https://a.dev.azure.com\"\n  - \"https://b.dev.azure.com\"\n" },
		{ REACHED("a.vsblob.visualstudio.com") REACHED("b.vsblob.visualstudio.com"), 2,
		  ALLOW "  - \"https://a.vsblob.visualstudio.com\"\n"
			"  - \"https://b.vsblob.visualstudio.com\"\n" },
		{ REACHED("api.github.com") REACHED("gist.github.com"), 2,
		  ALLOW "  - \"https://api.github.com\"\n  - \"https://gist.github.com\"\n" },
		{ REACHED("auth.docker.io") REACHED("registry-1.docker.io"), 2,
		  ALLOW "  - \"https://auth.docker.io\"\n  - \"https://registry-1.docker.io\"\n" },
		{ REACHED("a.x.vm.example.com") REACHED("b.x.vm.example.com"), 2,
		  ALLOW "  - \"https://*.x.vm.example.com\"\n" },
		{ REACHED("a.internal") REACHED("b.internal"), 2,
		  ALLOW "  - \"https://a.internal\"\n  - \"https://b.internal\"\n" },
	};

	return cr_make_param_array(struct suggest_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct suggest_case *c, suggest, names_fold_only_as_far_as_one_owner_reaches)
{
	_cleanup_free_ char *text = NULL, *entries = NULL;
	struct diagnostics diag = {};

	cr_assert_eq(suggest_text(c->records, c->fold, &diag, &text), 0);
	entries = entries_only(text);
	cr_assert_str_eq(entries, c->entries);
}

Test(suggest, comments_say_who_needed_an_entry_and_how_often)
{
	static const char records[] =
		"{\"Reason\":\"not-allowed\"," TCP ",\"DstPortNumber\":443,"
		"\"DstFQDN\":\"a.example\",\"EventCount\":10}\n"
		"{\"Reason\":\"not-allowed\"," TCP ",\"DstPortNumber\":443,"
		"\"DstFQDN\":\"a.example\",\"EventCount\":2}\n"
		"{\"Reason\":\"not-allowed\",\"NetworkProtocol\":\"TCP\",\"DstPortNumber\":443,"
		"\"DstFQDN\":\"a.example\",\"SrcProcessName\":\"/usr/bin/git\"}\n"
		ASKED("b.example");
	struct diagnostics diag = {};
	_cleanup_free_ char *text = NULL;

	cr_assert_eq(suggest_text(records, 0, &diag, &text), 0);
	cr_assert(strstr(text,
			 "\"https://a.example\"  # 13 attempts by /usr/bin/git (1), curl (12)\n"),
		  "%s", text);
	cr_assert(
		strstr(text,
		       "\"https://b.example\"  # asked for, never connected to; 1 attempt by curl\n"),
		"%s", text);
}

/* Texts that would be YAML, terminal or pipeline commands if they came out as they are. */
struct hostile_case {
	char text[160];			/* as it stands in JSON */
};

ParameterizedTestParameters(suggest, hostile_text_in_a_record_adds_no_entry)
{
	static struct hostile_case cases[] = {
		{ "x\\nallow:\\n  - any://0.0.0.0/0" },
		{ "x\\\"\\n  - \\\"any://0.0.0.0/0" },
		{ "x\\u0085  - any://0.0.0.0/0" },
		{ "x\\u2028  - any://0.0.0.0/0" },
		{ "*.com" },
		{ "*" },
		{ "a.example/..." },
		{ "a.example:1-65535" },
		{ "user@a.example" },
		{ "0.0.0.0/0" },
		{ "192.0.2.0/24" },
		{ "::/0" },
		{ "{organization}.example" },
		{ "\\u001b[2J##vso[task.setvariable]x" },
		{ "a..example" },
		{ "-\\u0000" },
	};

	return cr_make_param_array(struct hostile_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct hostile_case *c, suggest, hostile_text_in_a_record_adds_no_entry)
{
	static const char *const fields[] = {
		"\"DstFQDN\":\"%s\"", "\"DstIpAddr\":\"%s\"",
		"\"DstFQDN\":\"good.example\",\"SrcProcessName\":\"%s\"",
		"\"DstFQDN\":\"good.example\",\"DstPortNumber\":443,\"NetworkProtocol\":\"%s\"",
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		char field[256], record[512];
		_cleanup_free_ char *text = NULL;
		_cleanup_policy_ struct policy *policy = NULL;
		struct diagnostics diag = {};

		snprintf(field, sizeof(field), fields[i], c->text);
		snprintf(record, sizeof(record), "{\"Reason\":\"not-allowed\",%s%s}\n", field,
			 i == 3 ? "" : ",\"NetworkProtocol\":\"TCP\",\"DstPortNumber\":443");
		if (suggest_text(record, 0, &diag, &text))
			continue;
		for (const char *byte = text; *byte; byte++)
			cr_assert(*byte == '\n' || (*byte >= ' ' && *byte <= '~'), "%s", text);
		cr_assert(!strstr(text, "##vso["), "%s", text);
		policy = policy_read(text);
		cr_assert_leq(policy->rule_count, 1, "%s", text);
		if (policy->rule_count)
			cr_assert_str_eq(policy->rules[0].target.name, "good.example", "%s", text);
	}
}

/* With a rule's name it is the rule that has expired; without, the address. */
Test(suggest, what_has_expired_says_what_to_change)
{
	static const struct { const char *field, *remark; } rows[] = {
		{ ",\"NetworkRuleName\":\"old feed\"", "the rule that allowed it has expired" },
		{ "", "its DNS answer had expired" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *record = NULL, *text = NULL;
		struct diagnostics diag = {};

		cr_assert_gt(asprintf(&record, "{\"Reason\":\"expired\"," TCP ","
				      "\"DstPortNumber\":443,\"DstFQDN\":\"feed.example\"%s}\n", rows[i].field), 0);
		cr_assert_eq(suggest_text(record, 0, &diag, &text), 0);
		cr_expect(strstr(text, "https://feed.example") && strstr(text, rows[i].remark),
			  "%s", text);
	}
}

Test(suggest, every_entry_is_read_back_and_covers_its_record)
{
	static const char records[] =
		REACHED("a.x.example.com") REACHED("b.x.example.com") ASKED("c.example")
		"{\"Reason\":\"not-allowed\"," UDP ",\"DstPortNumber\":123,"
		"\"DstIpAddr\":\"2001:db8::1\"}\n"
		"{\"Reason\":\"inbound\"," IN ",\"NetworkProtocol\":\"UDP\","
		"\"SrcIpAddr\":\"198.51.100.7\",\"DstPortNumber\":80}\n";
	static const struct {
		const char *needed;
		enum rule_list list;
	} needs[] = {
		{ "https://a.x.example.com", LIST_ALLOW },
		{ "https://b.x.example.com", LIST_ALLOW },
		{ "https://c.example", LIST_ALLOW },
		{ "udp://[2001:db8::1]:123", LIST_ALLOW },
		{ "udp://198.51.100.7:80", LIST_INBOUND },
	};

	for (unsigned int fold = 0; fold <= 2; fold += 2) {
		struct diagnostics diag = {};
		_cleanup_policy_ struct policy *policy = NULL;
		_cleanup_free_ char *text = NULL;

		cr_assert_eq(suggest_text(records, fold, &diag, &text), 0);
		policy = policy_read(text);
		for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
			struct target target;
			char error[256];
			bool covered = false;

			cr_assert_eq(target_parse(needs[i].needed, needs[i].list, &target, error),
				     0);
			for (size_t j = 0; j < policy->rule_count; j++)
				covered |= policy->rules[j].list == needs[i].list &&
					   target_covers(&policy->rules[j].target, &target);
			cr_assert(covered, "%s not covered by\n%s", needs[i].needed, text);
		}
	}
}

struct broken_case {
	char records[512];
	int result;
	unsigned int errors, warnings;
	char message[64];
};

ParameterizedTestParameters(suggest, a_broken_line_is_an_error_with_its_number)
{
	static struct broken_case cases[] = {
		{ REACHED("a.example") "{\"Reason\":\n" REACHED("b.example"), -EINVAL, 1, 0,
		  "e.ndjson:2:" },
		{ REACHED("a.example") "{\"Reason\":", 0, 0, 2, "e.ndjson:2:" },
		{ "{}\n", -EINVAL, 1, 0, "Reason" },
		{ "[]\n", -EINVAL, 1, 0, "Reason" },
		{ "{\"Reason\":\"port\",\"DstPortNumber\":70000}\n", -EINVAL, 1, 0, "70000" },
	};

	return cr_make_param_array(struct broken_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct broken_case *c, suggest, a_broken_line_is_an_error_with_its_number)
{
	_cleanup_free_ char *text = NULL, *messages = NULL;
	struct diagnostics diag = {};
	size_t len;

	diag.out = open_memstream(&messages, &len);
	cr_assert_eq(suggest_text(c->records, 0, &diag, &text), c->result);
	fclose(diag.out);
	cr_assert_eq(diag.errors, c->errors);
	cr_assert_eq(diag.warnings, c->warnings);
	cr_assert(strstr(messages, c->message), "%s", messages);
	/* Nothing is written of a file that was not read whole. */
	cr_assert_eq(*text == '\0', c->result != 0);
}
