/* SPDX-License-Identifier: GPL-2.0 */
/* `buildfence daemon`: its command line. What it does is daemon/daemon.c's. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd.h"
#include "config/config.h"
#include "daemon/daemon.h"

enum {
	KEY_CHECK = 0x100,
};

static const struct argp_option option_table[] = {
	{ "config", 'c', "FILE", 0, "The configuration (default: " CONFIG_PATH ")", 0 },
	{ "check", KEY_CHECK, NULL, 0, "Read the configuration and its policies, report errors and "
	  "warnings, and exit", 0 },
	{},
};

struct daemon_input {
	const char *config;
	bool check;
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct daemon_input *input = state->input;

	switch (key) {
	case 'c':
		input->config = argument;
		return 0;
	case KEY_CHECK:
		input->check = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "no argument is expected; '%s' is one", argument);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_daemon(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_table,
		.parser = parse_option,
		.doc = "Guard the jobs of this machine's agents from boot on. Runs until it is told "
		       "to end; what is guarded stays guarded then. SIGHUP, or buildfence reload, "
		       "reads the configuration and its policies anew."
		       "\vExit status: 0 when told to end, or --check found no error; 1 else.",
	};
	struct daemon_input input = { .config = CONFIG_PATH };

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &input);
	if (input.check)
		return config_check(input.config);
	if (geteuid()) {
		log_error("daemon needs root, to load BPF programs and to make cgroups");
		return EXIT_FAILURE;
	}
	return daemon_run(input.config);
}
