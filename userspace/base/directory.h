/* SPDX-License-Identifier: GPL-2.0 */
/* Listing directories by descriptor. */
#ifndef BUILDFENCE_DIRECTORY_H
#define BUILDFENCE_DIRECTORY_H

#include <dirent.h>

/* Opens `name` (not a symbolic link) below `parent_fd` for listing. Returns 0 or -errno. */
int directory_open(int parent_fd, const char *name, DIR **ret_directory);

/* The next entry that is neither "." nor "..", or NULL. */
struct dirent *directory_next(DIR *directory);

static inline void directory_cleanup(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}
#define _cleanup_directory_ __attribute__((cleanup(directory_cleanup)))

#endif
