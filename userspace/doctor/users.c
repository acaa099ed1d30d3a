/* SPDX-License-Identifier: GPL-2.0 */
/* Users and groups of a machine: see users.h. What follows from them is check_agent.c's. */
#include "doctor/users.h"

#include <ctype.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/directory.h"

#define UNITS	"etc/systemd/system"

static void user_add(struct agent_users *users, const char *name)
{
	for (unsigned int i = 0; i < users->count; i++) {
		if (!strcmp(users->names[i], name))
			return;
	}
	if (users->count < AGENT_USERS_MAX)
		snprintf(users->names[users->count++], sizeof(users->names[0]), "%s", name);
}

/* A unit without a User= runs as root. */
static void unit_read(const struct machine *machine, const char *name, struct agent_users *users)
{
	_cleanup_free_ char *path = NULL, *line = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	char user[64] = "root";
	size_t size = 0;

	if (asprintf(&path, UNITS "/%s", name) < 0) {
		path = NULL;
		return;
	}
	file = machine_file(machine, path);
	while (file && getline(&line, &size, file) >= 0)
		sscanf(line, " User = %63s", user);
	users->agents++;
	user_add(users, user);
}

/* The name of a user id, from etc/passwd below the machine's root. */
static void uid_add(const struct machine *machine, uid_t uid, struct agent_users *users)
{
	_cleanup_fclose_ FILE *file = machine_file(machine, "etc/passwd");
	struct passwd *entry;
	char number[24];

	while (file && (entry = fgetpwent(file))) {
		if (entry->pw_uid == uid) {
			user_add(users, entry->pw_name);
			return;
		}
	}
	snprintf(number, sizeof(number), "#%u", uid);
	user_add(users, number);
}

static void process_read(const struct machine *machine, const char *pid, struct agent_users *users)
{
	_cleanup_fclose_ FILE *file = NULL;
	struct stat status;
	char path[300], comm[32] = "";

	snprintf(path, sizeof(path), "proc/%s/comm", pid);
	file = machine_file(machine, path);
	if (!file || !fgets(comm, sizeof(comm), file) || strcmp(comm, "Agent.Listener\n"))
		return;
	users->agents++;
	if (!fstat(fileno(file), &status))
		uid_add(machine, status.st_uid, users);
}

void agent_users_find(const struct machine *machine, struct agent_users *ret_users)
{
	_cleanup_close_ int units_fd = machine_fd(machine, UNITS, O_RDONLY | O_DIRECTORY);
	_cleanup_close_ int proc_fd = machine_fd(machine, "proc", O_RDONLY | O_DIRECTORY);
	_cleanup_directory_ DIR *units = NULL, *proc = NULL;
	struct dirent *entry;

	memset(ret_users, 0, sizeof(*ret_users));
	if (units_fd >= 0 && !directory_open(units_fd, ".", &units)) {
		while ((entry = directory_next(units))) {
			const char *end = strrchr(entry->d_name, '.');

			if (!strncmp(entry->d_name, "vsts.agent.", strlen("vsts.agent.")) && end &&
			    !strcmp(end, ".service"))
				unit_read(machine, entry->d_name, ret_users);
		}
	}
	if (proc_fd >= 0 && !directory_open(proc_fd, ".", &proc)) {
		while ((entry = directory_next(proc))) {
			if (isdigit((unsigned char)entry->d_name[0]))
				process_read(machine, entry->d_name, ret_users);
		}
	}
}

static bool user_has_first_group(const struct machine *machine, const char *user, gid_t gid)
{
	_cleanup_fclose_ FILE *file = machine_file(machine, "etc/passwd");
	struct passwd *entry;

	while (file && (entry = fgetpwent(file))) {
		if (!strcmp(entry->pw_name, user))
			return entry->pw_gid == gid;
	}
	return false;
}

bool user_is_member(const struct machine *machine, const char *user, const char *group)
{
	_cleanup_fclose_ FILE *file = machine_file(machine, "etc/group");
	struct group *entry;

	while (file && (entry = fgetgrent(file))) {
		if (strcmp(entry->gr_name, group))
			continue;
		for (char **member = entry->gr_mem; *member; member++) {
			if (!strcmp(*member, user))
				return true;
		}
		return user_has_first_group(machine, user, entry->gr_gid);
	}
	return false;
}
