/* SPDX-License-Identifier: GPL-2.0 */
/* What stands in the presets; that each one loads is preset.c's. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/explain.h"
#include "policy/load.h"

#define NOW	1764000000

static struct policy *preset_load(const char *name, const char *organization)
{
	const char *const presets[] = { name, NULL };
	const struct policy_request request = { .presets = presets, .organization = organization };
	struct diagnostics diag = { .out = stderr };
	struct policy *policy = NULL;

	cr_assert_eq(policy_load(&request, &diag, &policy), 0, "preset %s", name);
	cr_assert_eq(diag.errors, 0, "preset %s", name);
	return policy;
}

static struct explanation name_explain(const struct policy *policy, const char *name, uint16_t port)
{
	struct query query = { .by_name = true, .protocol = IPPROTO_TCP, .port = port };
	struct explanation explanation;

	snprintf(query.name, sizeof(query.name), "%s", name);
	explain_flow(policy, &query, NOW, &explanation);
	return explanation;
}

struct name_case {
	char name[64];
	char organization[16];
	uint16_t port;
	bool allowed;
};

ParameterizedTestParameters(presets, azure_devops_holds_what_agents_need_and_no_more)
{
	static struct name_case cases[] = {
		{ "dev.azure.com", "", 443, true },
		{ "dev.azure.com", "", 80, false },
		{ "download.agent.dev.azure.com", "", 443, true },
		{ "pkgs.dev.azure.com", "", 443, true },
		{ "vsrm.dev.azure.com", "", 443, true },
		{ "x.vsassets.io", "", 443, true },
		{ "abcvstmrblob.vsassets.io", "", 443, true },
		{ "abcgallerycdn.vsassets.io", "", 443, true },
		{ "x.vsblob.visualstudio.com", "", 443, true },
		{ "app.vssps.visualstudio.com", "", 443, true },
		{ "x.vstmr.visualstudio.com", "", 443, true },
		{ "vstsagenttools.blob.core.windows.net", "", 443, true },
		{ "login.microsoftonline.com", "", 443, true },
		{ "management.core.windows.net", "", 443, true },
		{ "ssh.dev.azure.com", "", 22, true },
		{ "vs-ssh.visualstudio.com", "", 22, true },
		{ "contoso.pkgs.visualstudio.com", "contoso", 443, true },
		{ "contoso.visualstudio.com", "contoso", 443, true },
		{ "contoso.visualstudio.com", "", 443, false },
		{ "fabrikam.visualstudio.com", "contoso", 443, false },
		{ "x.database.windows.net", "", 443, false },
		{ "vstsagentpackage.azureedge.net", "", 443, false },
		{ "live.com", "", 443, false },
	};

	return cr_make_param_array(struct name_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct name_case *c, presets, azure_devops_holds_what_agents_need_and_no_more)
{
	_cleanup_policy_ struct policy *policy =
		preset_load("azure-devops", *c->organization ? c->organization : NULL);

	cr_assert_eq(name_explain(policy, c->name, c->port).allowed, c->allowed, "%s:%u", c->name,
		     c->port);
}

Test(presets, java_holds_where_gradle_s_plugins_are_and_nobody_else_s_place)
{
	_cleanup_policy_ struct policy *policy = preset_load("java", NULL);

	cr_assert(name_explain(policy, "plugins.gradle.org", 443).allowed);
	cr_assert(name_explain(policy, "plugins-artifacts.gradle.org", 443).allowed);
	cr_assert(name_explain(policy, "services.gradle.org", 443).allowed);
	/* Where services.gradle.org redirects: a policy of one's own may name it. */
	cr_assert_not(name_explain(policy, "github.com", 443).allowed);
}

Test(presets, the_agent_s_metadata_call_is_expected_and_stays_denied)
{
	_cleanup_policy_ struct policy *policy = preset_load("azure-devops", NULL);
	struct query query = {
		.has_addr = true, .protocol = IPPROTO_TCP, .port = 80,
		.addr = { [10] = 0xff, 0xff, 169, 254, 169, 254 },
	};
	struct explanation explanation;

	explain_flow(policy, &query, NOW, &explanation);
	cr_assert_not(explanation.allowed);
	cr_assert(explanation.expected);
	/* Another port of the same address is a violation. */
	query.port = 8080;
	explain_flow(policy, &query, NOW, &explanation);
	cr_assert_not(explanation.allowed);
	cr_assert_not(explanation.expected);
}
