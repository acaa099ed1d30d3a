/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a successor must know of a policy that it finds in the kernel to name its rules in records:
 * one small JSON file a policy, N.json in a folder. The policy itself it reads from its source.
 */
#ifndef BUILDFENCE_DESCRIPTION_H
#define BUILDFENCE_DESCRIPTION_H

#include <stdint.h>

struct policy;

/* Writes policy `number`'s description, whole or not at all. Returns 0 or -errno. */
int description_write(int folder_fd, uint32_t number, const struct policy *policy);

/*
 * Reads one as a policy whose rules have only numbers and labels. A description that is missing or
 * spoiled gives a policy without rules, named "unknown". Returns 0 or -ENOMEM.
 */
int description_read(int folder_fd, uint32_t number, struct policy **ret_policy);

void description_remove(int folder_fd, uint32_t number);

#endif
