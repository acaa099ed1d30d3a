/* SPDX-License-Identifier: GPL-2.0 */
/* buildfence policy check: errors and warnings of policy files. Exit status 0, or 1 with errors. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "cmd.h"
#include "policy/compile.h"
#include "policy/lint.h"
#include "policy/load.h"

static const struct argp_option options[] = {
	{ "organization", 'o', "NAME", 0, "fills {organization}, in place of the file's", 0 },
	{},
};

struct arguments {
	const char *organization;
	char **files;
	int file_count;
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'o':
		arguments->organization = argument;
		return 0;
	case ARGP_KEY_ARGS:
		arguments->files = state->argv + state->next;
		arguments->file_count = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which file?");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Returns whether the file has no errors. */
static bool file_check(const char *file, const char *organization)
{
	const struct policy_request request = { .file = file, .organization = organization };
	struct diagnostics diag = { .out = stderr };
	_cleanup_policy_ struct policy *policy = NULL;
	_cleanup_image_ struct image *image = NULL;
	_cleanup_free_ char *shown = escape_again(file);
	time_t now = time(NULL);
	int r;

	if (!shown)
		return false;
	r = policy_load(&request, &diag, &policy);
	if (!r)
		r = policy_lint(policy, now, &diag);
	if (!r)
		r = policy_compile(policy, NULL, now, &diag, &image);
	if (r && !diag.errors)
		fprintf(stderr, "%s: %s\n", shown, strerror(-r));
	if (!r)
		printf("%s: no errors, %u warning%s; %zu rules, mode %s\n", shown, diag.warnings,
		       diag.warnings == 1 ? "" : "s", policy->rule_count,
		       mode_name(policy->mode));
	else
		printf("%s: %u error%s, %u warning%s; this policy is refused\n", shown, diag.errors,
		       diag.errors == 1 ? "" : "s", diag.warnings, diag.warnings == 1 ? "" : "s");
	/* In order with the messages, where both go to one file. */
	fflush(stdout);
	return !r;
}

int cmd_policy_check(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "FILE...",
		.doc = "Report the errors and warnings of policy files."
		       "\vMessages go to standard error, as FILE:LINE:COLUMN: TEXT. The exit status is 1 when "
		       "a file has errors, and 0 otherwise.",
	};
	struct arguments arguments = {};
	bool fine = true;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments);
	for (int i = 0; i < arguments.file_count; i++)
		fine &= file_check(arguments.files[i], arguments.organization);
	return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
