/* SPDX-License-Identifier: GPL-2.0 */
/* For tests of the policy reader: loads policies that stand in the test itself. */
#ifndef BUILDFENCE_TEST_POLICY_TEXT_H
#define BUILDFENCE_TEST_POLICY_TEXT_H

#include "policy/load.h"

struct loaded {
	int result;			/* of policy_load() */
	struct policy *policy;		/* NULL after an error */
	struct diagnostics diag;
	char *messages;			/* all of them, lines */
};

/*
 * Writes `text` to job.yaml in a folder of its own, which becomes the working directory,
 * and loads it.
 */
struct loaded policy_load_text(const char *text);

/* The same for any bytes, and with more in the request; `request->file` is set here. */
struct loaded policy_load_bytes(const char *bytes, size_t len, struct policy_request *request);

/* Loads without a file. */
struct loaded policy_load_request(const struct policy_request *request);

/* Writes a file into the working directory. */
void file_write(const char *path, const char *bytes, size_t len);

void loaded_free(struct loaded *loaded);
#define _cleanup_loaded_ __attribute__((cleanup(loaded_free)))

#endif
