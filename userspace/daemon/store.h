/* SPDX-License-Identifier: GPL-2.0 */
/* Small JSON files in the daemon's state folder, each written whole or not at all. */
#ifndef BUILDFENCE_STORE_H
#define BUILDFENCE_STORE_H

#include <jansson.h>

static inline void json_cleanup(json_t **json)
{
	json_decref(*json);
}
#define _cleanup_json_ __attribute__((cleanup(json_cleanup)))

/* Makes and opens a folder below `parent_fd`. Returns a descriptor or -errno. */
int store_folder_open(int parent_fd, const char *name);

/*
 * Takes the folder for this process, until it closes the descriptor or is gone. One that was just
 * killed may still be dying, so this can take three seconds. Returns the descriptor, -EWOULDBLOCK
 * while another process has the folder, or another -errno.
 */
int store_lock(int folder_fd);

/* Puts `object` in the place of the file `name`. Returns 0 or -errno; then the old one stays. */
int store_write(int folder_fd, const char *name, const json_t *object);

/* Returns 0, -ENOENT, -EBADMSG (not a JSON object), or another -errno. */
int store_read(int folder_fd, const char *name, json_t **ret_object);

#endif
