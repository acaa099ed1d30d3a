/* SPDX-License-Identifier: GPL-2.0 */
/* A process's children. What a process can keep from a reader is tested end to end. */
#include "base/proc.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child_begin(void)
{
	pid_t pid = fork();

	/* It ends by itself when the test fails. */
	if (!pid) {
		alarm(60);
		for (;;)
			pause();
	}
	cr_assert_gt(pid, 0);
	return pid;
}

static void child_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

struct siblings {
	pthread_barrier_t barrier;
	pid_t of_main, of_thread;
	unsigned found_main, found_thread, others;
};

/* Its child is its own until it ends. */
static void *thread_run(void *argument)
{
	struct siblings *siblings = argument;

	siblings->of_thread = child_begin();
	pthread_barrier_wait(&siblings->barrier);
	pthread_barrier_wait(&siblings->barrier);
	return NULL;
}

static bool child_count(pid_t child, void *context)
{
	struct siblings *siblings = context;

	siblings->found_main += child == siblings->of_main;
	siblings->found_thread += child == siblings->of_thread;
	siblings->others += child != siblings->of_main && child != siblings->of_thread;
	return false;
}

static bool child_stop(pid_t child, void *context)
{
	unsigned *calls = context;

	(void)child;
	++*calls;
	return true;
}

Test(proc, children_of_every_thread_are_found)
{
	struct siblings siblings = {};
	unsigned calls = 0;
	pthread_t thread;

	pthread_barrier_init(&siblings.barrier, NULL, 2);
	siblings.of_main = child_begin();
	cr_assert_eq(pthread_create(&thread, NULL, thread_run, &siblings), 0);
	pthread_barrier_wait(&siblings.barrier);
	cr_expect_eq(proc_children(getpid(), child_count, &siblings), 0);
	cr_expect_eq(proc_children(getpid(), child_stop, &calls), 0);
	pthread_barrier_wait(&siblings.barrier);
	pthread_join(thread, NULL);
	child_end(siblings.of_main);
	child_end(siblings.of_thread);
	pthread_barrier_destroy(&siblings.barrier);
	cr_expect_eq(siblings.found_main, 1);
	cr_expect_eq(siblings.found_thread, 1);
	cr_expect_eq(siblings.others, 0);
	cr_expect_eq(calls, 1);
}

Test(proc, nobody_has_children_once_gone)
{
	pid_t pid = child_begin();
	unsigned calls = 0;

	child_end(pid);
	cr_expect_eq(proc_children(pid, child_stop, &calls), -ESRCH);
	cr_expect_eq(calls, 0);
}
