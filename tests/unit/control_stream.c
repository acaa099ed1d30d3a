/* SPDX-License-Identifier: GPL-2.0 */
/* Lines for those who follow: whose, in what order, and what a slow reader loses. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control_made.h"

static int follow(const struct made *made, const char *request)
{
	int fd = made_ask(made, 0, request);
	char line[256];

	made_line(fd, line, sizeof(line));
	cr_assert_str_eq(line, "{\"ok\":true}");
	return fd;
}

static void publish(const struct made *made, int job, int count, int size)
{
	char request[128], line[128];

	snprintf(request, sizeof(request),
		 "{\"request\":\"publish\",\"job\":%d,\"count\":%d,\"size\":%d}", job, count, size);
	made_call(made, request, line, sizeof(line));
	cr_assert_str_eq(line, "{\"ok\":true}");
}

static void expect_line(int fd, int number, int job)
{
	char line[8200], want[64];

	made_line(fd, line, sizeof(line));
	snprintf(want, sizeof(want), "%d of job %d ", number, job);
	cr_expect_eq(strncmp(line, want, strlen(want)), 0, "'%.40s' is not '%s'", line, want);
}

static long resident(const struct made *made)
{
	char line[256];
	long bytes = 0;

	made_call(made, "{\"request\":\"memory\"}", line, sizeof(line));
	cr_assert_eq(sscanf(line, "{\"resident\":%ld", &bytes), 1);
	return bytes;
}

Test(control_stream, lines_of_a_job_go_to_its_followers_and_to_those_of_all)
{
	struct made made = {};
	int all, one, two;

	made_start(&made, 8);
	all = follow(&made, "{\"request\":\"events\"}");
	one = follow(&made, "{\"request\":\"events\",\"job\":1}");
	two = follow(&made, "{\"request\":\"events\",\"job\":2}");
	publish(&made, 1, 2, 64);
	publish(&made, 2, 1, 64);
	publish(&made, 3, 1, 64);
	expect_line(one, 0, 1);
	expect_line(one, 1, 1);
	expect_line(two, 0, 2);
	expect_line(all, 0, 1);
	expect_line(all, 1, 1);
	expect_line(all, 0, 2);
	expect_line(all, 0, 3);
	close(all);
	close(one);
	close(two);
	made_stop(&made);
}

/* Line after line until the one that tells the loss, which must be the only gap. */
static int lines_until_lost(int fd, int *ret_lost)
{
	char line[8200];

	for (int number = 0;; number++) {
		char want[64];

		made_line(fd, line, sizeof(line));
		if (sscanf(line, "{\"lost\":%d}", ret_lost) == 1)
			return number;
		snprintf(want, sizeof(want), "%d of job 1 ", number);
		cr_assert_eq(strncmp(line, want, strlen(want)), 0, "'%.40s' is not '%s'", line,
			     want);
	}
}

Test(control_stream, a_slow_reader_loses_whole_lines_and_is_told_how_many, .timeout = 60)
{
	struct made made = {};
	int slow, fast, lost = 0, came;
	long before;

	made_start(&made, 8);
	slow = follow(&made, "{\"request\":\"events\"}");
	fast = follow(&made, "{\"request\":\"events\",\"job\":2}");
	before = resident(&made);
	publish(&made, 1, 50000, 500);
	publish(&made, 2, 1, 500);
	expect_line(fast, 0, 2);
	/* It would still find room, but not its place: the gap must be where it is told. */
	publish(&made, 1, 1, 16);
	/* What waits for it, twice at most, and what malloc() needs around it. */
	cr_expect_lt(resident(&made) - before, 400 * 1024);

	came = lines_until_lost(slow, &lost);
	cr_expect_gt(came, 100);
	cr_expect_eq(came + lost, 50002, "%d lines and %d lost", came, lost);
	publish(&made, 1, 1, 500);
	expect_line(slow, 0, 1);
	close(slow);
	close(fast);
	made_stop(&made);
}

Test(control_stream, readers_who_never_read_cost_little, .timeout = 60)
{
	struct made made = {};
	int fds[60];
	long before;

	made_start(&made, 64);
	before = resident(&made);
	for (size_t i = 0; i < 60; i++)
		fds[i] = follow(&made, "{\"request\":\"events\"}");
	publish(&made, 1, 2000, 4000);
	cr_expect_lt(resident(&made) - before, 60 * 160 * 1024, "%ld KiB",
		     (resident(&made) - before) / 1024);
	for (size_t i = 0; i < 60; i++)
		close(fds[i]);
	made_stop(&made);
}

Test(control_stream, who_is_gone_frees_its_place)
{
	struct made made = {};
	int fd;

	made_start(&made, 2);
	for (int i = 0; i < 10; i++) {
		fd = follow(&made, "{\"request\":\"events\"}");
		close(fd);
		made_wait(&made, "\"clients\":1");
	}
	/* And when it is noticed only by sending. */
	fd = follow(&made, "{\"request\":\"events\"}");
	publish(&made, 1, 5000, 4000);
	close(fd);
	made_wait(&made, "\"clients\":1");
	made_stop(&made);
}

Test(control_stream, a_jobs_end_ends_its_streams_behind_their_last_line)
{
	struct made made = {};
	int all, one, slow, lost = 0;
	char line[8200];

	made_start(&made, 8);
	all = follow(&made, "{\"request\":\"events\"}");
	one = follow(&made, "{\"request\":\"events\",\"job\":1}");
	slow = follow(&made, "{\"request\":\"events\",\"job\":1}");
	publish(&made, 1, 1, 64);
	expect_line(one, 0, 1);
	expect_line(all, 0, 1);
	made_call(&made, "{\"request\":\"publish\",\"job\":9,\"count\":0}", line, sizeof(line));
	publish(&made, 1, 2000, 500);
	made_call(&made, "{\"request\":\"end\",\"job\":1}", line, sizeof(line));
	cr_expect_str_eq(line, "{\"ok\":true}");
	expect_line(slow, 0, 1);
	cr_expect_gt(lines_until_lost(slow, &lost), 100);
	made_line(slow, line, sizeof(line));
	cr_expect_str_eq(line, "");
	publish(&made, 2, 0, 64);
	close(all);
	close(one);
	close(slow);
	made_stop(&made);
}

/* A file of `count` lines, every tenth of them of job "b". */
static void past_write(const struct made *made, char *path, size_t size, int count)
{
	FILE *file;

	snprintf(path, size, "%s/past", made->folder);
	file = fopen(path, "w");
	for (int i = 0; i < count; i++)
		fprintf(file, "{\"n\":%d,\"JobName\":\"%s\",\"x\":\"%0*d\"}\n", i,
			i % 10 ? "a" : "b", 200, 0);
	fprintf(file, "{\"half\"");
	fclose(file);
}

static void expect_number(int fd, int number)
{
	char line[1024], want[32];

	made_line(fd, line, sizeof(line));
	snprintf(want, sizeof(want), "{\"n\":%d,", number);
	cr_assert_eq(strncmp(line, want, strlen(want)), 0, "'%.40s' is not '%s'", line, want);
}

Test(control_stream, lines_of_the_past_come_whole_and_only_those_wanted, .timeout = 60)
{
	struct made made = {};
	char path[128], request[256], line[1024];
	int fd;

	made_start(&made, 8);
	past_write(&made, path, sizeof(path), 20000);
	snprintf(request, sizeof(request), "{\"request\":\"past\",\"file\":\"%s\"}", path);
	fd = follow(&made, request);
	for (int i = 0; i < 20000; i++)
		expect_number(fd, i);
	made_line(fd, line, sizeof(line));
	cr_expect_str_eq(line, "");
	close(fd);

	snprintf(request, sizeof(request),
		 "{\"request\":\"past\",\"file\":\"%s\",\"only\":\"\\\"JobName\\\":\\\"b\\\"\"}", path);
	fd = follow(&made, request);
	for (int i = 0; i < 20000; i += 10)
		expect_number(fd, i);
	made_line(fd, line, sizeof(line));
	cr_expect_str_eq(line, "");
	close(fd);
	made_stop(&made);
}

Test(control_stream, the_present_follows_the_past)
{
	struct made made = {};
	char path[128], request[256];
	int fd;

	made_start(&made, 8);
	past_write(&made, path, sizeof(path), 10);
	snprintf(request, sizeof(request),
		 "{\"request\":\"past\",\"file\":\"%s\",\"follow\":true}", path);
	fd = follow(&made, request);
	for (int i = 0; i < 10; i++)
		expect_number(fd, i);
	publish(&made, 5, 2, 64);
	expect_line(fd, 0, 5);
	expect_line(fd, 1, 5);
	close(fd);
	made_stop(&made);
}
