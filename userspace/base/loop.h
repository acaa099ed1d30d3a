/* SPDX-License-Identifier: GPL-2.0 */
/* A small event loop over epoll: descriptors, timers, signals. One thread, callbacks in turn. */
#ifndef BUILDFENCE_LOOP_H
#define BUILDFENCE_LOOP_H

#include <signal.h>
#include <stdint.h>
#include <sys/signalfd.h>

struct loop;

typedef void (*loop_fn)(void *context);
typedef void (*loop_signal_fn)(const struct signalfd_siginfo *signal, void *context);

int loop_new(struct loop **ret_loop);

/* Closes the timers and signals that the loop opened; descriptors given to it stay open. */
void loop_free(struct loop *loop);

/* Calls `call` whenever `fd` (kept by the caller) has any of `events` (EPOLLIN ...). */
int loop_fd_add(struct loop *loop, int fd, uint32_t events, loop_fn call, void *context);

/* Other events than those `fd` was added with; 0: only errors and hangups. */
int loop_fd_change(struct loop *loop, int fd, uint32_t events);

/*
 * `fd` calls nobody any more, also when it has an event that is due already. To be called before
 * `fd` is closed; -ENOENT when it was never added.
 */
int loop_fd_remove(struct loop *loop, int fd);

/* Calls `call` every `interval_ms`. */
int loop_timer_add(struct loop *loop, unsigned int interval_ms, loop_fn call, void *context);

/* Calls `call` for each of `signals`, which the caller has blocked. */
int loop_signals_add(struct loop *loop, const sigset_t *signals, loop_signal_fn call,
		     void *context);

/* Runs until loop_stop(). Returns 0 or -errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

static inline void loop_cleanup(struct loop **loop)
{
	loop_free(*loop);
}
#define _cleanup_loop_ __attribute__((cleanup(loop_cleanup)))

#endif
