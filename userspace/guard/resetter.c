/* SPDX-License-Identifier: GPL-2.0 */
/* The process that resets connections, and how it is asked. */
#include "guard/resetter.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi.h"
#include "base/aside.h"
#include "base/cleanup.h"
#include "base/privileges.h"
#include "guard/guard.h"

/* So many may wait for a lock at the same time. */
#define THREADS		16
#define THREAD_STACK	(64U << 10)
/* For its end: */
#define END_TRIES	50
#define END_TRY_US	2000

/* Until the other end is closed. */
static void *requests_serve(void *argument)
{
	int fd = *(int *)argument;
	struct refusal refusal;

	while (TEMP_FAILURE_RETRY(recv(fd, &refusal, sizeof(refusal), 0)) == sizeof(refusal))
		guard_reset(&refusal);
	return NULL;
}

/* Never returns. */
static void resetter_run(int fd)
{
	pthread_attr_t small;
	pthread_t thread;

	aside_begin("buildfence-rst", &fd, 1);
	fd = ASIDE_FD;
	if (privileges_drop())
		_exit(EXIT_FAILURE);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, THREAD_STACK);
	for (int i = 1; i < THREADS; i++)
		pthread_create(&thread, &small, requests_serve, &fd);
	requests_serve(&fd);
	_exit(EXIT_SUCCESS);
}

int resetter_start(struct resetter *ret_resetter)
{
	int ends[2];
	pid_t pid;

	/* Packets, so that requests stay whole and its end is heard. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	pid = fork();
	if (!pid)
		resetter_run(ends[1]);
	close(ends[1]);
	if (pid < 0) {
		int error = -errno;

		close(ends[0]);
		return error;
	}
	*ret_resetter = (struct resetter){ .fd = ends[0], .pid = pid };
	return 0;
}

void resetter_ask(const struct resetter *resetter, const struct refusal *refusal)
{
	if (resetter->fd >= 0)
		send(resetter->fd, refusal, sizeof(*refusal), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void resetter_end(struct resetter *resetter)
{
	if (resetter->fd < 0)
		return;
	close_fd(&resetter->fd);
	resetter->fd = -1;
	for (int try = 0; try < END_TRIES && !waitpid(resetter->pid, NULL, WNOHANG); try++)
		usleep(END_TRY_US);
}
