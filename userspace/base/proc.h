/* SPDX-License-Identifier: GPL-2.0 */
/* Reading a process's files in /proc. */
#ifndef BUILDFENCE_PROC_H
#define BUILDFENCE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/reader.h"

/*
 * Reads the beginning of /proc/PID/FILE, up to `size` - 1 bytes and a NUL. Not for what stands in
 * the process's memory, see below. Returns the number of bytes, -ESRCH, or another -errno.
 */
ssize_t proc_read(pid_t pid, const char *file, char *ret_text, size_t size);

/*
 * When a process started, in clock ticks since boot: field 22 of a line of /proc/PID/stat. Returns
 * 0 or -EINVAL; of a process, also -ESRCH or another -errno.
 */
int proc_start_parse(const char *stat, uint64_t *ret_ticks);
int proc_start(pid_t pid, uint64_t *ret_ticks);

/*
 * Calls back for each direct child, whichever thread it is of, until `call` returns true. Returns
 * 0, -ESRCH, or another -errno.
 */
typedef bool (*proc_child_fn)(pid_t child, void *context);
int proc_children(pid_t pid, proc_child_fn call, void *context);

/*
 * Reads /proc/PID/FILE (a literal), which shows memory of the process, as cmdline and environ do:
 * to its end, or until there are `max` bytes, and up to a page more. A process can keep us from
 * reading, so a thread does it; see reader_ask(), also for *ret_bytes. Returns the number of bytes,
 * -ESRCH, -ETIMEDOUT, -EBUSY, or another -errno.
 */
ssize_t proc_memory_read(enum reader_use use, pid_t pid, const char *file, size_t max,
			 char **ret_bytes);

#endif
