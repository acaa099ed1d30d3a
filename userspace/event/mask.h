/* SPDX-License-Identifier: GPL-2.0 */
/* Command lines without the secrets in them. */
#ifndef BUILDFENCE_MASK_H
#define BUILDFENCE_MASK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Joins the NUL-separated arguments of /proc/PID/cmdline (the last one too ends with NUL, which may
 * stand at arguments[length]) by spaces, with what may be a secret
 * replaced by "***": passwords in URLs, values of options, variables and headers with telling
 * names, and strings that look like keys or tokens. It rather masks too much. The result is not
 * escaped. Returns memory to free, or NULL.
 */
char *command_line_mask(const char *arguments, size_t length);

/* Does what has this name (an option, a variable) seem to be a secret? */
bool name_is_secret(const char *name, size_t length);

#endif
