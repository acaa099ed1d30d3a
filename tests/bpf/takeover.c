/* SPDX-License-Identifier: GPL-2.0 */
/* A guard whose process ends and that another goes on with: what is found, refused, made anew. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/owner.h"
#include "guard/internal.h"
#include "buildfence.skel.h"
#include "job/cgroup.h"
#include "world.h"

#define ALLOWED		"203.0.113.1"
#define REFUSED		"198.51.100.9"
#define PORT		9000
#define ROUNDS		15		/* of what a kill may cut short */

static const char rules[] = "allow: [ 'udp://203.0.113.0/24:9000', https://dev.azure.com ]";
static const char none[] = "allow: []";

struct found {
	struct guard_found job[8];
	unsigned int jobs;
	uint32_t policies[8];
	unsigned int policy_count;
};

static void found_take(const struct guard_found *found, void *context)
{
	struct found *all = context;

	all->job[all->jobs++] = *found;
}

static void policy_take(uint32_t policy, const uint8_t hash[static IMAGE_HASH_LEN], void *context)
{
	struct found *all = context;

	(void)hash;
	all->policies[all->policy_count++] = policy;
}

static struct found found_in(const struct guard *guard)
{
	struct found found = {};

	guard_jobs_found(guard, found_take, &found);
	guard_policies_found(guard, policy_take, &found);
	return found;
}

/* Sends a datagram from a new socket of the job. 0 or -errno: the socket may be refused already. */
static int job_sends(struct world *world, const char *addr)
{
	_cleanup_close_ int fd = socket_job_try(world, AF_INET, SOCK_DGRAM);

	return fd < 0 ? fd : send_to(fd, "x", 1, addr, PORT);
}

static void expect_guarded(struct world *world)
{
	cr_expect_eq(job_sends(world, ALLOWED), 0);
	cr_expect_eq(job_sends(world, REFUSED), -EPERM);
}

/* The path of a pin of the world's. */
static const char *pin(const struct world *world, const char *format, ...)
{
	static char path[512];
	va_list arguments;
	int length = snprintf(path, sizeof(path), "%s/%s/", GUARD_PINS, world->pins);

	va_start(arguments, format);
	vsnprintf(path + length, sizeof(path) - (size_t)length, format, arguments);
	va_end(arguments);
	return path;
}

/* Removes the cgroup, and waits until the kernel has detached what was attached to it. */
static void cgroup_end(struct world *world)
{
	_cleanup_close_ int link = bpf_obj_get(pin(world, "jobs/%u/guard_egress", world->job));

	cr_assert_eq(cgroup_remove(world->cgroup->parent_fd, world->cgroup->name), 0);
	for (int try = 0; try < 500 && link_cgroup(link); try++)
		usleep(10000);
}

Test(takeover, finds_the_job_its_policy_and_what_it_learned)
{
	_cleanup_world_ struct world world;
	uint32_t policy, generation = 0;
	struct learned learned = { .expires_ns = ~0ULL };
	struct learned_key key = { .netns = 7 };
	struct stat status;
	struct found found;

	world_open_pinned(&world, MODE_ENFORCE, rules);
	policy = guard_policy_from_text(world.guard, none);
	cr_assert_eq(guard_job_policy_set(world.guard, world.job, world.policy, MODE_AUDIT,
					  &generation), 0);
	cr_expect_eq(generation, 2);
	cr_assert_eq(bpf_map_update_elem(table_fd(world.guard, world.job, TABLE_LEARNED), &key,
					 &learned, BPF_ANY), 0);
	cr_expect_eq(job_sends(&world, REFUSED), 0);
	world_take_over(&world, NULL);

	found = found_in(world.guard);
	cr_assert_eq(fstat(world.cgroup->fd, &status), 0);
	cr_assert_eq(found.jobs, 1);
	cr_expect_eq(found.job[0].job, world.job);
	cr_expect_eq(found.job[0].links, GUARD_PROGRAMS);
	cr_expect_eq(found.job[0].cgroup_id, status.st_ino);
	cr_expect_eq(found.job[0].slot.policy, world.policy);
	cr_expect_eq(found.job[0].slot.mode, MODE_AUDIT);
	cr_expect_eq(found.job[0].slot.generation, 2);
	cr_expect_eq(found.policy_count, 2);
	cr_expect_eq(found.policies[1], policy);
	cr_expect_eq(learned_count(&world), 1);
	cr_expect_eq(counters_read(world.guard, world.job).refused[REASON_NOT_ALLOWED], 1);
	/* A generation is never given twice, nor a number that is in use. */
	cr_assert_eq(guard_job_policy_set(world.guard, world.job, policy, MODE_ENFORCE,
					  &generation), 0);
	cr_expect_eq(generation, 3);
	cr_assert_eq(guard_job_add(world.guard, &policy), 0);
	cr_expect_eq(policy, 2);
	cr_expect_eq(job_sends(&world, ALLOWED), -EPERM);
}

Test(takeover, is_not_needed_for_enforcement)
{
	_cleanup_world_ struct world world;

	world_open_pinned(&world, MODE_ENFORCE, rules);
	guard_close(world.guard);
	world.guard = NULL;
	expect_guarded(&world);
	cr_assert_eq(guard_open(&world.options, &world.guard), 0);
	expect_guarded(&world);
	cr_expect_eq(refusals_take(world.guard, world.job).refusals, 2);
}

Test(takeover, knows_an_equal_policy_again)
{
	_cleanup_policy_ struct policy *same = policy_from_text(rules);
	_cleanup_policy_ struct policy *other = policy_from_text(none);
	_cleanup_image_ struct image *same_image = NULL, *other_image = NULL;
	const struct machine_dns dns = resolvers_of_tests();
	struct diagnostics diag = { .out = stderr };
	_cleanup_world_ struct world world;
	uint32_t policy = 0;

	world_open_pinned(&world, MODE_ENFORCE, rules);
	cr_assert_eq(policy_compile(same, &dns, TEST_NOW, &diag, &same_image), 0);
	cr_assert_eq(policy_compile(other, &dns, TEST_NOW, &diag, &other_image), 0);
	world_take_over(&world, NULL);
	cr_expect_eq(guard_policy_find(world.guard, same_image, &policy), 0);
	cr_expect_eq(policy, world.policy);
	cr_expect_eq(guard_policy_find(world.guard, other_image, &policy), -ENOENT);
}

Test(takeover, finishes_a_job_that_is_attached_in_part)
{
	struct guard_found *job;
	_cleanup_world_ struct world world;
	struct found found;
	uint32_t second;

	world_open_pinned(&world, MODE_ENFORCE, rules);
	/* What a kill between two links, and before the slot, leaves: attach, then take away. */
	cr_assert_eq(guard_job_add(world.guard, &second), 0);
	guard_detach(world.guard, world.job);
	cr_assert_eq(guard_attach(world.guard, world.cgroup->fd, second, world.policy, MODE_ENFORCE,
				  NULL, NULL), 0);
	cr_assert_eq(unlink(pin(&world, "jobs/%u/guard_sendmsg6", second)), 0);
	cr_assert_eq(unlink(pin(&world, "jobs/%u/guard_connect6", second)), 0);
	cr_assert_eq(bpf_map_update_elem(bpf_obj_get(pin(&world, "maps/job_slots")),
					 &world.guard->jobs[second].cgroup_id,
					 &(struct job_slot){}, BPF_ANY), 0);
	world_take_over(&world, NULL);
	found = found_in(world.guard);
	cr_assert_eq(found.jobs, 2);
	job = &found.job[1];
	cr_expect_eq(job->job, second);
	cr_expect_eq(job->links, GUARD_PROGRAMS - 2);
	cr_expect_eq(job->slot.job, 0);
	cr_expect_eq(job_sends(&world, ALLOWED), -EPERM);
	cr_expect_eq(guard_attach(world.guard, world.cgroup->parent_fd, second, world.policy,
				  MODE_ENFORCE, NULL, NULL), -EBUSY);
	cr_assert_eq(guard_attach(world.guard, world.cgroup->fd, second, world.policy, MODE_ENFORCE,
				  NULL, NULL), 0);
	expect_guarded(&world);
	cr_expect_eq(found_in(world.guard).job[1].links, GUARD_PROGRAMS);
	guard_detach(world.guard, second);
}

Test(takeover, of_a_cgroup_by_another_job_does_not_begin_with_the_policy_before)
{
	struct job_slot slot = { .job = ~0U };
	_cleanup_world_ struct world world;
	_cleanup_close_ int epochs = -1;
	uint32_t second;
	uint64_t cgroup;

	world_open_pinned(&world, MODE_ENFORCE, rules);
	cgroup = world.guard->jobs[world.job].cgroup_id;
	cr_assert_eq(guard_job_add(world.guard, &second), 0);
	guard_detach(world.guard, world.job);
	/* The pin of the last link is taken, so that attaching fails where all others succeeded. */
	cr_assert_eq(mkdir(pin(&world, "jobs/%u", second), 0700), 0);
	epochs = bpf_obj_get(pin(&world, "maps/epochs"));
	cr_assert_eq(bpf_obj_pin(epochs, pin(&world, "jobs/%u/guard_sendmsg6", second)), 0);
	cr_expect_eq(guard_attach(world.guard, world.cgroup->fd, second, world.policy, MODE_ENFORCE,
				  NULL, NULL), -EEXIST);
	cr_assert_eq(bpf_map_lookup_elem(bpf_obj_get(pin(&world, "maps/job_slots")), &cgroup,
					 &slot), 0);
	cr_expect_eq(slot.job, 0, "the slot still is that of job %u", slot.job);
	cr_expect_eq(job_sends(&world, REFUSED), 0, "something stayed attached");
}

Test(takeover, collects_the_pins_of_a_cgroup_that_is_gone_but_not_its_counts)
{
	_cleanup_world_ struct world world;
	struct found found;

	world_open_pinned(&world, MODE_ENFORCE, rules);
	cr_expect_eq(job_sends(&world, REFUSED), -EPERM);
	guard_close(world.guard);
	world.guard = NULL;
	cgroup_end(&world);
	cr_assert_eq(guard_open(&world.options, &world.guard), 0);
	found = found_in(world.guard);
	cr_assert_eq(found.jobs, 1);
	cr_expect_eq(found.job[0].links, 0);
	cr_expect_eq(found.job[0].cgroup_id, 0);
	cr_expect_neq(access(pin(&world, "jobs/%u", world.job), F_OK), 0);
	cr_expect_eq(refusals_take(world.guard, world.job).refusals, 1);
	cr_assert_eq(guard_job_remove(world.guard, world.job), 0);
	world_take_over(&world, NULL);
	cr_expect_eq(found_in(world.guard).jobs, 0);
}

/* Puts a map of the test's own in the place of a pin. */
static void pin_replace(const struct world *world, const char *name, enum bpf_map_type type,
			uint32_t value_size)
{
	_cleanup_close_ int fd = bpf_map_create(type, "other", 4, value_size, 1, NULL);

	cr_assert_eq(unlink(pin(world, name)), 0, "%s", pin(world, name));
	cr_assert_eq(bpf_obj_pin(fd, pin(world, name)), 0);
}

struct layout_case {
	char pin[24];
	uint32_t value_size;	/* 0: the pin is missing */
};

static const struct layout_case layout_cases[] = {
	{ "layout", 64 }, { "layout", 8 }, { "layout", 0 }, { "maps/folds", 4 },
	{ "maps/policies", 144 }, { "maps/refusals", 0 }, { "maps/epochs", 0 },
};

/* Names the case, since the message of a failure does not. */
static void layout_case_run(const struct layout_case *row)
{
	_cleanup_world_ struct world world;
	struct guard *successor = NULL;

	world_open_pinned(&world, MODE_ENFORCE, rules);
	guard_close(world.guard);
	world.guard = NULL;
	if (row->value_size)
		pin_replace(&world, row->pin, BPF_MAP_TYPE_ARRAY, row->value_size);
	else
		cr_assert_eq(unlink(pin(&world, row->pin)), 0);
	cr_expect_eq(guard_open(&world.options, &successor), -ESTALE, "%s %u", row->pin,
		     row->value_size);
	expect_guarded(&world);
	cr_expect_eq(access(pin(&world, "jobs/%u/guard_egress", world.job), F_OK), 0);
	/* With the job gone, there is nothing to be careful of. */
	cgroup_end(&world);
	cr_assert_eq(guard_open(&world.options, &world.guard), 0, "%s %u", row->pin,
		     row->value_size);
	cr_expect_eq(found_in(world.guard).jobs, 0);
}

Test(takeover, of_another_layout_is_refused_while_it_guards_and_made_anew_after, .timeout = 600)
{
	for (size_t i = 0; i < ARRAY_SIZE(layout_cases); i++)
		layout_case_run(&layout_cases[i]);
}

Test(takeover, takes_new_sizes_only_when_there_is_no_job)
{
	_cleanup_world_ struct world world;

	world_open_pinned(&world, MODE_ENFORCE, rules);
	world.options.jobs_max = 9;
	world.options.policies_max = 7;
	world_take_over(&world, NULL);
	cr_expect_eq(guard_jobs_max(world.guard), 4);
	cr_expect_eq(guard_policies_max(world.guard), 4);
	expect_guarded(&world);
	guard_detach(world.guard, world.job);
	/* Its counts were not read yet. */
	world_take_over(&world, NULL);
	cr_expect_eq(guard_jobs_max(world.guard), 4);
	cr_assert_eq(guard_job_remove(world.guard, world.job), 0);
	world_take_over(&world, NULL);
	cr_expect_eq(guard_jobs_max(world.guard), 9);
	cr_expect_eq(guard_policies_max(world.guard), 7);
}

Test(takeover, refuses_names_that_are_none_or_a_runs)
{
	static const char *const names[] = { "", ".", "..", "a/b", "a.b", "run-1-2-3" };
	struct guard *guard = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct guard_options options = { .pins = names[i] };

		cr_expect_eq(guard_open(&options, &guard), -EINVAL, "'%s'", names[i]);
		cr_expect_eq(guard_pins_forget(names[i]), -EINVAL, "'%s'", names[i]);
	}
}

Test(takeover, leaves_pins_of_runs_and_of_daemons_to_their_owners)
{
	_cleanup_world_ struct world world;
	char tag[OWNER_TAG_SIZE];

	world_open_pinned(&world, MODE_ENFORCE, rules);
	guard_close(world.guard);
	world.guard = NULL;
	cr_assert_eq(owner_tag(tag), 0);
	cr_expect_eq(guard_pins_remove(tag, world.cgroup->fd), 0);
	cr_expect_eq(guard_pins_collect(), 0);
	expect_guarded(&world);
	cr_assert_eq(guard_open(&world.options, &world.guard), 0);
	cr_expect_eq(found_in(world.guard).jobs, 1);
}

/* In a child: opens, attaches and removes jobs until it is killed. */
static void life_run(struct world *world)
{
	struct guard *guard;

	if (guard_open(&world->options, &guard))
		_exit(1);
	for (unsigned int turn = 0;; turn++) {
		uint32_t job = 1;

		guard_detach(guard, job);
		/* Making tables takes long: it must not be all that is ever cut short. */
		if (turn % 512 == 0 && (guard_job_remove(guard, job) || guard_job_add(guard, &job)))
			_exit(2);
		if (guard_attach(guard, world->cgroup->fd, job, world->policy, MODE_ENFORCE, NULL,
				 NULL))
			_exit(3);
	}
}

/* What the killed child left: finished, it guards as ever. */
static void life_finish(struct world *world)
{
	struct found found;

	cr_assert_eq(guard_open(&world->options, &world->guard), 0);
	found = found_in(world->guard);
	cr_assert_leq(found.jobs, 1);
	if (!found.jobs)
		cr_assert_eq(guard_job_add(world->guard, &world->job), 0);
	cr_assert_eq(world->job, 1);
	if (found.jobs && found.job[0].links && !found.job[0].slot.job)
		cr_expect_eq(job_sends(world, ALLOWED), -EPERM);
	cr_assert_eq(guard_attach(world->guard, world->cgroup->fd, 1, world->policy, MODE_ENFORCE,
				  NULL, NULL), 0);
	expect_guarded(world);
	guard_close(world->guard);
	world->guard = NULL;
}

Test(takeover, finishes_whatever_a_kill_cut_short, .timeout = 600)
{
	unsigned int half = 0, seed = (unsigned int)getpid();
	_cleanup_world_ struct world world;
	uint64_t open_us;

	world_open_pinned(&world, MODE_ENFORCE, rules);
	guard_close(world.guard);
	open_us = boot_ns_now();
	cr_assert_eq(guard_open(&world.options, &world.guard), 0);
	open_us = (boot_ns_now() - open_us) / 1000;
	guard_close(world.guard);
	world.guard = NULL;
	for (int round = 0; round < ROUNDS; round++) {
		pid_t pid = fork();
		int status;

		if (!pid)
			life_run(&world);
		cr_assert(pid > 0);
		usleep((useconds_t)(open_us + rand_r(&seed) % 200000));
		kill(pid, SIGKILL);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_assert(WIFSIGNALED(status), "round %d: the child gave up: %d", round,
			  WEXITSTATUS(status));
		half += access(pin(&world, "jobs/1/guard_sock_create"), F_OK) !=
			access(pin(&world, "jobs/1/guard_sendmsg6"), F_OK);
		life_finish(&world);
	}
	cr_log_info("%u of %d were killed with a part of their links", half, ROUNDS);
	cr_assert_eq(guard_open(&world.options, &world.guard), 0);
}

static bool has_inner(const struct bpf_map *outer, uint32_t index)
{
	uint32_t id;

	return !bpf_map_lookup_elem(bpf_map__fd(outer), &index, &id);
}

/* A policy and a job whose maker was killed half way; the others stay. */
Test(takeover, removes_the_inner_maps_of_what_is_only_marked)
{
	_cleanup_world_ struct world world;
	struct policy_settings settings;
	struct account account;
	uint32_t policy, job;
	int settings_fd, accounts_fd;

	world_open_pinned(&world, MODE_ENFORCE, rules);
	policy = guard_policy_from_text(world.guard, "allow: [ \"https://other.example\" ]");
	settings_fd = bpf_map__fd(world.guard->skeleton->maps.policies);
	cr_assert_eq(bpf_map_lookup_elem(settings_fd, &policy, &settings), 0);
	settings.loaded = 0;
	cr_assert_eq(bpf_map_update_elem(settings_fd, &policy, &settings, BPF_ANY), 0);
	cr_assert_eq(guard_job_add(world.guard, &job), 0);
	cr_assert(has_inner(world.guard->skeleton->maps.names, policy));
	cr_assert(has_inner(world.guard->skeleton->maps.questions, job));
	cr_assert_eq(bpf_map_delete_elem(bpf_map__fd(world.guard->skeleton->maps.peers), &job), 0);

	world_take_over(&world, NULL);
	settings_fd = bpf_map__fd(world.guard->skeleton->maps.policies);
	accounts_fd = bpf_map__fd(world.guard->skeleton->maps.accounts);
	cr_expect(!has_inner(world.guard->skeleton->maps.names, policy));
	cr_expect(!has_inner(world.guard->skeleton->maps.prefixes, policy));
	cr_expect(!has_inner(world.guard->skeleton->maps.port_rules, policy));
	cr_expect(!has_inner(world.guard->skeleton->maps.questions, job));
	cr_expect(!has_inner(world.guard->skeleton->maps.folds, job * FOLD_EPOCHS));
	cr_assert_eq(bpf_map_lookup_elem(settings_fd, &policy, &settings), 0);
	cr_expect_eq(settings.image_hash[0], 0, "the mark is left");
	cr_assert_eq(bpf_map_lookup_elem(accounts_fd, &job, &account), 0);
	cr_expect_eq(account.begun_ns, 0, "the account is left");
	cr_expect(has_inner(world.guard->skeleton->maps.names, world.policy));
	expect_guarded(&world);
}

Test(takeover, heals_maps_whose_maker_was_killed, .timeout = 600)
{
	struct world world = { .options = { .jobs_max = 4, .pins = world.pins } };
	unsigned int half = 0, seed = (unsigned int)getpid();
	_cleanup_free_ char *first = NULL;
	struct guard *guard;

	snprintf(world.pins, sizeof(world.pins), "test-%d", getpid());
	first = strdup(pin(&world, "maps/job_slots"));
	for (int round = 0; round < ROUNDS / 2; round++) {
		pid_t pid = fork();

		if (!pid)
			_exit(guard_open(&world.options, &guard) ? 1 : 0);
		/* All are pinned within a fraction of a millisecond: no time for us to sleep. */
		while (access(first, F_OK) && !waitpid(pid, NULL, WNOHANG))
			;
		for (unsigned int spin = (unsigned int)rand_r(&seed) % 50; spin; spin--)
			access(first, F_OK);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		half += access(pin(&world, "layout"), F_OK) != 0;
		cr_expect_eq(guard_open(&world.options, &guard), 0);
		guard_close(guard);
		cr_expect_eq(guard_pins_forget(world.pins), 0);
	}
	cr_log_info("%u of %d were killed between the first map and the last", half,
		    ROUNDS / 2);
}
