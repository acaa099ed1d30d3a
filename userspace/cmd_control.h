/* SPDX-License-Identifier: GPL-2.0 */
/* What the commands that ask the daemon share: options, the call, fit output. */
#ifndef BUILDFENCE_CMD_CONTROL_H
#define BUILDFENCE_CMD_CONTROL_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/text.h"
#include "control/protocol.h"

enum control_option {
	OPTION_SOCKET = 256,
	OPTION_JOB,
	OPTION_CGROUP,
	OPTION_JSON,
	OPTION_FOLLOW,
};

/* For each command's option table, behind its own. */
#define SOCKET_OPTION \
	{ "socket", OPTION_SOCKET, "FILE", 0, "the daemon's socket; default " CONTROL_SOCKET, 9 }

struct control_options {
	const char *socket;
	const char *job, *cgroup, *policy;
	bool json, follow;
	bool needs_job, needs_cgroup;	/* set by the command before parsing */
};

/*
 * Parses a command line with the options that `table` names, by their keys above. Wrong usage ends
 * the process.
 */
void control_options_parse(int argc, char **argv, const struct argp_option *table, const char *doc,
			   struct control_options *options);

/*
 * Asks the daemon; the request is given back in any case, NULL is out of memory. Returns the exit
 * status: failures are said.
 */
int control_ask(const struct control_options *options, json_t *request, json_t **ret_answer,
		int *ret_stream_fd);

/* Prints an answer as one line. Returns the exit status. */
int json_print(const json_t *answer);

/* Text of the daemon's, escaped (again) and to be freed; "-" where there is none. */
char *json_text(const json_t *object, const char *key);

static inline void json_cleanup(json_t **json)
{
	json_decref(*json);
}
#define _cleanup_json_ __attribute__((cleanup(json_cleanup)))

#endif
