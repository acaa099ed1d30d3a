/* SPDX-License-Identifier: GPL-2.0 */
/* buildfence jobs: which jobs the daemon guards, as a table or as JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cmd.h"
#include "cmd_control.h"

static const struct argp_option options[] = {
	{ "json", OPTION_JSON, NULL, 0, "print one JSON object", 0 },
	SOCKET_OPTION,
	{},
};

/* Column after column; the last one may be of any width. */
static const struct column {
	const char *title, *key;
	bool right;
} columns[] = {
	{ "NAME", "name", false },     { "POLICY", "policy", false },
	{ "MODE", "mode", false },     { "STARTED", "started", false },
	{ "REFUSED", "refused", true }, { "RUNS", "processes", false },
	{ "CGROUP", "cgroup", false },
};

static int cell_width(const json_t *jobs, const struct column *column)
{
	size_t width = strlen(column->title), i;
	const json_t *job;

	json_array_foreach(jobs, i, job) {
		_cleanup_free_ char *cell = json_text(job, column->key);

		if (cell && strlen(cell) > width)
			width = strlen(cell);
	}
	return (int)width;
}

static void row_print(const json_t *job, const int widths[static ARRAY_SIZE(columns)])
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		_cleanup_free_ char *text = job ? json_text(job, columns[i].key) : NULL;
		const char *cell = text ? text : columns[i].title;

		if (i + 1 == ARRAY_SIZE(columns))
			printf("%s\n", cell);
		else
			printf("%*s  ", columns[i].right ? widths[i] : -widths[i], cell);
	}
}

static void jobs_print(const json_t *jobs)
{
	int widths[ARRAY_SIZE(columns)];
	const json_t *job;
	size_t i;

	if (!json_array_size(jobs)) {
		puts("no jobs");
		return;
	}
	for (i = 0; i < ARRAY_SIZE(columns); i++)
		widths[i] = cell_width(jobs, &columns[i]);
	row_print(NULL, widths);
	json_array_foreach(jobs, i, job)
		row_print(job, widths);
}

int cmd_jobs(int argc, char **argv)
{
	struct control_options parsed = {};
	_cleanup_json_ json_t *answer = NULL;
	int status;

	control_options_parse(argc, argv, options,
			      "List the jobs that are guarded. RUNS says whether a job still has "
			      "processes, REFUSED how many attempts were recorded."
			      "\vExit status: 0; 1 the daemon does not answer.",
			      &parsed);
	status = control_ask(&parsed, json_pack("{s:s}", "request", "jobs"), &answer, NULL);
	if (status || parsed.json)
		return status ? status : json_print(answer);
	jobs_print(json_object_get(answer, "jobs"));
	return EXIT_SUCCESS;
}
