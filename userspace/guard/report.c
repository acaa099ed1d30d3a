/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Exactly once. A report goes out in three steps, each of which is whole or not there at all: the
 * callback writes it down; the account takes in its name and its attempts, in one update; its
 * source, a sample in the ring or a fold, is removed. A successor finds by the account's last name
 * a source that was counted, and by the last name that was written down a report that was not; so
 * it must look for both before it gives out anything. Reading the sources is read.c's matter.
 */
#include "guard/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "buildfence.skel.h"

#define BOOT_ID		"/proc/sys/kernel/random/boot_id"

enum report_kind {
	KIND_FIRST = 'f',
	KIND_REPEATS = 'r',
	KIND_LOST = 'u',
};

/* A name with its job, as in a uid. */
struct report_name {
	uint64_t boot;
	uint32_t job;
	struct report_id id;
};

/* --- names -------------------------------------------------------------------------------- */

/* The first half of the boot's id; 0 where it cannot be read. */
static uint64_t boot_half(void)
{
	static uint64_t half;
	_cleanup_fclose_ FILE *file = half ? NULL : fopen(BOOT_ID, "re");
	unsigned int parts[3];

	if (file && fscanf(file, "%8x-%4x-%4x", &parts[0], &parts[1], &parts[2]) == 3)
		half = (uint64_t)parts[0] << 32 | (uint64_t)parts[1] << 16 | parts[2];
	return half;
}

static void uid_write(const struct report_name *name, char ret_uid[static GUARD_UID_SIZE])
{
	snprintf(ret_uid, GUARD_UID_SIZE,
		 "%016" PRIx64 "-%u-%" PRIx64 "-%" PRIx64 "-%" PRIu64 "%c", name->boot, name->job,
		 (uint64_t)name->id.time_ns, (uint64_t)name->id.kind_hash,
		 (uint64_t)name->id.count, (char)name->id.kind);
}

static bool uid_read(const char *uid, struct report_name *ret_name)
{
	uint64_t time, hash, count;
	int end = 0;
	char kind;

	if (sscanf(uid, "%16" SCNx64 "-%u-%" SCNx64 "-%" SCNx64 "-%" SCNu64 "%c%n",
		   &ret_name->boot, &ret_name->job, &time, &hash, &count, &kind, &end) != 6 ||
	    !end || uid[end])
		return false;
	ret_name->id = (struct report_id){
		.time_ns = time, .kind_hash = hash, .count = count, .kind = (uint8_t)kind,
	};
	return true;
}

static void hash_add(uint64_t *hash, const void *bytes, size_t length)
{
	/* FNV-1a: enough beside a time in nanoseconds. */
	for (size_t i = 0; i < length; i++)
		*hash = (*hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ULL;
}

static struct report_id id_of(const struct refusal *refusal, enum report_kind kind, uint64_t count)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	/* Everything between the time and the name, without the time; the name has its hash. */
	hash_add(&hash, (const uint8_t *)refusal + sizeof(refusal->time_ns),
		 offsetof(struct refusal, name) - sizeof(refusal->time_ns));
	return (struct report_id){
		.time_ns = refusal->time_ns, .kind_hash = hash, .count = count, .kind = kind,
	};
}

struct report_id report_id_first(const struct refusal *refusal)
{
	return id_of(refusal, KIND_FIRST, 1);
}

struct report_id report_id_repeats(const struct refusal *refusal, uint64_t count)
{
	return id_of(refusal, KIND_REPEATS, count);
}

bool report_id_equal(const struct report_id *a, const struct report_id *b)
{
	return a->kind == b->kind && a->time_ns == b->time_ns && a->kind_hash == b->kind_hash;
}

/* --- accounts ----------------------------------------------------------------------------- */

/* The job's account, or NULL when the refusal is of another that had its number before. */
static const struct account *account_of(struct guard *guard, uint32_t job, uint64_t time_ns)
{
	const struct account *account = guard_job_get(guard, job) ? &guard->accounts[job] : NULL;

	return account && time_ns >= account->begun_ns ? account : NULL;
}

/* Enters a report that was written down. For KIND_LOST the hash is the reason; see below. */
static int account_enter(struct guard *guard, uint32_t job, uint32_t reason, uint64_t count,
			 const struct report_id *id)
{
	const struct account *account = account_of(guard, job, id->time_ns);
	struct account next;

	if (!account)
		return 0;
	next = *account;
	next.given[reason % REASON_SLOTS] += count;
	if (id->kind == KIND_LOST && id->kind_hash < REASON_SLOTS)
		next.unfolded[id->kind_hash] = id->count;
	next.last = *id;
	return bpf_map_update_elem(bpf_map__fd(guard->skeleton->maps.accounts), &job, &next,
				   BPF_ANY);
}

int report_give(struct guard *guard, struct guard_report *report, const struct report_id *id,
		guard_report_fn take, void *context)
{
	const struct refusal *refusal = report->refusal;
	const struct report_name name = { .boot = boot_half(), .job = refusal->job, .id = *id };
	struct refusal of_none = *refusal;
	int refused;

	of_none.job = 0;
	if (!account_of(guard, refusal->job, id->time_ns))
		report->refusal = &of_none;
	uid_write(&name, report->uid);
	refused = take(report, context);
	if (refused)
		return refused;
	return account_enter(guard, refusal->job, refusal->reason, report->count, id);
}

/*
 * The name of attempts that could not be kept apart has the account's beginning as its time, and
 * in place of a hash their reason, plus REASON_SLOTS at the job's end. Its count is the number so
 * far, so that a successor who finds a larger one gives out the difference only.
 */
int report_give_lost(struct guard *guard, uint32_t job, uint32_t reason, bool at_end,
		     uint64_t total, guard_report_fn take, void *context)
{
	const struct account *account = &guard->accounts[job];
	uint64_t given = at_end ? account->given[reason] : account->unfolded[reason];
	const struct refusal refusal = {
		.job = job, .reason = (uint8_t)reason, .time_ns = clock_ns(CLOCK_BOOTTIME),
	};
	struct guard_report report = {
		.refusal = &refusal, .count = total - given, .last_ns = refusal.time_ns,
	};
	const struct report_id id = {
		.kind = KIND_LOST, .time_ns = account->begun_ns, .count = total,
		.kind_hash = reason + (at_end ? REASON_SLOTS : 0),
	};

	return total > given ? report_give(guard, &report, &id, take, context) : 0;
}

/* --- after a takeover --------------------------------------------------------------------- */

/* Removes the first sample of the ring if it is the report's; entered into its account before. */
static int first_settle(struct guard *guard, const struct report_name *name, bool enter)
{
	struct report_id id;
	struct refusal refusal;
	int error = 0;

	if (ring_peek(&guard->ring, &refusal, sizeof(refusal)) < sizeof(refusal) ||
	    refusal.job != name->job)
		return 0;
	id = report_id_first(&refusal);
	if (!report_id_equal(&id, &name->id))
		return 0;
	if (enter)
		error = account_enter(guard, name->job, refusal.reason, 1, &id);
	if (!error)
		ring_release(&guard->ring);
	return error;
}

/*
 * The same for a fold, which is in one of two tables. It counts as often as was written down: what
 * a program added to it since comes out with the job's end.
 */
static int fold_settle(struct guard *guard, int fd, const struct report_name *name, bool enter)
{
	struct fold_key key, *before = NULL;
	struct fold fold;

	for (; !bpf_map_get_next_key(fd, before, &key); before = &key) {
		struct report_id id;
		int error = 0;

		if (bpf_map_lookup_elem(fd, &key, &fold))
			continue;
		id = report_id_repeats(&fold.refusal, name->id.count);
		if (!report_id_equal(&id, &name->id))
			continue;
		if (enter)
			error = account_enter(guard, name->job, fold.refusal.reason,
					      name->id.count, &id);
		return error ? error : bpf_map_delete_elem(fd, &key);
	}
	return 0;
}

static int lost_settle(struct guard *guard, const struct report_name *name)
{
	const struct account *account = account_of(guard, name->job, name->id.time_ns);
	uint32_t reason = (uint32_t)(name->id.kind_hash % REASON_SLOTS);
	bool at_end = name->id.kind_hash >= REASON_SLOTS;
	uint64_t given;

	if (!account || account->begun_ns != name->id.time_ns)
		return 0;
	given = at_end ? account->given[reason] : account->unfolded[reason];
	if (name->id.count <= given)
		return 0;
	return account_enter(guard, name->job, reason, name->id.count - given, &name->id);
}

static int report_settle(struct guard *guard, const struct report_name *name, bool enter)
{
	struct guard_job *entry = guard_job_get(guard, name->job);
	int error = 0;

	if (name->id.kind == KIND_FIRST)
		return first_settle(guard, name, enter);
	if (name->id.kind == KIND_LOST)
		return enter ? lost_settle(guard, name) : 0;
	for (uint32_t i = 0; entry && !error && i < FOLD_EPOCHS; i++)
		error = fold_settle(guard, entry->tables[TABLE_FOLDS + i], name, enter);
	return error;
}

int reports_settle(struct guard *guard, const char *last_uid)
{
	struct report_name name = {};
	int error = 0;

	/* What is in an account must be removed first: the last uid may be of the same report. */
	for (uint32_t job = 1; !error && job <= guard->jobs_max; job++) {
		name = (struct report_name){ .job = job };
		if (!guard_job_get(guard, job))
			continue;
		name.id = guard->accounts[job].last;
		error = report_settle(guard, &name, false);
	}
	if (!error && last_uid && uid_read(last_uid, &name) && name.boot == boot_half())
		error = report_settle(guard, &name, true);
	return error;
}
