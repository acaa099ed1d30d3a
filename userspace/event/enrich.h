/* SPDX-License-Identifier: GPL-2.0 */
/* From a refusal of the kernel's to an event: times, names, and who the process was. */
#ifndef BUILDFENCE_ENRICH_H
#define BUILDFENCE_ENRICH_H

#include <sys/types.h>

#include "event/event.h"

/*
 * Fills *ret_event, which event_clear() frees; it refers to `job` and its policy. What cannot be
 * learned about the process stays NULL or is taken from the refusal. Returns 0 or -ENOMEM.
 */
int event_fill(const struct event_job *job, const struct refusal *refusal, uint64_t count,
	       uint64_t last_ns, bool kept_apart, bool first, struct event *ret_event);
void event_clear(struct event *event);

/* A time of CLOCK_BOOTTIME as one of CLOCK_REALTIME, by the clocks' present difference. */
struct timespec time_from_boot(uint64_t boot_ns);

/* A reversed name of abi.h in its usual form, escaped; "" when there is none. */
void name_forward(const __u8 *name, size_t length, char ret_name[static NAME_LEN * 4 + 1]);

#endif
