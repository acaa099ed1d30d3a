/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A line per event for the person who watches. The first attempt of a kind shows at once, repeats
 * as one line a second. Under a flood of different ones some lines are left out, and their number
 * said; the records and the summary have all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "event/sentence.h"
#include "event/sink.h"

#define LINES_PER_SECOND	50

struct sink_text {
	struct sink sink;
	int fd;
	bool colour;
	unsigned int lines;	/* since the last tick */
	uint64_t left_out[2];	/* attempts, since the last tick; [1]: let through, in audit mode */
};

static const char *const verbs[2] = { "blocked", "would block" };

bool colour_wanted(int fd)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && !(no_color && *no_color) && term && strcmp(term, "dumb");
}

static int line_write(const struct sink_text *text_sink, struct text *line)
{
	ssize_t written;

	text_add(line, "\n", 1);
	if (line->failed)
		return -ENOMEM;
	written = TEMP_FAILURE_RETRY(write(text_sink->fd, line->bytes, line->len));
	return written < 0 ? -errno : 0;
}

static int text_event(struct sink *sink, const struct event *event)
{
	struct sink_text *text_sink = (struct sink_text *)sink;
	_cleanup_text_ struct text line = {};
	bool audit = event->kept_apart ? event->refusal.flags & REFUSAL_AUDIT :
					 event->job->mode == MODE_AUDIT;

	if (text_sink->lines == LINES_PER_SECOND) {
		text_sink->left_out[audit] += event->count;
		return 0;
	}
	text_sink->lines++;
	if (text_sink->colour)
		text_printf(&line, "\033[%sm%s\033[0m  ", audit ? "33" : "1;31",
			    verbs[audit]);
	else
		text_printf(&line, "%s  ", verbs[audit]);
	sentence_who(event, &line);
	text_printf(&line, "  ");
	sentence_why(event, &line);
	if (!event->first || event->count > 1)
		text_printf(&line, " (x%llu)", (unsigned long long)event->count);
	return line_write(text_sink, &line);
}

static void text_tick(struct sink *sink)
{
	struct sink_text *text_sink = (struct sink_text *)sink;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		_cleanup_text_ struct text line = {};

		if (!text_sink->left_out[i])
			continue;
		text_printf(&line, "%s  %llu more attempts, not shown one by one", verbs[i],
			    (unsigned long long)text_sink->left_out[i]);
		line_write(text_sink, &line);
		text_sink->left_out[i] = 0;
	}
	text_sink->lines = 0;
}

static void text_close(struct sink *sink)
{
	free(sink);
}

int sink_text_open(int fd, bool colour, struct sink **ret_sink)
{
	static const struct sink_class class = {
		.event = text_event,
		.tick = text_tick,
		.close = text_close,
	};
	struct sink_text *text_sink = calloc(1, sizeof(*text_sink));

	if (!text_sink)
		return -ENOMEM;
	text_sink->sink.class = &class;
	text_sink->fd = fd;
	text_sink->colour = colour;
	*ret_sink = &text_sink->sink;
	return 0;
}
