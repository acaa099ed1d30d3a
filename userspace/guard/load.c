/* SPDX-License-Identifier: GPL-2.0 */
/* Opening and loading the BPF object: sizes and features are set in between. */
#include "guard/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "buildfence.skel.h"

/* Slots of one CPU; SCRATCH_TRIES in scratch.bpf.h. */
#define SCRATCH_PER_CPU	8
#define RING_BYTES	(1U << 20)
#define LIBBPF_SAID	512

/* libbpf's warnings of a load, kept until it is clear that they matter. */
static char libbpf_said[LIBBPF_SAID];

static int __attribute__((format(printf, 2, 0))) libbpf_say(enum libbpf_print_level level,
							     const char *format, va_list arguments)
{
	if (level == LIBBPF_WARN && !libbpf_said[0])
		vsnprintf(libbpf_said, sizeof(libbpf_said), format, arguments);
	return 0;
}

static int sizes_set(struct guard *guard)
{
	struct buildfence_bpf *skeleton = guard->skeleton;
	struct bpf_map *per_job[] = {
		skeleton->maps.learned_addrs, skeleton->maps.questions, skeleton->maps.peers,
		skeleton->maps.reached_addrs, skeleton->maps.counters,
	};
	struct bpf_map *per_policy[] = {
		skeleton->maps.names, skeleton->maps.prefixes, skeleton->maps.port_rules,
		skeleton->maps.policies,
	};
	int cpus = libbpf_num_possible_cpus(), error = 0;

	if (cpus < 0)
		return cpus;
	skeleton->rodata->scratch_count = (uint32_t)cpus * SCRATCH_PER_CPU;
	skeleton->rodata->has_set_retval = probe_set_retval();
	error = bpf_map__set_max_entries(skeleton->maps.scratches,
					 (uint32_t)cpus * SCRATCH_PER_CPU);
	for (size_t i = 0; !error && i < ARRAY_SIZE(per_job); i++)
		error = bpf_map__set_max_entries(per_job[i], guard->jobs_max + 1);
	for (size_t i = 0; !error && i < ARRAY_SIZE(per_policy); i++)
		error = bpf_map__set_max_entries(per_policy[i], guard->policies_max + 1);
	if (!error)
		error = bpf_map__set_max_entries(skeleton->maps.folds,
						 (guard->jobs_max + 1) * FOLD_EPOCHS);
	return error;
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

static int skeleton_load(struct guard *guard, const struct guard_options *options)
{
	size_t ring_bytes = options->ring_bytes;
	int error;

	guard->skeleton = buildfence_bpf__open();
	if (!guard->skeleton)
		return -errno;
	guard->skeleton->rodata->trial_slot = options->trial;
	error = sizes_set(guard);
	if (!error)
		error = bpf_map__set_max_entries(guard->skeleton->maps.refusals,
						 ring_bytes ? (uint32_t)ring_bytes : RING_BYTES);
	if (!error)
		error = buildfence_bpf__load(guard->skeleton);
	if (error)
		return error;
	programs_list(guard);
	guard->ring = ring_buffer__new(bpf_map__fd(guard->skeleton->maps.refusals),
				       refusal_from_ring, guard, NULL);
	return guard->ring ? 0 : -errno;
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
	guard->jobs_max = options->jobs_max ? options->jobs_max : 1;
	guard->policies_max = options->policies_max ? options->policies_max : 2;
	guard->jobs = calloc(guard->jobs_max + 1, sizeof(*guard->jobs));
	guard->policies = calloc(guard->policies_max + 1, sizeof(*guard->policies));
	libbpf_said[0] = '\0';
	libbpf_set_print(libbpf_say);
	error = guard->jobs && guard->policies ? skeleton_load(guard, options) : -ENOMEM;
	if (error) {
		if (libbpf_said[0])
			log_error("%.*s", (int)strcspn(libbpf_said, "\n"), libbpf_said);
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
		struct guard_job *entry = &guard->jobs[job];

		/*
		 * Pinned links stay in force; those of a job that was never attached do not exist.
		 */
		for (size_t i = 0; i < GUARD_PROGRAMS; i++)
			bpf_link__destroy(entry->links[i]);
		if (entry->used) {
			close_fd(&entry->learned_fd);
			close_fd(&entry->questions_fd);
			close_fd(&entry->peers_fd);
			close_fd(&entry->reached_fd);
			close_fd(&entry->folds_fd[0]);
			close_fd(&entry->folds_fd[1]);
		}
		free(entry->pins);
	}
	ring_buffer__free(guard->ring);
	buildfence_bpf__destroy(guard->skeleton);
	free(guard->policies);
	free(guard->jobs);
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
