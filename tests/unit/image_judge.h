/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's part, played in userspace: judges by an image alone, with longest-prefix lookups and
 * scans of runs, as decide() does. So a fault in the compiler shows without the kernel.
 */
#ifndef BUILDFENCE_TESTS_IMAGE_JUDGE_H
#define BUILDFENCE_TESTS_IMAGE_JUDGE_H

#include "policy/compile.h"
#include "policy/explain.h"

struct verdict {
	bool allowed;
	bool expected;
	enum refusal_reason reason;
	uint32_t rule;
};

/* The permissions of a name; NULL: no entry covers it. */
const struct rule_run *image_name_run(const struct image *image, const char *name);

struct verdict image_question(const struct image *image, const char *name);
struct verdict image_flow(const struct image *image, const struct query *query);

#endif
