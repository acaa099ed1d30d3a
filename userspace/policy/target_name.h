/* SPDX-License-Identifier: GPL-2.0 */
/* Names as DNS asks for them: one step of target_parse(). */
#ifndef BUILDFENCE_POLICY_TARGET_NAME_H
#define BUILDFENCE_POLICY_TARGET_NAME_H

#include "policy.h"

/* Longest textual name without its last dot. RFC 1035: 255 bytes on the wire. */
#define NAME_TEXT_MAX	253
#define LABEL_MAX	63

/* Writes the message and returns -EINVAL. */
int target_refuse(char ret_error[static 256], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Reads a name or a pattern with its star in front into match and name. Mapped by IDNA (UTS 46,
 * non-transitional), lower case, one last dot dropped.
 */
int target_name_parse(const char *text, size_t len, struct target *target,
		      char ret_error[static 256]);

#endif
