/* SPDX-License-Identifier: GPL-2.0 */
/* buildfence status: how the daemon is, or whether a cgroup is guarded. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/log.h"
#include "cmd.h"
#include "cmd_control.h"
#include "control/cgroup_path.h"

static const struct argp_option options[] = {
	{ "cgroup", OPTION_CGROUP, "PATH", 0,
	  "ask about this one: a directory in the file system, a path from cgroup2's root, or self", 0 },
	{ "json", OPTION_JSON, NULL, 0, "print one JSON object", 0 },
	SOCKET_OPTION,
	{},
};

static void field_print(const char *title, const json_t *object, const char *key)
{
	_cleanup_free_ char *text = json_text(object, key);
	const json_t *value = json_object_get(object, key);

	if (value && !json_is_null(value))
		printf("%-10s %s\n", title, text ? text : "-");
}

static void policies_print(const json_t *policies)
{
	const json_t *policy;
	size_t i;

	json_array_foreach(policies, i, policy) {
		_cleanup_free_ char *name = json_text(policy, "name");
		_cleanup_free_ char *hash = json_text(policy, "hash");
		_cleanup_free_ char *jobs = json_text(policy, "jobs");
		_cleanup_free_ char *source = json_text(policy, "source");

		printf("%-10s %s from %s, %.12s: %s jobs\n", i ? "" : "policies", name ? name : "-",
		       source ? source : "-", hash ? hash : "-", jobs ? jobs : "-");
	}
}

static void guarded_print(const json_t *guarded)
{
	const json_t *cgroup;
	size_t i;

	json_array_foreach(guarded, i, cgroup) {
		const char *path = json_string_value(cgroup);
		_cleanup_free_ char *text = path ? escape_again(path) : NULL;

		printf("%-10s %s\n", i ? "" : "guarded", text ? text : "-");
	}
}

static void lost_print(const json_t *lost)
{
	const char *key;
	json_t *count;

	json_object_foreach((json_t *)lost, key, count) {
		_cleanup_free_ char *what = escape_again(key);

		if (json_integer_value(count))
			printf("lost       %" JSON_INTEGER_FORMAT " (%s)\n",
			       json_integer_value(count), what ? what : "-");
	}
}

static void status_print(const json_t *answer)
{
	const json_t *records = json_object_get(answer, "records");

	field_print("version", answer, "version");
	field_print("pid", answer, "pid");
	field_print("started", answer, "started");
	field_print("jobs", answer, "jobs");
	field_print("at most", answer, "jobs_max");
	policies_print(json_object_get(answer, "policies"));
	field_print("records", records, "file");
	field_print("  written", records, "written");
	field_print("  error", records, "error");
	guarded_print(json_object_get(answer, "guarded"));
	lost_print(json_object_get(answer, "lost"));
}

/* "self" is left to the daemon, who sees it also from outside a cgroup namespace. */
static int cgroup_find(const char *argument, char **ret_path)
{
	int error;

	*ret_path = argument && !strcmp(argument, "self") ? strdup(argument) : NULL;
	if (!argument || *ret_path)
		return 0;
	error = cgroup_path_resolve(argument, ret_path);
	if (error)
		log_error("no cgroup '%s': %s", argument, strerror(-error));
	return error;
}

/* The daemon names the cgroup in full: who reads an agent's log does not know what "self" was. */
static void guarded_say(const char *asked, const json_t *answer, bool guarded)
{
	const json_t *covered = json_object_get(answer, "covered");
	_cleanup_free_ char *cgroup = json_text(answer, "cgroup");
	const char *why = "";

	if (json_is_true(covered))
		why = ", though an entry of 'guard:' in the daemon's configuration covers it; the daemon's log says why";
	else if (json_is_false(covered))
		why = "; no entry of 'guard:' in the daemon's configuration covers it";
	printf("%s is %sguarded%s\n", cgroup && *cgroup == '/' ? cgroup : asked,
	       guarded ? "" : "not ", guarded ? "" : why);
}

static int status_say(const struct control_options *parsed, const json_t *answer)
{
	bool guarded = json_is_true(json_object_get(answer, "guarded"));
	int status = EXIT_SUCCESS;

	if (parsed->json)
		status = json_print(answer);
	else if (parsed->cgroup)
		guarded_say(parsed->cgroup, answer, guarded);
	else
		status_print(answer);
	return parsed->cgroup && !guarded ? EXIT_FAILURE : status;
}

int cmd_status(int argc, char **argv)
{
	struct control_options parsed = {};
	_cleanup_free_ char *cgroup = NULL;
	_cleanup_json_ json_t *answer = NULL;
	int status;

	control_options_parse(argc, argv, options,
			      "Say how the daemon is, or with --cgroup whether this cgroup is guarded."
			      "\vExit status: 0; 1 the daemon does not answer, or the cgroup is not "
			      "guarded.",
			      &parsed);
	if (cgroup_find(parsed.cgroup, &cgroup))
		return EXIT_FAILURE;
	status = control_ask(&parsed,
			     json_pack("{s:s, s:s*}", "request", "status", "cgroup", cgroup),
			     &answer, NULL);
	return status ? status : status_say(&parsed, answer);
}
