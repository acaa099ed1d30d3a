/* SPDX-License-Identifier: GPL-2.0 */
/* buildfence suggest: arguments and files; event/suggest.h does the work. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cmd.h"
#include "event/suggest.h"
#include "policy/policy.h"

/* Below two names there is nothing to fold. */
#define FOLD_LEAST	2
#define FOLD_MOST	1000000

enum { OPTION_FROM = 256, OPTION_FOLD, OPTION_PRESET, OPTION_ALLOW };

static const struct argp_option options[] = {
	{ "from", OPTION_FROM, "EVENTS.ndjson", 0,
	  "records of an audit run; default: standard input", 0 },
	{ "fold", OPTION_FOLD, "N", 0,
	  "make *.parent of N or more names below one parent, never above a registered domain", 0 },
	{ NULL, 0, NULL, 0, "What the run had, if it was more than presets that are built in:", 1 },
	{ "policy", 'p', "FILE", 0, "its policy", 1 },
	{ "preset", OPTION_PRESET, "NAME", 0, "a preset that was added; may be given again", 1 },
	{ "allow", OPTION_ALLOW, "TARGET", 0, "an entry that was added; may be given again", 1 },
	{ "organization", 'o', "NAME", 0, "what filled {organization}", 1 },
	{},
};

/* The lists have room for every argument. */
struct arguments {
	const char *from;
	unsigned int fold;
	struct policy_request run;
	const char **presets;
	const char **allow;
	size_t preset_count;
	size_t allow_count;
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	unsigned long fold;
	char *end;

	switch (key) {
	case OPTION_FROM:
		arguments->from = strcmp(argument, "-") ? argument : NULL;
		return 0;
	case OPTION_FOLD:
		fold = strtoul(argument, &end, 10);
		if (*end || end == argument || fold < FOLD_LEAST || fold > FOLD_MOST)
			argp_error(state, "--fold '%s' is not a number from %d to %d", argument,
				   FOLD_LEAST, FOLD_MOST);
		arguments->fold = (unsigned int)fold;
		return 0;
	case 'p':
		arguments->run.file = argument;
		return 0;
	case OPTION_PRESET:
		arguments->presets[arguments->preset_count++] = argument;
		return 0;
	case OPTION_ALLOW:
		arguments->allow[arguments->allow_count++] = argument;
		return 0;
	case 'o':
		arguments->run.organization = argument;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected '%s'; did you mean --from '%s'?", argument, argument);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_suggest(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "Print the smallest policy that would have let an audit run pass.\v"
		       "What the run's own policy allowed left no record. Presets that are built in are known by "
		       "the records; anything else must be named as it was in `run`, or a warning says what is "
		       "missing.",
	};
	_cleanup_free_ const char **presets = calloc((size_t)argc + 1, sizeof(*presets));
	_cleanup_free_ const char **allow = calloc((size_t)argc + 1, sizeof(*allow));
	struct arguments arguments = { .presets = presets, .allow = allow };
	struct diagnostics diag = { .out = stderr };
	struct suggest_options suggest_options = { .source = "standard input" };
	_cleanup_fclose_ FILE *file = NULL;
	int r;

	if (!presets || !allow)
		return EXIT_FAILURE;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments))
		return EX_USAGE;
	suggest_options.fold = arguments.fold;
	suggest_options.run = arguments.run;
	suggest_options.run.presets = presets;
	suggest_options.run.allow = allow;
	if (arguments.from) {
		suggest_options.source = arguments.from;
		file = fopen(arguments.from, "re");
		if (!file) {
			log_error("cannot open '%s': %s", arguments.from, strerror(errno));
			return EXIT_FAILURE;
		}
	}
	r = suggest(file ? file : stdin, &suggest_options, &diag, stdout);
	if (r && !diag.errors)
		log_error("cannot read '%s': %s", suggest_options.source, strerror(-r));
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
