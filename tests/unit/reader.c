/* SPDX-License-Identifier: GPL-2.0 */
/* Nobody is waited for long, nor many for long together, and nobody at another's cost. */
#include "base/reader.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

/* Readers read no process here: its number is only a name. */
#define SOMEBODY	1000
#define PLACES		16
#define OTHERS		8
#define ANSWER		"answer"
#define ANSWERED	((ssize_t)sizeof(ANSWER))

static volatile bool released;
static volatile unsigned int stuck;

static ssize_t quick_read(pid_t pid, const char *what, size_t max, char **ret_bytes)
{
	(void)pid;
	(void)max;
	*ret_bytes = strdup(what);
	return *ret_bytes ? ANSWERED : -ENOMEM;
}

static ssize_t slow_read(pid_t pid, const char *what, size_t max, char **ret_bytes)
{
	usleep(100000);
	return quick_read(pid, what, max, ret_bytes);
}

static ssize_t stuck_read(pid_t pid, const char *what, size_t max, char **ret_bytes)
{
	stuck++;
	while (!released)
		usleep(1000);
	return quick_read(pid, what, max, ret_bytes);
}

/* `what` tells a descriptor of the program's. */
static ssize_t descriptor_find(pid_t pid, const char *what, size_t max, char **ret_bytes)
{
	(void)pid;
	(void)max;
	(void)ret_bytes;
	return fcntl(atoi(what), F_GETFD) < 0 ? -errno : 0;
}

static void busy_run(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		;
}

static ssize_t ask(enum reader_use use, reader_fn read, pid_t pid)
{
	char *bytes;
	ssize_t length = reader_ask(use, read, pid, ANSWER, 4096, &bytes);

	cr_expect(length == ANSWERED ? !strcmp(bytes, ANSWER) : !bytes);
	answer_free(bytes, length);
	return length;
}

/* Asks until the answer is another than -EBUSY, for so long at most. */
static ssize_t ask_again(enum reader_use use, reader_fn read, pid_t pid, int64_t ms)
{
	int64_t end = clock_ms(CLOCK_MONOTONIC) + ms;
	ssize_t length;

	while ((length = ask(use, read, pid)) == -EBUSY && clock_ms(CLOCK_MONOTONIC) < end)
		usleep(1000);
	return length;
}

Test(reader, it_answers_and_goes_on_after_its_end)
{
	cr_expect_eq(ask(READER_RECORDS, quick_read, SOMEBODY), ANSWERED);
	cr_expect_eq(ask(READER_RECORDS, quick_read, SOMEBODY), ANSWERED);
	reader_end();
	reader_end();
	cr_expect_eq(ask(READER_FILES, quick_read, SOMEBODY + 1), ANSWERED);
}

Test(reader, who_does_not_answer_is_left_until_it_does, .timeout = 60)
{
	int64_t begin = clock_ms(CLOCK_MONOTONIC), took;

	cr_expect_eq(ask(READER_RECORDS, stuck_read, SOMEBODY), -ETIMEDOUT);
	took = clock_ms(CLOCK_MONOTONIC) - begin;
	cr_expect(took >= 200 && took < 5000, "it took %d ms", (int)took);
	/* Whoever asks, and others are read. */
	for (int use = 0; use < READER_USES; use++)
		cr_expect_eq(ask((enum reader_use)use, quick_read, SOMEBODY), -EBUSY);
	cr_expect_eq(ask(READER_SEARCH, quick_read, SOMEBODY + 1), ANSWERED);
	cr_expect_eq(ask_again(READER_RECORDS, quick_read, SOMEBODY + 1, 10000), ANSWERED);
	released = true;
	cr_expect_eq(ask_again(READER_RECORDS, quick_read, SOMEBODY, 10000), ANSWERED);
}

/* Each of them in time: one after the other they would take 10 s. */
Test(reader, many_who_are_slow_are_not_waited_for_one_by_one, .timeout = 60)
{
	int64_t begin = clock_ms(CLOCK_MONOTONIC), took;
	unsigned int refused = 0;

	for (pid_t i = 0; i < 100; i++)
		refused += ask(READER_RECORDS, slow_read, SOMEBODY + i) == -EBUSY;
	took = clock_ms(CLOCK_MONOTONIC) - begin;
	cr_expect_lt(took, 3000, "it took %d ms", (int)took);
	cr_expect_geq(refused, 80);
	cr_expect_eq(ask(READER_SEARCH, quick_read, SOMEBODY), ANSWERED);
	cr_expect_eq(ask_again(READER_RECORDS, quick_read, SOMEBODY + 100, 10000), ANSWERED);
}

Test(reader, who_takes_all_places_of_one_use_takes_none_of_another, .timeout = 60)
{
	/* Of some, patience is over before they begin. */
	for (pid_t i = 0; stuck < PLACES; i++)
		cr_assert_eq(ask_again(READER_RECORDS, stuck_read, SOMEBODY + 1 + i, 10000),
			     -ETIMEDOUT);
	cr_expect_eq(ask_again(READER_RECORDS, quick_read, SOMEBODY, 300), -EBUSY);
	cr_expect_eq(ask(READER_SEARCH, quick_read, SOMEBODY), ANSWERED);
	cr_expect_eq(ask(READER_FILES, quick_read, SOMEBODY), ANSWERED);
	cr_expect_eq(ask(READER_IDENTITY, quick_read, SOMEBODY), ANSWERED);
	released = true;
	cr_expect_eq(ask_again(READER_RECORDS, quick_read, SOMEBODY, 10000), ANSWERED);
}

/*
 * As where a job makes thousands of attempts, none of which hides anything, on a machine that is
 * busy: others keep the reader from the only CPU, for milliseconds at a time.
 */
Test(reader, who_hides_nothing_is_read_on_a_busy_machine_too, .timeout = 60)
{
	uint64_t slow_ns = 0, begin_ns = clock_ns(CLOCK_MONOTONIC), before_ns, took_ns;
	unsigned int refused = 0;
	pid_t others[OTHERS];
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	cr_assert_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	for (size_t i = 0; i < OTHERS; i++) {
		others[i] = fork();
		if (!others[i])
			busy_run();
	}
	do {
		before_ns = clock_ns(CLOCK_MONOTONIC);
		refused += ask(READER_RECORDS, quick_read, SOMEBODY) == -EBUSY;
		took_ns = clock_ns(CLOCK_MONOTONIC) - before_ns;
		slow_ns += took_ns > NS_PER_MS ? took_ns : 0;
	} while (slow_ns < NS_PER_S && before_ns < begin_ns + 5 * NS_PER_S);
	for (size_t i = 0; i < OTHERS; i++) {
		kill(others[i], SIGKILL);
		waitpid(others[i], NULL, 0);
	}
	cr_expect_eq(refused, 0, "%u were refused", refused);
}

/* A thread that waits in FUSE outlives the program, with all that it holds. */
Test(reader, it_holds_no_descriptor_of_the_program)
{
	char number[16], *bytes;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	cr_assert(fd >= 0);
	snprintf(number, sizeof(number), "%d", fd);
	cr_expect_eq(reader_ask(READER_FILES, descriptor_find, SOMEBODY, number, 0, &bytes),
		     -EBADF);
	cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}
