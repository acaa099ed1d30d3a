/* SPDX-License-Identifier: GPL-2.0 */
/* buildfence daemon --check: what is wrong with a configuration, and what was found in it. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/text.h"
#include "config.h"
#include "policy/policy.h"

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* Is this policy named before the n-th place that names one? */
static bool policy_is_new(const char *const *policies, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(policies[i], policies[n]))
			return false;
	}
	return true;
}

/* How many different policies the configuration names; 0 when memory ran out. */
static size_t policies_count(const struct config *config)
{
	size_t count = 0, unlike = 0;
	_cleanup_free_ const char **policies =
		calloc(1 + config->choice_count + config->guarded_count, sizeof(*policies));

	if (!policies)
		return 0;
	policies[count++] = config->policy;
	for (size_t i = 0; i < config->choice_count; i++)
		policies[count++] = config->choices[i].policy;
	for (size_t i = 0; i < config->guarded_count; i++)
		policies[count++] = config->guarded[i].policy;
	for (size_t i = 0; i < count; i++)
		unlike += policy_is_new(policies, i);
	return unlike;
}

static void found_print(const struct config *config)
{
	_cleanup_text_ struct text agents = {};
	_cleanup_free_ char *shown = NULL;
	size_t policies = policies_count(config);

	for (size_t i = 0; i < config->agent_count; i++)
		text_printf(&agents, "%s%s", i ? ", " : " (", config->agents[i].name);
	shown = agents.len ? escape_again(agents.bytes) : NULL;
	printf("%zu agent%s%s%s, %zu polic%s, %zu guarded cgroup%s\n", config->agent_count,
	       plural(config->agent_count), shown ? shown : "", shown ? ")" : "", policies,
	       policies == 1 ? "y" : "ies", config->guarded_count, plural(config->guarded_count));
}

int config_check(const char *path)
{
	struct diagnostics diag = { .out = stderr };
	_cleanup_config_ struct config *config = NULL;
	_cleanup_free_ char *shown = escape_again(path);
	int r;

	if (!shown)
		return EXIT_FAILURE;
	r = config_load(path, &diag, &config);
	if (r && !diag.errors)
		fprintf(stderr, "%s: %s\n", shown, strerror(-r));
	if (r) {
		printf("%s: %u error%s, %u warning%s; this configuration is refused\n", shown,
		       diag.errors, plural(diag.errors), diag.warnings, plural(diag.warnings));
	} else {
		printf("%s: no errors, %u warning%s; ", shown, diag.warnings,
		       plural(diag.warnings));
		found_print(config);
	}
	/* In order with the messages, where both go to one file. */
	fflush(stdout);
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
