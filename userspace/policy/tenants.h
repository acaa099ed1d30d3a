/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where strangers have a place of their own, so that an allowed name lets data out: domains below
 * which anyone can register a name, and services that serve everybody's accounts under one name.
 * Who warns of them, or folds no names into them, asks here. No list of such places is complete.
 */
#ifndef BUILDFENCE_POLICY_TENANTS_H
#define BUILDFENCE_POLICY_TENANTS_H

#include <libpsl.h>

struct target;

/*
 * The domain below which strangers register names that a pattern (not NAME_EXACT) covers, or NULL.
 * Beside our own list, that of public suffixes is asked; `suffixes` may be NULL. The result lives
 * as long as the pattern. *ret_owner is the same for all domains of one owner.
 */
const char *tenant_domain_find(const struct target *pattern, const psl_ctx_t *suffixes,
			       const char **ret_owner);

/* The service for everybody that a name or pattern covers, or is a part of; or NULL. */
const char *shared_service_find(const struct target *target);

/* The domain whose next label a pattern leaves open: x.com of *.x.com, and of *-cdn.x.com too. */
const char *open_domain(const struct target *pattern);

#endif
