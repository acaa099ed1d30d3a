/* SPDX-License-Identifier: GPL-2.0 */
/* The build agents of this machine, and what their users may do beyond a job. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/directory.h"
#include "doctor/users.h"

#define AGENT_GROUP	"Agents"
#define SPACES		" \t\r\n"

static void agents_judge(const struct machine *machine, struct finding *finding)
{
	struct agent_users users;

	agent_users_find(machine, &users);
	if (!users.agents)
		finding_add(finding, FINDING_OK, "none seen");
	for (unsigned int i = 0; i < users.count; i++)
		finding_add(finding, strcmp(users.names[i], "root") ? FINDING_OK : FINDING_WARNING,
			    "as user %s", users.names[i]);
}

/* Does a line of sudoers give this user something? Aliases and negations are not followed. */
static bool line_grants(const struct machine *machine, const char *who, const char *user)
{
	if (*who == '%')
		return user_is_member(machine, user, who + 1);
	return !strcmp(who, "ALL") || !strcmp(who, user);
}

static void sudoers_read(const struct machine *machine, const char *path,
			 const struct agent_users *users, struct finding *finding)
{
	_cleanup_fclose_ FILE *file = machine_file(machine, path);
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (file && getline(&line, &size, file) >= 0) {
		char *rest = line, *who = strtok_r(rest, SPACES, &rest);

		if (!who || *who == '#' || *who == '@' || !strncmp(who, "Defaults", 8))
			continue;
		for (unsigned int i = 0; i < users->count; i++) {
			if (line_grants(machine, who, users->names[i]))
				finding_add(finding, FINDING_WARNING, "%s by '%s' in /%s",
					    users->names[i], who, path);
		}
	}
}

static void sudo_judge(const struct machine *machine, struct finding *finding)
{
	_cleanup_close_ int fd = machine_fd(machine, "etc/sudoers.d", O_RDONLY | O_DIRECTORY);
	_cleanup_close_ int sudoers_fd = machine_fd(machine, "etc/sudoers", O_RDONLY);
	_cleanup_directory_ DIR *directory = NULL;
	struct agent_users users;
	struct dirent *entry;

	agent_users_find(machine, &users);
	if (!users.count) {
		finding_add(finding, FINDING_OK, "no agent seen");
		return;
	}
	if (sudoers_fd == -EACCES || fd == -EACCES) {
		finding_add(finding, FINDING_UNKNOWN, "not known: /etc/sudoers cannot be read");
		return;
	}
	sudoers_read(machine, "etc/sudoers", &users, finding);
	if (fd >= 0 && !directory_open(fd, ".", &directory)) {
		while ((entry = directory_next(directory))) {
			_cleanup_free_ char *path = NULL;

			/* sudo leaves out names with a dot or a tilde, and so must we. */
			if (strchr(entry->d_name, '.') || strchr(entry->d_name, '~'))
				continue;
			if (asprintf(&path, "etc/sudoers.d/%s", entry->d_name) < 0)
				path = NULL;
			else
				sudoers_read(machine, path, &users, finding);
		}
	}
	if (!finding->status)
		finding_add(finding, FINDING_OK, "none");
}

/* A job is of the same user as its agent, so only this keeps it from becoming its agent. */
static void ptrace_judge(const struct machine *machine, struct finding *finding)
{
	_cleanup_fclose_ FILE *file = machine_file(machine, "proc/sys/kernel/yama/ptrace_scope");
	struct agent_users users;
	int scope;

	agent_users_find(machine, &users);
	if (!users.agents)
		finding_add(finding, FINDING_OK, "no agent seen");
	else if (!file || fscanf(file, "%d", &scope) != 1)
		finding_add(finding, FINDING_WARNING, "allowed: no Yama");
	else if (scope < 1)
		finding_add(finding, FINDING_WARNING, "allowed: kernel.yama.ptrace_scope is 0");
	else
		finding_add(finding, FINDING_OK, "no");
}

static void guest_judge(const struct machine *machine, struct finding *finding)
{
	static const char *const units[] = {
		"etc/systemd/system/walinuxagent.service", "lib/systemd/system/walinuxagent.service",
		"usr/lib/systemd/system/walinuxagent.service", "lib/systemd/system/waagent.service",
	};

	for (size_t i = 0; i < ARRAY_SIZE(units) && !finding->status; i++) {
		_cleanup_close_ int fd = machine_fd(machine, units[i], O_PATH);

		if (fd >= 0)
			finding_add(finding, FINDING_OK, "yes, /%s; it is never guarded", units[i]);
	}
	if (!finding->status)
		finding_add(finding, FINDING_OK, "no");
}

/* The agent's folder stands in its unit: WorkingDirectory=. */
static void proxy_of_unit(const struct machine *machine, const char *unit, struct finding *finding)
{
	_cleanup_free_ char *line = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	char path[512], folder[256];
	size_t size = 0;

	snprintf(path, sizeof(path), "etc/systemd/system/%.255s", unit);
	file = machine_file(machine, path);
	while (file && getline(&line, &size, file) >= 0) {
		_cleanup_close_ int fd = -1;

		if (sscanf(line, " WorkingDirectory = %255s", folder) != 1 || *folder != '/')
			continue;
		snprintf(path, sizeof(path), "%s/.proxy", folder + 1);
		fd = machine_fd(machine, path, O_PATH);
		if (fd >= 0)
			finding_add(finding, FINDING_WARNING, "/%s", path);
	}
}

static void proxy_judge(const struct machine *machine, struct finding *finding)
{
	_cleanup_close_ int fd = machine_fd(machine, "etc/systemd/system", O_RDONLY | O_DIRECTORY);
	_cleanup_directory_ DIR *directory = NULL;
	struct dirent *entry;

	if (fd >= 0 && !directory_open(fd, ".", &directory)) {
		while ((entry = directory_next(directory))) {
			if (!strncmp(entry->d_name, "vsts.agent.", strlen("vsts.agent.")))
				proxy_of_unit(machine, entry->d_name, finding);
		}
	}
	if (!finding->status)
		finding_add(finding, FINDING_OK, "none seen");
}

const struct check agent_checks[] = {
	{ "agents", AGENT_GROUP, "build agents on this machine", agents_judge,
	  "an agent runs as root, and so does every job of it: a job can disarm the guard, and nothing reports that",
	  "give the agent a user of its own: ./svc.sh install USER" },
	{ "agent-sudo", AGENT_GROUP, "sudo for agents' users", sudo_judge,
	  "a job can become root and disarm the guard, and nothing reports that",
	  "take the user out of sudoers and of its groups; install tools in the image" },
	{ "agent-ptrace", AGENT_GROUP, "jobs may debug their agent", ptrace_judge,
	  "a job can make its agent, which runs as the same user outside of jobs, connect for it; then only the policy of the agent's own cgroup holds",
	  "set kernel.yama.ptrace_scope=1 in /etc/sysctl.d, and guard the agent's cgroup ('guard:' in config.yaml)" },
	{ "agent-proxy", AGENT_GROUP, "agents behind a proxy", proxy_judge,
	  "jobs hand names to the proxy, which asks and connects for them: the guard sees the proxy only",
	  "allow the proxy's address and port alone, and keep the allowlist of names at the proxy" },
	{ "azure-guest", AGENT_GROUP, "Azure's VM agent (walinuxagent)", guest_judge, "", "" },
};
const size_t agent_check_count = ARRAY_SIZE(agent_checks);
