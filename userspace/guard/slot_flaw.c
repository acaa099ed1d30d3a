/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bpf_get_local_storage() is how a program gets its job's slot. The kernel notes for each CPU which
 * slot is whose, and has done it wrong in three ways:
 *
 * - One note a CPU: a program that is interrupted by another goes on with that one's slot. Fixed by
 *   b910eaaaa4b8, in 5.13 and 5.10.62.
 * - Eight notes, searched from the wrong end: the interrupting program gets the slot of the
 *   interrupted one. Fixed by a2baf4e8bb0f, in 5.14, 5.13.12 and 5.10.62.
 * - When all eight are taken, by programs that were preempted, no further program is run on that
 *   CPU, and what is not judged is allowed. Fixed by c7603cfa04e7, in 5.15. Only where programs
 *   can be preempted: 5.10 keeps that off around them, unless it is PREEMPT_RT.
 */
#include "guard/slot_flaw.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/kernel_version.h"

static bool word_is_in(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (; *text; text += strcspn(text, " ")) {
		text += strspn(text, " ");
		if (strcspn(text, " ") == len && !strncmp(text, word, len))
			return true;
	}
	return false;
}

const char *slot_flaw(const struct kernel_version *kernel, const char *version)
{
	bool is_5_10 = kernel->minor == 10;

	/* Older ones lack what the guard needs, and are refused for that. */
	if (kernel_version_is_before(kernel, 5, 10) || !kernel_version_is_before(kernel, 5, 15))
		return NULL;
	if ((is_5_10 && kernel->patch < 62) || kernel->minor == 11 || kernel->minor == 12 ||
	    (kernel->minor == 13 && kernel->patch < 12))
		return "may judge a job's packets by another job's policy";
	/* PREEMPT_DYNAMIC is the word of newer kernels, and of old ones with newer BPF in them. */
	if (word_is_in(version, "PREEMPT_RT") || (!is_5_10 && word_is_in(version, "PREEMPT")))
		return "may let packets pass unjudged when it is busy";
	return NULL;
}

const char *slot_flaw_here(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/version_signature", "re");
	struct kernel_version kernel;
	char signature[256] = "";
	struct utsname name;

	if (file && !fgets(signature, sizeof(signature), file))
		signature[0] = '\0';
	if (uname(&name) || kernel_version_read(name.release, name.version, signature, &kernel))
		return NULL;
	return slot_flaw(&kernel, name.version);
}
