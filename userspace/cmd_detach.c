/* SPDX-License-Identifier: GPL-2.0 */
/* buildfence detach: has the daemon let go of a job. */
#include "cmd.h"
#include "cmd_control.h"

static const struct argp_option options[] = {
	{ "job", OPTION_JOB, "NAME", 0, "the job, as `jobs` names it", 0 },
	SOCKET_OPTION,
	{},
};

int cmd_detach(int argc, char **argv)
{
	struct control_options parsed = { .needs_job = true };
	_cleanup_json_ json_t *answer = NULL;

	control_options_parse(argc, argv, options,
			      "End the guard of a job. What still runs in its cgroup can then reach "
			      "everything, so end that first."
			      "\vExit status: 0 the guard is gone; 1 it is not, and why is said.",
			      &parsed);
	return control_ask(&parsed,
			   json_pack("{s:s, s:s}", "request", "detach", "job", parsed.job),
			   &answer, NULL);
}
