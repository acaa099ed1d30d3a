/* SPDX-License-Identifier: GPL-2.0 */
/* Who a process is, by /proc: its program and its command line, with secrets masked. */
#ifndef BUILDFENCE_DESCRIBE_H
#define BUILDFENCE_DESCRIBE_H

#include <stdint.h>
#include <sys/types.h>

#include "abi.h"

/* At most, in bytes, after escaping. Together they keep a record below 8 KiB. */
#define PROCESS_SIZE		512
#define COMMAND_LINE_SIZE	2048

/*
 * The program's path and masked command line of a process that was `pid` at `time_ns` (of
 * CLOCK_BOOTTIME) and had a thread named `comm`; the caller frees both. NULL, when the process is
 * gone or another one has its number now; no command line either, when it keeps us from reading
 * (see base/reader.h).
 */
void process_describe(pid_t pid, const char comm[static COMM_LEN], uint64_t time_ns,
		      char **ret_path, char **ret_command_line);

#endif
