/* SPDX-License-Identifier: GPL-2.0 */
/* Names behind which strangers have a place of their own, so that allowing them lets data out. */
#include <string.h>

#include "base/cleanup.h"
#include "lint_internal.h"
#include "preset.h"
#include "target.h"
#include "tenants.h"

#define PRESET_SOURCE	"preset "

/* Where a rule's names lead; all NULL: to nobody but whom they name. */
struct tenancy {
	const char *domain;		/* below which anyone can register a name */
	const char *service;		/* for everybody under one name */
	const char *owner;		/* the same for all that is one owner's */
};

static struct tenancy tenancy_find(const struct rule *rule, const psl_ctx_t *suffixes)
{
	struct tenancy tenancy = {};

	if (rule->target.match != NAME_EXACT)
		tenancy.domain = tenant_domain_find(&rule->target, suffixes, &tenancy.owner);
	if (!tenancy.domain)
		tenancy.owner = tenancy.service = shared_service_find(&rule->target);
	return tenancy;
}

/*
 * Nobody can edit a built-in preset: that it leads to an owner is said once, at the first rule that
 * does and that no deny rule covers.
 */
static bool is_told_already(const struct policy *policy, const struct rule *rule,
			    const char *owner, const psl_ctx_t *suffixes, const bool *denied)
{
	size_t prefix = strlen(PRESET_SOURCE);

	if (strncmp(rule->source, PRESET_SOURCE, prefix) || !preset_find(rule->source + prefix))
		return false;
	for (const struct rule *before = policy->rules; before < rule; before++) {
		struct tenancy tenancy;

		if (strcmp(before->source, rule->source) || before->list != LIST_ALLOW ||
		    before->target.kind != TARGET_NAME || denied[before - policy->rules])
			continue;
		tenancy = tenancy_find(before, suffixes);
		if (tenancy.owner && !strcmp(tenancy.owner, owner))
			return true;
	}
	return false;
}

void lint_tenants(const struct policy *policy, const struct rule *rule, const bool *denied,
		  const psl_ctx_t *suffixes, struct diagnostics *diag)
{
	struct tenancy tenancy = tenancy_find(rule, suffixes);

	if (rule->target.match != NAME_EXACT && !*open_domain(&rule->target)) {
		rule_warn(diag, rule,
			  "covers names of any domain; put a dot behind the star, or a domain");
		return;
	}
	if (!tenancy.owner || is_told_already(policy, rule, tenancy.owner, suffixes, denied))
		return;
	if (tenancy.domain)
		rule_warn(diag, rule,
			  "anyone can register a name below %s, and receive data there; name your own",
			  tenancy.domain);
	else
		rule_warn(diag, rule,
			  "%s serves everybody's accounts under one name, so data can go to a stranger's",
			  tenancy.service);
}
