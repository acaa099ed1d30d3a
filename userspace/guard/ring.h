/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading a BPF ring buffer one sample at a time, each of which stays until it is released.
 * libbpf's reader releases a sample also when its callback fails.
 */
#ifndef BUILDFENCE_RING_H
#define BUILDFENCE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	uint64_t *consumer;		/* positions, growing for ever; ours is kept in the map */
	const uint64_t *producer;
	const uint8_t *bytes;
	size_t size;			/* a power of two */
	size_t page;
	int epoll_fd;			/* readable once per notification, not while samples wait */
};

/* Maps the ring of a map; `size` is its max_entries. Returns 0 or -errno. */
int ring_open(int map_fd, size_t size, struct ring *ret_ring);
void ring_close(struct ring *ring);

/* Makes epoll_fd wait for the next notification. */
void ring_notified(struct ring *ring);

/* Copies the oldest sample, up to `size` bytes. Returns its length, or 0: there is none. */
size_t ring_peek(struct ring *ring, void *ret_sample, size_t size);

/* Releases the sample that ring_peek() found. */
void ring_release(struct ring *ring);

#endif
