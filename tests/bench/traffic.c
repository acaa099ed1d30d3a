/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Traffic over loopback, both ends in the worker, so both guarded or neither: connections,
 * datagrams, bulk. To an address judged as loopback, or to one judged by a prefix.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench.h"

#define PORT		7777
#define DATAGRAM	64
#define BATCH		64
#define BULK_CHUNK	(128 * 1024)

union endpoint {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t endpoint_fill(const char *addr, union endpoint *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (strchr(addr, ':')) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(PORT);
		inet_pton(AF_INET6, addr, &ret->v6.sin6_addr);
		return sizeof(ret->v6);
	}
	ret->v4.sin_family = AF_INET;
	ret->v4.sin_port = htons(PORT);
	inet_pton(AF_INET, addr, &ret->v4.sin_addr);
	return sizeof(ret->v4);
}

/* A bound socket; one of a stream listens. */
static int receiver_open(const union endpoint *to, socklen_t len, int type)
{
	_cleanup_close_ int fd = socket(to->any.sa_family, type | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, &to->any, len) || (type == SOCK_STREAM && listen(fd, 16)))
		return -1;
	return TAKE_FD(fd);
}

/* Connected to the listener; *ret_other is the accepted end. Closing ends at once, with no wait. */
static int connection_open(const union endpoint *to, socklen_t len, int listener, int *ret_other)
{
	_cleanup_close_ int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct linger linger = { .l_onoff = 1 };

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) ||
	    connect(fd, &to->any, len))
		return -1;
	*ret_other = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return *ret_other < 0 ? -1 : TAKE_FD(fd);
}

static uint64_t churn(const char *addr, unsigned int times)
{
	union endpoint to;
	socklen_t len = endpoint_fill(addr, &to);
	_cleanup_close_ int listener = receiver_open(&to, len, SOCK_STREAM);
	uint64_t start = bench_now_ns();

	if (listener < 0)
		return 0;
	for (unsigned int i = 0; i < times; i++) {
		int other, fd = connection_open(&to, len, listener, &other);

		if (fd < 0)
			return 0;
		close(fd);
		close(other);
	}
	return bench_now_ns() - start;
}

/* Only the sending is timed; what arrived is taken out between the batches. */
static uint64_t send_datagrams(const char *addr, unsigned int times)
{
	union endpoint to;
	socklen_t len = endpoint_fill(addr, &to);
	_cleanup_close_ int receiver = receiver_open(&to, len, SOCK_DGRAM);
	_cleanup_close_ int fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char datagram[DATAGRAM] = "";
	uint64_t spent = 0;

	if (receiver < 0 || fd < 0)
		return 0;
	for (unsigned int sent = 0; sent < times; sent += BATCH) {
		uint64_t start = bench_now_ns();

		for (unsigned int i = 0; i < BATCH; i++) {
			if (sendto(fd, datagram, sizeof(datagram), 0, &to.any, len) < 0)
				return 0;
		}
		spent += bench_now_ns() - start;
		for (unsigned int i = 0; i < BATCH; i++) {
			if (recv(receiver, datagram, sizeof(datagram), MSG_DONTWAIT) < 0)
				return 0;
		}
	}
	return spent;
}

static void sink(int fd)
{
	char *buffer = malloc(BULK_CHUNK);

	while (buffer && recv(fd, buffer, BULK_CHUNK, 0) > 0)
		;
	_exit(0);
}

/* `times` chunks of 128 KiB to another process, until it has taken the last byte. */
static uint64_t bulk(const char *addr, unsigned int times)
{
	union endpoint to;
	socklen_t len = endpoint_fill(addr, &to);
	_cleanup_close_ int listener = receiver_open(&to, len, SOCK_STREAM), other = -1;
	_cleanup_close_ int fd = listener < 0 ? -1 : connection_open(&to, len, listener, &other);
	_cleanup_free_ char *chunk = calloc(1, BULK_CHUNK);
	uint64_t start = bench_now_ns();
	pid_t pid;

	if (fd < 0 || !chunk)
		return 0;
	pid = fork();
	if (pid == 0) {
		close(fd);
		sink(other);
	}
	for (unsigned int i = 0; i < times; i++) {
		for (ssize_t sent = 0, n; sent < BULK_CHUNK; sent += n) {
			n = send(fd, chunk, (size_t)(BULK_CHUNK - sent), MSG_NOSIGNAL);
			if (n <= 0)
				return 0;
		}
	}
	shutdown(fd, SHUT_WR);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		return 0;
	return bench_now_ns() - start;
}

const work_fn works[3] = {
	[WORK_CHURN] = churn, [WORK_SENDTO] = send_datagrams, [WORK_BULK] = bulk,
};
