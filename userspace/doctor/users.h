/* SPDX-License-Identifier: GPL-2.0 */
/* Users and groups of a machine, read from its files: agents' users, and what they may do. */
#ifndef BUILDFENCE_DOCTOR_USERS_H
#define BUILDFENCE_DOCTOR_USERS_H

#include <stdbool.h>

#include "doctor/doctor.h"

#define AGENT_USERS_MAX	64

struct agent_users {
	char names[AGENT_USERS_MAX][64];
	unsigned int count;
	unsigned int agents;	/* units and processes seen */
};

/* Users of units vsts.agent.* and of processes Agent.Listener. */
void agent_users_find(const struct machine *machine, struct agent_users *ret_users);

/* Is the user listed as a member of the group in etc/group, or is it the user's first group? */
bool user_is_member(const struct machine *machine, const char *user, const char *group);

#endif
