/* SPDX-License-Identifier: GPL-2.0 */
/* Comparing policies: by hand-made pairs, and against explain on generated ones. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "generate.h"
#include "policy/diff.h"
#include "policy/target.h"
#include "policy/write.h"

#define NOW		1000000
#define PAIRS		5000
#define QUERIES		20
#define RULES_MAX	5
#define CHANGES_MAX	4096

struct row {
	char a[RULES_MAX][40];		/* "+x" allow, "-x" deny, "<x" inbound */
	char b[RULES_MAX][40];
	char changes[200];
};

ParameterizedTestParameters(diff, says_what_is_opened_and_closed)
{
	static struct row rows[] = {
		{ { "+a.example" }, { "+a.example" }, "" },
		{ { "+a.example", "+b.example" }, { "+b.example", "+a.example" }, "" },
		{ { "+tcp://a.example:80-89" }, { "+tcp://a.example:80-84", "+tcp://a.example:85-89" }, "" },
		{ { "+*.example" }, { "+*.example", "+a.example" }, "" },
		{ { "+a.example" }, { "+a.example", "-b.example" }, "" },
		{ {}, { "+a.example" }, "+ tcp/443 a.example 1\n" },
		{ { "+a.example" }, {}, "- tcp/443 a.example 1\n" },
		{ { "+a.example" }, { "+a.example", "-a.example" }, "- tcp/443 a.example 1 cut by 2\n" },
		{ {}, { "+any://a.example" }, "+ any a.example 1\n" },
		{ { "+tcp://a.example:80-89" }, { "+tcp://a.example:85-95" },
		  "- tcp/80-84 a.example 1\n+ tcp/90-95 a.example 1\n" },
		{ { "+a.example" }, { "+*.example" }, "+ tcp/443 *.example 1\n" },
		{ {}, { "+*.example", "-a.example" }, "+ tcp/443 *.example 1\n! tcp/443 a.example\n" },
		{ { "+*cdn.example" }, {}, "- tcp/443 *cdn.example 1\n" },
		{ { "+tcp://10.0.0.0/8:1" }, { "+tcp://10.0.0.0/9:1" },
		  "- tcp/1 10.0.0.0/8 1\n! tcp/1 10.0.0.0/9\n" },
		{ {}, { "<tcp://10.0.0.0/8:1" }, "+ in tcp/1 10.0.0.0/8 1\n" },
		{ { "-127.0.0.1" }, {}, "+ any 127.0.0.1\n" },
	};

	return cr_make_param_array(struct row, rows, ARRAY_SIZE(rows));
}

static struct policy *row_policy(char rules[RULES_MAX][40])
{
	struct policy *policy = policy_new(RULES_MAX);

	for (size_t i = 0; i < RULES_MAX && rules[i][0]; i++)
		policy_text_add(policy,
				rules[i][0] == '+' ? LIST_ALLOW :
				rules[i][0] == '-' ? LIST_DENY : LIST_INBOUND, rules[i] + 1);
	return policy;
}

static void change_write(const struct diff_change *change, void *context)
{
	char host[TARGET_TEXT_LEN], ports[PORTS_TEXT_LEN];
	struct text *text = context;

	target_format_host(&change->target, host);
	target_format_ports(&change->target, ports);
	text_printf(text, "%c %s%s %s", " +-!"[change->kind],
		    change->direction == DIRECTION_IN ? "in " : "", ports, host);
	if (change->rule)
		text_printf(text, " %u", change->rule->id);
	if (change->denied_by)
		text_printf(text, " cut by %u", change->denied_by->id);
	text_printf(text, "\n");
}

ParameterizedTest(struct row *row, diff, says_what_is_opened_and_closed)
{
	_cleanup_policy_ struct policy *a = row_policy(row->a), *b = row_policy(row->b);
	_cleanup_text_ struct text text = {};
	struct diagnostics diag = {};

	text_add(&text, "", 0);
	cr_assert_eq(policy_diff(a, b, NOW, &diag, change_write, &text), 0);
	cr_expect_str_eq(text.bytes, row->changes);
}

struct changes {
	struct diff_change list[CHANGES_MAX];
	size_t count;
};

static void change_keep(const struct diff_change *change, void *context)
{
	struct changes *changes = context;

	cr_assert_lt(changes->count, CHANGES_MAX);
	changes->list[changes->count++] = *change;
}

static bool change_covers(const struct diff_change *change, const struct query *query)
{
	const struct target *outer = &change->target;
	struct target host = { .kind = query->by_name ? TARGET_NAME : TARGET_PREFIX };
	bool has_ports = query->protocol == IPPROTO_TCP || query->protocol == IPPROTO_UDP;

	memcpy(host.name, query->name, NAME_LEN);
	memcpy(host.addr, query->addr, ADDR_LEN);
	host.prefix_bits = 8 * ADDR_LEN;
	if (change->direction != (enum flow_direction)query->direction ||
	    !target_host_covers(outer, &host))
		return false;
	if (change->portless)
		return !has_ports;
	return (!outer->protocol || outer->protocol == query->protocol) &&
	       outer->port_low <= query->port && query->port <= outer->port_high;
}

/* The last change that covers a flow is the one that is meant for it. */
static void query_check(const struct changes *changes, const struct query *query,
			const struct policy *a, const struct policy *b, uint64_t seed)
{
	enum diff_kind kind = DIFF_NONE;
	struct explanation in_a, in_b;
	bool is_wider = false;

	explain_flow(a, query, NOW, &in_a);
	explain_flow(b, query, NOW, &in_b);
	for (size_t i = 0; i < changes->count; i++) {
		if (!change_covers(&changes->list[i], query))
			continue;
		kind = changes->list[i].kind;
		is_wider |= kind != DIFF_EXCEPT;
	}
	if (in_a.allowed != in_b.allowed)
		cr_assert_eq(kind, in_b.allowed ? DIFF_OPENED : DIFF_CLOSED, "seed %lu", seed);
	/* A wider line may claim what was so before, but nothing that is not so now. */
	if (kind == DIFF_OPENED || kind == DIFF_CLOSED)
		cr_assert_eq(in_b.allowed, kind == DIFF_OPENED, "seed %lu", seed);
	if (kind == DIFF_EXCEPT)
		cr_assert(is_wider, "seed %lu: an exception to nothing", seed);
}

Test(diff, agrees_with_explain_on_generated_policies)
{
	static struct changes changes;

	for (uint64_t seed = 1; seed <= PAIRS; seed++) {
		struct generator generator = generator_seed(seed);
		_cleanup_policy_ struct policy *a = generate_policy(&generator, NOW);
		_cleanup_policy_ struct policy *b = generate_policy(&generator, NOW);
		struct diagnostics diag = {};

		/* What these two open is told by policy_diff_settings(). */
		b->loopback_allowed = a->loopback_allowed;
		b->metadata_allowed = a->metadata_allowed;
		changes.count = 0;
		cr_assert_eq(policy_diff(a, b, NOW, &diag, change_keep, &changes), 0);
		for (unsigned int i = 0; i < QUERIES; i++) {
			struct query query;

			generate_query(&generator, i % 2 ? a : b, &query);
			/* Either rules of names or of addresses; DNS has its own. */
			query.has_addr = !query.by_name;
			if (query.port == 53 || query.addr[15] == 11)
				continue;
			query_check(&changes, &query, a, b, seed);
		}
	}
}

static void setting_write(const struct diff_setting *setting, void *context)
{
	text_printf(context, "%s %s %s\n", setting->name, setting->a, setting->b);
}

Test(diff, says_which_settings_differ)
{
	_cleanup_policy_ struct policy *a = policy_new(0), *b = policy_new(0);
	_cleanup_text_ struct text text = {};

	policy_diff_settings(a, a, setting_write, &text);
	cr_expect_eq(text.len, 0);
	b->mode = MODE_AUDIT;
	b->metadata_allowed = true;
	b->loopback_allowed = false;
	b->private_answers_allowed = false;
	b->min_ttl_s = 60;
	b->resolvers_auto = false;
	b->resolver_count = 1;
	b->resolvers[0][ADDR_LEN - 1] = 1;
	policy_diff_settings(a, b, setting_write, &text);
	cr_expect_str_eq(text.bytes,
			 "mode enforce audit\nmetadata deny allow\nloopback allow deny\n"
			 "private_answers allow deny\nmin_ttl 600s 60s\n"
			 "dns servers auto ::1\n");
}
