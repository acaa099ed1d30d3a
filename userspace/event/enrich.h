/* SPDX-License-Identifier: GPL-2.0 */
/* From a refusal of the kernel's to an event: times, names, and who the process was. */
#ifndef BUILDFENCE_ENRICH_H
#define BUILDFENCE_ENRICH_H

#include <sys/types.h>

#include "event/event.h"

/* At most, in bytes, after escaping. Together they keep a record below 8 KiB. */
#define PROCESS_SIZE		512
#define COMMAND_LINE_SIZE	2048

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

/*
 * The program's path and masked command line of a process that was `pid` at `time_ns` and had a
 * thread named `comm` (or NULL, when the process is gone or another one has its number now).
 */
void process_describe(pid_t pid, const char comm[static COMM_LEN], uint64_t time_ns,
		      char **ret_path, char **ret_command_line);

#endif
