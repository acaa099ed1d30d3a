/* SPDX-License-Identifier: GPL-2.0 */
/* Docker: containers and image pulls run outside a job's cgroup, unless told otherwise. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/directory.h"
#include "doctor/users.h"

#define DOCKER_GROUP	"Docker"
#define DOCKER_SOCKET	"run/docker.sock"

static void socket_judge(const struct machine *machine, struct finding *finding)
{
	_cleanup_close_ int fd = machine_fd(machine, DOCKER_SOCKET, O_PATH);
	struct agent_users users;
	struct stat status;

	if (fd < 0 || fstat(fd, &status)) {
		finding_add(finding, FINDING_OK, "no socket");
		return;
	}
	if (status.st_mode & S_IWOTH)
		finding_add(finding, FINDING_WARNING, "anyone");
	agent_users_find(machine, &users);
	for (unsigned int i = 0; i < users.count; i++) {
		if (user_is_member(machine, users.names[i], "docker"))
			finding_add(finding, FINDING_WARNING, "%s by group docker", users.names[i]);
	}
	if (!finding->status)
		finding_add(finding, FINDING_OK, "no agent's user seen");
}

static bool docker_is_here(const struct machine *machine)
{
	_cleanup_close_ int fd = machine_fd(machine, DOCKER_SOCKET, O_PATH);

	return fd >= 0;
}

static void parent_judge(const struct machine *machine, struct finding *finding)
{
	_cleanup_fclose_ FILE *file = machine_file(machine, "etc/docker/daemon.json");
	json_t *root = file ? json_loadf(file, 0, NULL) : NULL;
	const char *parent = json_string_value(json_object_get(root, "cgroup-parent"));

	if (file && !root)
		finding_add(finding, FINDING_WARNING, "/etc/docker/daemon.json is no JSON");
	else if (parent)
		finding_add(finding, FINDING_OK, "%s", parent);
	else if (docker_is_here(machine))
		finding_add(finding, FINDING_WARNING, "not set");
	else
		finding_add(finding, FINDING_OK, "not set, no Docker seen");
	json_decref(root);
}

static void daemon_judge(const struct machine *machine, struct finding *finding)
{
	_cleanup_close_ int fd = machine_fd(machine, "proc", O_RDONLY | O_DIRECTORY);
	_cleanup_directory_ DIR *directory = NULL;
	struct dirent *entry;

	if (fd < 0 || directory_open(fd, ".", &directory)) {
		finding_add(finding, FINDING_UNKNOWN, "/proc cannot be read");
		return;
	}
	while ((entry = directory_next(directory))) {
		_cleanup_fclose_ FILE *file = NULL;
		char path[300], comm[32] = "";

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "proc/%s/comm", entry->d_name);
		file = machine_file(machine, path);
		if (file && fgets(comm, sizeof(comm), file) && !strcmp(comm, "dockerd\n"))
			finding_add(finding, FINDING_WARNING, "dockerd[%s]", entry->d_name);
	}
	if (!finding->status)
		finding_add(finding, FINDING_OK, "not running");
}

const struct check docker_checks[] = {
	{ "docker-socket", DOCKER_GROUP, "who may use Docker's socket", socket_judge,
	  "whoever may use it is root on this machine, and can start containers outside the guard",
	  "take agents' users out of group docker, or use rootless Docker inside the job, whose policy "
	  "then names its resolver: `dns: { servers: [ADDRESSES OF resolv.conf, 10.0.2.3] }`" },
	{ "docker-cgroup-parent", DOCKER_GROUP, "cgroup of containers", parent_judge,
	  "containers run below Docker's default cgroup, not in the job's: they are not guarded",
	  "set \"cgroup-parent\" in /etc/docker/daemon.json to a cgroup that is guarded" },
	{ "docker-daemon", DOCKER_GROUP, "dockerd", daemon_judge,
	  "dockerd pulls images and asks for containers' names outside any job: that is not guarded",
	  "guard dockerd's own cgroup with a policy for its registries" },
};
const size_t docker_check_count = ARRAY_SIZE(docker_checks);
