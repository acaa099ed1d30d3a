/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One resource, one cleanup attribute: a reader can check a function without reading its callees.
 */
#ifndef BUILDFENCE_CLEANUP_H
#define BUILDFENCE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void free_ptr(void *pointer)
{
	free(*(void **)pointer);
}

static inline void close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define _cleanup_(function) __attribute__((cleanup(function)))
#define _cleanup_free_ _cleanup_(free_ptr)
#define _cleanup_close_ _cleanup_(close_fd)
#define _cleanup_fclose_ _cleanup_(close_file)

/* Hands the value on and disarms the cleanup of the variable that held it. */
#define TAKE_PTR(pointer) ({ __typeof__(pointer) taken_ = (pointer); (pointer) = NULL; taken_; })
#define TAKE_FD(fd) ({ int taken_ = (fd); (fd) = -1; taken_; })

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
