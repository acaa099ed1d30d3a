/* SPDX-License-Identifier: GPL-2.0 */
/* `buildfence run`: its command line. What it does is job/run.c's. */
#include <argp.h>
#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "cmd.h"
#include "job/run.h"

enum run_key {
	KEY_PRESET = 0x100,
	KEY_ALLOW,
	KEY_MODE,
	KEY_JOB,
	KEY_EVENTS,
	KEY_REPORT,
	KEY_FAIL,
	KEY_KEEP,
	KEY_USER,
};

static const struct argp_option option_table[] = {
	{ "policy", 'p', "FILE", 0, "The policy (default: the preset azure-devops)", 1 },
	{ "preset", KEY_PRESET, "NAME", 0, "Add a preset; may be given again", 1 },
	{ "allow", KEY_ALLOW, "TARGET", 0, "Add an entry, such as https://feed.example; may be "
	  "given again", 1 },
	{ "organization", 'o', "NAME", 0, "Fills {organization} in presets", 1 },
	{ "mode", KEY_MODE, "MODE", 0, "enforce, or audit: refuse nothing and report what would "
	  "have been", 1 },
	{ "user", KEY_USER, "NAME", 0, "Run COMMAND as this local user", 2 },
	{ "keep", KEY_KEEP, NULL, 0, "Do not kill what still runs when COMMAND ends; it stays "
	  "guarded", 2 },
	{ "job", KEY_JOB, "NAME", 0, "The job's name in records (default: COMMAND's)", 3 },
	{ "events", KEY_EVENTS, "FILE", 0, "Append a JSON record per violation; - is standard "
	  "output", 3 },
	{ "report", KEY_REPORT, "FILE", 0, "Write the summary as Markdown", 3 },
	{ "quiet", 'q', NULL, 0, "Print neither violations nor the summary", 3 },
	{ "fail-on-violation", KEY_FAIL, NULL, 0, "Exit with 3 when COMMAND succeeded but "
	  "something was denied", 3 },
	{}
};

static const char doc[] =
	"Run COMMAND so that it, and all it starts, can reach and be reached by only what the policy "
	"names. Each violation is printed, and a summary at the end.\v"
	"Exit status: COMMAND's own, or 128 + N when signal N ended it; 3 see --fail-on-violation; "
	"64 wrong usage; 125 the guard failed before COMMAND ran; 126 COMMAND cannot be executed; "
	"127 it was not found.";

/* The option lists have room for every argument. */
struct run_input {
	struct run_options options;
	const char **presets;
	const char **allow;
	size_t preset_count;
	size_t allow_count;
};

static void command_take(struct run_input *input, const char *argument, struct argp_state *state)
{
	const char *slash = strrchr(argument, '/');

	input->options.command = &state->argv[state->next - 1];
	if (!input->options.job)
		input->options.job = slash && slash[1] ? slash + 1 : argument;
	state->next = state->argc;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct run_input *input = state->input;
	struct run_options *options = &input->options;

	switch (key) {
	case 'p':
		options->policy.file = argument;
		return 0;
	case KEY_PRESET:
		input->presets[input->preset_count++] = argument;
		return 0;
	case KEY_ALLOW:
		input->allow[input->allow_count++] = argument;
		return 0;
	case 'o':
		options->policy.organization = argument;
		return 0;
	case KEY_MODE:
		if (strcmp(argument, "enforce") && strcmp(argument, "audit"))
			argp_error(state, "--mode %s: must be enforce or audit", argument);
		options->policy.mode = argument;
		return 0;
	case KEY_USER:
		options->user = argument;
		return 0;
	case KEY_KEEP:
		options->keep = true;
		return 0;
	case KEY_JOB:
		if (!*argument)
			argp_error(state, "--job: the name must not be empty");
		options->job = argument;
		return 0;
	case KEY_EVENTS:
		options->events = argument;
		return 0;
	case KEY_REPORT:
		options->report = argument;
		return 0;
	case 'q':
		options->quiet = true;
		return 0;
	case KEY_FAIL:
		options->fail_on_violation = true;
		return 0;
	case ARGP_KEY_ARG:
		command_take(input, argument, state);
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which command? Say: buildfence run [OPTION...] -- COMMAND "
			   "[ARGUMENT...]");
		return EX_USAGE;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_run(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_table,
		.parser = parse_option,
		.args_doc = "COMMAND [ARGUMENT...]",
		.doc = doc,
	};
	_cleanup_free_ const char **presets = calloc((size_t)argc + 1, sizeof(*presets));
	_cleanup_free_ const char **allow = calloc((size_t)argc + 1, sizeof(*allow));
	struct run_input input = { .presets = presets, .allow = allow };

	if (!presets || !allow)
		return RUN_FAILED;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &input))
		return EX_USAGE;
	input.options.policy.presets = input.preset_count ? presets : NULL;
	input.options.policy.allow = input.allow_count ? allow : NULL;
	return job_run(&input.options);
}
