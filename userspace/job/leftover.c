/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Clean-up after a run that could not do it itself. Order matters: the guard is taken away only
 * when nothing is left that it guards. Until then its pins keep enforcing.
 */
#include "job/leftover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/aside.h"
#include "base/cleanup.h"
#include "base/directory.h"
#include "base/owner.h"
#include "guard/guard.h"
#include "job/cgroup.h"

#define KILL_WAIT_MS	10000

/* "buildfence-JOB.TAG[.keep]": writes TAG. */
static bool name_split(const char *name, char ret_tag[static OWNER_TAG_SIZE], bool *ret_keep)
{
	const char *tag = strchr(name, '.');
	size_t length;

	if (strncmp(name, "buildfence-", strlen("buildfence-")) || !tag)
		return false;
	tag++;
	length = strcspn(tag, ".");
	if (length >= OWNER_TAG_SIZE)
		return false;
	*ret_keep = !strcmp(tag + length, ".keep");
	if (tag[length] && !*ret_keep)
		return false;
	memcpy(ret_tag, tag, length);
	ret_tag[length] = '\0';
	return true;
}

bool cgroup_is_of_run(int root_fd, const char *path)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t above = (size_t)(slash + 1 - path), length = strcspn(slash + 1, "/");
		_cleanup_free_ char *cgroup = strndup(path, above + length);
		char tag[OWNER_TAG_SIZE];
		struct stat status;
		bool keep;

		if (cgroup && name_split(cgroup + above, tag, &keep) &&
		    !fstatat(root_fd, cgroup + 1, &status, 0) && !status.st_uid)
			return true;
	}
	return false;
}

static int dead_remove(int parent_fd, const char *name, const char *tag, bool keep)
{
	_cleanup_close_ int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (keep && cgroup_populated(fd) == 1)
		return 0;
	error = cgroup_kill(fd, KILL_WAIT_MS);
	if (!error)
		error = guard_pins_remove(tag, fd);
	if (!error)
		error = cgroup_remove(parent_fd, name);
	return error ? error : 1;
}

static int dead_collect_below(int cgroup_fd)
{
	_cleanup_directory_ DIR *directory = NULL;
	struct dirent *entry;
	int removed = 0, error = directory_open(cgroup_fd, ".", &directory);

	if (error)
		return error;
	while ((entry = directory_next(directory))) {
		_cleanup_close_ int child = -1;
		char tag[OWNER_TAG_SIZE];
		bool keep;
		int result = 0;

		if (entry->d_type != DT_DIR)
			continue;
		if (name_split(entry->d_name, tag, &keep) && owner_state(tag) == OWNER_DEAD) {
			result = dead_remove(cgroup_fd, entry->d_name, tag, keep);
		} else {
			child = openat(cgroup_fd, entry->d_name,
				       O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (child >= 0)
				result = dead_collect_below(child);
		}
		if (result < 0)
			error = result;
		else
			removed += result;
	}
	return error ? error : removed;
}

int job_collect_dead(void)
{
	_cleanup_fclose_ FILE *mounts = fopen("/proc/self/mounts", "re");
	_cleanup_free_ char *mount = NULL;
	_cleanup_close_ int fd = -1;
	int error, removed;

	if (!mounts)
		return -errno;
	error = cgroup_mount_find(mounts, &mount);
	if (error)
		return error;
	fd = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	removed = dead_collect_below(fd);
	/* And those whose cgroup somebody else removed: they guard nothing any more. */
	error = guard_pins_collect();
	return error ? error : removed;
}

/* Never returns. Holds nothing but the pipe's end and the two directories. */
static void warden_run(const struct cgroup *cgroup, int pipe_fd, const char *tag)
{
	enum { PARENT, CGROUP, PIPE, KEPT };
	const int fds[KEPT] = { cgroup->parent_fd, cgroup->fd, pipe_fd };
	char word;

	aside_begin("buildfence-ward", fds, KEPT);
	if (TEMP_FAILURE_RETRY(read(ASIDE_FD + PIPE, &word, 1)) == 1)
		_exit(EXIT_SUCCESS);
	if (cgroup_kill(ASIDE_FD + CGROUP, KILL_WAIT_MS) ||
	    guard_pins_remove(tag, ASIDE_FD + CGROUP) ||
	    cgroup_remove(ASIDE_FD + PARENT, cgroup->name))
		_exit(EXIT_FAILURE);
	_exit(EXIT_SUCCESS);
}

int warden_start(const struct cgroup *cgroup, struct warden *ret_warden)
{
	_cleanup_close_ int read_fd = -1, write_fd = -1;
	char tag[OWNER_TAG_SIZE];
	int ends[2], error;
	pid_t pid;

	error = owner_tag(tag);
	if (error)
		return error;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	read_fd = ends[0];
	write_fd = ends[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		warden_run(cgroup, read_fd, tag);
	ret_warden->pid = pid;
	ret_warden->pipe_fd = TAKE_FD(write_fd);
	return 0;
}

void warden_stop(struct warden *warden)
{
	if (warden->pid <= 0)
		return;
	if (write(warden->pipe_fd, "", 1) == 1)
		TEMP_FAILURE_RETRY(waitpid(warden->pid, NULL, 0));
	close(warden->pipe_fd);
	warden->pid = 0;
}
