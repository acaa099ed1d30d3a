/* SPDX-License-Identifier: GPL-2.0 */
/* What the run's own policy allowed left no record: `suggest` has it all the same, or says so. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "event/suggest.h"
#include "policy/target.h"
#include "policy_text.h"

static const char job_yaml[] =
	"mode: audit\n"
	"metadata: allow\n"
	"loopback: deny\n"
	"private_answers: deny\n"
	"min_ttl: 90s\n"
	"dns: { servers: [192.0.2.53] }\n"
	"presets: [go]\n"
	"organization: contoso\n"
	"allow:\n"
	"  - { to: \"https://{organization}.example\", name: \"our own\" }\n"
	"deny: [ \"*.deny.example\" ]\n"
	"inbound: { allow: [ \"tcp://10.0.0.0/8:8080\" ] }\n"
	"expected: [ telemetry.example ]\n";

/* What suggest() said and printed. */
struct suggested {
	char *text;
	char *messages;
	unsigned int warnings;
};

static void suggested_free(struct suggested *suggested)
{
	free(suggested->text);
	free(suggested->messages);
}
#define _cleanup_suggested_ __attribute__((cleanup(suggested_free)))

/* A folder of the test's own, with job.yaml in it; all files go with it. */
static void folder_make(char folder[static 32])
{
	strcpy(folder, "/tmp/buildfence-unit-XXXXXX");
	cr_assert(mkdtemp(folder) && !chdir(folder), "cannot make %s", folder);
	file_write("job.yaml", job_yaml, strlen(job_yaml));
}

static void folder_remove(const char *folder)
{
	unlink("job.yaml");
	unlink("azure-devops.yaml");
	rmdir(folder);
}

/* The record of one connection to b.example that a run with this policy did not allow. */
static void record_add(struct text *records, const char *name, const char *hash)
{
	text_printf(records,
		    "{\"Reason\":\"not-allowed\",\"NetworkDirection\":\"Outbound\","
		    "\"NetworkProtocol\":\"TCP\",\"DstPortNumber\":443,\"DstFQDN\":\"b.example\","
		    "\"SrcProcessName\":\"curl\",\"PolicyName\":\"%s\",\"PolicyHash\":\"%s\"}\n",
		    name, hash);
}

static void run_record_add(struct text *records, const struct policy_request *run)
{
	_cleanup_loaded_ struct loaded got = policy_load_request(run);

	cr_assert_eq(got.result, 0, "%s", got.messages);
	record_add(records, got.policy->name, got.policy->hash);
}

static struct suggested suggest_run(const struct text *records, const struct policy_request *run)
{
	struct suggest_options options = { .source = "e.ndjson" };
	const char *bytes = records->bytes ? records->bytes : "\n";
	_cleanup_fclose_ FILE *in = fmemopen((void *)bytes, strlen(bytes), "r");
	struct diagnostics diag = {};
	struct suggested got = {};
	size_t len;
	FILE *out = open_memstream(&got.text, &len);

	if (run)
		options.run = *run;
	diag.out = open_memstream(&got.messages, &len);
	cr_assert(in && out && diag.out);
	cr_assert_eq(suggest(in, &options, &diag, out), 0);
	fclose(out);
	fclose(diag.out);
	got.warnings = diag.warnings;
	return got;
}

/* What is printed, read as a policy: has it an entry of this list for the target? */
static bool covers(const char *text, enum rule_list list, const char *needed)
{
	_cleanup_loaded_ struct loaded got = policy_load_text(text);
	struct target target;
	char error[256];

	cr_assert_eq(got.result, 0, "%s\n%s", got.messages, text);
	cr_assert_eq(target_parse(needed, list, &target, error), 0);
	for (size_t i = 0; i < got.policy->rule_count; i++) {
		if (got.policy->rules[i].list == list &&
		    target_covers(&got.policy->rules[i].target, &target))
			return true;
	}
	return false;
}

Test(basis, presets_are_known_by_the_records_alone)
{
	static const char *const both[] = { "azure-devops", "github", NULL };
	static const char *const one[] = { "azure-devops", NULL };
	static const struct { struct policy_request run; const char *line; } rows[] = {
		{ {}, "\npresets: [azure-devops]  #" },
		{ { .mode = "audit" }, "\npresets: [azure-devops]  #" },
		{ { .presets = one, .mode = "enforce" }, "\npresets: [azure-devops]  #" },
		{ { .presets = both, .mode = "audit" }, "\npresets: [azure-devops, github]  #" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_suggested_ struct suggested got = {};
		_cleanup_text_ struct text records = {};

		run_record_add(&records, &rows[i].run);
		got = suggest_run(&records, NULL);
		cr_expect_str_empty(got.messages);
		cr_expect(strstr(got.text, rows[i].line), "%s", got.text);
		cr_expect_null(strstr(got.text, "NOT WHOLE"), "%s", got.text);
		cr_expect(covers(got.text, LIST_ALLOW, "https://dev.azure.com"));
		cr_expect(covers(got.text, LIST_ALLOW, "https://b.example"));
	}
}

Test(basis, records_of_several_policies_get_the_presets_of_all)
{
	static const char *const some[] = { "go", "azure-devops", NULL };
	const struct policy_request runs[] = {
		{ .mode = "audit" }, { .presets = some }, {}, { .presets = some, .mode = "audit" },
	};
	_cleanup_suggested_ struct suggested got = {};
	_cleanup_text_ struct text records = {};

	for (size_t i = 0; i < ARRAY_SIZE(runs); i++)
		run_record_add(&records, &runs[i]);
	got = suggest_run(&records, NULL);
	cr_expect_str_empty(got.messages);
	cr_expect(strstr(got.text, "\npresets: [azure-devops, go]  #"), "%s", got.text);
}

Test(basis, a_file_is_not_the_preset_whose_name_it_has)
{
	char folder[32];
	const struct policy_request run = { .file = "azure-devops.yaml" };
	_cleanup_suggested_ struct suggested got = {};
	_cleanup_text_ struct text records = {};

	folder_make(folder);
	file_write("azure-devops.yaml", "allow: [a.example]\n", 19);
	run_record_add(&records, &run);
	got = suggest_run(&records, NULL);
	folder_remove(folder);
	cr_expect_eq(got.warnings, 1, "%s", got.messages);
	cr_expect(strstr(got.messages, "not printed: it is not the preset alone"), "%s",
		  got.messages);
	cr_expect(strstr(got.text, "# NOT WHOLE: "), "%s", got.text);
	cr_expect_null(strstr(got.text, "presets:"), "%s", got.text);
	cr_expect_not(covers(got.text, LIST_ALLOW, "https://dev.azure.com"));
}

Test(basis, what_is_missing_is_said_once_for_each_policy)
{
	_cleanup_suggested_ struct suggested got = {};
	_cleanup_text_ struct text records = {};

	record_add(&records, "job", "00");
	record_add(&records, "job", "01");
	record_add(&records, "command-line", "02");
	record_add(&records, "x\\n- any://0.0.0.0/0 ##vso[x]", "03");
	record_add(&records, "azure-devops+nonsense", "04");
	record_add(&records, "", "");
	got = suggest_run(&records, NULL);
	cr_expect_eq(got.warnings, 5, "%s", got.messages);
	cr_expect(strstr(got.messages,
			 "e.ndjson: warning: what the run's policy 'job' allowed left no record, and is not printed; name it as the run did, by --policy"),
		  "%s", got.messages);
	cr_expect(strstr(got.text,
			 ":\n#   job\n#   command-line\n#   x\\x0a- any://0.0.0.0/0 \\x23#vso[x]\n"
			 "#   azure-devops+nonsense\n#   (without a name)\nversion: 1\nallow:\n"
			 "  - \"https://b.example\"  #"),
		  "%s", got.text);
}

Test(basis, without_a_record_nothing_is_known)
{
	static const char *const presets[] = { "go", NULL };
	const struct policy_request run = { .presets = presets };
	const struct text none = {};
	_cleanup_suggested_ struct suggested got = suggest_run(&none, NULL);
	_cleanup_suggested_ struct suggested with = suggest_run(&none, &run);

	cr_expect_eq(got.warnings, 1, "%s", got.messages);
	cr_expect(strstr(got.messages, "no record says which policy the run had"), "%s",
		  got.messages);
	cr_expect(strstr(got.text, "# NOT WHOLE: no record says"), "%s", got.text);
	cr_expect_str_empty(with.messages);
	cr_expect(strstr(with.text, "presets: [go]  #"), "%s", with.text);
	cr_expect_null(strstr(with.text, "NOT WHOLE"), "%s", with.text);
}

Test(basis, a_policy_that_is_named_is_printed_whole_and_more)
{
	char folder[32];
	const struct policy_request named = { .file = "job.yaml" };
	struct policy_request run = named;
	_cleanup_suggested_ struct suggested got = {};
	_cleanup_loaded_ struct loaded base = {}, read = {};
	_cleanup_text_ struct text records = {};

	folder_make(folder);
	run.mode = "audit";
	run_record_add(&records, &run);
	run_record_add(&records, &named);
	got = suggest_run(&records, &named);
	base = policy_load_request(&named);
	folder_remove(folder);
	cr_expect_str_empty(got.messages);
	cr_expect_null(strstr(got.text, "NOT WHOLE"), "%s", got.text);
	read = policy_load_text(got.text);
	cr_assert_eq(read.result, 0, "%s\n%s", read.messages, got.text);
	cr_expect_eq(read.policy->rule_count, base.policy->rule_count + 1, "%s", got.text);
	for (size_t i = 0; i < base.policy->rule_count; i++) {
		const struct rule *rule = &base.policy->rules[i];
		char text[TARGET_TEXT_LEN];

		target_format(&rule->target, rule->list, text);
		cr_expect(covers(got.text, rule->list, text), "%s\n%s", text, got.text);
	}
	cr_expect(covers(got.text, LIST_ALLOW, "https://b.example"), "%s", got.text);
	/* It is for enforcing, whatever the audited policy's own mode. */
	cr_expect_eq(read.policy->mode, MODE_ENFORCE);
	cr_expect(read.policy->metadata_allowed && !read.policy->loopback_allowed);
	cr_expect(!read.policy->private_answers_allowed);
	cr_expect_eq(read.policy->min_ttl_s, 90);
	cr_expect_eq(read.policy->resolver_count, 1);
}

Test(basis, what_was_added_on_the_command_line_is_named_too)
{
	static const char *const allow[] = { "tcp://a.example:8080", NULL };
	const struct policy_request run = { .allow = allow, .organization = "contoso" };
	_cleanup_suggested_ struct suggested without = {}, got = {};
	_cleanup_text_ struct text records = {};

	run_record_add(&records, &run);
	without = suggest_run(&records, NULL);
	got = suggest_run(&records, &run);
	cr_expect_eq(without.warnings, 1, "%s", without.messages);
	cr_expect_str_empty(got.messages);
	cr_expect(covers(got.text, LIST_ALLOW, "tcp://a.example:8080"), "%s", got.text);
}

Test(basis, a_policy_that_has_changed_since_is_told)
{
	char folder[32];
	const struct policy_request run = { .file = "job.yaml" };
	_cleanup_suggested_ struct suggested got = {};
	_cleanup_text_ struct text records = {};

	folder_make(folder);
	run_record_add(&records, &run);
	file_write("job.yaml", "allow: [a.example]\n", 19);
	got = suggest_run(&records, &run);
	folder_remove(folder);
	cr_expect_eq(got.warnings, 1, "%s", got.messages);
	cr_expect(strstr(got.messages, "it has changed since"), "%s", got.messages);
	cr_expect(strstr(got.text, "#   job, as it was then\n"), "%s", got.text);
	cr_expect(covers(got.text, LIST_ALLOW, "https://a.example"), "%s", got.text);
}
