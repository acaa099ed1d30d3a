/* SPDX-License-Identifier: GPL-2.0 */
/* The time now, of one of the kernel's clocks. */
#ifndef BUILDFENCE_CLOCK_H
#define BUILDFENCE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_S	1000000000ULL
#define NS_PER_MS	1000000ULL

/* Nanoseconds; `clock` is CLOCK_MONOTONIC or another that no kernel lacks. */
static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline int64_t clock_ms(clockid_t clock)
{
	return (int64_t)(clock_ns(clock) / NS_PER_MS);
}

#endif
