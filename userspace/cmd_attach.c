/* SPDX-License-Identifier: GPL-2.0 */
/* buildfence attach: has the daemon guard a cgroup as a job, for agents that it does not watch. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cmd.h"
#include "cmd_control.h"
#include "control/cgroup_path.h"

static const struct argp_option options[] = {
	{ "job", OPTION_JOB, "NAME", 0, "the job's name in records, unlike all running jobs'", 0 },
	{ "cgroup", OPTION_CGROUP, "PATH", 0,
	  "a directory in the file system, a path from cgroup2's root, or self", 0 },
	{ "policy", 'p', "FILE", 0,
	  "a policy, or the name of a preset; default: what the configuration says", 0 },
	SOCKET_OPTION,
	{},
};

static int cgroup_find(const char *argument, char **ret_path)
{
	int error = cgroup_path_resolve(argument, ret_path);

	if (error == -EINVAL)
		log_error("--cgroup '%s' is neither an absolute path nor self", argument);
	else if (error == -ENOENT)
		log_error("no cgroup '%s', neither in the file system nor from cgroup2's root",
			  argument);
	else if (error == -ENOMEDIUM)
		log_error("cgroup2 is not mounted here; `buildfence doctor` says more");
	else if (error)
		log_error("cannot find cgroup '%s': %s", argument, strerror(-error));
	return error;
}

/* As in the configuration: a word is a preset, everything else is a file. */
static int policy_find(const char *argument, char **ret_policy)
{
	size_t length = strlen(argument);
	bool yaml = length > 5 && !strcmp(argument + length - 5, ".yaml");
	bool word = length && !strchr(argument, '/') && !yaml;

	*ret_policy = word ? strdup(argument) : realpath(argument, NULL);
	if (*ret_policy)
		return 0;
	log_error("cannot open policy '%s': %s", argument, strerror(errno));
	return -errno;
}

int cmd_attach(int argc, char **argv)
{
	struct control_options parsed = { .needs_job = true, .needs_cgroup = true };
	_cleanup_free_ char *cgroup = NULL, *policy = NULL;
	_cleanup_json_ json_t *answer = NULL;
	json_t *request;

	control_options_parse(argc, argv, options,
			      "Guard a cgroup and all below it as a job, until `detach` or until it is "
			      "removed; best before anything runs in it."
			      "\vExit status: 0 the guard is attached; 1 it is not, and why is said.",
			      &parsed);
	if (cgroup_find(parsed.cgroup, &cgroup) ||
	    (parsed.policy && policy_find(parsed.policy, &policy)))
		return EXIT_FAILURE;
	request = json_pack("{s:s, s:s, s:s, s:s*}", "request", "attach", "job", parsed.job,
			    "cgroup", cgroup, "policy", policy);
	return control_ask(&parsed, request, &answer, NULL);
}
