/* SPDX-License-Identifier: GPL-2.0 */
/* Kernel versions: see kernel_version.h. */
#include "base/kernel_version.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Takes the patch of each word of the text that is of the same series, where it is higher. */
static void patch_raise(struct kernel_version *version, const char *text)
{
	struct kernel_version other;

	for (; text && *text; text += strcspn(text, " ")) {
		text += strspn(text, " ");
		if (sscanf(text, "%u.%u.%u", &other.major, &other.minor, &other.patch) == 3 &&
		    other.major == version->major && other.minor == version->minor &&
		    other.patch > version->patch)
			version->patch = other.patch;
	}
}

int kernel_version_read(const char *release, const char *version, const char *signature,
			struct kernel_version *ret_version)
{
	struct kernel_version read = {};

	if (sscanf(release, "%u.%u.%u", &read.major, &read.minor, &read.patch) < 2)
		return -EINVAL;
	patch_raise(&read, version);
	patch_raise(&read, signature);
	*ret_version = read;
	return 0;
}

bool kernel_version_is_before(const struct kernel_version *version, unsigned int major,
			      unsigned int minor)
{
	return version->major < major || (version->major == major && version->minor < minor);
}
