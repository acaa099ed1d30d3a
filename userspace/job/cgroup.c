/* SPDX-License-Identifier: GPL-2.0 */
/* A job's cgroup, by descriptors; what runs in it is spawn.c's matter, what it may do guard's. */
#include "job/cgroup.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/directory.h"
#include "base/owner.h"
#include "base/proc.h"

int cgroup_mount_find(FILE *mounts, char **ret_path)
{
	struct mntent entry;
	char buffer[4096 + 256];

	while (getmntent_r(mounts, &entry, buffer, sizeof(buffer))) {
		if (strcmp(entry.mnt_type, "cgroup2"))
			continue;
		*ret_path = strdup(entry.mnt_dir);
		return *ret_path ? 0 : -ENOMEM;
	}
	return -ENOENT;
}

int cgroup_own_find(FILE *membership, char **ret_path)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, membership) > 0) {
		if (strncmp(line, "0::/", 4))
			continue;
		line[strcspn(line, "\n")] = '\0';
		*ret_path = strdup(line + 3);
		return *ret_path ? 0 : -ENOMEM;
	}
	return -ENOENT;
}

void cgroup_name_clean(const char *job, char *ret_name, size_t size)
{
	size_t length = 0;

	for (; job[length] && length + 1 < size; length++) {
		unsigned char byte = (unsigned char)job[length];
		bool stays = byte < 0x80 && (isalnum(byte) || byte == '_' || byte == '-');

		ret_name[length] = stays ? (char)byte : '_';
	}
	if (!length)
		ret_name[length++] = '_';
	ret_name[length] = '\0';
}

int cgroup_root_open(char **ret_directory)
{
	_cleanup_fclose_ FILE *mounts = fopen("/proc/self/mounts", "re");
	_cleanup_free_ char *mount = NULL;
	int error, fd;

	if (!mounts)
		return -errno;
	error = cgroup_mount_find(mounts, &mount);
	if (error)
		return error;
	fd = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_directory = TAKE_PTR(mount);
	return fd;
}

int cgroup_of_process(pid_t pid, char **ret_path)
{
	_cleanup_fclose_ FILE *membership = NULL;
	char name[64] = "/proc/self/cgroup";
	int error;

	if (pid)
		snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	membership = fopen(name, "re");
	if (!membership)
		return errno == ENOENT ? -ESRCH : -EIO;
	error = cgroup_own_find(membership, ret_path);
	/* Opened while it lived, read when it was gone. */
	return pid && error == -ENOENT ? -ESRCH : error;
}

/* Can others than root put processes into it? So in what systemd gave to a user's own manager. */
static bool cgroup_is_anothers(int root_fd, const char *path, size_t length)
{
	_cleanup_free_ char *processes = NULL;
	struct stat status;

	if (asprintf(&processes, ".%.*s/cgroup.procs", (int)length, path) < 0)
		return true;
	/* There is none in the root of a namespace that has no cgroup of its own. */
	if (fstatat(root_fd, processes, &status, 0) < 0)
		return errno != ENOENT;
	return status.st_uid || status.st_mode & (S_IWGRP | S_IWOTH);
}

/*
 * Where a job's cgroup is made: in our own. But who may write there could move the job out again,
 * so then it is the innermost one above that is root's, with all that are above it.
 */
static void rootward(int root_fd, char *path)
{
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t length = (size_t)(strchrnul(slash + 1, '/') - path);

		if (cgroup_is_anothers(root_fd, path, length)) {
			*slash = '\0';
			return;
		}
	}
}

static int own_cgroup_open(char **ret_path, char **ret_directory)
{
	_cleanup_free_ char *mount = NULL, *path = NULL, *directory = NULL;
	_cleanup_close_ int root_fd = cgroup_root_open(&mount);
	int error, fd;

	if (root_fd < 0)
		return root_fd;
	error = cgroup_of_process(0, &path);
	if (error)
		return error;
	/* What is below the root has no slash more than others. */
	if (!strcmp(path, "/"))
		path[0] = '\0';
	rootward(root_fd, path);
	if (asprintf(&directory, "%s%s", mount, path) < 0)
		return -ENOMEM;
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_path = TAKE_PTR(path);
	*ret_directory = TAKE_PTR(directory);
	return fd;
}

int cgroup_make(const char *job, bool keep, struct cgroup **ret_cgroup)
{
	_cleanup_free_ char *parent_path = NULL, *parent_directory = NULL;
	_cleanup_cgroup_ struct cgroup *cgroup = NULL;
	char clean[65], tag[OWNER_TAG_SIZE];
	int error;

	cgroup = calloc(1, sizeof(*cgroup));
	if (!cgroup)
		return -ENOMEM;
	cgroup->fd = -1;
	cgroup->parent_fd = own_cgroup_open(&parent_path, &parent_directory);
	if (cgroup->parent_fd < 0)
		return cgroup->parent_fd;
	error = owner_tag(tag);
	if (error)
		return error;
	cgroup_name_clean(job, clean, sizeof(clean));
	if (asprintf(&cgroup->name, "buildfence-%s.%s%s", clean, tag, keep ? ".keep" : "") < 0 ||
	    asprintf(&cgroup->path, "%s/%s", parent_path, cgroup->name) < 0 ||
	    asprintf(&cgroup->directory, "%s/%s", parent_directory, cgroup->name) < 0)
		return -ENOMEM;

	if (mkdirat(cgroup->parent_fd, cgroup->name, 0755) < 0)
		return -errno;
	cgroup->fd = openat(cgroup->parent_fd, cgroup->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup->fd < 0) {
		error = -errno;
		unlinkat(cgroup->parent_fd, cgroup->name, AT_REMOVEDIR);
		return error;
	}
	*ret_cgroup = TAKE_PTR(cgroup);
	return 0;
}

void cgroup_free(struct cgroup *cgroup)
{
	if (!cgroup)
		return;
	close_fd(&cgroup->fd);
	close_fd(&cgroup->parent_fd);
	free(cgroup->name);
	free(cgroup->path);
	free(cgroup->directory);
	free(cgroup);
}

/* Reads the `populated` line; reading also arms the next POLLPRI on the same descriptor. */
int cgroup_events_populated(int events_fd)
{
	char text[256];
	const char *line;
	ssize_t length = pread(events_fd, text, sizeof(text) - 1, 0);

	if (length < 0)
		return -errno;
	text[length] = '\0';
	line = strstr(text, "populated ");
	if (!line)
		return -EINVAL;
	return line[strlen("populated ")] == '1';
}

int cgroup_populated(int cgroup_fd)
{
	_cleanup_close_ int fd = openat(cgroup_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : cgroup_events_populated(fd);
}

int cgroup_empty_wait(int cgroup_fd, int timeout_ms)
{
	_cleanup_close_ int fd = openat(cgroup_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	int64_t end = clock_ms(CLOCK_MONOTONIC) + timeout_ms;

	if (fd < 0)
		return -errno;
	for (;;) {
		struct pollfd events = { .fd = fd, .events = POLLPRI };
		int populated = cgroup_events_populated(fd);
		int64_t left = end - clock_ms(CLOCK_MONOTONIC);

		if (populated <= 0)
			return populated;
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&events, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
	}
}

static int file_write(int cgroup_fd, const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(cgroup_fd, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

/* Calls `call` for the names of all cgroups directly below. Stops at its first error. */
static int children_visit(int cgroup_fd, int (*call)(int parent_fd, const char *name))
{
	_cleanup_directory_ DIR *directory = NULL;
	struct dirent *entry;
	int error = directory_open(cgroup_fd, ".", &directory);

	while (!error && (entry = directory_next(directory))) {
		if (entry->d_type == DT_DIR)
			error = call(cgroup_fd, entry->d_name);
	}
	return error;
}

/* Before 5.14 there is no cgroup.kill: signal each process that is listed, here and below. */
static int processes_kill(int parent_fd, const char *name)
{
	_cleanup_close_ int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_fclose_ FILE *list = NULL;
	int list_fd, pid;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	list_fd = openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	list = list_fd < 0 ? NULL : fdopen(list_fd, "r");
	if (!list)
		return -errno;
	/* A threaded cgroup's list cannot be read; its processes are listed by the one above. */
	while (fscanf(list, "%d", &pid) == 1) {
		if (pid > 0)
			kill(pid, SIGKILL);
	}
	return children_visit(fd, processes_kill);
}

int cgroup_kill(int cgroup_fd, int timeout_ms)
{
	int error = file_write(cgroup_fd, "cgroup.kill", "1");
	int64_t end = clock_ms(CLOCK_MONOTONIC) + timeout_ms;

	if (!error)
		return cgroup_empty_wait(cgroup_fd, timeout_ms);
	if (error != -ENOENT)
		return error;

	/* Frozen processes cannot fork away from the list, and SIGKILL still reaches them. */
	file_write(cgroup_fd, "cgroup.freeze", "1");
	do {
		error = processes_kill(cgroup_fd, ".");
		if (!error)
			error = cgroup_empty_wait(cgroup_fd, 20);
	} while (error == -ETIMEDOUT && clock_ms(CLOCK_MONOTONIC) < end);
	file_write(cgroup_fd, "cgroup.freeze", "0");
	return error;
}

int cgroup_remove(int parent_fd, const char *name)
{
	_cleanup_close_ int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	error = children_visit(fd, cgroup_remove);
	if (!error && unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		error = -errno;
	return error;
}

/* Processes to be moved, each followed by its children: how deep they are costs no stack. */
struct moving {
	pid_t *pids;
	size_t count, allocated;
};

/* Ends the list where there is no memory for more. */
static bool moving_add(pid_t pid, void *context)
{
	struct moving *moving = context;

	if (moving->count == moving->allocated) {
		size_t allocated = moving->allocated ? 2 * moving->allocated : 16;
		pid_t *pids = reallocarray(moving->pids, allocated, sizeof(*pids));

		if (!pids)
			return true;
		moving->pids = pids;
		moving->allocated = allocated;
	}
	moving->pids[moving->count++] = pid;
	return false;
}

static int process_move(int cgroup_fd, pid_t pid)
{
	char text[24];

	snprintf(text, sizeof(text), "%d", pid);
	return file_write(cgroup_fd, "cgroup.procs", text);
}

int cgroup_move(int cgroup_fd, pid_t pid)
{
	struct moving moving = {};
	int error = process_move(cgroup_fd, pid);

	/* The children that it had before it was moved: later ones are born inside. */
	if (!error)
		proc_children(pid, moving_add, &moving);
	for (size_t i = 0; i < moving.count; i++) {
		if (!process_move(cgroup_fd, moving.pids[i]))
			proc_children(moving.pids[i], moving_add, &moving);
	}
	free(moving.pids);
	return error;
}
