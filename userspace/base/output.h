/* SPDX-License-Identifier: GPL-2.0 */
/* Files that we write as root, in folders that may be somebody else's. */
#ifndef BUILDFENCE_OUTPUT_H
#define BUILDFENCE_OUTPUT_H

#include <sys/types.h>

/*
 * Opens a file for writing behind what is in it, and makes it where it is not there. Never follows
 * a symbolic link as its last part, nor waits. Returns a descriptor, or -ELOOP (a symbolic link),
 * -EPERM (a file of another user, who could change what is written, or one with other names),
 * -ENXIO (a FIFO), or another -errno.
 */
int output_open(const char *path, mode_t mode);

/* What is wrong, as part of a sentence, for an error of output_open(). */
const char *output_objection(int error);

#endif
