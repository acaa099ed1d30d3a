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

enum { OPTION_FROM = 256, OPTION_FOLD };

static const struct argp_option options[] = {
	{ "from", OPTION_FROM, "EVENTS.ndjson", 0,
	  "records of an audit run; default: standard input", 0 },
	{ "fold", OPTION_FOLD, "N", 0,
	  "make *.parent of N or more names below one parent, never above a registered domain", 0 },
	{},
};

struct arguments {
	const char *from;
	unsigned int fold;
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
		.doc = "Print the smallest policy that would have let an audit run's records pass.",
	};
	struct diagnostics diag = { .out = stderr };
	struct suggest_options suggest_options = { .source = "standard input" };
	struct arguments arguments = {};
	_cleanup_fclose_ FILE *file = NULL;
	int r;

	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments))
		return EX_USAGE;
	suggest_options.fold = arguments.fold;
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
