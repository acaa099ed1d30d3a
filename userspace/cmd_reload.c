/* SPDX-License-Identifier: GPL-2.0 */
/* buildfence reload: has the daemon read its configuration and policies again. */
#include "cmd.h"
#include "cmd_control.h"

static const struct argp_option options[] = {
	SOCKET_OPTION,
	{},
};

int cmd_reload(int argc, char **argv)
{
	struct control_options parsed = {};
	_cleanup_json_ json_t *answer = NULL;

	control_options_parse(argc, argv, options,
			      "Read configuration and policies again. They act on running jobs at once; "
			      "if anything is wrong with them, what was in force stays in force."
			      "\vExit status: 0 they are in force; 1 they are not, and why is said.",
			      &parsed);
	return control_ask(&parsed, json_pack("{s:s}", "request", "reload"), &answer, NULL);
}
