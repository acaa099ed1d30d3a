/* SPDX-License-Identifier: GPL-2.0 */
/* The protocol of sd_notify(3): telling the service manager how the daemon is. */
#ifndef BUILDFENCE_NOTIFY_H
#define BUILDFENCE_NOTIFY_H

#include <stdint.h>

/*
 * Sends `state` ("READY=1", "STATUS=...", "WATCHDOG=1", several separated by newlines) to the
 * socket that NOTIFY_SOCKET names. Never blocks. Returns 1 when it was sent, 0 when nobody asked
 * for it (no NOTIFY_SOCKET), or -errno, which is no reason to end.
 */
int notify_send(const char *state);

/*
 * How often the manager's watchdog wants to hear "WATCHDOG=1", in microseconds: half of
 * WATCHDOG_USEC, as sd_watchdog_enabled(3) advises. 0: no watchdog, or it is for another process.
 */
uint64_t notify_watchdog_interval_us(void);

#endif
