/* SPDX-License-Identifier: GPL-2.0 */
/* Shared parts of the commands that ask the daemon: see cmd_control.h. */
#include "cmd_control.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/log.h"
#include "control/client.h"
#include "policy/write.h"

static void options_judge(const struct control_options *options, const struct argp_state *state)
{
	if (options->needs_job && !options->job)
		argp_error(state, "--job NAME is missing");
	else if (options->needs_cgroup && !options->cgroup)
		argp_error(state, "--cgroup PATH is missing");
	else if (options->job && !options->job[0])
		argp_error(state, "--job '' is no name");
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct control_options *options = state->input;

	switch (key) {
	case OPTION_SOCKET:
		options->socket = argument;
		return 0;
	case OPTION_JOB:
		options->job = argument;
		return 0;
	case OPTION_CGROUP:
		options->cgroup = argument;
		return 0;
	case 'p':
		options->policy = argument;
		return 0;
	case OPTION_JSON:
		options->json = true;
		return 0;
	case OPTION_FOLLOW:
		options->follow = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "no argument is expected; '%s' is one", argument);
		return 0;
	case ARGP_KEY_END:
		options_judge(options, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void control_options_parse(int argc, char **argv, const struct argp_option *table, const char *doc,
			   struct control_options *options)
{
	const struct argp argp = { .options = table, .parser = parse_option, .doc = doc };

	options->socket = CONTROL_SOCKET;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, options);
}

int control_ask(const struct control_options *options, json_t *request, json_t **ret_answer,
		int *ret_stream_fd)
{
	_cleanup_json_ json_t *taken = request;
	_cleanup_free_ char *message = NULL;
	int error;

	/* jansson refuses what is not UTF-8. */
	if (!taken) {
		log_error("a name or path on the command line is not UTF-8");
		return EXIT_FAILURE;
	}
	error = control_call(options->socket, taken, ret_answer, ret_stream_fd, &message);
	if (!error)
		return EXIT_SUCCESS;
	log_error("%s", message ? message : strerror(-error));
	return EXIT_FAILURE;
}

int json_print(const json_t *answer)
{
	if (!json_write(answer, JSON_COMPACT, stdout))
		return EXIT_SUCCESS;
	log_error("out of memory");
	return EXIT_FAILURE;
}

char *json_text(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	char number[32];

	if (json_is_string(value))
		return escape_again(json_string_value(value));
	if (!json_is_integer(value))
		return strdup(json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-");
	snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return strdup(number);
}
