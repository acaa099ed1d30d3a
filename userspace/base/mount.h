/* SPDX-License-Identifier: GPL-2.0 */
/* File systems of the kernel that systemd mounts, and other systems may not. */
#ifndef BUILDFENCE_MOUNT_H
#define BUILDFENCE_MOUNT_H

/*
 * Mounts a file system of this type at `path` where there is none yet, for root alone. `magic` is
 * its f_type (linux/magic.h). Returns 0 or -errno.
 */
int mount_ensure(const char *type, const char *path, unsigned long magic);

#endif
