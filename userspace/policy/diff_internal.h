/* SPDX-License-Identifier: GPL-2.0 */
/* Between the files of the comparison; others include diff.h. */
#ifndef BUILDFENCE_POLICY_DIFF_INTERNAL_H
#define BUILDFENCE_POLICY_DIFF_INTERNAL_H

#include "compile.h"
#include "diff.h"

struct differ {
	const struct policy *policies[2];
	struct image *images[2];
	void (*take)(const struct diff_change *change, void *context);
	void *context;
};

/*
 * Hosts that each policy treats alike: those of one key of the tries and of no longer one. The runs
 * are a's and b's; a zero run covers nothing.
 */
struct region {
	struct rule_run runs[2];
	const struct region *around;	/* of the nearest key that covers this one; or NULL */
};

/*
 * Reports what changes for a region, unless that was said already about one around it. `host` has
 * the host of the region. Returns 0 or -ENOMEM.
 */
int region_diff(const struct differ *differ, const struct region *region,
		enum flow_direction direction, const struct target *host);

#endif
