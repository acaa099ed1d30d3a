/* SPDX-License-Identifier: GPL-2.0 */
/* The summary on paper: lines for the end of a log, Markdown for a pipeline's page. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "event/shortage.h"
#include "event/summary_rows.h"
#include "policy/policy.h"

#define TEXT_ROWS	20	/* of each part */

struct part {
	const char *title;
	const struct rows *rows;
	bool expected;		/* which of the refused rows */
};

/* The most frequent first; then by text, so that two runs compare. */
static int row_compare(const void *a, const void *b)
{
	const struct row *left = *(const struct row *const *)a;
	const struct row *right = *(const struct row *const *)b;

	if (left->count != right->count)
		return left->count < right->count ? 1 : -1;
	return strcmp(left->where, right->where);
}

/* Returns memory to free with pointers to the part's rows, sorted; NULL when there are none. */
static const struct row **rows_sort(const struct part *part, size_t *ret_count)
{
	const struct row **sorted = calloc(part->rows->count + 1, sizeof(*sorted));
	size_t count = 0;

	for (size_t i = 0; sorted && i < part->rows->slots; i++) {
		const struct row *row = &part->rows->items[i];

		if (row->where && row->expected == part->expected)
			sorted[count++] = row;
	}
	if (count)
		qsort(sorted, count, sizeof(*sorted), row_compare);
	*ret_count = count;
	return sorted;
}

/* Escaped text is printable ASCII; what is left has a meaning in a Markdown table. */
static void markdown_put(const char *text, FILE *out)
{
	for (; *text; text++) {
		if (*text == '<' || *text == '&')
			fprintf(out, *text == '<' ? "&lt;" : "&amp;");
		else if (strchr("\\`*_{}[]()#+!|~>", *text))
			fprintf(out, "\\%c", *text);
		else
			fputc(*text, out);
	}
}

static void part_write(const struct part *part, enum summary_format format, FILE *out)
{
	size_t count = 0, shown;
	_cleanup_free_ const struct row **rows = rows_sort(part, &count);

	if (!rows || !count)
		return;
	shown = format == SUMMARY_TEXT && count > TEXT_ROWS ? TEXT_ROWS : count;
	if (format == SUMMARY_MARKDOWN)
		fprintf(out, "\n### %s\n\n| times | what | why |\n|---:|---|---|\n", part->title);
	else
		fprintf(out, "%s\n", part->title);
	for (size_t i = 0; i < shown; i++) {
		if (format == SUMMARY_TEXT) {
			fprintf(out, "  %6" PRIu64 "  %s%s%s\n", rows[i]->count, rows[i]->where,
				*rows[i]->why ? "  " : "", rows[i]->why);
			continue;
		}
		fprintf(out, "| %" PRIu64 " | ", rows[i]->count);
		markdown_put(rows[i]->where, out);
		fprintf(out, " | ");
		markdown_put(rows[i]->why, out);
		fprintf(out, " |\n");
	}
	if (shown < count)
		fprintf(out, "          and %zu more; --report FILE has them all\n", count - shown);
}

static void head_write(const struct summary *summary, enum summary_format format, FILE *out)
{
	const struct event_job *job = summary->job;
	_cleanup_free_ char *name = escape_string(job->name, 256);
	_cleanup_free_ char *policy = escape_string(job->policy->name, 256);
	const char *verb = job->mode == MODE_AUDIT ? "would have been blocked" : "blocked";

	fprintf(out, format == SUMMARY_MARKDOWN ? "## Network of job " : "buildfence: job ");
	if (format == SUMMARY_MARKDOWN)
		markdown_put(name ? name : "", out);
	else
		fprintf(out, "%s", name ? name : "");
	fprintf(out, format == SUMMARY_MARKDOWN ? "\n\nPolicy " : ", policy ");
	if (format == SUMMARY_MARKDOWN)
		markdown_put(policy ? policy : "", out);
	else
		fprintf(out, "%s", policy ? policy : "");
	fprintf(out, " (%s): %zu destination%s reached, %" PRIu64 " attempt%s %s",
		mode_name(job->mode), summary->reached.count,
		summary->reached.count == 1 ? "" : "s", summary->violations,
		summary->violations == 1 ? "" : "s", verb);
	if (summary->expected)
		fprintf(out, ", %" PRIu64 " more were expected and are no violations",
			summary->expected);
	fprintf(out, ".\n");
}

/* One line "COUNT TEXT"; none for 0. */
static void counter_write(uint64_t count, const char *text, FILE *out)
{
	if (count)
		fprintf(out, "%" PRIu64 " %s\n", count, text);
}

static void counters_write(const struct summary *summary, FILE *out)
{
	const struct job_counters *counters = &summary->counters;
	enum guard_mode mode = summary->job->mode;

	counter_write(summary->refused.others, mode == MODE_AUDIT ?
		      "attempts are in no line above: too many different ones" :
		      "refused attempts are in no line above: too many different ones", out);
	counter_write(summary->reached.others +
		      shortage_count(&shortages[SHORTAGE_DESTINATIONS], counters),
		      "connections are in no line above: too many different destinations", out);
	for (size_t i = 0; i < SHORTAGES; i++) {
		if (i != SHORTAGE_DESTINATIONS)
			counter_write(shortage_count(&shortages[i], counters),
				      shortage_text(&shortages[i], mode), out);
	}
}

void summary_write(const struct summary *summary, enum summary_format format, FILE *out)
{
	bool audit = summary->job->mode == MODE_AUDIT;
	const struct part parts[] = {
		{ "Reached", &summary->reached, false },
		{ audit ? "Would have been blocked" : "Blocked", &summary->refused, false },
		{ audit ? "Would have been blocked, as expected" : "Blocked as expected",
		  &summary->refused, true },
	};

	head_write(summary, format, out);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		part_write(&parts[i], format, out);
	if (format == SUMMARY_MARKDOWN)
		fprintf(out, "\n");
	counters_write(summary, out);
}
