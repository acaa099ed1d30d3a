/* SPDX-License-Identifier: GPL-2.0 */
/* Kernels on which a program may not learn for which job it judges, or may not be run at all. */
#ifndef BUILDFENCE_SLOT_FLAW_H
#define BUILDFENCE_SLOT_FLAW_H

#include <stddef.h>

struct kernel_version;

/* What to do about either flaw. */
#define SLOT_FLAW_FIX	"boot a kernel of 5.15 or newer; in the 5.10 series 5.10.62 or newer, " \
			"without PREEMPT_RT"

/*
 * What this kernel may do wrong, or NULL. `version` is uname(2)'s, which says whether it preempts.
 * Such a flaw needs an unlucky moment and cannot be tried, so here the version decides.
 */
const char *slot_flaw(const struct kernel_version *kernel, const char *version);

/* The same of the running kernel. The text is static, or NULL, also when its version is odd. */
const char *slot_flaw_here(void);

#endif
