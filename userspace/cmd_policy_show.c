/* SPDX-License-Identifier: GPL-2.0 */
/* buildfence policy show: a policy with its presets read in. Exit status 0, or 1 with errors. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd.h"
#include "policy/load.h"
#include "policy/write.h"

#define PRESETS_MAX	64

enum {
	OPTION_JSON = 256,
	OPTION_PRESET,
};

static const struct argp_option options[] = {
	{ "preset", OPTION_PRESET, "NAME", 0, "add a preset; without FILE, show presets alone", 0 },
	{ "organization", 'o', "NAME", 0, "fills {organization}, in place of the file's", 0 },
	{ "json", OPTION_JSON, NULL, 0, "print one JSON object", 0 },
	{},
};

struct arguments {
	struct policy_request request;
	const char *presets[PRESETS_MAX + 1];
	size_t preset_count;
	bool json;
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case OPTION_PRESET:
		if (arguments->preset_count == PRESETS_MAX)
			argp_error(state, "more than %d presets", PRESETS_MAX);
		arguments->presets[arguments->preset_count++] = argument;
		return 0;
	case 'o':
		arguments->request.organization = argument;
		return 0;
	case OPTION_JSON:
		arguments->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (arguments->request.file)
			argp_error(state, "one file only; '%s' is a second", argument);
		arguments->request.file = argument;
		return 0;
	case ARGP_KEY_END:
		if (!arguments->request.file && !arguments->preset_count)
			argp_error(state, "which file? (or --preset NAME)");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_policy_show(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "[FILE]",
		.doc = "Print a policy as it acts: presets read in, placeholders filled, each rule with its "
		       "protocol, ports and place."
		       "\vWhat is printed is a policy itself.",
	};
	struct arguments arguments = {};
	struct diagnostics diag = { .out = stderr };
	_cleanup_policy_ struct policy *policy = NULL;
	int r;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments);
	arguments.request.presets = arguments.presets;
	r = policy_load(&arguments.request, &diag, &policy);
	if (r)
		return EXIT_FAILURE;
	r = arguments.json ? policy_write_json(policy, stdout) : policy_write_yaml(policy, stdout);
	if (r)
		fprintf(stderr, "buildfence: %s\n", strerror(-r));
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
