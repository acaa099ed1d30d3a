/* SPDX-License-Identifier: GPL-2.0 */
/* The consumer's side of the kernel's kernel/bpf/ringbuf.c. */
#include "guard/ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"

static size_t sample_step(uint32_t header)
{
	size_t length = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

	return (length + BPF_RINGBUF_HDR_SZ + 7) & ~(size_t)7;
}

static uint32_t header_at(const struct ring *ring, uint64_t position)
{
	const uint8_t *header = ring->bytes + (position & (ring->size - 1));

	return __atomic_load_n((const uint32_t *)header, __ATOMIC_ACQUIRE);
}

/*
 * Edge-triggered inside: a sample that the reader may not take yet must not make its loop spin. The
 * kernel notifies when a sample comes that the reader is waiting for.
 */
static int epoll_make(int map_fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	_cleanup_close_ int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, map_fd, &event))
		return -errno;
	return TAKE_FD(fd);
}

int ring_open(int map_fd, size_t size, struct ring *ret_ring)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct ring ring = { .size = size, .page = page, .epoll_fd = -1 };
	uint8_t *shared;
	int error;

	ring.consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (ring.consumer == MAP_FAILED)
		return -errno;
	/* The kernel offers the bytes twice in a row; once is enough for a reader that copies. */
	shared = mmap(NULL, page + size, PROT_READ, MAP_SHARED, map_fd, (off_t)page);
	if (shared == MAP_FAILED) {
		error = -errno;
		munmap(ring.consumer, page);
		return error;
	}
	ring.producer = (const uint64_t *)shared;
	ring.bytes = shared + page;
	ring.epoll_fd = epoll_make(map_fd);
	if (ring.epoll_fd < 0) {
		error = ring.epoll_fd;
		ring_close(&ring);
		return error;
	}
	*ret_ring = ring;
	return 0;
}

void ring_close(struct ring *ring)
{
	if (!ring->consumer)
		return;
	munmap(ring->consumer, ring->page);
	munmap((void *)ring->producer, ring->page + ring->size);
	close_fd(&ring->epoll_fd);
	ring->consumer = NULL;
}

void ring_notified(struct ring *ring)
{
	struct epoll_event event;

	epoll_wait(ring->epoll_fd, &event, 1, 0);
}

static void ring_step(struct ring *ring)
{
	uint64_t position = *ring->consumer;

	__atomic_store_n(ring->consumer, position + sample_step(header_at(ring, position)),
			 __ATOMIC_RELEASE);
	/*
	 * Seen by the kernel before we look for more: a sample that we do not see must find that we
	 * wait for it, or nobody is notified.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

size_t ring_peek(struct ring *ring, void *ret_sample, size_t size)
{
	while (*ring->consumer < __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE)) {
		uint32_t header = header_at(ring, *ring->consumer);
		size_t begin = (*ring->consumer + BPF_RINGBUF_HDR_SZ) & (ring->size - 1);
		size_t to_end = ring->size - begin;

		if (header & BPF_RINGBUF_BUSY_BIT)
			return 0;
		if (header & BPF_RINGBUF_DISCARD_BIT) {
			ring_step(ring);
			continue;
		}
		if (size > header)
			size = header;
		if (to_end > size)
			to_end = size;
		memcpy(ret_sample, ring->bytes + begin, to_end);
		memcpy((uint8_t *)ret_sample + to_end, ring->bytes, size - to_end);
		return header;
	}
	return 0;
}

void ring_release(struct ring *ring)
{
	ring_step(ring);
}
