/* SPDX-License-Identifier: GPL-2.0 */
/*
 * buildfence policy diff: what policy B opens and closes against A. Exit status 0; 1 with errors.
 */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "cmd.h"
#include "cmd_rule.h"
#include "policy/diff.h"
#include "policy/load.h"
#include "policy/target.h"
#include "policy/write.h"

#define OTHER_PROTOCOLS	"other protocols"

enum {
	OPTION_JSON = 256,
};

static const struct argp_option options[] = {
	{ "organization", 'o', "NAME", 0,
	  "fills {organization} in both, in place of the files'", 0 },
	{ "json", OPTION_JSON, NULL, 0, "print one JSON object", 0 },
	{},
};

struct arguments {
	const char *organization;
	const char *files[2];
	unsigned int file_count;
	bool json;
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'o':
		arguments->organization = argument;
		return 0;
	case OPTION_JSON:
		arguments->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->file_count == 2)
			argp_error(state, "two files only; '%s' is a third", argument);
		arguments->files[arguments->file_count++] = argument;
		return 0;
	case ARGP_KEY_END:
		if (arguments->file_count < 2)
			argp_error(state, "which two files?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void change_print(const struct diff_change *change, void *context)
{
	static const char *const signs[] = {
		[DIFF_OPENED] = "+", [DIFF_CLOSED] = "-", [DIFF_EXCEPT] = "    except",
	};
	char ports[PORTS_TEXT_LEN], host[TARGET_TEXT_LEN];

	(*(size_t *)context)++;
	target_format_host(&change->target, host);
	target_format_ports(&change->target, ports);
	printf("%s %s %s %s", signs[change->kind],
	       change->direction == DIRECTION_IN ? "inbound" : "allow",
	       change->portless ? OTHER_PROTOCOLS : ports, host);
	if (change->rule) {
		printf("  by ");
		rule_print(stdout, change->rule);
	}
	if (change->denied_by) {
		printf(", now cut by ");
		rule_print(stdout, change->denied_by);
	}
	printf("\n");
}

static void setting_print(const struct diff_setting *setting, void *context)
{
	(*(size_t *)context)++;
	printf("~ %s: %s -> %s\n", setting->name, setting->a, setting->b);
}

static void change_json(const struct diff_change *change, void *context)
{
	static const char *const kinds[] = {
		[DIFF_OPENED] = "opened", [DIFF_CLOSED] = "closed", [DIFF_EXCEPT] = "except",
	};
	char ports[PORTS_TEXT_LEN], host[TARGET_TEXT_LEN];

	target_format_host(&change->target, host);
	target_format_ports(&change->target, ports);
	json_array_append_new(context, json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:o, s:o}",
		"change", kinds[change->kind],
		"direction", change->direction == DIRECTION_IN ? "inbound" : "outbound",
		"host", host, "ports", change->portless ? OTHER_PROTOCOLS : ports,
		"port_low", change->target.port_low, "port_high", change->target.port_high,
		"rule", rule_json(change->rule), "denied_by", rule_json(change->denied_by)));
}

static void setting_json(const struct diff_setting *setting, void *context)
{
	json_array_append_new(context, json_pack("{s:s, s:s, s:s}", "name", setting->name,
						 "a", setting->a, "b", setting->b));
}

static int diff_print(const struct policy *a, const struct policy *b, struct diagnostics *diag)
{
	size_t count = 0;
	int r;

	policy_diff_settings(a, b, setting_print, &count);
	r = policy_diff(a, b, time(NULL), diag, change_print, &count);
	if (!r && !count)
		printf("no difference in what they let through\n");
	return r;
}

static int diff_json(const struct policy *a, const struct policy *b, struct diagnostics *diag)
{
	json_t *settings = json_array(), *changes = json_array(), *json;
	int r;

	policy_diff_settings(a, b, setting_json, settings);
	r = policy_diff(a, b, time(NULL), diag, change_json, changes);
	json = json_pack("{s:o, s:o}", "settings", settings, "changes", changes);
	if (!json)
		return -ENOMEM;
	if (!r)
		r = json_write(json, JSON_INDENT(2), stdout);
	json_decref(json);
	return r;
}

int cmd_policy_diff(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "A B",
		.doc = "Print what policy B opens (+) and closes (-) against policy A, and the settings "
		       "that differ (~)."
		       "\vPolicies are compared by what they let through, not by how they are written.",
	};
	struct arguments arguments = {};
	struct diagnostics diag = { .out = stderr };
	_cleanup_policy_ struct policy *a = NULL, *b = NULL;
	struct policy_request request = {};
	int r;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments);
	request.organization = arguments.organization;
	request.file = arguments.files[0];
	if (policy_load(&request, &diag, &a))
		return EXIT_FAILURE;
	request.file = arguments.files[1];
	if (policy_load(&request, &diag, &b))
		return EXIT_FAILURE;
	r = arguments.json ? diff_json(a, b, &diag) : diff_print(a, b, &diag);
	if (r && !diag.errors)
		fprintf(stderr, "buildfence: %s\n", strerror(-r));
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
