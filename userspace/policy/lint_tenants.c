/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names behind which strangers can have a place of their own, so that allowing them lets data out:
 * below Azure's and others' shared domains, and on services that serve everybody under one name.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "lint_internal.h"
#include "target.h"
#include "tenants.h"

/* One name, or all names below one, that serve everybody's accounts alike. */
static const struct target shared_services[] = {
	{ .match = NAME_EXACT, .name = "dev.azure.com" },
	{ .match = NAME_EXACT, .name = "github.com" },
	{ .match = NAME_BELOW, .name = "githubusercontent.com" },
};

/* The domain whose next label a pattern leaves open: x.com of *.x.com, and of *-cdn.x.com too. */
static const char *open_domain(const struct target *target)
{
	const char *dot;

	if (target->match == NAME_BELOW)
		return target->name;
	dot = strchr(target->name, '.');
	return dot ? dot + 1 : "";
}

static bool is_public_suffix(const psl_ctx_t *suffixes, const char *domain)
{
	return psl_is_public_suffix2(suffixes, domain, PSL_TYPE_PRIVATE | PSL_TYPE_NO_STAR_RULE) ||
	       psl_is_public_suffix2(suffixes, domain, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE);
}

/* The domain below which strangers register names that the pattern covers, or NULL. */
static const char *tenants_find(const struct target *pattern, const psl_ctx_t *suffixes)
{
	const char *domain = open_domain(pattern);
	char next[NAME_LEN + 2];

	/* The list's own wildcards, such as *.compute.amazonaws.com, are about the next label. */
	snprintf(next, sizeof(next), "x.%s", domain);
	if (suffixes && (is_public_suffix(suffixes, domain) || is_public_suffix(suffixes, next)))
		return domain;
	for (size_t i = 0; i < ARRAY_SIZE(tenant_domains); i++) {
		struct target tenants = { .match = NAME_BELOW };

		text_copy(tenants.name, sizeof(tenants.name), tenant_domains[i]);
		if (!strcmp(domain, tenant_domains[i]) || target_host_covers(pattern, &tenants))
			return tenant_domains[i];
	}
	return NULL;
}

static const struct target *service_find(const struct target *target)
{
	for (size_t i = 0; i < ARRAY_SIZE(shared_services); i++) {
		if (target_host_covers(&shared_services[i], target) ||
		    target_host_covers(target, &shared_services[i]))
			return &shared_services[i];
	}
	return NULL;
}

void lint_tenants(const struct rule *rule, const psl_ctx_t *suffixes, struct diagnostics *diag)
{
	const struct target *target = &rule->target, *service = service_find(target);
	bool is_pattern = target->match != NAME_EXACT;
	const char *domain = is_pattern ? tenants_find(target, suffixes) : NULL;

	if (is_pattern && !*open_domain(target))
		rule_warn(diag, rule,
			  "covers names of any domain; put a dot behind the star, or a domain");
	else if (domain)
		rule_warn(diag, rule,
			  "anyone can register a name below %s, and receive data there; name your own",
			  domain);
	else if (service)
		rule_warn(diag, rule,
			  "%s serves everybody's accounts under one name, so data can go to a stranger's",
			  service->name);
}
