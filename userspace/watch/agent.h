/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The name and pool of one of Azure's build agents. Both come first from the systemd unit its
 * cgroup is named after, which only root can make. The .agent file belongs to the agent's user, so
 * to every job before this one: it is believed only where there is no unit, or to say how a unit's
 * name with many dots is to be split.
 */
#ifndef BUILDFENCE_AGENT_H
#define BUILDFENCE_AGENT_H

#include <stddef.h>
#include <sys/types.h>

#include "config/config.h"

/* A longer .agent file is not one. */
#define AGENT_FILE_MAX	(64 * 1024)

/*
 * The agent's unit, "vsts.agent.ORGANISATION.POOL.AGENT.service", among the folders of a cgroup
 * path. Writes what stands between "vsts.agent." and ".service" without systemd's escapes: memory
 * to free. Returns 0, -ENOENT (no such unit), -EINVAL (a broken escape), or -ENOMEM.
 */
int agent_unit_find(const char *cgroup, char **ret_name);

/*
 * Splits "ORGANISATION.POOL.AGENT", where pool and agent may have dots themselves: then only those
 * from the agent's own file (NULL: not known) say where, if they fit. Returns 0, -ENOENT when it
 * cannot be told, or -ENOMEM.
 */
int agent_unit_split(const char *name, const char *file_agent, const char *file_pool,
		     char **ret_agent, char **ret_pool);

/*
 * Name and pool in the text of a .agent file, each NULL when it is not there. Returns 0, -EINVAL
 * (not JSON, or no object), or -ENOMEM.
 */
int agent_file_parse(const char *text, size_t length, char **ret_agent, char **ret_pool);

/*
 * Name and pool of the agent whose worker runs in `cgroup` (from cgroup2's root) below the process
 * `listener` (0: not known). The file stands in the folder above that of the listener's program, or
 * in its working directory; it is read only where it is needed, and where it can be read in a
 * moment (see base/reader.h). What cannot be told is NULL; that is no error. Returns 0, -EBUSY (the
 * file was needed, and could not be read: both are NULL), or -ENOMEM.
 */
int agent_azure_find(const char *cgroup, pid_t listener, char **ret_agent, char **ret_pool);

#endif
