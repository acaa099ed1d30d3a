/* SPDX-License-Identifier: GPL-2.0 */
/* The commands that ask the daemon: what they print, and their exit status. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd.h"
#include "cmd_control.h"
#include "control_made.h"

/* Runs a command in a process of its own; its standard output goes to `out`. */
static int command_run(int (*command)(int, char **), char *const *arguments, char *out, size_t size)
{
	size_t length = 0;
	int fds[2], status, count = 0;
	ssize_t n;
	pid_t pid;

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDOUT_FILENO);
		while (arguments[count])
			count++;
		status = command(count, (char **)arguments);
		fflush(stdout);
		_exit(status);
	}
	close(fds[1]);
	while (length + 1 < size && (n = read(fds[0], out + length, size - 1 - length)) > 0)
		length += (size_t)n;
	out[length] = '\0';
	close(fds[0]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int asked(int (*command)(int, char **), const char *answer, const char *option, char *out,
		 size_t size)
{
	struct made made = {};
	char socket[128];
	char *arguments[] = { "buildfence test", socket, (char *)option, NULL };
	int status;

	setenv("MADE_ANSWER", answer, 1);
	made_start(&made, 4);
	snprintf(socket, sizeof(socket), "--socket=%s", made.path);
	status = command_run(command, arguments, out, size);
	made_stop(&made);
	return status;
}

#define TWO_JOBS \
	"{\"jobs\":[{\"name\":\"build-7.4711\",\"number\":1,\"cgroup\":\"/buildfence/job-1\"," \
	"\"policy\":\"azure-devops\",\"mode\":\"enforce\",\"started\":\"2026-11-24T10:00:00Z\"," \
	"\"refused\":3,\"processes\":true}," \
	"{\"name\":\"##[x]\\u001b[31m\",\"refused\":12345,\"processes\":false,\"mode\":\"audit\"}]}"

Test(cmd_control, jobs_are_a_table)
{
	char out[4096];

	cr_expect_eq(asked(cmd_jobs, TWO_JOBS, NULL, out, sizeof(out)), 0);
	cr_expect_str_eq(out,
			 "NAME              POLICY        MODE     STARTED               REFUSED  RUNS  CGROUP\n"
			 "build-7.4711      azure-devops  enforce  2026-11-24T10:00:00Z        3  yes   /buildfence/job-1\n"
			 "\\x23#[x]\\x1b[31m  -             audit    -                       12345  no    -\n");
	cr_expect_eq(asked(cmd_jobs, "{\"jobs\":[]}", NULL, out, sizeof(out)), 0);
	cr_expect_str_eq(out, "no jobs\n");
}

Test(cmd_control, jobs_as_JSON_obey_no_pipeline)
{
	char out[4096];

	cr_expect_eq(asked(cmd_jobs, TWO_JOBS, "--json", out, sizeof(out)), 0);
	cr_expect(strstr(out, "{\"name\":\"#\\u0023[x]\\u001B[31m\""), "%s", out);
	cr_expect_null(strstr(out, "##"));
}

Test(cmd_control, status_says_how_the_daemon_is)
{
	static const char answer[] =
		"{\"version\":\"1.0\",\"pid\":7,\"started\":\"2026-11-24T10:00:00Z\",\"jobs\":2,\"jobs_max\":256,"
		"\"policies\":[{\"name\":\"a\",\"source\":\"/etc/a.yaml\",\"hash\":\"0123456789abcdef\",\"jobs\":2}],"
		"\"records\":{\"file\":\"/var/log/r\",\"written\":5,\"attempts\":9,\"error\":null},"
		"\"guarded\":[\"/a.slice\",\"/b.slice\"],\"lost\":{\"addresses\":4,\"memory\":0}}";
	char out[4096];

	cr_expect_eq(asked(cmd_status, answer, NULL, out, sizeof(out)), 0);
	cr_expect_str_eq(out, "version    1.0\npid        7\nstarted    2026-11-24T10:00:00Z\n"
			      "jobs       2\n"
			      "at most    256\npolicies   a from /etc/a.yaml, 0123456789ab: 2 jobs\n"
			      "records    /var/log/r\n  written  5\n"
			      "guarded    /a.slice\n           /b.slice\nlost       4 (addresses)\n");
}

Test(cmd_control, status_of_a_cgroup_is_its_exit_status)
{
	static const char option[] = "--cgroup=self";
	char out[256];

	cr_expect_eq(asked(cmd_status, "{\"cgroup\":\"/a.service\",\"guarded\":true}", option, out,
			   sizeof(out)), 0);
	cr_expect_str_eq(out, "/a.service is guarded\n");
	cr_expect_eq(asked(cmd_status, "{\"cgroup\":null,\"guarded\":false}", option, out,
			   sizeof(out)), 1);
	cr_expect_str_eq(out, "self is not guarded\n");
	/* A list of guarded cgroups is no yes. */
	cr_expect_eq(asked(cmd_status, "{\"guarded\":[\"/a\"]}", option, out, sizeof(out)), 1);
	cr_expect_eq(asked(cmd_status, "{}", option, out, sizeof(out)), 1);
}

/* All that stands in the log of an agent that was not let start. */
Test(cmd_control, status_says_why_a_cgroup_is_not_guarded)
{
	static const struct { const char *answer, *line; } rows[] = {
		{ "{\"cgroup\":\"/a\\\\x2db.service\",\"guarded\":false,\"covered\":false}",
		  "/a\\x2db.service is not guarded; no entry of 'guard:' in the daemon's configuration covers it\n" },
		{ "{\"cgroup\":\"/a.service\",\"guarded\":false,\"covered\":true}",
		  "/a.service is not guarded, though an entry of 'guard:' in the daemon's configuration covers it; "
		  "the daemon's log says why\n" },
		{ "{\"cgroup\":\"/##[x]\\u001b\",\"guarded\":true,\"covered\":false}", "/\\x23#[x]\\x1b is guarded\n" },
	};
	char out[256];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		asked(cmd_status, rows[i].answer, "--cgroup=self", out, sizeof(out));
		cr_expect_str_eq(out, rows[i].line);
	}
}

/* `events --follow | head -n 1` must end though no further record comes. */
Test(cmd_control, events_end_quietly_when_nobody_reads_them, .timeout = 20)
{
	struct made made = {};
	char line[256], socket[128];
	char *arguments[] = { "buildfence events", "--follow", socket, NULL };
	int fds[2], status;
	pid_t pid;

	made_start(&made, 4);
	snprintf(socket, sizeof(socket), "--socket=%s", made.path);
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		close(fds[0]);
		dup2(fds[1], STDOUT_FILENO);
		close(fds[1]);
		_exit(cmd_events(3, arguments));
	}
	close(fds[1]);
	made_wait(&made, "\"streams\":1");
	made_call(&made, "{\"request\":\"publish\",\"job\":1,\"count\":1}", line, sizeof(line));
	cr_expect_gt(read(fds[0], line, sizeof(line)), 0);
	close(fds[0]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0, "%#x", status);
	made_stop(&made);
}
