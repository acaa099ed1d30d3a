/* SPDX-License-Identifier: GPL-2.0 */
/* Opening and loading the BPF object: sizes and features are set in between. */
#include "guard/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/owner.h"
#include "buildfence.skel.h"
#include "guard/slot_flaw.h"

/* Slots of one CPU; SCRATCH_TRIES in scratch.bpf.h. */
#define SCRATCH_PER_CPU	8
#define RING_BYTES	(1U << 20)
#define SAID_SIZE	512
/* Descriptors of everything but jobs' tables: ours, and what the caller has open. */
#define DESCRIPTORS	256

/* Why a load failed: libbpf's first warning, or our own words. Said once it is clear it matters. */
static char said[SAID_SIZE];

static int __attribute__((format(printf, 2, 0))) libbpf_say(enum libbpf_print_level level,
							     const char *format, va_list arguments)
{
	if (level == LIBBPF_WARN && !said[0])
		vsnprintf(said, sizeof(said), format, arguments);
	return 0;
}

/* As buildfence_bpf__open(), but for another build of the programs where a test gives one. */
static struct buildfence_bpf *skeleton_open(const struct guard_options *options)
{
	struct buildfence_bpf *skeleton = calloc(1, sizeof(*skeleton));
	int error = -ENOMEM;

	if (!skeleton)
		return NULL;
	error = buildfence_bpf__create_skeleton(skeleton);
	if (!error && options->object) {
		skeleton->skeleton->data = (void *)options->object;
		skeleton->skeleton->data_sz = options->object_size;
	}
	if (!error)
		error = bpf_object__open_skeleton(skeleton->skeleton, NULL);
	if (!error)
		return skeleton;
	buildfence_bpf__destroy(skeleton);
	errno = -error;
	return NULL;
}

static int sizes_set(struct guard *guard, const struct guard_options *options)
{
	struct buildfence_bpf *skeleton = guard->skeleton;
	struct bpf_map *per_job[] = {
		skeleton->maps.learned_addrs, skeleton->maps.questions, skeleton->maps.peers,
		skeleton->maps.reached_addrs, skeleton->maps.counters, skeleton->maps.accounts,
	};
	struct bpf_map *per_policy[] = {
		skeleton->maps.names, skeleton->maps.prefixes, skeleton->maps.port_rules,
		skeleton->maps.policies,
	};
	uint32_t jobs = options->jobs_max ? options->jobs_max : 1;
	uint32_t policies = options->policies_max ? options->policies_max : 2;
	size_t ring_bytes = options->ring_bytes ? options->ring_bytes : RING_BYTES;
	int cpus = libbpf_num_possible_cpus(), error;

	if (cpus < 0)
		return cpus;
	error = bpf_map__set_max_entries(skeleton->maps.scratches,
					 (uint32_t)cpus * SCRATCH_PER_CPU);
	for (size_t i = 0; !error && i < ARRAY_SIZE(per_job); i++)
		error = bpf_map__set_max_entries(per_job[i], jobs + 1);
	for (size_t i = 0; !error && i < ARRAY_SIZE(per_policy); i++)
		error = bpf_map__set_max_entries(per_policy[i], policies + 1);
	if (!error)
		error = bpf_map__set_max_entries(skeleton->maps.folds, (jobs + 1) * FOLD_EPOCHS);
	if (!error)
		error = bpf_map__set_max_entries(skeleton->maps.refusals, (uint32_t)ring_bytes);
	return error;
}

/* Better no guard, said loudly, than one that judges by chance. */
static int kernel_refuse(void)
{
	const char *flaw = slot_flaw_here();

	if (!flaw)
		return 0;
	snprintf(said, sizeof(said), "this kernel %s: " SLOT_FLAW_FIX, flaw);
	return -EOPNOTSUPP;
}

static void programs_list(struct guard *guard)
{
	struct buildfence_bpf *skeleton = guard->skeleton;
	/* sock_create first: a socket made while the others attach has its storage already. */
	struct bpf_program *programs[GUARD_PROGRAMS] = {
		skeleton->progs.guard_sock_create, skeleton->progs.guard_egress,
		skeleton->progs.guard_ingress, skeleton->progs.guard_connect4,
		skeleton->progs.guard_connect6, skeleton->progs.guard_sendmsg4,
		skeleton->progs.guard_sendmsg6,
	};

	memcpy(guard->programs, programs, sizeof(programs));
}

static int run_folder_name(struct guard *guard)
{
	char tag[OWNER_TAG_SIZE];
	int error = owner_tag(tag);

	if (error)
		return error;
	return asprintf(&guard->links, GUARD_PINS "/run-%s", tag) < 0 ? -ENOMEM : 0;
}

static int object_load(struct guard *guard, const struct guard_options *options)
{
	bool fresh = false;
	int error;

	guard->skeleton = skeleton_open(options);
	if (!guard->skeleton)
		return -errno;
	error = sizes_set(guard, options);
	if (!error)
		error = options->pins ? pinned_maps_prepare(guard, options, &fresh, said,
							    sizeof(said)) :
					run_folder_name(guard);
	if (error)
		return error;
	guard->skeleton->rodata->trial_slot = options->trial;
	guard->skeleton->rodata->has_set_retval = probe_set_retval();
	/* A predecessor's maps keep their sizes. */
	guard->skeleton->rodata->scratch_count =
		bpf_map__max_entries(guard->skeleton->maps.scratches);
	guard->jobs_max = bpf_map__max_entries(guard->skeleton->maps.counters) - 1;
	guard->policies_max = bpf_map__max_entries(guard->skeleton->maps.policies) - 1;
	guard->spares = options->spares < GUARD_SPARES_MAX ? options->spares : GUARD_SPARES_MAX;
	error = buildfence_bpf__load(guard->skeleton);
	if (!error && fresh)
		error = pinned_maps_finish(guard);
	if (!error)
		programs_list(guard);
	return error;
}

/* Each job holds its tables' descriptors; raising our own limit is better than failing there. */
static void descriptors_allow(uint32_t jobs_max)
{
	rlim_t wanted = (rlim_t)jobs_max * TABLE_COUNT + DESCRIPTORS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static size_t map_bytes(const struct bpf_map *map)
{
	return (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
}

/* An array's values, one behind the other; all our sizes are multiples of 8. */
static int values_map(const struct bpf_map *map, const void **ret_values)
{
	void *values = mmap(NULL, map_bytes(map), PROT_READ, MAP_SHARED, bpf_map__fd(map), 0);

	if (values == MAP_FAILED)
		return -errno;
	*ret_values = values;
	return 0;
}

_Static_assert(!(sizeof(struct job_counters) % 8) && !(sizeof(struct account) % 8), "values_map");

static int state_make(struct guard *guard)
{
	const struct bpf_map *refusals = guard->skeleton->maps.refusals;
	int error;

	guard->jobs = malloc((guard->jobs_max + 1) * sizeof(*guard->jobs));
	/* At once: whatever fails from here on, guard_close() looks at each. */
	for (uint32_t job = 0; guard->jobs && job <= guard->jobs_max; job++)
		guard->jobs[job] = guard_job_none;
	guard->policies = calloc(guard->policies_max + 1, sizeof(*guard->policies));
	if (!guard->jobs || !guard->policies)
		return -ENOMEM;
	descriptors_allow(guard->jobs_max);
	error = values_map(guard->skeleton->maps.counters, (const void **)&guard->counters);
	if (!error)
		error = values_map(guard->skeleton->maps.accounts, (const void **)&guard->accounts);
	if (!error)
		error = ring_open(bpf_map__fd(refusals), bpf_map__max_entries(refusals),
				  &guard->ring);
	return error;
}

static int take_over(struct guard *guard, const char *last_uid)
{
	uint32_t zero = 0;
	int error = bpf_map_lookup_elem(bpf_map__fd(guard->skeleton->maps.epochs), &zero,
					&guard->epoch);

	if (!error)
		error = policies_take_over(guard);
	if (!error)
		error = links_take_over(guard);
	if (!error)
		error = jobs_take_over(guard);
	return error ? error : reports_settle(guard, last_uid);
}

int guard_open(const struct guard_options *options, struct guard **ret_guard)
{
	static const struct guard_options defaults;
	struct guard *guard = calloc(1, sizeof(*guard));
	int error;

	if (!guard)
		return -ENOMEM;
	if (!options)
		options = &defaults;
	said[0] = '\0';
	libbpf_set_print(libbpf_say);
	error = kernel_refuse();
	if (!error)
		error = object_load(guard, options);
	if (!error)
		error = state_make(guard);
	if (!error && options->pins)
		error = take_over(guard, options->last_uid);
	if (error) {
		if (said[0])
			log_error("%.*s", (int)strcspn(said, "\n"), said);
		guard_close(guard);
		return error;
	}
	*ret_guard = guard;
	return 0;
}

void guard_close(struct guard *guard)
{
	if (!guard)
		return;
	for (uint32_t job = 1; guard->jobs && job <= guard->jobs_max; job++) {
		for (size_t table = 0; table < TABLE_COUNT; table++)
			close_fd(&guard->jobs[job].tables[table]);
	}
	ring_close(&guard->ring);
	if (guard->counters)
		munmap((void *)guard->counters, map_bytes(guard->skeleton->maps.counters));
	if (guard->accounts)
		munmap((void *)guard->accounts, map_bytes(guard->skeleton->maps.accounts));
	buildfence_bpf__destroy(guard->skeleton);
	free(guard->policies);
	free(guard->jobs);
	free(guard->pins);
	free(guard->links);
	free(guard);
}

uint32_t guard_jobs_max(const struct guard *guard)
{
	return guard->jobs_max;
}

uint32_t guard_policies_max(const struct guard *guard)
{
	return guard->policies_max;
}
