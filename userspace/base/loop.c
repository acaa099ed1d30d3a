/* SPDX-License-Identifier: GPL-2.0 */
/* The event loop; what happens on an event is its callers' matter. */
#include "base/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "base/cleanup.h"

enum source_kind {
	SOURCE_FD = 0,
	SOURCE_TIMER,
	SOURCE_SIGNALS,
};

struct source {
	struct source *next;
	enum source_kind kind;
	int fd;
	loop_fn call;
	loop_signal_fn call_signal;
	void *context;
	bool removed;
};

/* A removed source lives until the batch of events that may still point to it is through. */
struct loop {
	int epoll_fd;
	bool stopped;
	struct source *sources;
	struct source *removed;
};

int loop_new(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		int error = -errno;

		free(loop);
		return error;
	}
	*ret_loop = loop;
	return 0;
}

static void removed_free(struct loop *loop)
{
	while (loop->removed) {
		struct source *source = loop->removed;

		loop->removed = source->next;
		free(source);
	}
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	removed_free(loop);
	while (loop->sources) {
		struct source *source = loop->sources;

		loop->sources = source->next;
		if (source->kind != SOURCE_FD)
			close(source->fd);
		free(source);
	}
	close(loop->epoll_fd);
	free(loop);
}

static int source_add(struct loop *loop, struct source template, uint32_t events)
{
	struct source *source = malloc(sizeof(*source));
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (!source)
		return -ENOMEM;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, template.fd, &event) < 0) {
		int error = -errno;

		free(source);
		return error;
	}
	*source = template;
	source->next = loop->sources;
	loop->sources = source;
	return 0;
}

int loop_fd_add(struct loop *loop, int fd, uint32_t events, loop_fn call, void *context)
{
	struct source source = { .kind = SOURCE_FD, .fd = fd, .call = call, .context = context };

	return source_add(loop, source, events);
}

/* The place that points to the source of `fd`, or to NULL. */
static struct source **source_find(struct loop *loop, int fd)
{
	struct source **place = &loop->sources;

	while (*place && ((*place)->kind != SOURCE_FD || (*place)->fd != fd))
		place = &(*place)->next;
	return place;
}

int loop_fd_change(struct loop *loop, int fd, uint32_t events)
{
	struct source *source = *source_find(loop, fd);
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (!source)
		return -ENOENT;
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0 ? -errno : 0;
}

int loop_fd_remove(struct loop *loop, int fd)
{
	struct source **place = source_find(loop, fd);
	struct source *source = *place;

	if (!source)
		return -ENOENT;
	*place = source->next;
	source->removed = true;
	source->next = loop->removed;
	loop->removed = source;
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL) < 0 ? -errno : 0;
}

int loop_timer_add(struct loop *loop, unsigned int interval_ms, loop_fn call, void *context)
{
	struct timespec interval = { interval_ms / 1000, interval_ms % 1000 * 1000000L };
	struct itimerspec timer = { .it_interval = interval, .it_value = interval };
	_cleanup_close_ int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct source source = { .kind = SOURCE_TIMER, .fd = fd, .call = call,
				 .context = context };
	int error;

	if (fd < 0 || timerfd_settime(fd, 0, &timer, NULL) < 0)
		return -errno;
	error = source_add(loop, source, EPOLLIN);
	if (!error)
		TAKE_FD(fd);
	return error;
}

int loop_signals_add(struct loop *loop, const sigset_t *signals, loop_signal_fn call,
		     void *context)
{
	_cleanup_close_ int fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
	struct source source = { .kind = SOURCE_SIGNALS, .fd = fd, .call_signal = call,
				 .context = context };
	int error;

	if (fd < 0)
		return -errno;
	error = source_add(loop, source, EPOLLIN);
	if (!error)
		TAKE_FD(fd);
	return error;
}

static void source_run(const struct source *source)
{
	struct signalfd_siginfo signal;
	uint64_t expirations;

	if (source->removed)
		return;
	switch (source->kind) {
	case SOURCE_FD:
		source->call(source->context);
		break;
	case SOURCE_TIMER:
		if (read(source->fd, &expirations, sizeof(expirations)) == sizeof(expirations))
			source->call(source->context);
		break;
	case SOURCE_SIGNALS:
		while (read(source->fd, &signal, sizeof(signal)) == sizeof(signal))
			source->call_signal(&signal, source->context);
		break;
	}
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[8];

	loop->stopped = false;
	while (!loop->stopped) {
		int count = epoll_wait(loop->epoll_fd, events, ARRAY_SIZE(events), -1);

		if (count < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < count; i++)
			source_run(events[i].data.ptr);
		removed_free(loop);
	}
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}
