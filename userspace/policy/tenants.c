/* SPDX-License-Identifier: GPL-2.0 */
/* The lists of tenants.h. */
#include "tenants.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "target.h"

/*
 * Beside those in the public suffix list (Debian's of 2023 holds azurewebsites.net alone of
 * Azure's). A star: below each name that is below the rest, too, since it is a region or a service
 * (x.westeurope.cloudapp.azure.com, contoso.vsblob.visualstudio.com).
 */
static const char *const domains[] = {
	"blob.core.windows.net", "dfs.core.windows.net", "file.core.windows.net",
	"queue.core.windows.net", "table.core.windows.net", "database.windows.net",
	"servicebus.windows.net", "windows.net", "vault.azure.net", "azurecr.io",
	"azurewebsites.net", "trafficmanager.net", "azureedge.net", "azurefd.net",
	"*.cloudapp.azure.com", "*.visualstudio.com", "githubusercontent.com", "cloudfront.net",
	"amazonaws.com",
};

/* One name, or all names below one, that serve everybody's accounts alike. */
static const struct target services[] = {
	{ .match = NAME_EXACT, .name = "dev.azure.com" },
	{ .match = NAME_BELOW, .name = "dev.azure.com" },
	{ .match = NAME_EXACT, .name = "vs-ssh.visualstudio.com" },
	{ .match = NAME_EXACT, .name = "github.com" },
	{ .match = NAME_BELOW, .name = "github.com" },
	{ .match = NAME_BELOW, .name = "githubusercontent.com" },
	{ .match = NAME_EXACT, .name = "ghcr.io" },
	{ .match = NAME_EXACT, .name = "gitlab.com" },
	{ .match = NAME_EXACT, .name = "bitbucket.org" },
	{ .match = NAME_EXACT, .name = "docker.io" },
	{ .match = NAME_EXACT, .name = "registry-1.docker.io" },
	{ .match = NAME_EXACT, .name = "index.docker.io" },
	{ .match = NAME_EXACT, .name = "quay.io" },
};

/* Below a service's name, but only its owner's files: no account has a place there. */
static const struct target files[] = {
	{ .match = NAME_BELOW, .name = "agent.dev.azure.com" },
};

const char *open_domain(const struct target *pattern)
{
	const char *dot;

	if (pattern->match == NAME_BELOW)
		return pattern->name;
	dot = strchr(pattern->name, '.');
	return dot ? dot + 1 : "";
}

static bool is_public_suffix(const psl_ctx_t *suffixes, const char *domain)
{
	return psl_is_public_suffix2(suffixes, domain, PSL_TYPE_PRIVATE | PSL_TYPE_NO_STAR_RULE) ||
	       psl_is_public_suffix2(suffixes, domain, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE);
}

/* What an entry of the list says of a pattern that leaves `domain` open: a domain, or NULL. */
static const char *entry_judge(const char *entry, const struct target *pattern, const char *domain)
{
	bool star = !strncmp(entry, "*.", 2);
	struct target tenants = { .match = NAME_BELOW };
	const char *dot = strchr(domain, '.');

	text_copy(tenants.name, sizeof(tenants.name), star ? entry + 2 : entry);
	if (star && dot && !strcmp(dot + 1, tenants.name))
		return domain;
	if (!strcmp(domain, tenants.name) || target_host_covers(pattern, &tenants))
		return star ? entry + 2 : entry;
	return NULL;
}

const char *tenant_domain_find(const struct target *pattern, const psl_ctx_t *suffixes,
			       const char **ret_owner)
{
	const char *domain = open_domain(pattern);
	char next[NAME_LEN + 2];

	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		const char *found = entry_judge(domains[i], pattern, domain);

		*ret_owner = domains[i];
		if (found)
			return found;
	}
	*ret_owner = domain;
	/* The list's own wildcards, such as *.compute.amazonaws.com, are about the next label. */
	snprintf(next, sizeof(next), "x.%s", domain);
	if (suffixes && (is_public_suffix(suffixes, domain) || is_public_suffix(suffixes, next)))
		return domain;
	return NULL;
}

const char *shared_service_find(const struct target *target)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (target_host_covers(&files[i], target))
			return NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		if (target_host_covers(&services[i], target) ||
		    target_host_covers(target, &services[i]))
			return services[i].name;
	}
	return NULL;
}
