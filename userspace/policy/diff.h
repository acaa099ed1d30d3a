/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What changes when one policy takes the place of another: by what they let through, not by how
 * they are written. Rules in another order, split, joined or moved into a preset are no change.
 */
#ifndef BUILDFENCE_POLICY_DIFF_H
#define BUILDFENCE_POLICY_DIFF_H

#include "policy.h"

enum diff_kind {
	DIFF_NONE = 0,
	DIFF_OPENED,		/* b allows what a does not */
	DIFF_CLOSED,		/* a allows what b does not */
	DIFF_EXCEPT,		/* part of a wider change before it, to which that does not apply */
};

struct diff_change {
	enum diff_kind kind;
	enum flow_direction direction;
	struct target target;		/* host, protocol and ports */
	bool portless;			/* only protocols without ports: neither TCP nor UDP */
	/*
	 * That allows: b's where opened, a's where closed. NULL: `loopback`
	 * or `metadata`; DIFF_EXCEPT.
	 */
	const struct rule *rule;
	const struct rule *denied_by;	/* closed by a deny rule of b, or NULL */
};

#define DIFF_SETTING_LEN	512

struct diff_setting {
	const char *name;
	char a[DIFF_SETTING_LEN];
	char b[DIFF_SETTING_LEN];
};

/*
 * Calls `take` for each change: names first, sorted by their ends, then addresses; an exception
 * comes after the change that it belongs to. What loopback and metadata open or close is left to
 * the settings. Returns 0, -E2BIG (a policy cannot be compiled; said in `diag`) or -ENOMEM.
 */
int policy_diff(const struct policy *a, const struct policy *b, time_t now,
		struct diagnostics *diag,
		void (*take)(const struct diff_change *change, void *context), void *context);

/* Calls `take` for each setting that differs. */
void policy_diff_settings(const struct policy *a, const struct policy *b,
			  void (*take)(const struct diff_setting *setting, void *context),
			  void *context);

#endif
