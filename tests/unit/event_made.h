/* SPDX-License-Identifier: GPL-2.0 */
/* Events for the tests of records, lines and the summary. */
#ifndef BUILDFENCE_TEST_EVENT_MADE_H
#define BUILDFENCE_TEST_EVENT_MADE_H

#include "event/event.h"

extern const struct event_job job_made;

/* One TCP connect by curl[4711] to 198.51.100.7:443, refused. `name` may be "". */
struct event event_made(const char *name, enum refusal_reason reason, enum guard_hook hook);

#endif
