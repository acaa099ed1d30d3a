/* SPDX-License-Identifier: GPL-2.0 */
/*
 * io_uring connect|sendmsg ADDRESS PORT: gets $SECRET out with operations that a worker thread of
 * the kernel makes (IOSQE_ASYNC), by the bare system calls. Status 77 without io_uring.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ring {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_cqe *cqes;
	struct io_uring_sqe *sqes;
};

static void *ring_map(int fd, size_t size, off_t offset)
{
	void *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

	if (area == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return area;
}

static void ring_open(struct ring *ring)
{
	struct io_uring_params params = { 0 };
	char *sq, *cq;

	ring->fd = syscall(SYS_io_uring_setup, 4, &params);
	if (ring->fd < 0) {
		fprintf(stderr, "no io_uring here: %s\n", strerror(errno));
		exit(77);
	}
	sq = ring_map(ring->fd, params.sq_off.array + params.sq_entries * sizeof(*ring->sq_array),
		      IORING_OFF_SQ_RING);
	cq = ring_map(ring->fd, params.cq_off.cqes + params.cq_entries * sizeof(*ring->cqes),
		      IORING_OFF_CQ_RING);
	ring->sqes = ring_map(ring->fd, params.sq_entries * sizeof(*ring->sqes), IORING_OFF_SQES);
	ring->sq_tail = (unsigned int *)(sq + params.sq_off.tail);
	ring->sq_mask = (unsigned int *)(sq + params.sq_off.ring_mask);
	ring->sq_array = (unsigned int *)(sq + params.sq_off.array);
	ring->cq_head = (unsigned int *)(cq + params.cq_off.head);
	ring->cq_tail = (unsigned int *)(cq + params.cq_off.tail);
	ring->cq_mask = (unsigned int *)(cq + params.cq_off.ring_mask);
	ring->cqes = (struct io_uring_cqe *)(cq + params.cq_off.cqes);
}

/* Submits one operation and returns its result. */
static int ring_do(struct ring *ring, const struct io_uring_sqe *operation)
{
	unsigned int tail = *ring->sq_tail, index = tail & *ring->sq_mask;
	unsigned int head;
	int result;

	ring->sqes[index] = *operation;
	ring->sqes[index].flags = IOSQE_ASYNC;
	ring->sq_array[index] = index;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	head = *ring->cq_head;
	if (head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE))
		return -ENODATA;
	result = ring->cqes[head & *ring->cq_mask].res;
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	return result;
}

static int address_parse(const char *host, int port, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;

	memset(ret_address, 0, sizeof(*ret_address));
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
		exit(64);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return sizeof(*v6);
}

int main(int argc, char **argv)
{
	char *secret = getenv("SECRET"), answer[128];
	struct sockaddr_storage to;
	struct iovec part;
	struct msghdr message = { .msg_name = &to, .msg_iov = &part, .msg_iovlen = 1 };
	struct io_uring_sqe operation = { 0 };
	struct ring ring;
	int stream, result;

	if (argc != 4 || !secret)
		return 64;
	stream = !strcmp(argv[1], "connect");
	message.msg_namelen = address_parse(argv[2], atoi(argv[3]), &to);
	part = (struct iovec){ .iov_base = secret, .iov_len = strlen(secret) };
	ring_open(&ring);
	operation.fd = socket(to.ss_family, stream ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (stream) {
		operation.opcode = IORING_OP_CONNECT;
		operation.addr = (unsigned long)&to;
		operation.off = message.msg_namelen;
	} else {
		operation.opcode = IORING_OP_SENDMSG;
		operation.addr = (unsigned long)&message;
		operation.len = 1;
	}
	result = ring_do(&ring, &operation);
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-result));
		return 1;
	}
	if (!stream)
		return 0;
	if (write(operation.fd, secret, strlen(secret)) < 0)
		return 1;
	return read(operation.fd, answer, sizeof(answer)) > 0 ? 0 : 1;
}
