/* SPDX-License-Identifier: GPL-2.0 */
/* The version of a kernel as kernel.org counts, for flaws that cannot be tried. */
#ifndef BUILDFENCE_KERNEL_VERSION_H
#define BUILDFENCE_KERNEL_VERSION_H

#include <stdbool.h>

struct kernel_version {
	unsigned int major;
	unsigned int minor;
	unsigned int patch;
};

/*
 * Reads what uname(2) calls release and version. Some distributions leave the release at 5.10.0;
 * then the true patch stands in the version ("#1 SMP Debian 5.10.46-4"), or in Ubuntu's
 * /proc/version_signature, which is `signature`, or NULL where there is none. The highest of the
 * same series counts. Returns 0, or -EINVAL when the release does not begin with a version.
 */
int kernel_version_read(const char *release, const char *version, const char *signature,
			struct kernel_version *ret_version);

/* Is it a version before this one, of whatever series? */
bool kernel_version_is_before(const struct kernel_version *version, unsigned int major,
			      unsigned int minor);

#endif
