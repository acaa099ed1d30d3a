/* SPDX-License-Identifier: GPL-2.0 */
/* What `policy show` prints: YAML that reads back as the same policy, and JSON. */
#include "policy/write.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/target.h"
#include "policy_text.h"

static const char sample[] =
	"mode: audit\n"
	"metadata: allow\n"
	"loopback: deny\n"
	"private_answers: deny\n"
	"min_ttl: 90s\n"
	"dns: { servers: [192.0.2.53, \"2001:db8::53\"] }\n"
	"presets: [azure-devops, docker-networks]\n"
	"allow:\n"
	"  - https://A.example/path\n"
	"  - to: tcp://[2001:db8::]/32:80-90\n"
	"    name: \"a \\\"name\\\" \\\\ of # two: lines\\nsecond\\u00e4\"\n"
	"    reason: why\n"
	"    expires: 2030-02-28\n"
	"  - any://192.0.2.1\n"
	"deny: [ \"*.x.example\", any://y.example, \"z.example:80\" ]\n"
	"inbound: { allow: [ \"https://10.0.0.0/8\" ] }\n"
	"expected: [ 192.0.2.0/24 ]\n";

static char *shown(const struct policy *policy, int (*write)(const struct policy *, FILE *))
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	cr_assert_eq(write(policy, out), 0);
	fclose(out);
	return text;
}

/* As the next to read it would see it. */
static bool rule_has_equal(const struct policy *policy, const struct rule *rule)
{
	char text[TARGET_TEXT_LEN], other_text[TARGET_TEXT_LEN];

	target_format(&rule->target, rule->list, text);
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *other = &policy->rules[i];

		target_format(&other->target, other->list, other_text);
		if (other->list == rule->list && other->expires == rule->expires &&
		    !strcmp(other_text, text) &&
		    !strcmp(other->reason ? other->reason : "", rule->reason ? rule->reason : ""))
			return true;
	}
	return false;
}

Test(write, yaml_reads_back_as_the_same_policy)
{
	_cleanup_loaded_ struct loaded first = policy_load_text(sample);
	_cleanup_free_ char *text = shown(first.policy, policy_write_yaml);
	_cleanup_loaded_ struct loaded second = policy_load_text(text);

	cr_assert_eq(second.result, 0, "%s\n%s", second.messages, text);
	cr_expect_eq(second.policy->rule_count, first.policy->rule_count);
	cr_expect_eq(second.policy->mode, MODE_AUDIT);
	cr_expect(second.policy->metadata_allowed && !second.policy->loopback_allowed);
	cr_expect(!second.policy->private_answers_allowed);
	cr_expect_eq(second.policy->min_ttl_s, 90);
	cr_expect_eq(second.policy->resolver_count, 2);
	cr_expect(!memcmp(second.policy->resolvers, first.policy->resolvers,
			  sizeof(first.policy->resolvers)));
	for (size_t i = 0; i < first.policy->rule_count; i++)
		cr_expect(rule_has_equal(second.policy, &first.policy->rules[i]), "%s is lost\n%s",
			  first.policy->rules[i].text, text);
	cr_expect_str_eq(second.policy->rules[1].label, first.policy->rules[1].label);
}

Test(write, quoted_text_is_ascii_that_no_pipeline_obeys_and_reads_back_as_it_was)
{
	static const char *const names[] = {
		"##vso[x.y]", "###[", "# #", "#", "\\u009b2J\\u202e", "b\u00fccher",
		"\\U0001F511\\uFFFD", "\\x85\\xa0", "\\\\x23#", "\\\"\\e[31m\\t\\\\",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *policy = NULL, *text = NULL;
		_cleanup_loaded_ struct loaded first = {}, second = {};

		cr_assert_gt(asprintf(&policy, "allow: [ { to: a.example, name: \"%s\", "
				      "reason: \"%s\" } ]\n", names[i], names[i]), 0);
		first = policy_load_text(policy);
		cr_assert_eq(first.result, 0, "%s", first.messages);
		text = shown(first.policy, policy_write_yaml);
		for (const char *byte = text; *byte; byte++)
			cr_expect(*byte == '\n' || (*byte >= ' ' && *byte <= '~'), "%s", text);
		cr_expect_null(strstr(text, "##"), "%s", text);
		second = policy_load_text(text);
		cr_assert_eq(second.result, 0, "%s\n%s", second.messages, text);
		cr_expect_str_eq(second.policy->rules[0].label, first.policy->rules[0].label);
		cr_expect_str_eq(second.policy->rules[0].reason, first.policy->rules[0].reason);
	}
}

Test(write, each_rule_says_where_it_stands)
{
	_cleanup_loaded_ struct loaded got =
		policy_load_text("allow:\n  - a.example\npresets: [go]\n");
	_cleanup_free_ char *text = shown(got.policy, policy_write_yaml);

	cr_expect(strstr(text, "  - \"https://a.example\""), "%s", text);
	cr_expect(strstr(text, "# tcp/443, job.yaml:2\n"), "%s", text);
	cr_expect(strstr(text, "# tcp/443, preset go:"), "%s", text);
}

Test(write, a_file_s_name_cannot_add_a_line)
{
	char name[] = "x\nallow: []";
	struct rule rule = {
		.id = 1, .text = name, .label = name, .source = name, .line = 3,
		.target = { .name = "a.example", .protocol = 6, .port_low = 443, .port_high = 443 },
	};
	struct policy policy = { .name = name, .rules = &rule, .rule_count = 1 };
	_cleanup_free_ char *text = shown(&policy, policy_write_yaml);

	cr_expect(strstr(text, "# tcp/443, x\\x0aallow: []:3\n"), "%s", text);
}

Test(write, json_has_every_rule)
{
	_cleanup_loaded_ struct loaded got = policy_load_text(sample);
	_cleanup_free_ char *text = shown(got.policy, policy_write_json);
	json_t *json = json_loads(text, 0, NULL), *rule;

	cr_assert_not_null(json, "%s", text);
	cr_expect_eq(json_array_size(json_object_get(json, "rules")), got.policy->rule_count);
	rule = json_array_get(json_object_get(json, "rules"), 1);
	cr_expect_str_eq(json_string_value(json_object_get(rule, "target")),
			 "tcp://[2001:db8::]/32:80-90");
	cr_expect_str_eq(json_string_value(json_object_get(rule, "expires")), "2030-02-28");
	cr_expect_str_eq(json_string_value(json_object_get(rule, "name")),
			 got.policy->rules[1].label);
	cr_expect_str_eq(json_string_value(json_object_get(json, "mode")), "audit");
	cr_expect_eq(json_array_size(json_object_get(json, "dns_servers")), 2);
	json_decref(json);
}

Test(write, json_holds_names_that_are_not_utf8_escaped)
{
	const char *allow[] = { "https://a.example/\xff", NULL };
	struct policy_request request = { .allow = allow };
	_cleanup_loaded_ struct loaded got = policy_load_request(&request);
	_cleanup_free_ char *text = NULL;

	cr_assert_eq(got.result, 0, "%s", got.messages);
	text = shown(got.policy, policy_write_json);
	cr_expect(strstr(text, "https://a.example/\\\\x"), "%s", text);
}
