/* SPDX-License-Identifier: GPL-2.0 */
/* buildfence doctor: is this machine fit for the guard? Exit status 0 fit, 1 not. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd.h"
#include "doctor/doctor.h"
#include "event/sink.h"

enum {
	OPTION_JSON = 256,
	OPTION_ROOT,
};

static const struct argp_option options[] = {
	{ "json", OPTION_JSON, NULL, 0, "print one JSON array", 0 },
	{ "root", OPTION_ROOT, "DIR", 0, "read files below DIR; the kernel is this one's", 0 },
	{},
};

struct arguments {
	const char *root;
	bool json;
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case OPTION_JSON:
		arguments->json = true;
		return 0;
	case OPTION_ROOT:
		arguments->root = argument;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "no argument is expected; '%s' is one", argument);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_doctor(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "Say what this machine and its kernel can do for the guard, what each finding "
		       "means, and how to fix it."
		       "\vExit status: 0 fit, 1 not. Nothing is left behind.",
	};
	struct arguments arguments = { .root = "/" };
	_cleanup_machine_ struct machine machine = { .root_fd = -1 };
	struct report report = {};
	int error;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments);
	error = machine_open(arguments.root, &machine);
	if (error) {
		log_error("cannot open '%s': %s", arguments.root, strerror(-error));
		return EXIT_FAILURE;
	}
	report.json = arguments.json;
	report.colour = colour_wanted(STDOUT_FILENO);
	doctor_run(&machine, report_take, &report);
	return report_end(&report);
}
