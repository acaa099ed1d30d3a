/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The user for --user. Only the local files are read: name services may ask the network, and do
 * not work in a static binary.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "base/cleanup.h"
#include "job/spawn.h"

void job_user_free(struct job_user *user)
{
	if (!user)
		return;
	free(user->name);
	free(user->home);
	free(user->shell);
	free(user);
}

static bool user_matches(const struct passwd *entry, const char *name)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", entry->pw_uid);
	return !strcmp(entry->pw_name, name) || !strcmp(number, name);
}

static int groups_read(struct job_user *user)
{
	_cleanup_fclose_ FILE *file = fopen("/etc/group", "re");
	struct group *entry;

	if (!file)
		return -errno;
	user->groups[user->group_count++] = user->gid;
	while ((entry = fgetgrent(file))) {
		for (char **member = entry->gr_mem; *member; member++) {
			if (strcmp(*member, user->name) || entry->gr_gid == user->gid)
				continue;
			if (user->group_count == ARRAY_SIZE(user->groups))
				return -E2BIG;
			user->groups[user->group_count++] = entry->gr_gid;
			break;
		}
	}
	return 0;
}

int job_user_find(const char *name, struct job_user **ret_user)
{
	_cleanup_job_user_ struct job_user *user = calloc(1, sizeof(*user));
	_cleanup_fclose_ FILE *file = fopen("/etc/passwd", "re");
	struct passwd *entry;
	int error;

	if (!user)
		return -ENOMEM;
	if (!file)
		return -errno;
	do {
		entry = fgetpwent(file);
	} while (entry && !user_matches(entry, name));
	if (!entry)
		return -ENOENT;
	user->uid = entry->pw_uid;
	user->gid = entry->pw_gid;
	user->name = strdup(entry->pw_name);
	user->home = strdup(entry->pw_dir);
	user->shell = strdup(*entry->pw_shell ? entry->pw_shell : "/bin/sh");
	if (!user->name || !user->home || !user->shell)
		return -ENOMEM;
	error = groups_read(user);
	if (error)
		return error;
	*ret_user = TAKE_PTR(user);
	return 0;
}
