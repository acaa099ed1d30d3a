/* SPDX-License-Identifier: GPL-2.0 */
/* The daemon's socket: requests of all kinds, and who finds a place. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "control/protocol.h"
#include "control/server.h"
#include "control_made.h"
#include "job/cgroup.h"

#define NOBODY	65534

static bool has(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

Test(control, the_peer_is_who_connected)
{
	_cleanup_fclose_ FILE *membership = fopen("/proc/self/cgroup", "re");
	_cleanup_free_ char *cgroup = NULL;
	struct made made = {};
	char line[1024], want[1024];
	int fd;

	cr_assert_eq(cgroup_own_find(membership, &cgroup), 0);
	made_start(&made, 8);
	fd = made_ask(&made, geteuid() ? 0 : NOBODY, "{\"request\":\"echo\"}");
	made_line(fd, line, sizeof(line));
	close(fd);
	snprintf(want, sizeof(want),
		 "{\"request\":{\"request\":\"echo\"},\"uid\":%d,\"pid\":%d,\"cgroup\":\"%s\",\"ok\":true}",
		 geteuid() ? geteuid() : NOBODY, getpid(), cgroup);
	cr_expect_str_eq(line, want);
	made_stop(&made);
}

struct request_case {
	char bytes[64];
	size_t length;	/* 0: up to its NUL */
	char error[96];	/* part of the error */
};

ParameterizedTestParameters(control, a_malformed_request_gets_one_clear_error)
{
	static struct request_case cases[] = {
		{ "hello\n", 0, "the request is not JSON: column 5: invalid token: \\\"hello\\\"" },
		{ "{\"request\":\"echo\"\n", 0, "not JSON: column 17: '}' expected: \\\"{" },
		{ "\n", 0, "the request is not JSON: " },
		{ "[1,2]\n", 0, "not a JSON object: \\\"[1,2]\\\"" },
		{ "\"text\"\n", 0, "not a JSON object" },
		{ "7\n", 0, "not a JSON object" },
		{ "{\"a\":1,\"a\":2}\n", 0, "duplicate object key: \\\"{" },
		{ "{\"a\":[[[[1]]]]}\n", 0, "nested too deep" },
		{ "{\"a\":1}{\"b\":2}\n", 0, "end of file expected" },
		{ "{\"a\":1}\n{\"b\":2}\n", 0, "in one line; more came: \\\"{\\\"a\\\":1}\\\\x0a{" },
		{ "{\"a\":1}\n\n", 0, "more came" },
		{ "{\"a\":\"\xff\xfe\"}\n", 0, "unable to decode byte 0xff" },
		{ "{\"a\":\"\x1b[31m##vso[\"}\n", 0, "\\\\x1b[31m\\\\x23#vso[" },
		{ "{\"a\0\":1}\n", 9, "has a NUL byte: \\\"{\\\"a\\\\x00" },
		{ "{\"a\":\"\\u0000\"}\n", 0, "\\\\\\\\u0000" },
		{ "{\"request\":\"no\"}\n", 0, "unknown request 'no'" },
		{ "{\"request\":7}\n", 0, "no answer to this request" },
	};

	return cr_make_param_array(struct request_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct request_case *row, control, a_malformed_request_gets_one_clear_error)
{
	struct made made = {};
	char line[1024], more[8];
	int fd;

	made_start(&made, 4);
	fd = made_connect(&made, 0);
	made_send(fd, row->bytes, row->length ? row->length : strlen(row->bytes));
	made_line(fd, line, sizeof(line));
	cr_expect(has(line, row->error), "'%s' lacks '%s'", line, row->error);
	cr_expect_eq(strncmp(line, "{\"ok\":false,\"error\":\"", 21), 0, "%s", line);
	made_line(fd, more, sizeof(more));
	cr_expect_str_eq(more, "");
	close(fd);
	made_stop(&made);
}

static void huge_send(const struct made *made, size_t length, char *line, size_t size)
{
	_cleanup_free_ char *bytes = malloc(length);
	int fd = made_connect(made, 0);

	memset(bytes, ' ', length);
	memcpy(bytes, "{\"request\":\"echo\"}", 18);
	bytes[length - 1] = '\n';
	made_send(fd, bytes, length);
	made_line(fd, line, size);
	close(fd);
}

Test(control, a_request_may_be_16_KiB_and_no_longer)
{
	static const size_t longer[] = { 16385, 65536, 8 << 20 };
	struct made made = {};
	char line[1024];

	made_start(&made, 4);
	huge_send(&made, CONTROL_REQUEST_MAX, line, sizeof(line));
	cr_expect(has(line, "\"ok\":true"), "%s", line);
	for (size_t i = 0; i < ARRAY_SIZE(longer); i++) {
		huge_send(&made, longer[i], line, sizeof(line));
		cr_expect(has(line, "longer than 16384 bytes: \\\"{"), "%s", line);
	}
	made_stop(&made);
}

/* JSON that is deep enough for a recursive reader's stack, were it not for the 16 KiB. */
Test(control, brackets_without_end_are_an_error)
{
	char bytes[16001], line[1024];
	struct made made = {};
	int fd;

	made_start(&made, 4);
	memset(bytes, '[', sizeof(bytes));
	bytes[16000] = '\n';
	fd = made_connect(&made, 0);
	made_send(fd, bytes, sizeof(bytes));
	made_line(fd, line, sizeof(line));
	cr_expect(has(line, "maximum parsing depth reached"), "%s", line);
	close(fd);
	made_stop(&made);
}

Test(control, who_stops_half_way_is_told_after_five_seconds_and_delays_nobody, .timeout = 30)
{
	struct made made = {};
	char line[1024];
	int half, none;
	double began;

	made_start(&made, 8);
	began = seconds();
	half = made_connect(&made, 0);
	made_send(half, "{\"request\":", 11);
	none = made_connect(&made, 0);
	made_call(&made, "{\"request\":\"echo\"}", line, sizeof(line));
	cr_expect(has(line, "\"ok\":true"));
	cr_expect_lt(seconds() - began, 2.0);

	made_line(half, line, sizeof(line));
	cr_expect(has(line, "no whole request came within 5 s: \\\"{\\\"request"), "%s", line);
	cr_expect_gt(seconds() - began, 4.9);
	cr_expect_lt(seconds() - began, 7.5);
	made_line(none, line, sizeof(line));
	cr_expect(has(line, "within 5 s: \\\"\\\""), "%s", line);
	close(half);
	close(none);
	made_stop(&made);
}

Test(control, a_line_that_ends_too_early_is_an_error)
{
	struct made made = {};
	char line[1024];
	int fd;

	made_start(&made, 4);
	fd = made_connect(&made, 0);
	made_send(fd, "{\"request\":\"echo\"}", 18);
	shutdown(fd, SHUT_WR);
	made_line(fd, line, sizeof(line));
	cr_expect(has(line, "ended before its newline: \\\"{"), "%s", line);
	close(fd);
	made_stop(&made);
}

Test(control, a_long_answer_comes_whole_to_root_and_not_to_others)
{
	_cleanup_free_ char *line = malloc(2 << 20);
	struct made made = {};
	int fd;

	if (geteuid())
		cr_skip_test("needs root, to be two users");
	made_start(&made, 4);
	made_call(&made, "{\"request\":\"long\",\"size\":1000000}", line, 2 << 20);
	cr_expect_eq(strlen(line), 1000000 + strlen("{\"text\":\"\",\"ok\":true}"));
	fd = made_ask(&made, NOBODY, "{\"request\":\"long\",\"size\":1000000}");
	made_line(fd, line, 2 << 20);
	cr_expect(has(line, "the answer is longer than"), "%.100s", line);
	close(fd);
	made_stop(&made);
}

Test(control, a_thousand_connections_leave_root_its_places, .timeout = 60)
{
	struct rlimit files = { 4096, 4096 };
	static int fds[1000];
	struct made made = {};
	char line[1024], first[1024];
	long before, after;
	int refused = 0;

	if (geteuid())
		cr_skip_test("needs root, to be two users");
	setrlimit(RLIMIT_NOFILE, &files);
	made_start(&made, 64);
	made_call(&made, "{\"request\":\"memory\"}", first, sizeof(first));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		double began = seconds();

		/* Users of their own, as a user namespace gives them. */
		fds[i] = made_connect(&made, 100000 + (uid_t)i);
		made_send(fds[i], "{\"request\":", 11);
		if (i % 50)
			continue;
		made_call(&made, "{\"request\":\"echo\"}", line, sizeof(line));
		cr_expect(has(line, "\"ok\":true"), "%s", line);
		cr_expect_lt(seconds() - began, 1.0);
	}
	made_call(&made, "{\"request\":\"memory\"}", line, sizeof(line));
	cr_assert_eq(sscanf(first, "{\"resident\":%ld", &before), 1);
	cr_assert_eq(sscanf(line, "{\"resident\":%ld", &after), 1);
	cr_expect_lt(after - before, 1 << 20, "%ld bytes more", after - before);
	cr_expect(has(line, "\"clients\":5"), "%s", line);
	for (size_t i = 4; i < ARRAY_SIZE(fds); i++) {
		made_line(fds[i], line, sizeof(line));
		refused += has(line, "this cgroup has as many connections");
	}
	cr_expect_eq(refused, 996);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	made_stop(&made);
}

Test(control, root_too_is_told_when_nothing_is_free_and_comes_back)
{
	struct made made = {};
	char line[1024];
	int fds[4];

	made_start(&made, ARRAY_SIZE(fds));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = made_connect(&made, 0);
	made_call(&made, "{\"request\":\"echo\"}", line, sizeof(line));
	if (!geteuid())
		cr_expect(has(line, "as many clients as it can; try again"), "%s", line);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	made_wait(&made, "\"clients\":1");
	made_call(&made, "{\"request\":\"echo\"}", line, sizeof(line));
	cr_expect(has(line, "\"ok\":true"), "%s", line);
	made_stop(&made);
}

static int socket_try(const char *path)
{
	_cleanup_loop_ struct loop *loop = NULL;
	_cleanup_control_ struct control *control = NULL;

	cr_assert_eq(loop_new(&loop), 0);
	/* Declared after the loop, it is closed before. */
	return control_open(path, 4, loop, NULL, NULL, &control);
}

Test(control, a_dead_daemons_socket_is_replaced_and_other_files_are_not)
{
	struct made made = {};
	char path[200], line[256];
	struct stat status;
	FILE *file;

	made_start(&made, 4);
	kill(made.daemon, SIGKILL);
	cr_assert_eq(stat(made.path, &status), 0);
	made_start(&made, 4);
	made_call(&made, "{\"request\":\"echo\"}", line, sizeof(line));
	cr_expect(has(line, "\"ok\":true"));
	cr_assert_eq(stat(made.path, &status), 0);
	cr_expect_eq(status.st_mode & 0777, 0666);

	snprintf(path, sizeof(path), "%s/file", made.folder);
	file = fopen(path, "w");
	fclose(file);
	cr_expect_eq(socket_try(path), -ENOTSOCK);
	snprintf(path, sizeof(path), "%s/%0*d", made.folder, 100, 0);
	cr_expect_eq(socket_try(path), -ENAMETOOLONG);
	cr_expect_eq(socket_try("/nonexistent/socket"), -ENOENT);
	made_stop(&made);
}

Test(control, a_successors_socket_stays_when_the_old_daemon_ends)
{
	_cleanup_loop_ struct loop *loop = NULL;
	struct control *old = NULL, *successor = NULL;
	struct made made = {};

	snprintf(made.folder, sizeof(made.folder), "/tmp/control.XXXXXX");
	cr_assert(mkdtemp(made.folder));
	snprintf(made.path, sizeof(made.path), "%s/socket", made.folder);
	cr_assert_eq(loop_new(&loop), 0);
	cr_assert_eq(control_open(made.path, 4, loop, NULL, NULL, &old), 0);
	cr_assert_eq(control_open(made.path, 4, loop, NULL, NULL, &successor), 0);
	control_close(old);
	cr_expect_eq(access(made.path, F_OK), 0);
	control_close(successor);
	cr_expect_neq(access(made.path, F_OK), 0);
	rmdir(made.folder);
}
