/* SPDX-License-Identifier: GPL-2.0 */
/* buildfence daemon: so far only the check of its configuration. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cmd.h"
#include "config/config.h"

enum {
	OPTION_CHECK = 256,
};

static const struct argp_option options[] = {
	{ "config", 'c', "FILE", 0, "the configuration (" CONFIG_PATH ")", 0 },
	{ "check", OPTION_CHECK, NULL, 0, "read it, report errors and warnings, and end", 0 },
	{},
};

struct arguments {
	const char *config;
	bool check;
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'c':
		arguments->config = argument;
		return 0;
	case OPTION_CHECK:
		arguments->check = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'", argument);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_daemon(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "Guard the jobs of this machine's build agents.",
	};
	struct arguments arguments = { .config = CONFIG_PATH };

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments);
	if (arguments.check)
		return config_check(arguments.config);
	log_error("the daemon is not built yet; --check reads its configuration");
	return EXIT_FAILURE;
}
