/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guard that goes on where another ended: its maps and links, pinned below a name.
 *
 *   NAME/maps/MAPNAME   every map
 *   NAME/layout         a map whose one value says what the others mean; pinned last, removed
 *                       first, so that a folder without it is none that anybody relied on
 *   NAME/jobs/N/PROGRAM the links
 *
 * Nothing is written before it is clear that the layout is ours.
 */
#include "guard/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/directory.h"
#include "buildfence.skel.h"
#include "layout.h"

#define PINS_NAME_MAX	64
#define PIN_PATH_SIZE	256

/* The value of the pinned `layout`: the hash of abi.h and maps.bpf.h as text. */
struct layout {
	char hash[64];
};

_Static_assert(sizeof(GUARD_LAYOUT) == sizeof(struct layout) + 1, "layout.h");

static bool name_is_valid(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	size_t length = strspn(name, letters);

	return length && length <= PINS_NAME_MAX && !name[length] &&
	       strncmp(name, "run-", strlen("run-")) != 0;
}

int guard_pins_forget(const char *name)
{
	_cleanup_close_ int root = open(GUARD_PINS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = -1;
	int error;

	if (!name_is_valid(name))
		return -EINVAL;
	fd = root < 0 ? -1 : openat(root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	/* Links first: one that lives without its maps' pins could not be taken over. */
	error = folder_remove(fd, "jobs");
	if (!error && unlinkat(fd, "layout", 0) && errno != ENOENT)
		error = -errno;
	if (!error)
		error = folder_remove(fd, "maps");
	return error ? error : folder_remove(root, name);
}

/* --- maps --------------------------------------------------------------------------------- */

static void map_path(const struct guard *guard, const char *map,
		     char ret_path[static PIN_PATH_SIZE])
{
	snprintf(ret_path, PIN_PATH_SIZE, "%s/maps/%s", guard->pins, map);
}

/* The pinned layout is ours. */
static bool layout_is_ours(const struct guard *guard)
{
	char path[PIN_PATH_SIZE];
	struct layout layout = {};
	struct bpf_map_info found = {};
	uint32_t size = sizeof(found), zero = 0;
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "%s/layout", guard->pins);
	fd = bpf_obj_get(path);
	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &found, &size) &&
	       found.type == BPF_MAP_TYPE_ARRAY && found.value_size == sizeof(layout) &&
	       !bpf_map_lookup_elem(fd, &zero, &layout) &&
	       !memcmp(layout.hash, GUARD_LAYOUT, sizeof(layout.hash));
}

static int layout_pin(const struct guard *guard)
{
	_cleanup_close_ int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "layout", sizeof(uint32_t),
						sizeof(struct layout), 1, NULL);
	char path[PIN_PATH_SIZE];
	uint32_t zero = 0;
	int error;

	if (fd < 0)
		return fd;
	error = bpf_map_update_elem(fd, &zero, GUARD_LAYOUT, BPF_ANY);
	snprintf(path, sizeof(path), "%s/layout", guard->pins);
	return error ? error : bpf_obj_pin(fd, path);
}

/* Opens a map's pin if the map is of the kind we would make. Returns a descriptor or -errno. */
static int map_open(const struct guard *guard, const struct bpf_map *map)
{
	struct bpf_map_info found = {};
	uint32_t size = sizeof(found);
	char path[PIN_PATH_SIZE];
	_cleanup_close_ int fd = -1;

	map_path(guard, bpf_map__name(map), path);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &found, &size))
		return -errno;
	if (found.type != bpf_map__type(map) || found.key_size != bpf_map__key_size(map) ||
	    found.value_size != bpf_map__value_size(map) ||
	    found.map_flags != bpf_map__map_flags(map))
		return -ESTALE;
	return TAKE_FD(fd);
}

/* Can all maps be taken over? Descriptors are opened twice, since nothing is to be changed yet. */
static bool maps_are_ours(const struct guard *guard)
{
	const struct bpf_map *map;

	if (!layout_is_ours(guard))
		return false;
	bpf_object__for_each_map(map, guard->skeleton->obj) {
		_cleanup_close_ int fd = -1;

		if (bpf_map__is_internal(map))
			continue;
		fd = map_open(guard, map);
		if (fd < 0)
			return false;
	}
	return true;
}

/* Sizes come with the maps. */
static int maps_reuse(struct guard *guard)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, guard->skeleton->obj) {
		_cleanup_close_ int fd = -1;
		int error;

		if (bpf_map__is_internal(map))
			continue;
		fd = map_open(guard, map);
		error = fd < 0 ? fd : bpf_map__reuse_fd(map, fd);
		if (error)
			return error;
	}
	return 0;
}

static bool map_has_size(const struct guard *guard, const struct bpf_map *map)
{
	_cleanup_close_ int fd = map_open(guard, map);
	struct bpf_map_info found = {};
	uint32_t size = sizeof(found);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &found, &size) &&
	       found.max_entries == bpf_map__max_entries(map);
}

/* Is there no job, not even one whose counts wait to be read? Those to come have none. */
static bool maps_are_idle(const struct guard *guard)
{
	_cleanup_close_ int fd = map_open(guard, guard->skeleton->maps.accounts);
	struct bpf_map_info found = {};
	uint32_t size = sizeof(found);
	struct account account;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &found, &size))
		return false;
	for (uint32_t job = 0; job < found.max_entries; job++) {
		if (bpf_map_lookup_elem(fd, &job, &account) || account.begun_ns > ACCOUNT_SPARE)
			return false;
	}
	return true;
}

/* New sizes are wanted, and nobody would miss the old maps. */
static bool maps_may_be_resized(const struct guard *guard)
{
	const struct bpf_map *sized[] = {
		guard->skeleton->maps.folds, guard->skeleton->maps.policies,
		guard->skeleton->maps.refusals, guard->skeleton->maps.scratches,
	};
	bool same = true;

	for (size_t i = 0; i < ARRAY_SIZE(sized); i++)
		same = same && map_has_size(guard, sized[i]);
	return !same && maps_are_idle(guard);
}

static int folders_make(const struct guard *guard)
{
	static const char *const folders[] = { "", "/maps", "/jobs" };
	int error = 0;

	for (size_t i = 0; !error && i < ARRAY_SIZE(folders); i++) {
		char path[PIN_PATH_SIZE];

		snprintf(path, sizeof(path), "%s%s", guard->pins, folders[i]);
		error = folder_make(path);
	}
	return error;
}

static int names_set(struct guard *guard, const char *name)
{
	if (!name_is_valid(name))
		return -EINVAL;
	if (asprintf(&guard->pins, GUARD_PINS "/%s", name) < 0) {
		guard->pins = NULL;
		return -ENOMEM;
	}
	return asprintf(&guard->links, "%s/jobs", guard->pins) < 0 ? -ENOMEM : 0;
}

int pinned_maps_prepare(struct guard *guard, const struct guard_options *options, bool *ret_fresh,
			char *said, size_t said_size)
{
	_cleanup_close_ int fd = -1;
	bool ours, guards;
	int error = names_set(guard, options->pins);

	if (!error)
		error = pins_root_make();
	if (error) {
		snprintf(said, said_size, "cannot pin maps as '%s': %s", options->pins,
			 error == -EINVAL ? "give a word of letters, digits and hyphens" :
					    strerror(-error));
		return error;
	}
	fd = open(guard->pins, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	guards = fd >= 0 && !faccessat(fd, "jobs", F_OK, 0) && !folder_is_dead(fd, "jobs");
	ours = maps_are_ours(guard);
	*ret_fresh = !ours || (!guards && maps_may_be_resized(guard));
	if (!*ret_fresh)
		return maps_reuse(guard);
	if (guards) {
		snprintf(said, said_size,
			 "the maps in %s were made by another version and still guard jobs: let these end, or start that version again; nothing was touched",
			 guard->pins);
		return -ESTALE;
	}
	error = guard_pins_forget(options->pins);
	return error ? error : folders_make(guard);
}

int pinned_maps_finish(struct guard *guard)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, guard->skeleton->obj) {
		char path[PIN_PATH_SIZE];
		int error;

		if (bpf_map__is_internal(map))
			continue;
		map_path(guard, bpf_map__name(map), path);
		error = bpf_obj_pin(bpf_map__fd(map), path);
		if (error)
			return error;
	}
	return layout_pin(guard);
}

/* --- links -------------------------------------------------------------------------------- */

static int program_find(const struct guard *guard, const char *name)
{
	for (int i = 0; i < GUARD_PROGRAMS; i++) {
		if (!strcmp(bpf_program__name(guard->programs[i]), name))
			return i;
	}
	return -ENOENT;
}

/*
 * Gives a link our program: also one that has the same instructions, since constants that they read
 * may differ. The kernel swaps the two in one step.
 */
static int link_take_over(struct guard *guard, uint32_t job, const char *name, int folder_fd)
{
	struct guard_job *entry = &guard->jobs[job];
	int program = program_find(guard, name), error = 0;
	char path[PIN_PATH_SIZE];
	_cleanup_close_ int fd = -1;
	uint64_t cgroup;

	snprintf(path, sizeof(path), "%s/%u/%s", guard->links, job, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return fd;
	cgroup = link_cgroup(fd);
	if (cgroup && program >= 0) {
		error = bpf_link_update(fd, bpf_program__fd(guard->programs[program]), NULL);
		/* The cgroup may go at any time, and the link with it. */
		if (!error || link_cgroup(fd)) {
			entry->cgroup_id = cgroup;
			entry->links |= (uint8_t)(1U << program);
			return error;
		}
	}
	if (cgroup)
		bpf_link_detach(fd);
	return unlinkat(folder_fd, name, 0) ? -errno : 0;
}

/* Those of hooks that we do not know go last: until then, what they refuse stays refused. */
static int job_links_take_over(struct guard *guard, uint32_t job, int parent_fd, const char *name)
{
	int error = 0;

	for (int known = 1; !error && known >= 0; known--) {
		_cleanup_directory_ DIR *directory = NULL;
		struct dirent *pin;

		error = directory_open(parent_fd, name, &directory);
		while (!error && (pin = directory_next(directory))) {
			if ((program_find(guard, pin->d_name) >= 0) == known)
				error = link_take_over(guard, job, pin->d_name, dirfd(directory));
		}
	}
	if (!error && !guard->jobs[job].links)
		unlinkat(parent_fd, name, AT_REMOVEDIR);
	return error;
}

int links_take_over(struct guard *guard)
{
	_cleanup_directory_ DIR *directory = NULL;
	struct dirent *folder;
	int error = directory_open(AT_FDCWD, guard->links, &directory);

	while (!error && (folder = directory_next(directory))) {
		char *end;
		unsigned long job = strtoul(folder->d_name, &end, 10);

		if (!*end && job > 0 && job <= guard->jobs_max)
			error = job_links_take_over(guard, (uint32_t)job, dirfd(directory),
						    folder->d_name);
	}
	return error;
}
