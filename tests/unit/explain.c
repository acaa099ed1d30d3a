/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The twin in userspace: verdicts by hand-made cases, and against the compiled image
 * on generated ones.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "generate.h"
#include "image_judge.h"

#define NOW		1000000
#define POLICIES	20000
#define QUERIES		10

static struct verdict verdict_of(const struct explanation *explanation)
{
	return (struct verdict){
		.allowed = explanation->allowed,
		.expected = explanation->expected,
		.reason = explanation->reason,
		.rule = explanation->rule ? explanation->rule->id : 0,
	};
}

static bool verdict_equal(const struct verdict *a, const struct verdict *b)
{
	return a->allowed == b->allowed && a->expected == b->expected && a->reason == b->reason &&
	       a->rule == b->rule;
}

static void verdicts_compare(const struct policy *policy, const struct verdict *explained,
			     const struct verdict *compiled, const struct query *query,
			     uint64_t seed)
{
	_cleanup_free_ char *text = NULL;
	char addr[INET6_ADDRSTRLEN];

	if (verdict_equal(explained, compiled))
		return;
	text = policy_describe(policy);
	inet_ntop(AF_INET6, query->addr, addr, sizeof(addr));
	cr_assert_fail("seed %lu: '%s' %s direction %u protocol %u port %u:\n"
		       "explain: allowed %d expected %d reason %d rule %u\n"
		       "image:   allowed %d expected %d reason %d rule %u\n%s",
		       seed, query->name, addr, query->direction, query->protocol, query->port,
		       explained->allowed, explained->expected, explained->reason, explained->rule,
		       compiled->allowed, compiled->expected, compiled->reason, compiled->rule,
		       text);
}

Test(explain, agrees_with_the_compiled_image_on_generated_policies)
{
	unsigned int seen[2 * REASON_COUNT] = {};

	for (uint64_t seed = 1; seed <= POLICIES; seed++) {
		struct generator generator = generator_seed(seed);
		_cleanup_policy_ struct policy *policy = generate_policy(&generator, NOW);
		_cleanup_image_ struct image *image = NULL;
		struct diagnostics diag = {};

		cr_assert_eq(policy_compile(policy, NULL, NOW, &diag, &image), 0);
		for (unsigned int i = 0; i < QUERIES; i++) {
			struct explanation explanation;
			struct verdict explained, compiled;
			struct query query, question = { .by_name = true };

			generate_query(&generator, policy, &query);
			explain_flow(policy, &query, NOW, &explanation);
			explained = verdict_of(&explanation);
			compiled = image_flow(image, &query);
			verdicts_compare(policy, &explained, &compiled, &query, seed);
			seen[explained.reason + (explained.allowed ? REASON_COUNT : 0)]++;

			generate_name(&generator, policy, question.name);
			explain_question(policy, question.name, NOW, &explanation);
			explained = verdict_of(&explanation);
			compiled = image_question(image, question.name);
			verdicts_compare(policy, &explained, &compiled, &question, seed);
			seen[explained.reason + (explained.allowed ? REASON_COUNT : 0)]++;
		}
	}
	/* Every outcome must have been compared often, or the generator is too tame. */
	for (enum refusal_reason reason = 0; reason < REASON_COUNT; reason++) {
		if (reason == REASON_DNS_MALFORMED || reason == REASON_SOCKET_TYPE ||
		    reason == REASON_TLS_NAME || reason == REASON_TAMPER)
			continue;
		cr_log_info("reason %d: %u times", reason, seen[reason]);
		cr_expect_gt(seen[reason], 500, "reason %d: %u times", reason, seen[reason]);
	}
	cr_expect_gt(seen[REASON_COUNT], 20000, "allowed: %u times", seen[REASON_COUNT]);
}

/* As tests/bpf/question.c has it of the kernel. */
Test(explain, a_star_stands_for_no_more_than_the_kernel_lets_pass)
{
	static const struct {
		const char *rule, *end;
		unsigned int most;	/* letters in front of `end` */
	} rows[] = {
		{ "*.feeds.example", ".feeds.example", STAR_MAX_LEN - 1 },
		{ "*feeds.example", "feeds.example", STAR_MAX_LEN - 1 },
		{ "*.example", ".feeds.example", STAR_MAX_LEN - 1 - strlen("feeds.") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_policy_ struct policy *policy = policy_new(2);
		struct explanation explanation;
		char name[NAME_LEN];

		policy_text_add(policy, LIST_ALLOW, rows[i].rule);
		for (unsigned int more = 0; more < 2; more++) {
			memset(name, 'a', rows[i].most + more);
			strcpy(name + rows[i].most + more, rows[i].end);
			explain_question(policy, name, NOW, &explanation);
			cr_expect_eq(explanation.allowed, !more, "%s: %s", rows[i].rule, name);
			cr_expect(explanation.allowed || explanation.reason == REASON_DNS_NAME);
			cr_expect(explanation.rule && explanation.rule->id == 1);
		}
		/* A name of its own leaves less to the star. */
		policy_text_add(policy, LIST_ALLOW, "aaaa.feeds.example");
		memcpy(name + rows[i].most + 1 - strlen("aaaa"), "aaaa", strlen("aaaa"));
		if (rows[i].end[0] == '.')
			name[rows[i].most - strlen("aaaa")] = '.';
		explain_question(policy, name, NOW, &explanation);
		cr_expect_eq(explanation.allowed, rows[i].end[0] == '.', "%s", name);
	}
}

Test(explain, names_the_rules_that_nearly_allowed_what_was_refused)
{
	static const struct {
		const char *name;
		uint16_t port;
		uint32_t near;		/* the first near rule; 0: none */
	} cases[] = {
		{ "dev.azure.com", 22, 1 },		/* another port */
		{ "dev.azure.con", 443, 1 },		/* a slip of the pen */
		{ "x.dev.azure.com", 443, 1 },		/* below an exact name */
		{ "feeds.example", 443, 2 },		/* *.x is not x */
		{ "elsewhere.test", 443, 0 },
	};
	_cleanup_policy_ struct policy *policy = policy_new(2);

	policy_text_add(policy, LIST_ALLOW, "dev.azure.com");
	policy_text_add(policy, LIST_ALLOW, "*.feeds.example");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct query query = { .by_name = true,
				       .protocol = IPPROTO_TCP,
				       .port = cases[i].port };
		struct explanation explanation;

		strcpy(query.name, cases[i].name);
		explain_flow(policy, &query, NOW, &explanation);
		cr_expect_not(explanation.allowed);
		cr_expect_eq(explanation.near_count ? explanation.near[0]->id : 0, cases[i].near,
			     "%s", cases[i].name);
	}
}

Test(explain, dns_goes_to_the_resolvers_alone)
{
	_cleanup_policy_ struct policy *policy = policy_new(1);
	struct query query = { .has_addr = true, .protocol = IPPROTO_UDP, .port = 53 };
	struct explanation explanation;

	policy_text_add(policy, LIST_ALLOW, "udp://192.0.2.53:53");
	memcpy(query.addr, policy->rules[0].target.addr, ADDR_LEN);
	explain_flow(policy, &query, NOW, &explanation);
	cr_expect_not(explanation.allowed);
	cr_expect_eq(explanation.reason, REASON_DNS_SERVER);
	query.to_resolver = true;
	explain_flow(policy, &query, NOW, &explanation);
	cr_expect(explanation.allowed);
}
