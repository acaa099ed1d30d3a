/* SPDX-License-Identifier: GPL-2.0 */
/* buildfence policy derive: arguments; policy/derive.h does the work. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "cmd.h"
#include "policy/derive.h"

enum { OPTION_ROOT = 256, OPTION_GIT, OPTION_HOME };

static const struct argp_option options[] = {
	{ "root", OPTION_ROOT, "DIR", 0,
	  "read /etc and the home folder below DIR, such as an image's; no environment", 0 },
	{ "git", OPTION_GIT, "DIR", 0,
	  "the repository; default: the current folder (with --root: none)", 0 },
	{ "home", OPTION_HOME, "DIR", 0, "the user's home folder, as it is; default: $HOME", 0 },
	{},
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct derive_request *request = state->input;

	switch (key) {
	case OPTION_ROOT:
		request->root = argument;
		return 0;
	case OPTION_GIT:
		request->project = argument;
		return 0;
	case OPTION_HOME:
		request->home = argument;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected '%s'; did you mean --git '%s'?", argument, argument);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_policy_derive(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.doc = "Print policy entries for the mirrors, registries and remotes that this "
		       "machine is configured to use. Passwords are never printed.",
	};
	_cleanup_free_ char *home = NULL;
	struct derive_request request = {};
	int r;

	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &request))
		return EX_USAGE;
	if (!request.home && getenv("HOME")) {
		if (asprintf(&home, "%s%s", request.root ? request.root : "", getenv("HOME")) < 0)
			return EX_OSERR;
		request.home = home;
	}
	if (!request.root) {
		request.environment = environ;
		if (!request.project)
			request.project = ".";
	}
	r = policy_derive(&request, stdout);
	if (r) {
		fprintf(stderr, "buildfence: cannot derive: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
