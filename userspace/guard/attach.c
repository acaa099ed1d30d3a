/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Attaching to a cgroup. Programs whose job slot is still zero deny everything, so the order is:
 * attach all, pin all, and only then say which job and policy it is.
 */
#include "guard/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "buildfence.skel.h"

static int link_pin(struct bpf_link *link, const struct bpf_program *program, const char *folder)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s", folder, bpf_program__name(program)) < 0)
		return -ENOMEM;
	return bpf_link__pin(link, path);
}

static int links_attach(struct guard *guard, struct guard_job *entry, int cgroup_fd)
{
	for (size_t i = 0; i < GUARD_PROGRAMS; i++) {
		int error;

		entry->links[i] = bpf_program__attach_cgroup(guard->programs[i], cgroup_fd);
		if (!entry->links[i])
			return -errno;
		error = link_pin(entry->links[i], guard->programs[i], entry->pins);
		if (error)
			return error;
	}
	return 0;
}

/* The storage's key is the cgroup's id, which is its directory's inode number. */
static int slot_write(struct guard *guard, const struct guard_job *entry, struct job_slot *slot,
		      uint32_t *ret_generation)
{
	uint64_t key = entry->cgroup_id;

	slot->generation = ++guard->generation;
	if (ret_generation)
		*ret_generation = slot->generation;
	return bpf_map_update_elem(bpf_map__fd(guard->skeleton->maps.job_slots), &key, slot,
				   BPF_ANY);
}

static const enum bpf_attach_type attach_types[] = {
	BPF_CGROUP_INET_SOCK_CREATE, BPF_CGROUP_INET_EGRESS, BPF_CGROUP_INET_INGRESS,
	BPF_CGROUP_INET4_CONNECT, BPF_CGROUP_INET6_CONNECT, BPF_CGROUP_UDP4_SENDMSG,
	BPF_CGROUP_UDP6_SENDMSG,
};

/* Has this cgroup a program that forbids others below it? */
static bool cgroup_is_exclusive(int cgroup_fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(attach_types); i++) {
		uint32_t flags = 0, programs[64], count = ARRAY_SIZE(programs);

		if (!bpf_prog_query(cgroup_fd, attach_types[i], 0, &flags, programs, &count) &&
		    count && !flags)
			return true;
	}
	return false;
}

char *guard_blocker_find(int cgroup_fd)
{
	_cleanup_close_ int fd = openat(cgroup_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	while (fd >= 0 && !fstatfs(fd, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC) {
		int parent;

		if (cgroup_is_exclusive(fd)) {
			char link[64], path[PATH_MAX] = "";

			snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
			if (readlink(link, path, sizeof(path) - 1) < 0)
				return NULL;
			return strdup(path);
		}
		parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = parent;
	}
	return NULL;
}

int guard_attach(struct guard *guard, int cgroup_fd, uint32_t job, uint32_t policy,
		 enum guard_mode mode, uint32_t *ret_generation, char **ret_blocker)
{
	struct job_slot slot = { .job = job, .policy = policy, .mode = mode };
	struct guard_job *entry = guard_job_get(guard, job);
	struct stat status;
	int error;

	if (!entry || entry->cgroup_id || policy > guard->policies_max || !guard->policies[policy])
		return -EINVAL;
	if (fstat(cgroup_fd, &status))
		return -errno;
	error = pins_folder_make(job, &entry->pins);
	if (error)
		return error;
	entry->cgroup_id = status.st_ino;
	error = links_attach(guard, entry, cgroup_fd);
	if (!error)
		error = slot_write(guard, entry, &slot, ret_generation);
	if (error)
		guard_detach(guard, job);
	if (error == -EPERM && ret_blocker)
		*ret_blocker = guard_blocker_find(cgroup_fd);
	return error;
}

int guard_job_policy_set(struct guard *guard, uint32_t job, uint32_t policy, enum guard_mode mode,
			 uint32_t *ret_generation)
{
	struct job_slot slot = { .job = job, .policy = policy, .mode = mode };
	struct guard_job *entry = guard_job_get(guard, job);

	if (!entry || !entry->cgroup_id || policy > guard->policies_max || !guard->policies[policy])
		return -EINVAL;
	return slot_write(guard, entry, &slot, ret_generation);
}

void guard_detach(struct guard *guard, uint32_t job)
{
	struct guard_job *entry = guard_job_get(guard, job);
	char *slash;

	if (!entry)
		return;
	for (size_t i = 0; i < GUARD_PROGRAMS; i++) {
		if (!entry->links[i])
			continue;
		bpf_link__detach(entry->links[i]);
		bpf_link__unpin(entry->links[i]);
		bpf_link__destroy(entry->links[i]);
		entry->links[i] = NULL;
	}
	entry->cgroup_id = 0;
	if (!entry->pins)
		return;
	/* The job's folder, then the run's, if this was its last. */
	rmdir(entry->pins);
	slash = strrchr(entry->pins, '/');
	*slash = '\0';
	rmdir(entry->pins);
	free(TAKE_PTR(entry->pins));
}

void guard_jobs_found(const struct guard *guard, guard_found_fn take, void *context)
{
	(void)guard;
	(void)take;
	(void)context;
}
