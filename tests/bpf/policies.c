/* SPDX-License-Identifier: GPL-2.0 */
/* The daemon's policies and their numbers in the kernel: how long each is kept. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/policies.h"
#include "guard/guard.h"

#define GIVEN_BACK_S	6	/* two of the drain, three of RETIRE_MS, one to spare */

/* Policies in a folder of the test's own. */
struct store {
	struct guard *guard;
	struct policies *policies;
	char folder[64];
	char source[80];
	int fd;
	unsigned int moved;		/* how often a job was told to change, and did not */
};

static void store_make(struct store *store, const char *yaml)
{
	const struct guard_options options = { .policies_max = 4 };
	_cleanup_close_ int fd = -1;

	*store = (struct store){ .folder = "/tmp/buildfence-bpf-XXXXXX" };
	cr_assert(mkdtemp(store->folder));
	store->fd = open(store->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(store->source, sizeof(store->source), "%s/policy.yaml", store->folder);
	fd = open(store->source, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && dprintf(fd, "version: 1\n%s", yaml) > 0);
	cr_assert_eq(guard_open(&options, &store->guard), 0);
	cr_assert_eq(policies_new(store->guard, store->fd, &store->policies), 0);
}

static void store_remove(struct store *store)
{
	static const char *const names[] = { "policy.yaml", "1.json", "2.json" };

	policies_free(store->policies);
	guard_close(store->guard);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlinkat(store->fd, names[i], 0);
	close(store->fd);
	rmdir(store->folder);
}

/* A job that cannot change, as for lack of memory. */
static void moved_in_vain(struct loaded *from, struct loaded *to, void *context)
{
	struct store *store = context;

	(void)from;
	(void)to;
	store->moved++;
}

static void number_note(uint32_t policy, const uint8_t hash[static IMAGE_HASH_LEN], void *context)
{
	(void)hash;
	*(unsigned int *)context |= 1U << policy;
}

/* One bit for each number in use. */
static unsigned int numbers(const struct store *store)
{
	unsigned int found = 0;

	guard_policies_found(store->guard, number_note, &found);
	return found;
}

static void seconds_pass(struct store *store, unsigned int count)
{
	for (; count; count--) {
		policies_tick(store->policies, moved_in_vain, store);
		sleep(1);
	}
}

/* The last day of one of its rules has passed just now. */
static void rule_end(struct loaded *loaded)
{
	for (size_t i = 0; i < loaded->policy->rule_count; i++) {
		if (loaded->policy->rules[i].expires)
			loaded->policy->rules[i].expires = time(NULL) - 1;
	}
	loaded->compiled = time(NULL) - 2;
}

Test(policies, a_number_that_a_job_still_has_is_not_given_to_another, .timeout = 60)
{
	struct diagnostics diag = { .out = stderr };
	struct loaded *loaded;
	struct store store;

	store_make(&store, "allow: [ https://a.example, "
			   "{ to: https://b.example, expires: 2999-12-31 } ]");
	cr_assert_eq(policies_get(store.policies, store.source, &diag, &loaded), 0);
	cr_assert_eq(loaded->number, 1);
	rule_end(loaded);
	seconds_pass(&store, GIVEN_BACK_S);
	cr_expect_eq(store.moved, 1);
	cr_expect_eq(numbers(&store), 1 << 1, "the job's policy is gone, or nobody's is left");
	/* Records of what it refuses still name its rules. */
	cr_expect_str_eq(loaded->policy->rules[0].label, "https://a.example");
	policies_put(store.policies, loaded);
	seconds_pass(&store, GIVEN_BACK_S);
	cr_expect_eq(numbers(&store), 0, "the last job's policy is left");
	store_remove(&store);
}
