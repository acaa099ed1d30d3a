/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Collects what a job needed, leaves out what other entries cover, and prints a policy. need.c
 * reads the records, fold.c makes wildcards, basis.c knows what the run's policy allowed.
 */
#include "suggest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "basis.h"
#include "need.h"
#include "policy/write.h"

/* Processes named behind an entry; the others are counted. */
#define PROCESSES_SHOWN	3

/*
 * A last line without its newline that is no record was cut off by a full disk or a killed writer:
 * what stands before it is still good.
 */
static int needs_read(FILE *records, const struct suggest_options *options,
		      struct diagnostics *diag, struct bases *bases, struct needs *needs)
{
	_cleanup_free_ char *line = NULL;
	size_t capacity = 0;
	unsigned int number = 0;
	ssize_t len;

	while ((len = getline(&line, &capacity, records)) > 0) {
		bool whole = line[len - 1] == '\n';
		struct need need;
		char error[256];
		int r;

		number++;
		if (line[strspn(line, " \t\r\n")] == '\0' && (size_t)len == strlen(line))
			continue;
		r = need_read(line, (size_t)len, bases, &need, error);
		if (r == -EINVAL && !whole) {
			diagnostics_warning(diag, options->source, number, 1,
					    "the last line is cut off and left out");
			return 0;
		}
		if (r == -EINVAL)
			diagnostics_error(diag, options->source, number, 1, "%s", error);
		else if (!r)
			r = needs_add(needs, &need);
		if (r)
			return r;
	}
	if (ferror(records))
		return errno ? -errno : -EIO;
	return 0;
}

static int name_order(const void *a, const void *b)
{
	const struct need *x = *(struct need *const *)a, *y = *(struct need *const *)b;
	int order = strcmp(x->target.name, y->target.name);

	/* Connections first, so that questions find them in front. */
	return order ? order : x->asked - y->asked;
}

/* Clears the questions for names that a connection's entry lets be asked for anyway. */
static int questions_drop(struct needs *needs)
{
	_cleanup_free_ struct need **names = calloc(needs->count + 1, sizeof(*names));
	const struct need *reached = NULL;
	size_t count = 0, kept = 0;

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < needs->count; i++) {
		struct need *need = &needs->items[i];

		if (need->kind == NEED_ALLOW && need->target.kind == TARGET_NAME)
			names[count++] = need;
	}
	qsort(names, count, sizeof(*names), name_order);
	for (size_t i = 0; i < count; i++) {
		if (!names[i]->asked)
			reached = names[i];
		else if (reached && !strcmp(reached->target.name, names[i]->target.name))
			need_clear(names[i]);
		else
			names[i]->remark = "asked for, never connected to";
	}
	/* A cleared need has no process: close the gaps. */
	for (size_t i = 0; i < needs->count; i++) {
		if (needs->items[i].process)
			needs->items[kept++] = needs->items[i];
	}
	needs->count = kept;
	return 0;
}

/* Gives each entry its text, in the shortest form that the policy's reader takes. */
static int entries_format(struct needs *needs)
{
	char text[TARGET_TEXT_LEN];

	for (size_t i = 0; i < needs->count; i++) {
		struct need *need = &needs->items[i];

		if (need->kind == NEED_NOTE)
			continue;
		target_format(&need->target,
			      need->kind == NEED_INBOUND ? LIST_INBOUND : LIST_ALLOW, text);
		need->text = strdup(text);
		if (!need->text)
			return -ENOMEM;
	}
	return 0;
}

static int need_order(const void *a, const void *b)
{
	const struct need *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return order ? order : strcmp(x->process, y->process);
}

/* "12 attempts by curl (10), git (2)" */
static void group_describe(const struct need *needs, size_t count, FILE *out)
{
	uint64_t attempts = 0;
	size_t processes = 0;

	for (size_t i = 0; i < count; i++)
		attempts += needs[i].attempts;
	fprintf(out, "%" PRIu64 " %s by ", attempts, attempts == 1 ? "attempt" : "attempts");
	for (size_t first = 0, next; first < count; first = next) {
		uint64_t own = 0;

		for (next = first; next < count &&
				   !strcmp(needs[first].process, needs[next].process); next++)
			own += needs[next].attempts;
		if (++processes > PROCESSES_SHOWN)
			continue;
		fprintf(out, "%s%s", first ? ", " : "", needs[first].process);
		if (own != attempts)
			fprintf(out, " (%" PRIu64 ")", own);
	}
	if (processes > PROCESSES_SHOWN)
		fprintf(out, " and %zu more", processes - PROCESSES_SHOWN);
}

/* One line for needs[0..count), which have the same text. */
static void group_write(const struct need *needs, size_t count, const char *indent, FILE *out)
{
	const char *remark = needs->remark;

	/* Folded names may have been asked for only, or reached: then neither can be said. */
	for (size_t i = 1; i < count; i++)
		remark = needs[i].remark == remark ? remark : NULL;
	/* A target holds neither quote nor backslash, so it stands safely between quotes. */
	if (needs->kind == NEED_NOTE)
		fprintf(out, "#   %s; ", needs->text);
	else
		fprintf(out, "%s- \"%s\"  # ", indent, needs->text);
	if (needs->target.match == NAME_BELOW)
		fprintf(out, "folded; ");
	if (remark)
		fprintf(out, "%s; ", remark);
	group_describe(needs, count, out);
	fputc('\n', out);
}

/* All groups of one kind, under a heading that is left out when there are none. Sorted by now. */
static void kind_write(const struct needs *needs, enum need_kind kind, const char *heading,
		       const char *indent, FILE *out)
{
	bool headed = false;

	for (size_t first = 0, next; first < needs->count; first = next) {
		const struct need *head = &needs->items[first];

		for (next = first + 1; next < needs->count &&
				       needs->items[next].kind == head->kind &&
				       !strcmp(needs->items[next].text, head->text); next++)
			continue;
		if (head->kind != kind)
			continue;
		if (!headed)
			fputs(heading, out);
		headed = true;
		group_write(head, next - first, indent, out);
	}
}

/* One list: the run's own rules, and behind them what else it needed. */
static int list_write(const struct needs *needs, const struct policy *rules, enum need_kind kind,
		      FILE *out)
{
	bool inbound = kind == NEED_INBOUND;
	enum rule_list list = inbound ? LIST_INBOUND : LIST_ALLOW;
	const char *heading = inbound ? "inbound:\n  allow:\n" : "allow:\n";

	if (rules && policy_has_rules(rules, list)) {
		int r = policy_write_rules(rules, list, out);

		if (r)
			return r;
		heading = inbound ? "    # Needed besides:\n" : "  # Needed besides:\n";
	} else if (!inbound && !(needs->count && needs->items[0].kind == NEED_ALLOW)) {
		fputs("allow: []\n", out);
	}
	kind_write(needs, kind, heading, inbound ? "    " : "  ", out);
	return 0;
}

static int policy_write(const struct needs *needs, const struct bases *bases, FILE *out)
{
	int r;

	fputs("# What an audit run needed, by `buildfence suggest`. Read each line before use:\n"
	      "# what a poisoned step asked for stands here too.\n", out);
	bases_write_gaps(bases, out);
	fputs("version: 1\n", out);
	bases_write_presets(bases, out);
	if (bases->rules)
		policy_write_settings(bases->rules, out);
	r = list_write(needs, bases->rules, NEED_ALLOW, out);
	if (!r && bases->rules)
		r = policy_write_rules(bases->rules, LIST_DENY, out);
	if (!r)
		r = list_write(needs, bases->rules, NEED_INBOUND, out);
	if (!r && bases->rules)
		r = policy_write_rules(bases->rules, LIST_EXPECTED, out);
	kind_write(needs, NEED_NOTE, "# Not allowed by the entries above:\n", "", out);
	return r;
}

int suggest(FILE *records, const struct suggest_options *options, struct diagnostics *diag,
	    FILE *out)
{
	_cleanup_(needs_clear) struct needs needs = {};
	_cleanup_(bases_clear) struct bases bases = {};
	int r;

	r = needs_read(records, options, diag, &bases, &needs);
	if (!r)
		r = bases_resolve(&bases, &options->run, options->source, diag);
	if (!r)
		r = questions_drop(&needs);
	if (!r && options->fold)
		r = needs_fold(&needs, options->fold);
	if (r == -ENOENT)
		diagnostics_error(diag, options->source, 0, 0,
				  "cannot fold without a list of public suffixes; install the package publicsuffix");
	if (!r)
		r = entries_format(&needs);
	if (r)
		return r;
	if (needs.count)
		qsort(needs.items, needs.count, sizeof(*needs.items), need_order);
	return policy_write(&needs, &bases, out);
}
