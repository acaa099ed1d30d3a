/* SPDX-License-Identifier: GPL-2.0 */
/* What this machine and its kernel can do for the guard: tables of checks, and their findings. */
#ifndef BUILDFENCE_DOCTOR_H
#define BUILDFENCE_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/text.h"

struct cgroup;

/* The machine as far as checks see it: its files below a root, and a cgroup for trials. */
struct machine {
	int root_fd;
	bool live;		/* the root is "/": files may be tried, not only read */
	struct cgroup *cgroup;	/* made for this run; NULL: none could be made */
	int cgroup_error;	/* why */
};

enum finding_status {
	FINDING_UNKNOWN = 0,	/* could not be judged */
	FINDING_OK,
	FINDING_WARNING,
	FINDING_UNFIT,
};

struct finding {
	enum finding_status status;
	struct text found;
};

struct check {
	const char *id;		/* stable */
	const char *group;
	const char *asked;
	void (*judge)(const struct machine *machine, struct finding *finding);
	const char *means;	/* what a finding that is not ok means */
	const char *fix;
};

extern const struct check base_checks[], family_checks[], dns_checks[], docker_checks[],
	agent_checks[];
extern const size_t base_check_count, family_check_count, dns_check_count, docker_check_count,
	agent_check_count;

/* Opens the machine whose files are below `root`. Returns 0 or -errno; close it in any case. */
int machine_open(const char *root, struct machine *ret_machine);
void machine_close(struct machine *machine);
#define _cleanup_machine_ __attribute__((cleanup(machine_close)))

/* Opens what is below the root, whatever links say; no leading slash. Or -errno, or NULL. */
int machine_fd(const struct machine *machine, const char *path, int flags);
FILE *machine_file(const struct machine *machine, const char *path);

/* Judges all checks, kernel features included. How it is written is report.c's. */
typedef void (*finding_fn)(const struct check *check, const struct finding *finding,
			   void *context);
void doctor_run(const struct machine *machine, finding_fn take, void *context);

/* The kernel's part of doctor_run(). */
void kernel_run(const struct machine *machine, finding_fn take, void *context);

/* Sets the status and adds to what was found, parts joined by ", ". */
void finding_add(struct finding *finding, enum finding_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Writes findings as they come. report_end() returns 0, or 1 when one was unfit. */
struct report {
	bool colour;
	bool json;
	bool unfit;
	bool failed;		/* out of memory */
	const char *group;
	unsigned int counts[FINDING_UNFIT + 1];
	struct json_t *findings;
};

void report_take(const struct check *check, const struct finding *finding, void *report);
int report_end(struct report *report);

#endif
