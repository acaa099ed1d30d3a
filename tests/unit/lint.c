/* SPDX-License-Identifier: GPL-2.0 */
/* Warnings: which rules get one, at which place, and which rules get none. */
#include "policy/lint.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy_text.h"

#define NOW	1796083200	/* 2026-12-01 00:00 UTC */

/* The warnings of a policy that loads without one. */
static char *warnings_of(const char *policy, unsigned int *ret_count)
{
	_cleanup_loaded_ struct loaded got = policy_load_text(policy);
	struct diagnostics diag = {};
	char *messages = NULL;
	size_t len;

	cr_assert_eq(got.result, 0, "%s", got.messages);
	diag.out = open_memstream(&messages, &len);
	cr_assert_eq(policy_lint(got.policy, NOW, &diag), 0);
	fclose(diag.out);
	cr_assert_eq(diag.errors, 0);
	*ret_count = diag.warnings;
	return messages;
}

/* Lints one entry of `allow`, quoted, in line 2. */
static char *warnings_of_entry(const char *entry, unsigned int *ret_count)
{
	_cleanup_free_ char *policy = NULL;

	cr_assert_gt(asprintf(&policy, "allow:\n  - %s\n", entry), 0);
	return warnings_of(policy, ret_count);
}

Test(lint, a_doubtful_entry_gets_one_warning_at_its_place)
{
	static const struct { const char *entry, *message; } rows[] = {
		{ "https://a.example/x", "2:5: warning: 'https://a.example/x': the path is not enforced; the rule is about all of a.example" },
		{ "{ to: a.example, expires: 2026-11-30 }", "2:11: warning: 'a.example': has expired; its last day was 2026-11-30" },
		{ "{ to: a.example, expires: 2026-12-01 }", "2:11: warning: 'a.example': expires soon; its last day is 2026-12-01" },
		{ "{ to: a.example, expires: 2026-12-30 }", "2:11: warning: 'a.example': expires soon" },
		{ "tcp://127.0.0.1:80", "2:5: warning: 'tcp://127.0.0.1:80': does nothing: 'loopback: allow' decides" },
		{ "tcp://127.1.0.0/16:80", "2:5: warning: 'tcp://127.1.0.0/16:80': does nothing: 'loopback" },
		{ "tcp://[::1]:80", "2:5: warning: 'tcp://[::1]:80': does nothing: 'loopback" },
		{ "http://169.254.169.254", "2:5: warning: 'http://169.254.169.254': does nothing: 'metadata: deny' decides" },
		{ "http://168.63.129.16", "2:5: warning: 'http://168.63.129.16': does nothing: 'metadata: deny' decides" },
		{ "udp://192.0.2.53:53", "2:5: warning: 'udp://192.0.2.53:53': never matches: port 53 is DNS" },
		{ "tcp://a.example:53", "2:5: warning: 'tcp://a.example:53': never matches: port 53 is DNS" },
		{ "http://localhost:8080", "2:5: warning: 'http://localhost:8080': does nothing: 'loopback: allow' decides" },
		{ "\"2001:db8::7:443\"", "2:5: warning: '2001:db8::7:443': names an address that ends in ':443'; for a port write \"[2001:db8::7]:443\", for the address \"[2001:db8::7:443]\"" },
		{ "https://0.0.0.0/0", "2:5: warning: 'https://0.0.0.0/0': a very wide prefix: /0" },
		{ "https://64.0.0.0/7", "2:5: warning: 'https://64.0.0.0/7': a very wide prefix: /7" },
		{ "https://[2000::]/3", "2:5: warning: 'https://[2000::]/3': a very wide prefix: /3" },
		{ "https://*.blob.core.windows.net", "2:5: warning: 'https://*.blob.core.windows.net': anyone can register a name below blob.core.windows.net" },
		{ "https://*x.blob.core.windows.net", "2:5: warning: 'https://*x.blob.core.windows.net': anyone can register a name below blob.core.windows.net" },
		{ "https://*.core.windows.net", "2:5: warning: 'https://*.core.windows.net': anyone can" },
		{ "https://*.azurecr.io", "2:5: warning: 'https://*.azurecr.io': anyone can register" },
		{ "https://*.windows.net", "2:5: warning: 'https://*.windows.net': anyone can register" },
		{ "https://*.azurewebsites.net", "2:5: warning: 'https://*.azurewebsites.net': anyone can" },
		{ "https://*.trafficmanager.net", "2:5: warning: 'https://*.trafficmanager.net': anyone can" },
		{ "https://*.azureedge.net", "2:5: warning: 'https://*.azureedge.net': anyone can" },
		{ "https://*.azurefd.net", "2:5: warning: 'https://*.azurefd.net': anyone can" },
		{ "https://*.visualstudio.com", "2:5: warning: 'https://*.visualstudio.com': anyone can" },
		{ "https://*.cloudfront.net", "2:5: warning: 'https://*.cloudfront.net': anyone can" },
		{ "https://*.amazonaws.com", "2:5: warning: 'https://*.amazonaws.com': anyone can" },
		{ "https://*.githubusercontent.com", "2:5: warning: 'https://*.githubusercontent.com': anyone can" },
		{ "https://*.github.io", "2:5: warning: 'https://*.github.io': anyone can register a name below github.io" },
		{ "https://*.co.uk", "2:5: warning: 'https://*.co.uk': anyone can register a name below co.uk" },
		{ "https://*foo", "2:5: warning: 'https://*foo': covers names of any domain" },
		{ "https://dev.azure.com", "2:5: warning: 'https://dev.azure.com': dev.azure.com serves everybody's accounts" },
		{ "https://*.azure.com", "2:5: warning: 'https://*.azure.com': anyone can register a name below cloudapp.azure.com" },
		{ "https://*.dev.azure.com", "2:5: warning: 'https://*.dev.azure.com': dev.azure.com serves" },
		{ "https://pkgs.dev.azure.com", "2:5: warning: 'https://pkgs.dev.azure.com': dev.azure.com serves" },
		{ "ssh://ssh.dev.azure.com", "2:5: warning: 'ssh://ssh.dev.azure.com': dev.azure.com serves" },
		{ "ssh://vs-ssh.visualstudio.com", "2:5: warning: 'ssh://vs-ssh.visualstudio.com': vs-ssh.visualstudio.com serves" },
		{ "https://*.vsblob.visualstudio.com", "2:5: warning: 'https://*.vsblob.visualstudio.com': anyone can register a name below vsblob.visualstudio.com" },
		{ "https://*.pkgs.visualstudio.com", "2:5: warning: 'https://*.pkgs.visualstudio.com': anyone can" },
		{ "https://*.westeurope.cloudapp.azure.com", "2:5: warning: 'https://*.westeurope.cloudapp.azure.com': anyone can" },
		{ "https://*.servicebus.windows.net", "2:5: warning: 'https://*.servicebus.windows.net': anyone can" },
		{ "https://api.github.com", "2:5: warning: 'https://api.github.com': github.com serves" },
		{ "https://*.github.com", "2:5: warning: 'https://*.github.com': github.com serves" },
		{ "https://registry-1.docker.io", "2:5: warning: 'https://registry-1.docker.io': registry-1.docker.io serves" },
		{ "https://*.docker.io", "2:5: warning: 'https://*.docker.io': registry-1.docker.io serves" },
		{ "https://ghcr.io", "2:5: warning: 'https://ghcr.io': ghcr.io serves" },
		{ "https://gitlab.com", "2:5: warning: 'https://gitlab.com': gitlab.com serves" },
		{ "https://github.com", "2:5: warning: 'https://github.com': github.com serves everybody's" },
		{ "https://raw.githubusercontent.com", "2:5: warning: 'https://raw.githubusercontent.com': githubusercontent.com serves" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int count;
		_cleanup_free_ char *messages = warnings_of_entry(rows[i].entry, &count);

		cr_expect_eq(count, 1, "%s: %s", rows[i].entry, messages);
		cr_expect(strstr(messages, rows[i].message), "%s: %s", rows[i].entry, messages);
	}
}

Test(lint, an_ordinary_entry_gets_none)
{
	static const char *const entries[] = {
		"https://a.example", "https://a.example/", "https://*.feeds.contoso.example",
		"tcp://10.0.0.0/8:5432", "tcp://192.168.0.0/16:443", "tcp://[fd00::]/8:443",
		"tcp://[2001:db8::]/32:443", "tcp://[2001:db8:1::]/96:443", "'[2001:db8::7:443]'",
		"\"2001:db8::7\"", "\"2001:db8::7:a\"", "udp://192.0.2.1:123", "any://192.0.2.0/24",
		"tcp://192.0.2.1:50-60", "{ to: a.example, expires: 2026-12-31 }",
		"https://myaccount.blob.core.windows.net", "https://*.myaccount.blob.core.windows.net",
		"https://download.agent.dev.azure.com", "https://*.agent.dev.azure.com",
		"https://contoso.vsblob.visualstudio.com", "https://*.vm.westeurope.cloudapp.azure.com",
		"https://auth.docker.io", "https://*.corp.internal",
		"tcp://168.63.129.16:8080", "https://169.254.1.1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		unsigned int count;
		_cleanup_free_ char *messages = warnings_of_entry(entries[i], &count);

		cr_expect_eq(count, 0, "%s", messages);
	}
}

Test(lint, an_allow_that_a_deny_covers_never_matches)
{
	static const struct { const char *allow, *deny; bool covered; } rows[] = {
		{ "https://a.example", "a.example", true },
		{ "https://a.example", "https://a.example", true },
		{ "https://a.example", "http://a.example", false },
		{ "https://a.b.example", "*.example", true },
		{ "https://*.b.example", "*.example", true },
		{ "https://*.example", "*.b.example", false },
		{ "https://example", "*.example", false },
		{ "https://ax.example", "*x.example", true },
		{ "https://a.example", "xa.example", false },
		{ "tcp://10.1.2.3:80", "10.0.0.0/8", true },
		{ "tcp://10.1.2.3:80", "10.1.2.3", true },
		{ "tcp://10.1.2.3:80", "any://10.0.0.0/8:443", false },
		{ "tcp://10.0.0.0/8:80", "10.1.0.0/16", false },
		{ "tcp://[2001:db8::1]:80", "2001:db8::/32", true },
		{ "udp://10.1.2.3:80", "tcp://10.0.0.0/8:80", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *policy = NULL, *messages = NULL;
		unsigned int count;

		cr_assert_gt(asprintf(&policy, "allow:\n  - %s\ndeny:\n  - \"%s\"\n  - z.example\n",
				      rows[i].allow, rows[i].deny),
			     0);
		messages = warnings_of(policy, &count);
		cr_expect_eq(strstr(messages, "in job.yaml, line 4 covers it") != NULL,
			     rows[i].covered, "%s under %s: %s", rows[i].allow, rows[i].deny,
			     messages);
		cr_expect_eq(count, rows[i].covered, "%s", messages);
	}
}

Test(lint, an_expired_deny_covers_nothing)
{
	unsigned int count;
	_cleanup_free_ char *messages = warnings_of(
		"allow: [ a.example ]\ndeny: [ { to: a.example, expires: 2026-01-01 } ]\n", &count);

	cr_expect_eq(count, 1, "%s", messages);
	cr_expect_null(strstr(messages, "covers it"));
}

Test(lint, a_rule_twice_is_told_at_the_second)
{
	unsigned int count;
	_cleanup_free_ char *messages = warnings_of(
		"allow:\n  - https://a.example\n  - b.example\n  - tcp://A.example:443\n"
		"  - http://a.example\ndeny:\n  - https://c.example\nexpected:\n  - https://c.example\n", &count);

	cr_expect_eq(count, 1, "%s", messages);
	cr_expect(strstr(messages,
			 "job.yaml:4:5: warning: 'tcp://A.example:443': says the same as 'https://a.example' in job.yaml, line 2"), "%s", messages);
}

Test(lint, a_rule_that_a_preset_has_is_told_at_the_file_s)
{
	unsigned int count;
	_cleanup_free_ char *messages = warnings_of(
		"presets: [go]\nallow:\n  - https://proxy.golang.org\n", &count);

	cr_expect(strstr(messages,
			 "job.yaml:3:5: warning: 'https://proxy.golang.org': says the same as 'https://proxy.golang.org' in preset go"), "%s", messages);
}

/* Nobody can edit a preset: that it reaches a service for everybody is worth one line. */
Test(lint, a_preset_gets_one_warning_for_each_service)
{
	static const struct { const char *policy; unsigned int count; } rows[] = {
		{ "presets: [azure-devops]\n", 4 },	/* dev, visualstudio, vs-ssh, blob */
		{ "presets: [github]\n", 2 },
		{ "presets: [docker-hub]\n", 1 },
		{ "presets: [azure-devops, github]\n", 6 },
		{ "allow: [ https://github.com, https://api.github.com ]\n", 2 },
		/* The first of a preset's may be denied: then the next one is told. */
		{ "presets: [github]\ndeny: [ github.com ]\n", 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int count;
		_cleanup_free_ char *messages = warnings_of(rows[i].policy, &count);

		cr_expect_eq(count, rows[i].count, "%s: %s", rows[i].policy, messages);
	}
}

Test(lint, cutting_a_piece_out_of_a_preset_takes_its_warning_away)
{
	unsigned int with, without;
	_cleanup_free_ char *before = warnings_of("presets: [azure-devops]\n", &with);
	_cleanup_free_ char *after = warnings_of(
		"presets: [azure-devops]\ndeny: [ \"*.blob.core.windows.net\" ]\n", &without);

	cr_expect(strstr(before, "blob.core.windows.net"), "%s", before);
	cr_expect_null(strstr(after, "blob.core.windows.net"), "%s", after);
	cr_expect_eq(without + 1, with);
}

Test(lint, a_large_policy_is_held_against_its_denials_within_seconds)
{
	struct text text = {};
	_cleanup_free_ char *policy = NULL, *messages = NULL;
	unsigned int count;

	text_printf(&text, "allow:\n");
	for (int i = 0; i < 40000; i++)
		text_printf(&text, "- a%x.x\n", i);
	text_printf(&text, "deny:\n");
	for (int i = 0; i < 40000; i++)
		text_printf(&text, "- d%x.x\n", i);
	text_printf(&text, "- a1.x\n");
	policy = text_take(&text);
	messages = warnings_of(policy, &count);
	cr_expect_eq(count, 1, "%s", messages);
}
