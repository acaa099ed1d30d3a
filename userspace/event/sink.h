/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where events go. Every sink has its own open function; after that they all look the same: each
 * event in turn, a tick once a second, close. They only read events.
 */
#ifndef BUILDFENCE_SINK_H
#define BUILDFENCE_SINK_H

#include <stdbool.h>
#include <sys/types.h>

#include "event/event.h"

struct sink;

struct sink_class {
	/* Returns 0 or -errno: this event is lost to this sink, the next may pass. */
	int (*event)(struct sink *sink, const struct event *event);
	/* Once a second, and before close; may be NULL. */
	void (*tick)(struct sink *sink);
	void (*close)(struct sink *sink);
};

struct sink {
	const struct sink_class *class;
};

static inline int sink_event(struct sink *sink, const struct event *event)
{
	return sink->class->event(sink, event);
}

static inline void sink_tick(struct sink *sink)
{
	if (sink->class->tick)
		sink->class->tick(sink);
}

/* Frees the sink. NULL is fine. */
static inline void sink_close(struct sink *sink)
{
	if (!sink)
		return;
	sink_tick(sink);
	sink->class->close(sink);
}

/* A person's line per event on `fd`, which stays open. Returns 0 or -ENOMEM. */
int sink_text_open(int fd, bool colour, struct sink **ret_sink);

/* Colours: on a terminal that has them, unless NO_COLOR is set. */
bool colour_wanted(int fd);

/*
 * NDJSON records, appended to `path` ("-": standard output). A file that has to be made gets
 * `mode`, less the umask; one that is there keeps its own. Returns 0, -ELOOP for a symbolic link
 * (whoever can place one there could make root write elsewhere), or another -errno.
 */
int sink_ndjson_open(const char *path, mode_t mode, struct sink **ret_sink);

/* Appends one line, made by ndjson_record(), whole or not at all. Returns 0 or -errno. */
int sink_ndjson_line(struct sink *sink, const char *line);

/*
 * The EventOriginalUid of a file's last record, or "", into `ret_uid` of `size` bytes. A last line
 * without its newline, which a killed writer leaves, is cut off. Returns 0 or -errno.
 */
int sink_ndjson_last_uid(const char *path, char *ret_uid, size_t size);

/* One record without its newline, to be freed; below 8 KiB. NULL when memory ran out. */
char *ndjson_record(const struct event *event);

#endif
