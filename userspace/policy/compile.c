/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a policy to the kernel's image: settings, and what a rule does. Flattening is the work of
 * compile_names.c and compile_prefixes.c, with runs.c.
 */
#include "compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "compile_internal.h"

#define NS_PER_S	1000000000ULL

bool compile_port_rule(const struct rule *rule, time_t now, struct port_rule *ret_port_rule)
{
	struct port_rule port_rule = {
		.port_low = rule->target.port_low,
		.port_high = rule->target.port_high,
		.protocol = rule->target.protocol,
		.rule = rule->id,
	};
	bool expired = rule->expires && rule->expires <= now;

	switch (rule->list) {
	case LIST_ALLOW:
		port_rule.action = expired ? ACTION_EXPIRED : ACTION_ALLOW;
		break;
	case LIST_INBOUND:
		port_rule.action = ACTION_ALLOW;
		break;
	case LIST_DENY:
		port_rule.action = ACTION_DENY;
		port_rule.reason = REASON_DENIED_BY_RULE;
		break;
	case LIST_EXPECTED:
		port_rule.action = ACTION_EXPECTED;
		break;
	default:
		return false;
	}
	if (expired && rule->list != LIST_ALLOW)
		return false;
	*ret_port_rule = port_rule;
	return true;
}

int compile_too_many(struct compiler *compiler, const struct rule *rule)
{
	diagnostics_error(compiler->diag, rule->source, rule->line, rule->column,
			  "'%s' has more than %d port rules, counting those of the wider entries that "
			  "cover it and what is built in; join their ports into ranges",
			  rule->text, RUN_MAX);
	return -E2BIG;
}

static void settings_fill(const struct compiler *compiler, struct policy_settings *settings)
{
	const struct policy *policy = compiler->policy;
	const struct machine_dns *dns = compiler->dns;

	*settings = (struct policy_settings){
		.min_ttl_ns = policy->min_ttl_s * NS_PER_S,
		.loaded = 1,
		.private_answers = policy->private_answers_allowed,
	};
	if (!policy->resolvers_auto) {
		settings->resolver_count = (uint8_t)policy->resolver_count;
		memcpy(settings->resolvers, policy->resolvers, sizeof(settings->resolvers));
	} else if (dns) {
		settings->resolver_count = (uint8_t)dns->resolver_count;
		memcpy(settings->resolvers, dns->resolvers, sizeof(settings->resolvers));
	}
}

/* Different runs: two for each key of a name, one for each key of a prefix. */
static size_t runs_max(const struct policy *policy, const struct machine_dns *dns)
{
	size_t aliases = dns ? dns->search_count : 0;

	return 2 * (policy->rule_count + 16) * (1 + aliases);
}

static void compiler_release(struct compiler *compiler)
{
	run_pool_free(&compiler->pool);
	image_free(compiler->image);
}

/* The lengths of ::ffff:127.0.0.0/104 and ::1/128, behind the direction. */
static bool prefix_is_loopback(const struct prefix_key *key)
{
	static const uint8_t v4[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127 };
	static const uint8_t v6[ADDR_LEN] = { [ADDR_LEN - 1] = 1 };

	if (key->prefix_bits >= 8 + 8 * sizeof(v4) && !memcmp(key->addr, v4, sizeof(v4)))
		return true;
	return key->prefix_bits == 8 + 8 * ADDR_LEN && !memcmp(key->addr, v6, ADDR_LEN);
}

/* Is all of loopback allowed? Its runs hold what wider entries say, and denies stand first. */
static bool loopback_is_open(const struct image *image)
{
	bool open = false;

	for (size_t i = 0; i < image->prefix_count; i++) {
		const struct rule_run *run = &image->prefixes[i].rule.run;

		if (!prefix_is_loopback(&image->prefixes[i].key))
			continue;
		if (!run->count || image->port_rules[run->first].action != ACTION_ALLOW)
			return false;
		open = true;
	}
	return open;
}

int policy_compile(const struct policy *policy, const struct machine_dns *dns, time_t now,
		   struct diagnostics *diag, struct image **ret_image)
{
	_cleanup_(compiler_release) struct compiler compiler = {
		.policy = policy, .dns = dns, .now = now, .diag = diag,
		.image = calloc(1, sizeof(*compiler.image)),
	};
	struct image *image = compiler.image;
	int r;

	if (!image)
		return -ENOMEM;
	r = run_pool_init(&compiler.pool, runs_max(policy, dns));
	if (!r)
		r = compile_names(&compiler);
	if (!r)
		r = compile_prefixes(&compiler);
	if (r)
		return r;
	settings_fill(&compiler, &image->settings);
	image->port_rules = TAKE_PTR(compiler.pool.rules);
	image->port_rule_count = compiler.pool.count;
	image->settings.loopback_open = loopback_is_open(image);
	*ret_image = TAKE_PTR(compiler.image);
	return 0;
}

void image_free(struct image *image)
{
	if (!image)
		return;
	free(image->names);
	free(image->prefixes);
	free(image->port_rules);
	free(image);
}
