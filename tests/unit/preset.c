/* SPDX-License-Identifier: GPL-2.0 */
/* Presets: those built in, those in files, and what they may not do. */
#include "policy/preset.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/yaml.h"
#include "policy_text.h"

/* A policy that names the preset and fills each of its placeholders. */
static char *policy_for(const struct preset *preset, bool with_values)
{
	struct diagnostics diag = {};
	_cleanup_node_ struct node *document = NULL;
	const struct node *words;
	struct text text = {};

	cr_assert_eq(yaml_read(preset->name, preset->text, preset->len, &diag, &document), 0);
	words = node_get(document, "placeholders");
	text_printf(&text, "presets: [%s]\norganization: contoso\n", preset->name);
	for (size_t i = 0; with_values && words && i < words->count; i++) {
		if (strcmp(words->keys[i]->text, "organization"))
			text_printf(&text, "%s  %s: sample\n",
				    strstr(text.bytes, "values:") ? "" : "values:\n",
				    words->keys[i]->text);
	}
	return text_take(&text);
}

Test(preset, every_preset_of_the_binary_loads_with_its_placeholders_filled)
{
	size_t count;
	const struct preset *presets = preset_list(&count);

	cr_assert_geq(count, 8);
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *text = policy_for(&presets[i], true);
		_cleanup_loaded_ struct loaded got = policy_load_text(text);

		cr_expect_eq(got.result, 0, "%s: %s", presets[i].name, got.messages);
		cr_expect_eq(got.diag.warnings, 0, "%s: %s", presets[i].name, got.messages);
		cr_expect(got.policy && got.policy->rule_count, "%s", presets[i].name);
	}
}

Test(preset, a_preset_without_its_values_loads_or_names_what_is_missing)
{
	size_t count;
	const struct preset *presets = preset_list(&count);

	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *text = policy_for(&presets[i], false);
		_cleanup_loaded_ struct loaded got = policy_load_text(text);

		cr_expect(!got.result || strstr(got.messages, "no value for {"), "%s: %s",
			  presets[i].name, got.messages);
	}
}

Test(preset, every_preset_says_what_it_is_where_from_and_when)
{
	static const char *const keys[] = { "version", "description", "source", "date" };
	size_t count;
	const struct preset *presets = preset_list(&count);

	for (size_t i = 0; i < count; i++) {
		struct diagnostics diag = {};
		_cleanup_node_ struct node *document = NULL;

		cr_assert_eq(yaml_read(presets[i].name, presets[i].text, presets[i].len, &diag,
				       &document),
			     0);
		for (size_t j = 0; j < ARRAY_SIZE(keys); j++)
			cr_expect_not_null(node_get(document, keys[j]), "%s has no '%s'",
					   presets[i].name, keys[j]);
	}
}

Test(preset, presets_are_found_by_name)
{
	cr_expect_not_null(preset_find("azure-devops"));
	cr_expect_null(preset_find("azure-devop"));
	cr_expect_str_eq(preset_nearest("azure-devop"), "azure-devops");
	cr_expect_null(preset_nearest("zzzzzzzzzz"));
}

Test(preset, azure_devops_needs_no_organization_and_takes_one)
{
	struct policy_request without = {}, with = { .organization = "contoso" };
	_cleanup_loaded_ struct loaded fewer = policy_load_request(&without);
	_cleanup_loaded_ struct loaded more = policy_load_request(&with);

	cr_assert_eq(fewer.result, 0, "%s", fewer.messages);
	cr_assert_eq(more.result, 0, "%s", more.messages);
	cr_expect_lt(fewer.policy->rule_count, more.policy->rule_count);
}

/* Loads "presets: [./p.yaml]" with p.yaml as given. */
static struct loaded load_with_file(const char *preset)
{
	static const char text[] =
		"presets: [ ./p.yaml ]\nvalues: { vault: v }\nallow: [ '{vault}.x' ]\n";
	char folder[] = "/tmp/buildfence-unit-XXXXXX";
	struct policy_request request = { .file = NULL };
	_cleanup_free_ char *file = NULL;
	struct loaded loaded;

	cr_assert(mkdtemp(folder) && !chdir(folder));
	file_write("job.yaml", text, strlen(text));
	file_write("p.yaml", preset, strlen(preset));
	cr_assert(!chdir("/"));
	cr_assert_gt(asprintf(&file, "%s/job.yaml", folder), 0);
	request.file = file;
	loaded = policy_load_request(&request);
	cr_assert(!chdir(folder) && !unlink("job.yaml") && !unlink("p.yaml") && !rmdir(folder));
	return loaded;
}

Test(preset, a_file_is_found_beside_the_policy_that_names_it)
{
	_cleanup_loaded_ struct loaded got = load_with_file(
		"placeholders: { vault: its name, gone: x }\n"
		"allow:\n"
		"  - https://{vault}.vault.azure.net\n"
		"  - { to: 'https://{gone}.example', if: gone }\n"
		"  - { to: 'https://{vault}.example', if: vault }\n");

	cr_assert_eq(got.result, 0, "%s", got.messages);
	cr_assert_eq(got.policy->rule_count, 3);
	cr_expect_str_eq(got.policy->rules[1].text, "https://v.vault.azure.net");
	cr_expect(strstr(got.policy->rules[1].source, "/./p.yaml"), "%s",
		  got.policy->rules[1].source);
	cr_expect_eq(got.policy->rules[1].line, 3);
}

Test(preset, what_a_preset_may_not_say_is_an_error_at_its_place)
{
	static const struct { const char *text, *message; } rows[] = {
		{ "mode: audit\n", "p.yaml:1:1: 'mode' is the policy's own; a preset cannot set it" },
		{ "allow: []\nmetadata: allow\n", "p.yaml:2:1: 'metadata' is the policy's own" },
		{ "presets: [go]\n", "p.yaml:1:1: 'presets' is the policy's own" },
		{ "organization: x\n", "p.yaml:1:1: 'organization' is the policy's own" },
		{ "values: {}\n", "p.yaml:1:1: 'values' is the policy's own" },
		{ "descripton: x\n", "p.yaml:1:1: unknown key 'descripton'; did you mean 'description'?" },
		{ "allow: [ '{vault}.y' ]\n", "p.yaml:1:10: '{vault}.y': {vault} is not listed under 'placeholders'" },
		{ "placeholders: { other: x }\nallow: [ '{other}.y' ]\n",
		  "p.yaml:2:10: '{other}.y': no value for {other}; add to the policy: 'values: { other: ... }'" },
		{ "allow: [ { to: y, if: vault } ]\n", "p.yaml:1:23: 'if: vault': this name is not listed" },
		{ "placeholders: [x]\n", "p.yaml:1:15: 'placeholders' is a mapping" },
		{ "allow: [ tcp://a ]\n", "p.yaml:1:10: 'tcp://a': tcp:// needs a port" },
		{ "allow: [ 'a\n", "p.yaml:2:1: not valid YAML" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_loaded_ struct loaded got = load_with_file(rows[i].text);

		cr_expect_eq(got.result, -EINVAL, "'%s' was taken", rows[i].text);
		cr_expect_eq(got.diag.errors, 1, "'%s': %s", rows[i].text, got.messages);
		cr_expect(strstr(got.messages, rows[i].message), "'%s': %s", rows[i].text,
			  got.messages);
	}
}
