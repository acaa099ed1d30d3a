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

static void link_path(const struct guard *guard, uint32_t job, size_t program,
		      char ret_path[static PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/%u/%s", guard->links, job,
		 bpf_program__name(guard->programs[program]));
}

static int links_folder_make(const struct guard *guard, uint32_t job)
{
	char path[PATH_MAX];
	int error = pins_root_make();

	if (!error)
		error = folder_make(guard->links);
	snprintf(path, sizeof(path), "%s/%u", guard->links, job);
	return error ? error : folder_make(path);
}

/* A link lives as long as its pin: killed between the two, it was never attached. */
static int link_attach(struct guard *guard, int cgroup_fd, uint32_t job, size_t program)
{
	int program_fd = bpf_program__fd(guard->programs[program]);
	_cleanup_close_ int fd = bpf_link_create(
		program_fd, cgroup_fd,
		bpf_program__get_expected_attach_type(guard->programs[program]), NULL);
	char path[PATH_MAX];

	if (fd < 0)
		return fd;
	link_path(guard, job, program, path);
	return bpf_obj_pin(fd, path);
}

static int links_attach(struct guard *guard, int cgroup_fd, uint32_t job)
{
	struct guard_job *entry = &guard->jobs[job];

	for (size_t i = 0; i < GUARD_PROGRAMS; i++) {
		int error;

		if (entry->links & 1U << i)
			continue;
		error = link_attach(guard, cgroup_fd, job, i);
		if (error)
			return error;
		entry->links |= (uint8_t)(1U << i);
	}
	return 0;
}

int epoch_write(struct guard *guard)
{
	const uint32_t zero = 0;

	return bpf_map_update_elem(bpf_map__fd(guard->skeleton->maps.epochs), &zero, &guard->epoch,
				   BPF_ANY);
}

/* The storage's key is the cgroup's id, which is its directory's inode number. */
static bool slot_read(const struct guard *guard, uint64_t cgroup_id, struct job_slot *ret_slot)
{
	return !bpf_map_lookup_elem(bpf_map__fd(guard->skeleton->maps.job_slots), &cgroup_id,
				    ret_slot);
}

/*
 * A cgroup keeps its storage when programs are detached: without this, a job that comes to a cgroup
 * would begin with the policy of the one before it.
 */
static int slot_clear(struct guard *guard, uint64_t cgroup_id, uint32_t job)
{
	const struct job_slot none = {};
	struct job_slot slot;

	if (!slot_read(guard, cgroup_id, &slot) || (slot.job == job && guard->jobs[job].links))
		return 0;
	return bpf_map_update_elem(bpf_map__fd(guard->skeleton->maps.job_slots), &cgroup_id, &none,
				   BPF_ANY);
}

/* The generation is spent before it is used: a successor must never give it again. */
static int slot_write(struct guard *guard, const struct guard_job *entry, struct job_slot *slot,
		      uint32_t *ret_generation)
{
	uint64_t key = entry->cgroup_id;
	int error;

	slot->generation = ++guard->epoch.generation;
	error = epoch_write(guard);
	if (!error)
		error = bpf_map_update_elem(bpf_map__fd(guard->skeleton->maps.job_slots), &key,
					    slot, BPF_ANY);
	if (!error && ret_generation)
		*ret_generation = slot->generation;
	return error;
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
	bool was_attached;
	int error;

	if (!entry || policy > guard->policies_max || !guard->policies[policy])
		return -EINVAL;
	if (fstat(cgroup_fd, &status))
		return -errno;
	was_attached = entry->links;
	if (was_attached && entry->cgroup_id != status.st_ino)
		return -EBUSY;
	error = links_folder_make(guard, job);
	if (error)
		return error;
	entry->cgroup_id = status.st_ino;
	error = slot_clear(guard, entry->cgroup_id, job);
	if (!error)
		error = links_attach(guard, cgroup_fd, job);
	if (!error)
		error = slot_write(guard, entry, &slot, ret_generation);
	if (error && !was_attached)
		guard_detach(guard, job);
	if (error == -EPERM && ret_blocker)
		*ret_blocker = guard_blocker_find(cgroup_fd);
	return error;
}

int guard_job_policy_set(struct guard *guard, uint32_t job, uint32_t policy, enum guard_mode mode,
			 uint32_t *ret_generation)
{
	struct job_slot slot = { .job = job, .policy = policy, .mode = mode }, before;
	struct guard_job *entry = guard_job_get(guard, job);

	if (!entry || !entry->cgroup_id || policy > guard->policies_max || !guard->policies[policy])
		return -EINVAL;
	/* Never attached as a whole: a policy would open what the missing programs do not judge. */
	if (!slot_read(guard, entry->cgroup_id, &before) || before.job != job)
		return -EINVAL;
	return slot_write(guard, entry, &slot, ret_generation);
}

void guard_detach(struct guard *guard, uint32_t job)
{
	struct guard_job *entry = guard_job_get(guard, job);
	char path[PATH_MAX];

	if (!entry)
		return;
	for (size_t i = 0; i < GUARD_PROGRAMS; i++) {
		_cleanup_close_ int fd = -1;

		link_path(guard, job, i, path);
		if (!(entry->links & 1U << i))
			continue;
		fd = bpf_obj_get(path);
		if (fd >= 0)
			bpf_link_detach(fd);
		unlink(path);
	}
	entry->links = 0;
	entry->cgroup_id = 0;
	snprintf(path, sizeof(path), "%s/%u", guard->links, job);
	rmdir(path);
	/* The run's folder too, if this was its last job. */
	if (!guard->pins)
		rmdir(guard->links);
}

bool guard_job_is_live(const struct guard *guard, uint32_t job)
{
	const struct guard_job *entry = &guard->jobs[job];
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	if (!entry->used || !entry->links)
		return false;
	link_path(guard, job, (size_t)__builtin_ctz(entry->links), path);
	fd = bpf_obj_get(path);
	return fd >= 0 && link_cgroup(fd);
}

void guard_jobs_found(const struct guard *guard, guard_found_fn take, void *context)
{
	for (uint32_t job = 1; job <= guard->jobs_max; job++) {
		const struct guard_job *entry = &guard->jobs[job];
		struct guard_found found = {
			.job = job, .cgroup_id = entry->cgroup_id,
			.links = (unsigned int)__builtin_popcount(entry->links),
		};

		if (!entry->used)
			continue;
		/* One of another job is what this cgroup had before; see slot_clear(). */
		if (!entry->cgroup_id || !slot_read(guard, entry->cgroup_id, &found.slot) ||
		    found.slot.job != job)
			found.slot = (struct job_slot){};
		take(&found, context);
	}
}
