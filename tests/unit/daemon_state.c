/* SPDX-License-Identifier: GPL-2.0 */
/* What the daemon writes down for its successor: jobs, names of rules, the last record. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/description.h"
#include "daemon/job.h"
#include "daemon/jobs_internal.h"
#include "daemon/policies.h"
#include "daemon/store.h"
#include "event/sink.h"
#include "policy/policy.h"

static char folder[64];
static int folder_fd = -1;

static void folder_make(void)
{
	strcpy(folder, "/tmp/buildfence-unit-XXXXXX");
	cr_assert(mkdtemp(folder));
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert(folder_fd >= 0);
}

static void folder_remove(void)
{
	static const char *const names[] = { "7.json", "7.json.new", "x.json", "records" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlinkat(folder_fd, names[i], 0);
	close(folder_fd);
	rmdir(folder);
}

TestSuite(daemon_state, .init = folder_make, .fini = folder_remove);

static void file_write(const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(folder_fd, name,
					O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static struct job *job_made(void)
{
	struct job *job = job_new(JOB_ATTACHED);

	cr_assert(job);
	job->number = 7;
	job->name = strdup("build-7.4711");
	job->cgroup = strdup("/system.slice/buildfence.service/job-7-build-7_4711");
	job->policy_source = strdup("/etc/buildfence/release.yaml");
	job->agent = strdup("build-7");
	job->from = strdup("/system.slice/vsts.agent.a.service");
	job->worker = 4711;
	job->worker_start = 123456789;
	job->started = 1700000000;
	job->records_from = (struct records_place){ .file = 77, .offset = 4096 };
	job->refused = 12;
	job->identity = calloc(3, sizeof(*job->identity));
	job->identity[0] = strdup("AzpJobId=12f1170f");
	job->identity[1] = strdup("AzpDefinitionName=a=b");
	return job;
}

Test(daemon_state, a_job_is_read_back_as_it_was_written)
{
	struct job *job = job_made(), *read = NULL;

	cr_assert_eq(job_record_write(folder_fd, job), 0);
	cr_assert_eq(job_record_read(folder_fd, "7.json", &read), 0);
	cr_assert_eq(read->origin, JOB_ATTACHED);
	cr_assert_eq(read->number, 7);
	cr_assert_str_eq(read->name, job->name);
	cr_assert_str_eq(read->cgroup, job->cgroup);
	cr_assert_str_eq(read->policy_source, job->policy_source);
	cr_assert_str_eq(read->agent, "build-7");
	cr_assert_null(read->pool);
	cr_assert_str_eq(read->from, job->from);
	cr_assert_eq(read->worker, 4711);
	cr_assert_eq(read->worker_start, 123456789);
	cr_assert_eq(read->started, 1700000000);
	cr_assert(read->records_from.file == 77 && read->records_from.offset == 4096);
	cr_assert_eq(read->refused, 12);
	cr_assert_str_eq(read->identity[0], "AzpJobId=12f1170f");
	cr_assert_str_eq(read->identity[1], "AzpDefinitionName=a=b");
	cr_assert_null(read->identity[2]);
	job_free(NULL, read);
	job_free(NULL, job);
}

Test(daemon_state, bytes_that_are_no_text_do_not_lose_a_job)
{
	struct job *job = job_made(), *read = NULL;

	free(job->identity[0]);
	job->identity[0] = strdup("AzpJobId=\xff\x01");
	cr_assert_eq(job_record_write(folder_fd, job), 0);
	cr_assert_eq(job_record_read(folder_fd, "7.json", &read), 0);
	cr_assert_str_eq(read->identity[0], "AzpJobId=\\xff\\x01");
	job_free(NULL, read);
	job_free(NULL, job);
}

Test(daemon_state, a_spoiled_record_of_a_job_is_an_error)
{
	static const char *const texts[] = {
		"", "{", "[]", "{}", "{\"number\":7}", "{\"number\":\"7\",\"name\":\"x\"}",
		"{\"number\":7,\"name\":\"x\",\"cgroup\":null,\"policy\":\"p\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct job *job = NULL;

		file_write("7.json", texts[i]);
		cr_assert_eq(job_record_read(folder_fd, "7.json", &job), -EBADMSG, "%s", texts[i]);
	}
}

Test(daemon_state, a_symbolic_link_is_not_read)
{
	_cleanup_json_ json_t *object = NULL;

	cr_assert_eq(symlinkat("/etc/passwd", folder_fd, "x.json"), 0);
	cr_assert_eq(store_read(folder_fd, "x.json", &object), -ELOOP);
}

Test(daemon_state, a_description_names_the_rules)
{
	struct rule rules[] = {
		{ .id = 1, .label = "symbol server" }, { .id = 2, .label = "tcp://10.0.0.0/8" },
	};
	struct policy policy = {
		.name = "release", .hash = "abc", .mode = MODE_AUDIT, .rules = rules,
		.rule_count = 2,
	};
	_cleanup_policy_ struct policy *read = NULL;

	cr_assert_eq(description_write(folder_fd, 7, &policy), 0);
	cr_assert_eq(description_read(folder_fd, 7, &read), 0);
	cr_assert_str_eq(read->name, "release");
	cr_assert_str_eq(read->hash, "abc");
	cr_assert_eq(read->mode, MODE_AUDIT);
	cr_assert_eq(read->rule_count, 2);
	cr_assert_eq(read->rules[1].id, 2);
	cr_assert_str_eq(read->rules[1].label, "tcp://10.0.0.0/8");
}

Test(daemon_state, a_description_that_is_missing_or_spoiled_is_a_closed_policy_without_rules)
{
	for (int spoiled = 0; spoiled < 2; spoiled++) {
		_cleanup_policy_ struct policy *read = NULL;

		if (spoiled)
			file_write("7.json", "{\"name\":");
		cr_assert_eq(description_read(folder_fd, 7, &read), 0);
		cr_assert_str_eq(read->name, "unknown");
		cr_assert_eq(read->mode, MODE_ENFORCE);
		cr_assert_eq(read->rule_count, 0);
	}
}

Test(daemon_state, a_record_is_told_by_the_policy_that_made_it)
{
	struct policy first = { .name = "first" }, second = { .name = "second" };
	struct loaded before = { .policy = &first, .references = 9 };
	struct loaded after = { .policy = &second, .references = 9 };
	struct job *job = job_made();
	bool known;

	job_policy_note(NULL, job, &before, 10);
	job_policy_note(NULL, job, &after, 11);
	cr_assert_str_eq(job_event(job, 10, &known).policy->name, "first");
	cr_assert(known);
	cr_assert_str_eq(job_event(job, 11, &known).policy->name, "second");
	cr_assert(known);
	cr_assert_str_eq(job_event(job, 9, &known).policy->name, "second");
	cr_assert_not(known);
	for (int tick = 0; tick < 10; tick++)
		job_tick(NULL, job);
	cr_assert_eq(before.references, 8, "the old policy is given back");
	job_event(job, 10, &known);
	cr_assert_not(known);
	job_free(NULL, job);
}

/* What a worker left behind keeps its job, while a later job's worker gets its number. */
Test(daemon_state, a_number_that_was_given_away_is_the_later_workers)
{
	struct job before = { .number = 1, .worker = 4711, .worker_start = 100 };
	struct job now = { .number = 2, .worker = 4711, .worker_start = 200 };
	struct job other = { .number = 3, .worker = 4712, .worker_start = 300 };
	struct job *by_number[][4] = {
		{ NULL, &before, &now, &other }, { NULL, &now, &other, &before },
	};

	for (size_t i = 0; i < ARRAY_SIZE(by_number); i++) {
		const struct jobs jobs = { .parts.jobs_max = 3, .by_number = by_number[i] };

		cr_assert_eq(job_by_worker(&jobs, 4711), &now);
		cr_assert_null(job_by_worker(&jobs, 4713));
	}
}

#define UNIT	"/system.slice/vsts.agent.o.p.a.service"
#define SLICE	"/user.slice/user-1000.slice"

struct share_case {
	char what[48];
	uint32_t places;
	const char *from[9];		/* of those that have places */
	const char *next;
	bool beyond;
};

static const struct share_case shares[] = {
	{ "the only place", 1, { NULL }, UNIT, false },
	{ "the sixth of seven", 7, { UNIT, UNIT, UNIT, UNIT, UNIT }, UNIT, false },
	{ "the last of seven", 7, { UNIT, UNIT, UNIT, UNIT, UNIT, UNIT }, UNIT, false },
	{ "the last of eight", 8, { UNIT, UNIT, UNIT, UNIT, UNIT, UNIT, UNIT }, UNIT, true },
	{ "the last of eight, for another", 8, { UNIT, UNIT, UNIT, UNIT, UNIT, UNIT, UNIT }, SLICE, false },
	{ "no place", 2, { UNIT, UNIT }, SLICE, true },
	{ "a user's sessions", 8,
	  { SLICE "/session-1.scope", SLICE "/session-2.scope",
	    SLICE "/user@1000.service/app.slice/a", SLICE, SLICE "/b", SLICE "/c",
	    SLICE "/d" }, SLICE "/e", true },
	{ "a name that begins with the unit's", 8, { UNIT, UNIT, UNIT, UNIT, UNIT, UNIT, UNIT }, UNIT "2", false },
	{ "the root", 8, { "/", "/", "/", "/", "/", "/", "/" }, "/", true },
	{ "a slice at the root", 8, { "/", "/", "/", "/", "/", "/", "/" }, "/a.slice", false },
};

Test(daemon_state, no_agents_jobs_take_all_places)
{
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
		const struct share_case *share = &shares[i];
		struct job made[9] = {}, *by_number[10] = {};
		struct jobs jobs = { .parts.jobs_max = share->places + JOBS_RESERVED,
				     .by_number = by_number };

		for (; share->from[jobs.count]; jobs.count++) {
			made[jobs.count].name = (char *)"x";
			made[jobs.count].from = (char *)share->from[jobs.count];
			by_number[jobs.count + 1] = &made[jobs.count];
		}
		cr_expect_eq(place_is_beyond_share(&jobs, share->next), share->beyond, "%s",
			     share->what);
	}
}

/* The overflow job needs no place of the others', and others have none of its. */
Test(daemon_state, the_overflow_job_is_not_counted)
{
	struct job overflow = { .number = 1, .name = (char *)JOBS_OVERFLOW };
	struct job worker = { .number = 2, .name = (char *)"a.1", .from = (char *)"/" };
	struct job *by_number[] = { NULL, &overflow, &worker, NULL };
	const struct jobs jobs = { .parts.jobs_max = 3, .by_number = by_number, .count = 2 };

	cr_expect_eq(jobs_overflow(&jobs), &overflow);
	cr_expect_eq(jobs_places(&jobs), 2);
	cr_expect_eq(jobs_count(&jobs), 1);
	overflow.ended = true;
	cr_expect_null(jobs_overflow(&jobs));
	cr_expect_eq(jobs_count(&jobs), 2, "one that ended has a place as any other");
}

struct tail_case {
	char name[48];
	char text[160];
	char uid[16];
	off_t length;		/* of the file afterwards */
};

static const struct tail_case tails[] = {
	{ "an empty file", "", "", 0 },
	{ "one record", "{\"EventOriginalUid\":\"a\"}\n", "a", 25 },
	{ "two records", "{\"EventOriginalUid\":\"a\"}\n{\"EventOriginalUid\":\"b\"}\n", "b", 50 },
	{ "a torn record", "{\"EventOriginalUid\":\"a\"}\n{\"EventOrig", "a", 25 },
	{ "a whole record without its newline", "{\"EventOriginalUid\":\"a\"}\n"
	  "{\"EventOriginalUid\":\"b\"}", "a", 25 },
	{ "nothing but a torn record", "{\"EventOrig", "", 0 },
	{ "a record without a uid", "{\"EventCount\":1}\n", "", 17 },
	{ "a line that is no record", "hello\n", "", 6 },
};

Test(daemon_state, the_last_record_that_is_whole_tells_its_uid)
{
	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		const struct tail_case *tail = &tails[i];
		struct stat status;
		char path[96], uid[16] = "x";

		file_write("records", tail->text);
		snprintf(path, sizeof(path), "%s/records", folder);
		cr_assert_eq(sink_ndjson_last_uid(path, uid, sizeof(uid)), 0, "%s", tail->name);
		cr_assert_str_eq(uid, tail->uid, "%s", tail->name);
		cr_assert_eq(stat(path, &status), 0);
		cr_assert_eq(status.st_size, tail->length, "%s", tail->name);
	}
}

/* As a power cut leaves it. Nobody would be guarded if the daemon did not start. */
Test(daemon_state, a_long_end_without_a_newline_is_kept_and_begins_no_record)
{
	_cleanup_close_ int fd = openat(folder_fd, "records", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	const off_t zeros = 20000;
	char path[96], uid[16] = "x", last = 0;
	struct stat status;

	dprintf(fd, "{\"EventOriginalUid\":\"a\"}\n");
	cr_assert_eq(ftruncate(fd, 25 + zeros), 0);
	snprintf(path, sizeof(path), "%s/records", folder);
	cr_assert_eq(sink_ndjson_last_uid(path, uid, sizeof(uid)), 0);
	cr_expect_str_eq(uid, "");
	cr_assert_eq(fstat(fd, &status), 0);
	cr_expect_eq(status.st_size, 25 + zeros + 1);
	cr_expect_eq(pread(fd, &last, 1, 25 + zeros), 1);
	cr_expect_eq(last, '\n');
}

Test(daemon_state, the_last_uid_is_found_behind_a_long_file)
{
	_cleanup_close_ int fd = openat(folder_fd, "records", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char path[96], uid[16];

	for (int i = 0; i < 5000; i++)
		dprintf(fd, "{\"EventOriginalUid\":\"n%d\"}\n", i);
	snprintf(path, sizeof(path), "%s/records", folder);
	cr_assert_eq(sink_ndjson_last_uid(path, uid, sizeof(uid)), 0);
	cr_assert_str_eq(uid, "n4999");
}
