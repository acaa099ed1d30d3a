/* SPDX-License-Identifier: GPL-2.0 */
/* The compiler: inheritance, order, built-in rules, search domains, limits, and speed. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "generate.h"
#include "image_judge.h"
#include "policy/compile.h"

#define NOW	1000000

static struct image *compiled(const struct policy *policy, const struct machine_dns *dns)
{
	struct diagnostics diag = {};
	struct image *image = NULL;
	int r = policy_compile(policy, dns, NOW, &diag, &image);

	cr_assert_eq(r, 0, "policy_compile: %s", strerror(-r));
	return image;
}

Test(compile, a_reversed_name_ends_in_a_dot)
{
	uint8_t key[NAME_LEN] = {};

	cr_assert_eq(name_reverse("dev.azure.com", key), 14);
	cr_assert_arr_eq(key, "moc.eruza.ved.", 14);
	cr_assert_eq(name_reverse("", key), 0);
}

struct name_case {
	char list[2][16];		/* of two rules: allow, deny, expected, expired, - */
	char pattern[2][48];
	char name[48];
	enum rule_action question;
	uint32_t question_rule;
	uint16_t count;
	uint8_t known;
};

ParameterizedTestParameters(compile, a_name_has_its_own_rules_and_those_of_what_covers_it)
{
	static struct name_case cases[] = {
		{ { "allow", "-" }, { "a.example", "" }, "a.example", ACTION_ALLOW, 1, 1, 1 },
		{ { "allow", "-" }, { "a.example", "" }, "b.a.example", ACTION_DENY, 0, 0, 0 },
		{ { "allow", "-" }, { "*.a.example", "" }, "a.example", ACTION_DENY, 0, 0, 0 },
		{ { "allow", "-" }, { "*.a.example", "" }, "b.a.example", ACTION_ALLOW, 1, 1, 1 },
		{ { "allow", "-" }, { "*.a.example", "" }, "ba.example", ACTION_DENY, 0, 0, 0 },
		{ { "allow", "-" }, { "*cdn.example", "" }, "cdn.example", ACTION_ALLOW, 1, 1, 1 },
		{ { "allow", "-" }, { "*cdn.example", "" }, "xcdn.example", ACTION_ALLOW, 1, 1, 1 },
		{ { "allow", "-" }, { "*cdn.example", "" }, "y.xcdn.example", ACTION_ALLOW, 1, 1, 1 },
		{ { "allow", "-" }, { "*cdn.example", "" }, "dn.example", ACTION_DENY, 0, 0, 0 },
		{ { "allow", "allow" }, { "*.example", "tcp://a.example:80" }, "a.example", ACTION_ALLOW,
		  2, 2, 1 },
		{ { "allow", "deny" }, { "*.example", "a.example" }, "a.example", ACTION_DENY, 2, 1, 1 },
		{ { "allow", "deny" }, { "*.example", "a.example" }, "b.example", ACTION_ALLOW, 1, 1, 1 },
		{ { "deny", "allow" }, { "*.example", "a.example" }, "a.example", ACTION_DENY, 1, 1, 1 },
		{ { "allow", "deny" }, { "tcp://*.example:80-90", "tcp://a.example:80-89" }, "a.example",
		  ACTION_ALLOW, 1, 2, 1 },
		{ { "expected", "-" }, { "*.example", "" }, "a.example", ACTION_EXPECTED, 1, 1, 0 },
		{ { "expected", "deny" }, { "*.example", "a.example" }, "a.example", ACTION_DENY, 2, 2, 0 },
		{ { "expired", "-" }, { "*.example", "" }, "a.example", ACTION_EXPIRED, 1, 1, 0 },
		{ { "expired", "expected" }, { "*.example", "a.example" }, "a.example", ACTION_EXPECTED, 2,
		  2, 0 },
	};

	return cr_make_param_array(struct name_case, cases, ARRAY_SIZE(cases));
}

static void case_rule_add(struct policy *policy, const char *list, const char *pattern)
{
	static const struct {
		const char *name;
		enum rule_list list;
	} lists[] = {
		{ "allow", LIST_ALLOW }, { "deny", LIST_DENY }, { "expected", LIST_EXPECTED },
		{ "expired", LIST_ALLOW },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct rule *rule;

		if (strcmp(list, lists[i].name))
			continue;
		rule = policy_text_add(policy, lists[i].list, pattern);
		rule->expires = !strcmp(list, "expired") ? NOW : NOW + 1;
	}
}

ParameterizedTest(struct name_case *row, compile,
		  a_name_has_its_own_rules_and_those_of_what_covers_it)
{
	_cleanup_policy_ struct policy *policy = policy_new(2);
	_cleanup_image_ struct image *image = NULL;
	const struct rule_run *found;
	struct rule_run run = {};

	for (size_t i = 0; i < 2; i++)
		case_rule_add(policy, row->list[i], row->pattern[i]);
	image = compiled(policy, NULL);
	found = image_name_run(image, row->name);
	if (found)
		run = *found;
	cr_expect_eq(run.question, row->question, "question %d", run.question);
	cr_expect_eq(run.question_rule, row->question_rule, "question_rule %u", run.question_rule);
	cr_expect_eq(run.count, row->count, "count %u", run.count);
	cr_expect_eq(run.known, row->known);
}

/* Whether what is left after the denies is nothing. */
Test(compile, a_name_may_be_asked_for_while_one_port_of_one_protocol_is_left)
{
	static const struct {
		const char *allow;
		const char *deny[3];
		bool allowed;
	} cases[] = {
		{ "tcp://x.example:80-90", { "tcp://x.example:80-85", "tcp://*.example:86-90" }, false },
		{ "tcp://x.example:80-90", { "tcp://x.example:80-84", "tcp://*.example:86-90" }, true },
		{ "tcp://x.example:80-90", { "udp://x.example:1-65535" }, true },
		{ "tcp://x.example:80-90", { "x.example" }, false },
		{ "any://x.example", { "tcp://x.example:1-65535", "udp://x.example:1-65535" }, true },
		{ "any://x.example:5-9", { "tcp://x.example:5-9", "udp://x.example:1-9" }, false },
		{ "any://x.example:5-9", { "tcp://x.example:5-9", "udp://x.example:1-8" }, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_policy_ struct policy *policy = policy_new(4);
		_cleanup_image_ struct image *image = NULL;

		policy_text_add(policy, LIST_ALLOW, cases[i].allow);
		for (size_t d = 0; d < 3 && cases[i].deny[d]; d++)
			policy_text_add(policy, LIST_DENY, cases[i].deny[d]);
		image = compiled(policy, NULL);
		cr_expect_eq(image_question(image, "x.example").allowed, cases[i].allowed,
			     "row %zu", i);
	}
}

Test(compile, a_name_may_be_asked_for_while_protocols_without_ports_are_left)
{
	_cleanup_policy_ struct policy *policy = policy_new(4);
	_cleanup_image_ struct image *without_ports = NULL, *none = NULL;

	policy_text_add(policy, LIST_ALLOW, "any://x.example");
	policy_text_add(policy, LIST_DENY, "tcp://x.example:1-65535")->target.port_low = 0;
	policy_text_add(policy, LIST_DENY, "udp://x.example:1-65535")->target.port_low = 0;
	without_ports = compiled(policy, NULL);
	cr_expect(image_question(without_ports, "x.example").allowed);
	policy_text_add(policy, LIST_DENY, "any://x.example:1-2")->target.port_low = 0;
	none = compiled(policy, NULL);
	cr_expect_not(image_question(none, "x.example").allowed);
}

Test(compile, a_rule_whose_last_day_has_passed_is_gone_but_a_refusal_can_name_it)
{
	_cleanup_policy_ struct policy *policy = policy_new(3);
	_cleanup_image_ struct image *image = NULL;
	struct verdict verdict;

	policy_text_add(policy, LIST_ALLOW, "a.example")->expires = NOW;
	policy_text_add(policy, LIST_ALLOW, "b.example");
	policy_text_add(policy, LIST_DENY, "b.example")->expires = NOW;
	image = compiled(policy, NULL);
	verdict = image_question(image, "a.example");
	cr_expect_not(verdict.allowed);
	cr_expect_eq(verdict.reason, REASON_EXPIRED);
	cr_expect_eq(verdict.rule, 1);
	cr_expect(image_question(image, "b.example").allowed);
}

Test(compile, every_name_has_an_alias_below_each_search_domain)
{
	_cleanup_policy_ struct policy *policy = policy_new(3);
	_cleanup_image_ struct image *image = NULL;
	struct machine_dns dns = { .search = { "corp.example", "lab.test" }, .search_count = 2 };
	char long_name[NAME_LEN] = {};

	memset(long_name, 'a', 250);
	for (size_t i = 50; i < 250; i += 50)
		long_name[i] = '.';
	policy_text_add(policy, LIST_ALLOW, "registry");
	policy_text_add(policy, LIST_ALLOW, "*.feed.example");
	policy_text_add(policy, LIST_ALLOW, long_name);
	image = compiled(policy, &dns);
	cr_expect_eq(image->name_count, 7, "the long name has no alias: %zu", image->name_count);
	cr_expect_eq(image_question(image, "registry").rule, 1);
	cr_expect_eq(image_question(image, "registry.corp.example").rule, 1);
	cr_expect_eq(image_question(image, "x.feed.example.lab.test").rule, 2);
	cr_expect_not(image_question(image, "feed.example.lab.test").allowed);
	cr_expect_not(image_question(image, "other.corp.example").allowed);
	cr_expect(image_question(image, long_name).allowed);
}

Test(compile, settings_take_the_resolvers_of_the_machine_or_those_of_the_policy)
{
	_cleanup_policy_ struct policy *policy = policy_new(0);
	_cleanup_image_ struct image *automatic = NULL, *given = NULL;
	struct machine_dns dns = { .resolvers = { { 1 }, { 2 } }, .resolver_count = 2 };

	automatic = compiled(policy, &dns);
	cr_expect_eq(automatic->settings.resolver_count, 2);
	cr_expect_eq(automatic->settings.resolvers[1][0], 2);
	cr_expect_eq(automatic->settings.min_ttl_ns, 600ULL * 1000000000);
	cr_expect_eq(automatic->settings.loaded, 1);
	cr_expect_eq(automatic->settings.private_answers, 1);
	policy->resolvers_auto = false;
	policy->resolvers[0][0] = 3;
	policy->resolver_count = 1;
	given = compiled(policy, &dns);
	cr_expect_eq(given->settings.resolver_count, 1);
	cr_expect_eq(given->settings.resolvers[0][0], 3);
}

Test(compile, more_port_rules_than_a_run_holds_are_refused_and_the_entry_is_named)
{
	_cleanup_policy_ struct policy *policy = policy_new(RUN_MAX + 3);
	_cleanup_free_ char *message = NULL;
	_cleanup_image_ struct image *image = NULL;
	struct diagnostics diag = {};
	char text[64];
	size_t len;

	diag.out = open_memstream(&message, &len);
	for (unsigned int i = 0; i < RUN_MAX; i++) {
		snprintf(text, sizeof(text), "tcp://*.example:%u", 1000 + i);
		policy_text_add(policy, LIST_ALLOW, text);
	}
	/* What another rule covers does not count. */
	policy_text_add(policy, LIST_ALLOW, "tcp://a.example:1000-1001");
	image = compiled(policy, NULL);
	policy_text_add(policy, LIST_ALLOW, "tcp://b.example:1");
	cr_expect_eq(policy_compile(policy, NULL, NOW, &diag, &image), -E2BIG);
	fclose(diag.out);
	cr_expect_eq(diag.errors, 1);
	cr_expect(strstr(message, "test.yaml:66:1: 'tcp://b.example:1' has more than 64"), "%s",
		  message);
}

struct builtin_limit_case {
	enum rule_list list;
	unsigned int fit;	/* entries that are not too many */
};

/* Of the cloud's host, three port rules are built in; a wider entry's come on top. */
ParameterizedTestParameters(compile, what_is_built_in_counts_too)
{
	static struct builtin_limit_case cases[] = {
		{ LIST_ALLOW, RUN_MAX - 3 },
		{ LIST_DENY, RUN_MAX - 3 },
		{ LIST_EXPECTED, RUN_MAX - 3 },
	};

	return cr_make_param_array(struct builtin_limit_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct builtin_limit_case *row, compile, what_is_built_in_counts_too)
{
	_cleanup_policy_ struct policy *policy = policy_new(RUN_MAX);
	_cleanup_free_ char *message = NULL;
	_cleanup_image_ struct image *fits = NULL, *image = NULL;
	struct diagnostics diag = {};
	char text[64];
	size_t len;

	diag.out = open_memstream(&message, &len);
	for (unsigned int i = 0; i < row->fit; i++) {
		snprintf(text, sizeof(text), "tcp://0.0.0.0/0:%u", 1000 + 2 * i);
		policy_text_add(policy, row->list, text);
	}
	fits = compiled(policy, NULL);
	policy_text_add(policy, row->list, "tcp://0.0.0.0/0:1");
	cr_expect_eq(policy_compile(policy, NULL, NOW, &diag, &image), -E2BIG);
	fclose(diag.out);
	cr_expect_eq(diag.errors, 1);
	cr_expect(strstr(message, "'tcp://0.0.0.0/0:"), "%s", message);
	cr_expect(strstr(message, "has more than 64"), "%s", message);
}

static bool keys_ascend(const struct image *image)
{
	for (size_t i = 1; i < image->name_count; i++) {
		const struct name_key *a = &image->names[i - 1].key, *b = &image->names[i].key;
		int order = memcmp(a->name, b->name, NAME_LEN);

		if (order > 0 || (!order && a->prefix_bits >= b->prefix_bits))
			return false;
	}
	for (size_t i = 1; i < image->prefix_count; i++) {
		const struct prefix_key *a = &image->prefixes[i - 1].key,
					*b = &image->prefixes[i].key;
		int order = memcmp(&a->direction, &b->direction, 1 + ADDR_LEN);

		if (order > 0 || (!order && a->prefix_bits >= b->prefix_bits))
			return false;
	}
	return true;
}

/* How long it takes, `make bench` says; what grows with the square of them would take hours. */
Test(compile, takes_a_hundred_thousand_names_and_prefixes, .timeout = 60)
{
	_cleanup_policy_ struct policy *names = policy_new(100001), *prefixes = policy_new(100001);
	_cleanup_image_ struct image *name_image = NULL, *prefix_image = NULL;
	struct target target = { .protocol = IPPROTO_TCP, .port_low = 443, .port_high = 443 };

	for (uint32_t i = 0; i < 100000; i++) {
		snprintf(target.name, sizeof(target.name), "host%u.zone%u.example.com",
			 i * 7919 % 100000, i % 100);
		policy_rule_add(names, LIST_ALLOW, &target);
		memcpy(target.addr,
		       (uint8_t[]){ 0x20, 1, 0xd, 0xb8, (uint8_t)(i >> 16), (uint8_t)(i >> 8),
				    (uint8_t)(i * 3) },
		       7);
		target.kind = TARGET_PREFIX;
		target.prefix_bits = (uint8_t)(56 + i % 72);
		policy_rule_add(prefixes, LIST_ALLOW, &target);
		target.kind = TARGET_NAME;
	}
	name_image = compiled(names, NULL);
	prefix_image = compiled(prefixes, NULL);
	cr_expect_eq(name_image->name_count, 100000);
	cr_expect(keys_ascend(name_image));
	cr_expect(keys_ascend(prefix_image));
}

Test(compile, equal_runs_are_kept_once)
{
	_cleanup_policy_ struct policy *policy = policy_new(1);
	_cleanup_image_ struct image *empty = compiled(policy, NULL), *image = NULL;
	struct machine_dns dns = { .search = { "a.test", "b.test" }, .search_count = 2 };

	policy_text_add(policy, LIST_ALLOW, "*.example");
	image = compiled(policy, &dns);
	cr_expect_eq(image->name_count, 3);
	cr_expect_eq(image->port_rule_count, empty->port_rule_count + 1, "%zu",
		     image->port_rule_count);
}
