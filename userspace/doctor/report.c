/* SPDX-License-Identifier: GPL-2.0 */
/* Findings on paper: grouped lines for people, or one JSON array. */
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "doctor/doctor.h"
#include "policy/write.h"

static const char *const status_names[] = {
	[FINDING_UNKNOWN] = "unknown",
	[FINDING_OK] = "ok",
	[FINDING_WARNING] = "warning",
	[FINDING_UNFIT] = "unfit",
};

static const char *const status_colours[] = {
	[FINDING_UNKNOWN] = "36",
	[FINDING_OK] = "32",
	[FINDING_WARNING] = "33",
	[FINDING_UNFIT] = "1;31",
};

static void line_write(struct report *report, const struct check *check,
		       enum finding_status status, const char *found)
{
	const char *mark = status_names[status];

	if (!report->group || strcmp(report->group, check->group))
		printf("%s%s\n", report->group ? "\n" : "", check->group);
	report->group = check->group;
	if (report->colour)
		printf("  \033[%sm%-7s\033[0m  %s: %s\n", status_colours[status], mark,
		       check->asked, found);
	else
		printf("  %-7s  %s: %s\n", mark, check->asked, found);
	if (status >= FINDING_WARNING)
		printf("           means  %s\n           fix    %s\n", check->means, check->fix);
}

void report_take(const struct check *check, const struct finding *finding, void *context)
{
	struct report *report = context;
	bool explain = finding->status >= FINDING_WARNING;
	/* Names of users and files are not ours: no control bytes, no invalid UTF-8. */
	_cleanup_free_ char *found =
		escape_string(finding->found.bytes ? finding->found.bytes : "", 4096);

	report->unfit |= finding->status == FINDING_UNFIT;
	report->counts[finding->status]++;
	if (!found || finding->found.failed) {
		report->failed = true;
		return;
	}
	if (!report->json) {
		line_write(report, check, finding->status, found);
		return;
	}
	if (!report->findings)
		report->findings = json_array();
	if (json_array_append_new(report->findings,
				  json_pack("{ss ss ss ss ss}", "Check", check->id, "Status",
					    status_names[finding->status], "Found", found, "Means",
					    explain ? check->means : "", "Fix",
					    explain ? check->fix : "")))
		report->failed = true;
}

int report_end(struct report *report)
{
	if (report->json) {
		if (!report->findings || json_write(report->findings, JSON_INDENT(2), stdout))
			report->failed = true;
		json_decref(report->findings);
	} else {
		printf("\n%s: %u ok, %u warnings, %u unfit, %u could not be judged\n",
		       report->unfit ? "This machine is not fit" : "This machine is fit",
		       report->counts[FINDING_OK], report->counts[FINDING_WARNING],
		       report->counts[FINDING_UNFIT], report->counts[FINDING_UNKNOWN]);
	}
	if (report->failed)
		fprintf(stderr, "buildfence: out of memory: the findings are not complete\n");
	return report->unfit || report->failed;
}
