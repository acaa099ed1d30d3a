/* SPDX-License-Identifier: GPL-2.0 */
/* For tests of the configuration's reader: loads configurations that stand in the test itself. */
#ifndef BUILDFENCE_TEST_CONFIG_TEXT_H
#define BUILDFENCE_TEST_CONFIG_TEXT_H

#include "config/config.h"
#include "policy/policy.h"

struct configured {
	int result;			/* of config_load() */
	struct config *config;		/* NULL after an error */
	struct diagnostics diag;
	char *messages;			/* all of them, lines */
	char folder[64];		/* where the file stood; gone */
};

/*
 * Writes `text` to config.yaml in a folder of its own, which becomes the working directory, beside
 * release.yaml (a good policy), faulty.yaml (one with two errors), and loads it.
 */
struct configured config_load_text(const char *text);

void configured_free(struct configured *configured);
#define _cleanup_configured_ __attribute__((cleanup(configured_free)))

#endif
