/* SPDX-License-Identifier: GPL-2.0 */
/* Asking the daemon: what comes back, what the messages say; resolving of cgroup names. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "control/cgroup_path.h"
#include "control/client.h"
#include "control_made.h"
#include "job/cgroup.h"

Test(control_client, an_answer_comes_back_and_an_error_is_said)
{
	json_t *request = json_pack("{s:s, s:i}", "request", "long", "size", 100000);
	json_t *wrong = json_pack("{s:s}", "request", "none##[x]");
	_cleanup_free_ char *error = NULL;
	json_t *answer = NULL;
	struct made made = {};

	made_start(&made, 4);
	cr_expect_eq(control_call(made.path, request, &answer, NULL, NULL), 0);
	cr_expect_eq(json_string_length(json_object_get(answer, "text")), 100000);
	json_decref(answer);
	answer = NULL;
	cr_expect_eq(control_call(made.path, wrong, &answer, NULL, &error), -EREMOTEIO);
	cr_expect_str_eq(error, "unknown request 'none\\x23#[x]'");
	cr_expect_null(answer);
	json_decref(request);
	json_decref(wrong);
	made_stop(&made);
}

Test(control_client, the_stream_begins_behind_the_answer)
{
	json_t *request = json_pack("{s:s, s:i}", "request", "events", "job", 1);
	json_t *answer = NULL;
	struct made made = {};
	char line[256];
	int fd = -1;

	made_start(&made, 4);
	cr_assert_eq(control_call(made.path, request, &answer, &fd, NULL), 0);
	made_call(&made, "{\"request\":\"publish\",\"job\":1,\"count\":1}", line, sizeof(line));
	made_line(fd, line, sizeof(line));
	cr_expect_eq(strncmp(line, "0 of job 1 ", 11), 0, "%s", line);
	close(fd);
	json_decref(answer);
	json_decref(request);
	made_stop(&made);
}

Test(control_client, a_request_that_is_too_long_is_not_sent)
{
	char long_name[20000];
	_cleanup_free_ char *error = NULL;
	json_t *request, *answer = NULL;
	struct made made = {};

	memset(long_name, 'a', sizeof(long_name));
	request = json_pack("{s:s#}", "request", long_name, (int)sizeof(long_name));
	made_start(&made, 4);
	cr_expect_eq(control_call(made.path, request, &answer, NULL, &error), -E2BIG);
	cr_expect_str_eq(error, "the request is longer than 16384 bytes");
	json_decref(request);
	made_stop(&made);
}

/* Something else at the socket: it writes `bytes`, then closes, or first sleeps. */
static pid_t stranger_start(const char *path, const char *bytes, unsigned int sleeps)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 4), 0);
	pid = fork();
	if (!pid) {
		char request[4096];
		int client = accept(fd, NULL, NULL);

		if (read(client, request, sizeof(request)) < 0 ||
		    write(client, bytes, strlen(bytes)) < 0)
			_exit(1);
		sleep(sleeps);
		_exit(0);
	}
	close(fd);
	return pid;
}

Test(control_client, lines_that_come_with_the_answer_are_the_streams)
{
	json_t *request = json_pack("{s:s}", "request", "events"), *answer = NULL;
	char path[64], line[64] = "";
	pid_t pid;
	int fd = -1;

	snprintf(path, sizeof(path), "/tmp/control-stranger.%d", getpid());
	pid = stranger_start(path, "{\"ok\":true}\n{\"a\":1}\n", 0);
	cr_expect_eq(control_call(path, request, &answer, &fd, NULL), 0);
	cr_expect_eq(read(fd, line, sizeof(line)), 8);
	cr_expect_str_eq(line, "{\"a\":1}\n");
	close(fd);
	json_decref(request);
	json_decref(answer);
	waitpid(pid, NULL, 0);
	unlink(path);
}

struct stranger_case {
	char bytes[64];
	unsigned int sleeps;
	int error;
	char message[80];	/* part of it */
};

ParameterizedTestParameters(control_client, what_is_no_daemon_is_told_apart)
{
	static struct stranger_case cases[] = {
		{ "", 0, -ECONNRESET, "closed the connection without an answer; try again" },
		{ "{\"ok\":true", 0, -ECONNRESET, "closed the connection without an answer" },
		{ "HTTP/1.1 400 Bad Request\r\n\r\n", 0, -EPROTO, "is no buildfence daemon, or one of another version" },
		{ "[]\n", 0, -EPROTO, "is no buildfence daemon" },
		{ "{\"ok\":1}\n", 0, -EPROTO, "is no buildfence daemon" },
		{ "{\"ok\":false}\n", 0, -EPROTO, "is no buildfence daemon" },
		{ "{\"ok\":false,\"error\":\"a\\u001b[31m\\\\x00\"}\n", 0, -EREMOTEIO, "a\\x1b[31m\\x00" },
		{ "{\"ok\":", 12, -ETIMEDOUT, "did not answer within 10 s" },
	};

	return cr_make_param_array(struct stranger_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct stranger_case *row, control_client, what_is_no_daemon_is_told_apart,
		  .timeout = 30)
{
	json_t *request = json_pack("{s:s}", "request", "jobs"), *answer = NULL;
	_cleanup_free_ char *error = NULL;
	char path[64];
	pid_t pid;

	snprintf(path, sizeof(path), "/tmp/control-stranger.%d", getpid());
	pid = stranger_start(path, row->bytes, row->sleeps);
	cr_expect_eq(control_call(path, request, &answer, NULL, &error), row->error, "%s", error);
	cr_expect(error && strstr(error, row->message), "'%s' lacks '%s'", error, row->message);
	json_decref(request);
	waitpid(pid, NULL, 0);
	unlink(path);
}

Test(control_client, text_that_was_escaped_before_stays_and_the_rest_is_escaped)
{
	_cleanup_free_ char *text = escape_again("a\\x0a \\\\ \x1b[m \xc3\xa4 ##vso[");

	cr_expect_str_eq(text, "a\\x0a \\\\ \\x1b[m \\xc3\\xa4 \\x23#vso[");
}

Test(control_client, cgroups_are_found_however_they_are_named)
{
	_cleanup_fclose_ FILE *mounts = fopen("/proc/self/mounts", "re");
	_cleanup_free_ char *mount = NULL, *path = NULL, *own = NULL;
	_cleanup_cgroup_ struct cgroup *cgroup = NULL;
	const char *forms[] = { "%1$s", "%2$s", "/%2$s/", "%1$s/../%3$s/.", "%2$s/../%3$s" };
	char name[1024];

	if (geteuid() || !mounts || cgroup_mount_find(mounts, &mount) ||
	    cgroup_make("control-path", false, &cgroup))
		cr_skip_test("needs root and cgroup2, to make a cgroup");
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		_cleanup_free_ char *found = NULL;

		snprintf(name, sizeof(name), forms[i], cgroup->directory, cgroup->path,
			 cgroup->name);
		cr_expect_eq(cgroup_path_resolve(name, &found), 0, "%s", name);
		cr_expect(found && !strcmp(found, cgroup->path), "'%s' is '%s'", name, found);
	}
	cr_expect_eq(cgroup_path_resolve("/", &path), 0);
	cr_expect_str_eq(path, "/");
	cr_expect_eq(cgroup_path_resolve("self", &own), 0);
	cr_expect_eq(own[0], '/');
	cgroup_remove(cgroup->parent_fd, cgroup->name);
	free(TAKE_PTR(path));
	cr_expect_eq(cgroup_path_resolve(cgroup->path, &path), -ENOENT);
	cr_expect_eq(cgroup_path_resolve("/tmp", &path), -ENOENT);
	cr_expect_eq(cgroup_path_resolve("/../../tmp", &path), -ENOENT);
	cr_expect_eq(cgroup_path_resolve("/cgroup.procs", &path), -ENOENT);
	cr_expect_eq(cgroup_path_resolve("system.slice", &path), -EINVAL);
	cr_expect_eq(cgroup_path_resolve("", &path), -EINVAL);
}
