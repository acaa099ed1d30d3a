/* SPDX-License-Identifier: GPL-2.0 */
/* The event loop: what is removed or changed while its event is due already. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/loop.h"

struct two {
	struct loop *loop;
	int fds[2];
	int calls;
	int again;		/* opened in the first call, at the number of a removed one */
	int again_calls;
};

static void again_called(void *context)
{
	struct two *two = context;

	two->again_calls++;
	loop_stop(two->loop);
}

/* Whichever comes first removes both, and gives one's number to a new descriptor. */
static void both_removed(void *context)
{
	struct two *two = context;

	two->calls++;
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(loop_fd_remove(two->loop, two->fds[i]), 0);
		close(two->fds[i]);
	}
	two->again = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	cr_expect_eq(loop_fd_add(two->loop, two->again, EPOLLIN, again_called, two), 0);
}

Test(loop, a_removed_descriptor_is_not_called_though_its_event_was_due, .timeout = 10)
{
	_cleanup_loop_ struct loop *loop = NULL;
	struct two two = {};

	cr_assert_eq(loop_new(&loop), 0);
	two.loop = loop;
	for (int i = 0; i < 2; i++) {
		two.fds[i] = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
		cr_assert_eq(loop_fd_add(loop, two.fds[i], EPOLLIN, both_removed, &two), 0);
	}
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(two.calls, 1);
	cr_expect_eq(two.again_calls, 1);
	cr_expect_eq(loop_fd_remove(loop, two.again), 0);
	cr_expect_eq(loop_fd_remove(loop, two.again), -ENOENT);
	cr_expect_eq(loop_fd_change(loop, two.again, EPOLLIN), -ENOENT);
	close(two.again);
}

static void silenced(void *context)
{
	struct two *two = context;

	two->calls++;
	cr_expect_eq(loop_fd_change(two->loop, two->fds[0], 0), 0);
}

static void time_over(void *context)
{
	loop_stop(context);
}

Test(loop, a_descriptor_without_events_is_silent_until_it_has_some, .timeout = 10)
{
	_cleanup_loop_ struct loop *loop = NULL;
	struct two two = { .fds = { eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), -1 } };

	cr_assert_eq(loop_new(&loop), 0);
	two.loop = loop;
	cr_assert_eq(loop_fd_add(loop, two.fds[0], EPOLLIN, silenced, &two), 0);
	cr_assert_eq(loop_timer_add(loop, 50, time_over, loop), 0);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(two.calls, 1);
	cr_expect_eq(loop_fd_change(loop, two.fds[0], EPOLLIN), 0);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(two.calls, 2);
	cr_expect_eq(loop_fd_remove(loop, two.fds[0]), 0);
	close(two.fds[0]);
}
