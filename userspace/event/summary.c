/* SPDX-License-Identifier: GPL-2.0 */
/* Collecting what a job did; summary_write.c puts it on paper. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "event/enrich.h"
#include "event/sentence.h"
#include "event/summary_rows.h"

#define ROWS_MAX	4096	/* different lines; a power of two */

/* FNV-1a. */
static uint32_t text_hash(const char *text)
{
	uint32_t hash = 2166136261;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619;
	return hash;
}

/* Adds to the row with this text, or makes one. Takes `where` and `why` over. */
static void row_add(struct rows *rows, char *where, char *why, uint64_t count, bool expected)
{
	uint32_t at = text_hash(where) & (2 * ROWS_MAX - 1);

	for (; rows->items[at].where; at = (at + 1) & (2 * ROWS_MAX - 1)) {
		struct row *row = &rows->items[at];

		if (row->expected == expected && !strcmp(row->where, where) &&
		    !strcmp(row->why, why)) {
			row->count += count;
			free(where);
			free(why);
			return;
		}
	}
	if (rows->count == ROWS_MAX) {
		rows->others += count;
		free(where);
		free(why);
		return;
	}
	rows->items[at] = (struct row){ where, why, count, expected };
	rows->count++;
}

static int rows_new(struct rows *rows)
{
	rows->items = calloc(2 * ROWS_MAX, sizeof(*rows->items));
	rows->slots = 2 * ROWS_MAX;
	return rows->items ? 0 : -ENOMEM;
}

static void rows_free(struct rows *rows)
{
	for (size_t i = 0; rows->items && i < rows->slots; i++) {
		free(rows->items[i].where);
		free(rows->items[i].why);
	}
	free(rows->items);
}

int summary_new(const struct event_job *job, struct summary **ret_summary)
{
	_cleanup_summary_ struct summary *summary = calloc(1, sizeof(*summary));

	if (!summary || rows_new(&summary->reached) || rows_new(&summary->refused))
		return -ENOMEM;
	summary->job = job;
	*ret_summary = TAKE_PTR(summary);
	return 0;
}

void summary_free(struct summary *summary)
{
	if (!summary)
		return;
	rows_free(&summary->reached);
	rows_free(&summary->refused);
	free(summary);
}

void summary_event(struct summary *summary, const struct event *event)
{
	bool expected = event->kept_apart && event->refusal.flags & REFUSAL_EXPECTED;
	_cleanup_text_ struct text where = {}, why = {};
	struct event any_port = *event;

	if (expected)
		summary->expected += event->count;
	else
		summary->violations += event->count;
	/* A caller's own port differs with every attempt: one row for all of them. */
	any_port.refusal.sport = 0;
	sentence_where(&any_port, &where);
	sentence_why(event, &why);
	if (where.failed || why.failed) {
		summary->refused.others += event->count;
		return;
	}
	row_add(&summary->refused, text_take(&where), text_take(&why), event->count, expected);
}

void summary_reached(struct summary *summary, const struct reached_key *key,
		     const struct reached *reached)
{
	_cleanup_text_ struct text where = {}, why = {};
	char name[NAME_LEN * 4 + 1];

	name_forward(reached->name, reached->name_len, name);
	text_printf(&where, "%s", key->direction == DIRECTION_IN ? "from " : "");
	if (name[0])
		text_printf(&where, "%s (", name);
	sentence_endpoint(key->addr, key->port, key->protocol, &where);
	text_printf(&where, "%s", name[0] ? ")" : "");
	text_printf(&why, "%s", "");
	if (where.failed || why.failed) {
		summary->reached.others += reached->count;
		return;
	}
	row_add(&summary->reached, text_take(&where), text_take(&why), reached->count, false);
}

void summary_counters(struct summary *summary, const struct job_counters *counters)
{
	summary->counters = *counters;
}

uint64_t summary_violations(const struct summary *summary)
{
	return summary->violations;
}
