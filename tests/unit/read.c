/* SPDX-License-Identifier: GPL-2.0 */
/* Policies from files, presets and the command line: what they become, and each error's place. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "policy_text.h"

#define EXPIRES_2027_02_01	1801440000	/* date -ud 2027-02-01 +%s */

static const struct rule *rule_with_text(const struct policy *policy, const char *text)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		if (!strcmp(policy->rules[i].text, text))
			return &policy->rules[i];
	}
	cr_assert(false, "no rule '%s'", text);
	return NULL;
}

static const char every_key[] =
	"version: 1\n"
	"mode: audit\n"
	"organization: contoso\n"
	"values: { vault: [one, two] }\n"
	"allow:\n"
	"  - https://artifacts.contoso.example\n"
	"  - to: https://{organization}.example:8443\n"
	"    name: symbol server\n"
	"    reason: \"TICKET-123\"\n"
	"    expires: 2027-01-31\n"
	"    tls: off\n"
	"  - https://{vault}.vault.azure.net\n"
	"deny: [ \"*.blob.core.windows.net\" ]\n"
	"inbound:\n"
	"  allow: [ \"tcp://10.0.0.0/8:8080\" ]\n"
	"expected:\n"
	"  - https://telemetry.example.com\n"
	"metadata: allow\n"
	"loopback: deny\n"
	"private_answers: deny\n"
	"tls: off\n"
	"min_ttl: 2h\n"
	"dns: { servers: [192.0.2.53, \"2001:db8::53\"] }\n";

Test(read, every_setting_is_taken)
{
	_cleanup_loaded_ struct loaded got = policy_load_text(every_key);
	const struct policy *policy = got.policy;

	cr_assert_eq(got.result, 0, "%s", got.messages);
	cr_expect_str_eq(got.messages, "");
	cr_expect_str_eq(policy->name, "job");
	cr_expect_eq(policy->mode, MODE_AUDIT);
	cr_expect(policy->metadata_allowed && !policy->loopback_allowed);
	cr_expect(!policy->private_answers_allowed);
	cr_expect_eq(policy->min_ttl_s, 7200);
	cr_expect(!policy->resolvers_auto);
	cr_assert_eq(policy->resolver_count, 2);
	cr_expect_eq(policy->resolvers[0][10], 0xff);
	cr_expect_eq(policy->resolvers[0][15], 53);
	cr_expect_eq(policy->resolvers[1][0], 0x20);
	cr_expect_eq(strlen(policy->hash), 64);
}

Test(read, every_entry_becomes_a_rule_with_its_place)
{
	_cleanup_loaded_ struct loaded got = policy_load_text(every_key);
	const struct rule *rule;

	cr_assert_eq(got.result, 0, "%s", got.messages);
	cr_expect_eq(got.policy->rule_count, 7);
	for (size_t i = 0; i < got.policy->rule_count; i++)
		cr_expect_eq(got.policy->rules[i].id, i + 1);
	rule = rule_with_text(got.policy, "https://contoso.example:8443");
	cr_expect(rule->list == LIST_ALLOW && rule->line == 7 && rule->column == 9);
	cr_expect_str_eq(rule->label, "symbol server");
	cr_expect_str_eq(rule->reason, "TICKET-123");
	cr_expect_str_eq(rule->source, "job.yaml");
	cr_expect_eq(rule->expires, EXPIRES_2027_02_01);
	rule = rule_with_text(got.policy, "https://two.vault.azure.net");
	cr_expect(rule->line == 12 && rule->column == 5 && !rule->expires && !rule->reason);
	cr_expect_str_eq(rule->label, "https://two.vault.azure.net");
	cr_expect_eq(rule_with_text(got.policy, "*.blob.core.windows.net")->list, LIST_DENY);
	cr_expect_eq(rule_with_text(got.policy, "tcp://10.0.0.0/8:8080")->list, LIST_INBOUND);
	cr_expect_eq(rule_with_text(got.policy, "https://telemetry.example.com")->list,
		     LIST_EXPECTED);
}

Test(read, what_is_not_said_has_the_closed_default)
{
	_cleanup_loaded_ struct loaded got = policy_load_text("allow: [ a.example ]\n");
	const struct policy *policy = got.policy;

	cr_assert_eq(got.result, 0);
	cr_expect_eq(policy->mode, MODE_ENFORCE);
	cr_expect(!policy->metadata_allowed && policy->loopback_allowed);
	cr_expect(policy->private_answers_allowed && policy->resolvers_auto);
	cr_expect_eq(policy->min_ttl_s, 600);
	cr_expect_eq(policy->rule_count, 1);
}

Test(read, an_empty_allowlist_allows_nothing_and_says_so)
{
	static const char *const texts[] = {
		"", "# nothing\n", "---\n", "version: 1\n", "allow:\n", "allow: []\n", "allow: ~\n",
		"deny: [ a.example ]\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_loaded_ struct loaded got = policy_load_text(texts[i]);

		cr_expect_eq(got.result, 0, "'%s': %s", texts[i], got.messages);
		cr_expect_eq(got.diag.warnings, 1, "'%s'", texts[i]);
		cr_expect(strstr(got.messages, "job.yaml: warning: this policy allows nothing"),
			  "%s", got.messages);
		for (size_t j = 0; got.policy && j < got.policy->rule_count; j++)
			cr_expect_neq(got.policy->rules[j].list, LIST_ALLOW);
	}
}

Test(read, each_error_says_its_place_and_what_was_meant)
{
	static const struct { const char *text, *message; } rows[] = {
		{ "version: 2", "1:10: version '2' is not known" },
		{ "alow: []", "1:1: unknown key 'alow'; did you mean 'allow'?" },
		{ "organisation: x", "1:1: unknown key 'organisation'; did you mean 'organization'?" },
		{ "whatever: x", "1:1: unknown key 'whatever'\n" },
		{ "placeholders: {}", "1:1: 'placeholders' belongs in a preset" },
		{ "mode: enforced", "1:7: mode is 'enforce' or 'audit', not 'enforced'" },
		{ "mode: Audit", "1:7: mode is 'enforce' or 'audit'" },
		{ "mode:", "1:6: expected 'enforce' or 'audit', but here is nothing" },
		{ "mode: [audit]", "1:7: expected 'enforce' or 'audit', but here is a list" },
		{ "- allow", "1:1: expected a mapping ('allow:' and other keys), but here is a list" },
		{ "allow", "1:1: expected a mapping ('allow:' and other keys), but here is a text" },
		{ "allow: a.example", "1:8: entries are a list" },
		{ "allow: { to: x }", "1:8: entries are a list" },
		{ "allow: [ [a] ]", "1:10: an entry is a target" },
		{ "allow: [ a, ~ ]", "1:13: an empty entry" },
		{ "allow:\n  - tcp://a.example", "2:5: 'tcp://a.example': tcp:// needs a port" },
		{ "allow:\n  - to: '*'\n    name: x", "2:9: '*': a star alone" },
		{ "allow:\n  - nme: x\n    to: a", "2:5: unknown key 'nme'; did you mean 'name'?" },
		{ "allow:\n  - port: 80\n    to: a", "2:5: unknown key 'port'; an entry has to, name" },
		{ "allow:\n  - name: x", "2:5: an entry without 'to'" },
		{ "allow:\n  - to: [a]", "2:9: expected a target, but here is a list" },
		{ "allow:\n  - { to: a, expires: 2027-02-29 }", "2:23: '2027-02-29' is not a day" },
		{ "allow:\n  - { to: a, expires: 31.1.2027 }", "2:23: '31.1.2027' is not a day" },
		{ "allow:\n  - { to: a, expires: 2027-1-031 }", "2:23: '2027-1-031' is not a day" },
		{ "allow:\n  - { to: a, expires: 2027-00-10 }", "2:23: '2027-00-10' is not a day" },
		{ "allow:\n  - { to: a, expires: 2027-01-1- }", "2:23: '2027-01-1-' is not a day" },
		{ "allow:\n  - { to: a, expires: 2027-01-311 }", "2:23: '2027-01-311' is not a day" },
		{ "allow:\n  - { to: a, expires: 2027 }", "2:23: '2027' is not a day" },
		{ "allow:\n  - { to: a, expires: 1969-12-31 }", "2:23: '1969-12-31' is not a day" },
		{ "organization: x\ndeny:\n  - { to: a, if: organisation }", "3:18: 'if: organisation' has no value, which would leave a deny out" },
		{ "values: { a: [x, y] }\nallow: [ '{a}{a}{a}{a}{a}{a}{a}{a}:0' ]", "2:10: 'xxxxxxxx:0': '0' is not a port" },
		{ "values: { a: [x, y] }\nallow: [ '{a}{a}{a}{a}{a}{a}{a}{a}{a}' ]", "2:10: '{a}{a}{a}{a}{a}{a}{a}{a}{a}': an entry with more than 8" },
		{ "allow:\n  - { to: a, tls: on }", "2:19: tls is 'off', not 'on'" },
		{ "tls: check", "1:6: 'tls: check' is not built yet" },
		{ "metadata: yes", "1:11: expected 'allow' or 'deny', not 'yes'" },
		{ "loopback: {}", "1:11: expected 'allow' or 'deny', but here is a mapping" },
		{ "private_answers: no", "1:18: expected 'allow' or 'deny'" },
		{ "min_ttl: 10", "1:10: '10' is not a time" },
		{ "min_ttl: 0s", "1:10: '0s' is not a time" },
		{ "min_ttl: 8d", "1:10: '8d' is not a time from 1s to 7d" },
		{ "min_ttl: 99999999999m", "1:10: '99999999999m' is not a time" },
		{ "min_ttl: -5m", "1:10: '-5m' is not a time" },
		{ "min_ttl: 5 m", "1:10: '5 m' is not a time" },
		{ "dns: auto", "1:6: 'dns' is a mapping" },
		{ "dns: { server: auto }", "1:8: unknown key 'server'" },
		{ "dns: { servers: [] }", "1:17: servers are 'auto' or a list" },
		{ "dns: { servers: 192.0.2.53 }", "1:17: servers are 'auto' or a list" },
		{ "dns: { servers: [dns.example] }", "1:18: 'dns.example' is not the address" },
		{ "inbound: []", "1:10: 'inbound' is a mapping" },
		{ "inbound: { deny: [] }", "1:12: unknown key 'deny'" },
		{ "inbound: { allow: [ 'tcp://a.example:1' ] }", "1:21: 'tcp://a.example:1': inbound entries" },
		{ "organization: a/b", "1:15: 'a/b' cannot fill a placeholder" },
		{ "organization: '*'", "1:15: '*' cannot fill a placeholder" },
		{ "values: [a]", "1:9: 'values' is a mapping" },
		{ "values: { v: 'a.b/c' }", "1:14: 'a.b/c' cannot fill" },
		{ "values: { v: [] }", "1:14: an empty list" },
		{ "values: { organization: x }", "1:11: write 'organization' at the top level" },
		{ "allow: [ '{organization}.x' ]", "1:10: '{organization}.x': no value for {organization}; add to the policy: 'organization: ...'" },
		{ "allow: [ '{vault}.x' ]", "1:10: '{vault}.x': no value for {vault}; add to the policy: 'values: { vault: ... }'" },
		{ "allow: [ 'a{' ]", "1:10: 'a{': a brace belongs to a placeholder" },
		{ "allow: [ 'a}b' ]", "1:10: 'a}b': a brace belongs to a placeholder" },
		{ "allow: [ '{}.b' ]", "1:10: '{}.b': a brace belongs to a placeholder" },
		{ "allow: [ '{A}.b' ]", "1:10: '{A}.b': a brace belongs to a placeholder" },
		{ "presets: azure-devops", "1:10: presets are a list" },
		{ "presets: [azure-devop]", "1:11: unknown preset 'azure-devop'; did you mean 'azure-devops'?" },
		{ "presets: [zzzzzzzz]", "1:11: unknown preset 'zzzzzzzz'; built in are azure-cli, " },
		{ "presets: [./none.yaml]", "1:11: cannot read preset './none.yaml': No such file" },
		{ "presets: [[a]]", "1:11: expected a preset's name, but here is a list" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_loaded_ struct loaded got = policy_load_text(rows[i].text);
		const char *message = strchr(got.messages, ':');

		cr_expect_eq(got.result, -EINVAL, "'%s' was taken", rows[i].text);
		cr_expect_eq(got.diag.errors, 1, "'%s': %s", rows[i].text, got.messages);
		cr_expect_null(got.policy);
		cr_expect(message &&
				  !strncmp(message + 1, rows[i].message, strlen(rows[i].message)),
			  "'%s': %s", rows[i].text, got.messages);
	}
}

Test(read, all_errors_of_a_file_and_its_presets_come_in_one_go)
{
	_cleanup_loaded_ struct loaded got = policy_load_text(
		"alow: []\nmode: x\nallow:\n  - good.example\n  - 10.0.0\n  - { to: a, nam: b, expires: c }\n"
		"deny: x\npresets: [nonsense, azure-devops]\n");

	cr_expect_eq(got.result, -EINVAL);
	cr_expect_eq(got.diag.errors, 7, "%s", got.messages);
}

Test(read, one_bad_entry_refuses_the_whole_file)
{
	_cleanup_loaded_ struct loaded got =
		policy_load_text("allow: [ a.example, 10.0.0, b.example ]\n");

	cr_expect_eq(got.result, -EINVAL);
	cr_expect_null(got.policy);
}

Test(read, a_file_that_cannot_be_read_says_why)
{
	struct policy_request request = { .file = "/nonexistent/job.yaml" };
	_cleanup_loaded_ struct loaded got = policy_load_request(&request);

	cr_expect_eq(got.result, -ENOENT);
	cr_expect_eq(got.diag.errors, 1);
	cr_expect(strstr(got.messages,
			 "/nonexistent/job.yaml: cannot read the policy: No such file"));
}

Test(read, a_list_of_values_repeats_the_entry_in_every_combination)
{
	_cleanup_loaded_ struct loaded got = policy_load_text(
		"values: { a: [x, y], b: [1, 2, 3] }\nallow: [ \"{a}-{b}.example\" ]\n");

	cr_assert_eq(got.result, 0, "%s", got.messages);
	cr_expect_eq(got.policy->rule_count, 6);
	cr_expect_not_null(rule_with_text(got.policy, "y-3.example"));
}

Test(read, too_many_combinations_are_one_error)
{
	char text[16384], *end = text;
	_cleanup_loaded_ struct loaded got = {};

	for (char word = 'a'; word <= 'c'; word++) {
		end += sprintf(end, word == 'a' ? "values:\n  %c: [x0" : "  %c: [x0", word);
		for (int i = 1; i < 400; i++)
			end += sprintf(end, ", x%d", i);
		end += sprintf(end, "]\n");
	}
	sprintf(end, "allow: [ \"{a}{b}{c}.example\", b.example ]\n");
	got = policy_load_text(text);
	cr_expect_eq(got.result, -EINVAL);
	cr_expect_eq(got.diag.errors, 1);
	cr_expect(strstr(got.messages, "too many rules"), "%.200s", got.messages);
}

Test(read, a_value_that_no_entry_uses_is_a_warning)
{
	_cleanup_loaded_ struct loaded got = policy_load_text(
		"values: { vault: x, valut: y }\nallow: [ \"{vault}.example\" ]\n");

	cr_expect_eq(got.result, 0);
	cr_expect_str_eq(got.messages,
			 "job.yaml:1:21: warning: no entry has a placeholder {valut}\n");
}

Test(read, an_entry_left_out_for_a_word_without_a_value_is_a_warning)
{
	_cleanup_loaded_ struct loaded got = policy_load_text(
		"organization: contoso\nallow:\n  - a.example\n"
		"  - { to: b.example, if: organisation }\n"
		"  - { to: c.example, if: organization }\n");

	cr_assert_eq(got.result, 0, "%s", got.messages);
	cr_expect_eq(got.policy->rule_count, 2);
	cr_expect_str_eq(got.messages, "job.yaml:4:26: warning: 'if: organisation' has no value: "
				       "the entry is left out\n");
}

Test(read, without_file_preset_or_target_the_policy_is_azure_devops)
{
	struct policy_request request = {};
	_cleanup_loaded_ struct loaded got = policy_load_request(&request);

	cr_assert_eq(got.result, 0, "%s", got.messages);
	cr_expect_str_eq(got.policy->name, "azure-devops");
	cr_expect_str_eq(rule_with_text(got.policy, "https://dev.azure.com")->source,
			 "preset azure-devops");
}

Test(read, targets_of_the_command_line_stand_alone)
{
	const char *allow[] = { "a.example", "tcp://192.0.2.1:80", NULL }, *none[] = { NULL };
	struct policy_request request = { .allow = allow, .presets = none };
	_cleanup_loaded_ struct loaded got = policy_load_request(&request);

	cr_assert_eq(got.result, 0, "%s", got.messages);
	cr_expect_eq(got.policy->rule_count, 2);
	cr_expect_eq(got.policy->rules[0].line, 0);
	cr_expect_str_eq(got.policy->name, "command-line");
}

Test(read, empty_lists_of_the_command_line_are_none)
{
	const char *none[] = { NULL };
	struct policy_request request = { .allow = none, .presets = none };
	_cleanup_loaded_ struct loaded got = policy_load_request(&request);

	cr_assert_eq(got.result, 0);
	cr_expect_str_eq(got.policy->name, "azure-devops");
}

Test(read, the_command_line_adds_to_a_file_and_overrides_it)
{
	static const char text[] =
		"mode: audit\norganization: contoso\nallow: [ '{organization}.example' ]\n";
	const char *presets[] = { "go", "go", NULL }, *allow[] = { "b.example", NULL };
	struct policy_request request = {
		.presets = presets, .allow = allow, .organization = "fabrikam", .mode = "enforce",
	};
	_cleanup_loaded_ struct loaded got = policy_load_bytes(text, strlen(text), &request);

	cr_assert_eq(got.result, 0, "%s", got.messages);
	cr_expect_eq(got.policy->mode, MODE_ENFORCE);
	cr_expect_str_eq(got.policy->rules[0].text, "fabrikam.example");
	cr_expect_not_null(rule_with_text(got.policy, "https://proxy.golang.org"));
	cr_expect_str_eq(rule_with_text(got.policy, "b.example")->source, "--allow");
	cr_expect_str_eq(got.policy->name, "job");
}

Test(read, a_preset_named_twice_is_read_once)
{
	_cleanup_loaded_ struct loaded once = policy_load_text("presets: [go]\n");
	_cleanup_loaded_ struct loaded twice = policy_load_text("presets: [go, go]\n");

	cr_assert_eq(twice.result, 0, "%s", twice.messages);
	cr_expect_eq(twice.policy->rule_count, once.policy->rule_count);
}

Test(read, errors_of_the_command_line_name_the_option)
{
	const char *presets[] = { "gp", NULL }, *allow[] = { "10.0.0", NULL };
	struct policy_request request = {
		.presets = presets, .allow = allow, .organization = "a/b", .mode = "off",
	};
	_cleanup_loaded_ struct loaded got = policy_load_request(&request);

	cr_expect_eq(got.result, -EINVAL);
	cr_expect_eq(got.diag.errors, 4);
	cr_expect(strstr(got.messages, "--organization: 'a/b' is not"), "%s", got.messages);
	cr_expect(strstr(got.messages, "--preset: unknown preset 'gp'"), "%s", got.messages);
	cr_expect(strstr(got.messages, "--allow: '10.0.0': "), "%s", got.messages);
	cr_expect(strstr(got.messages, "--mode: mode is"), "%s", got.messages);
}

Test(read, the_hash_changes_with_everything_that_was_read)
{
	static const char one[] = "allow: [ a.example ]\n", two[] = "allow: [ a.example ] # x\n";
	const char *allow[] = { "b.example", NULL }, *presets[] = { "go", NULL };
	struct policy_request requests[] = {
		{}, {}, { .allow = allow }, { .presets = presets }, { .organization = "contoso" },
		{ .mode = "audit" },
	};
	char hashes[ARRAY_SIZE(requests)][65];

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		const char *text = i == 1 ? two : one;
		_cleanup_loaded_ struct loaded got =
			policy_load_bytes(text, strlen(text), &requests[i]);
		struct policy_request again = requests[i];
		_cleanup_loaded_ struct loaded same = policy_load_bytes(text, strlen(text), &again);

		cr_assert_eq(got.result, 0, "%s", got.messages);
		cr_expect_str_eq(got.policy->hash, same.policy->hash);
		strcpy(hashes[i], got.policy->hash);
		for (size_t j = 0; j < i; j++)
			cr_expect_str_neq(hashes[i], hashes[j]);
	}
}

Test(read, messages_show_as_text_what_a_terminal_or_a_pipeline_would_obey)
{
	static const struct { const char *key, *shown; } rows[] = {
		{ "a\\e[31m\\nb", "'a\\x1b[31m\\x0ab'" },
		{ "##vso[x.y]", "'\\x23#vso[x.y]'" },
		{ "##[error]", "'\\x23#[error]'" },
		{ "\\u009b2J\\u202e", "'\\xc2\\x9b2J\\xe2\\x80\\xae'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *policy = NULL, *message = NULL;
		_cleanup_loaded_ struct loaded got = {};

		cr_assert_gt(asprintf(&policy, "\"%s\": x\n", rows[i].key), 0);
		cr_assert_gt(asprintf(&message, "unknown key %s", rows[i].shown), 0);
		got = policy_load_text(policy);
		cr_expect(strstr(got.messages, message), "%s", got.messages);
	}
}

Test(read, a_hundred_thousand_names_are_read)
{
	_cleanup_free_ char *text = malloc(2 << 20);
	_cleanup_loaded_ struct loaded got = {};
	char *end = text + sprintf(text, "allow:\n");

	for (int i = 0; i < 100000; i++)
		end += sprintf(end, "- n%x.x\n", i);
	got = policy_load_text(text);
	cr_assert_eq(got.result, 0, "%s", got.messages);
	cr_expect_eq(got.policy->rule_count, 100000);
}
