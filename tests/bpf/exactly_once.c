/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reports over the death of who reads them. A log in a file stands for the daemon's records: what
 * is in it was written down, and its last line is what the successor is told.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "job/cgroup.h"
#include "world.h"
#include "buildfence.skel.h"

#define REFUSED		"198.51.100.9"
#define PORT		9000
#define ROUNDS		25
#define BURST		700		/* datagrams of a round, of 7 kinds */

static const char rules[] = "allow: [ 'udp://203.0.113.0/24:9000' ]";

struct log {
	char path[40];
	int fd;
	int refuse;		/* how many reports to refuse */
	int die_at;		/* end the process in this report, from 1; 0: never */
	bool die_before;	/* before it is written down */
	char refused[GUARD_UID_SIZE];
	struct refusal refusal;
};

static void log_open(struct log *log)
{
	*log = (struct log){ .path = "/tmp/buildfence-once-XXXXXX" };
	log->fd = mkostemp(log->path, O_APPEND | O_CLOEXEC);
	cr_assert(log->fd >= 0);
}

static void log_close(struct log *log)
{
	close(log->fd);
	unlink(log->path);
}
#define _cleanup_log_ __attribute__((cleanup(log_close)))

static int report_write(const struct guard_report *report, void *context)
{
	struct log *log = context;
	char line[GUARD_UID_SIZE + 32];
	int length = snprintf(line, sizeof(line), "%s %" PRIu64 "\n", report->uid, report->count);

	if (log->refuse && log->refuse--) {
		memcpy(log->refused, report->uid, sizeof(log->refused));
		log->refusal = *report->refusal;
		return -ENOSPC;
	}
	if (log->die_at == 1 && log->die_before)
		_exit(0);
	if (write(log->fd, line, (size_t)length) != length)
		return -EIO;
	if (log->die_at && !--log->die_at)
		_exit(0);
	return 0;
}

struct line {
	char uid[GUARD_UID_SIZE];
	uint64_t count;
};

static int line_order(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->uid, ((const struct line *)b)->uid);
}

/* The sum of all counts; fails the test where a uid stands twice. ret_last may be NULL. */
static uint64_t log_sum(const struct log *log, char *ret_last)
{
	_cleanup_free_ struct line *lines = calloc(65536, sizeof(*lines));
	_cleanup_fclose_ FILE *file = fopen(log->path, "re");
	uint64_t sum = 0;
	size_t count = 0;

	cr_assert(lines && file);
	while (count < 65536 &&
	       fscanf(file, "%95s %" SCNu64, lines[count].uid, &lines[count].count) == 2)
		sum += lines[count++].count;
	if (ret_last)
		strcpy(ret_last, count ? lines[count - 1].uid : "");
	qsort(lines, count, sizeof(*lines), line_order);
	for (size_t i = 1; i < count; i++)
		cr_expect(strcmp(lines[i - 1].uid, lines[i].uid), "%s stands twice", lines[i].uid);
	return sum;
}

/* `count` refused datagrams of `kinds` kinds. */
static void refuse(int fd, unsigned int count, unsigned int kinds)
{
	for (unsigned int i = 0; i < count; i++)
		cr_assert_eq(send_to(fd, "x", 1, REFUSED, (uint16_t)(PORT + i % kinds)), -EPERM);
}

/* Reads in a child that dies in its die_at-th report; the rest is the successor's. */
static void die_reading(struct world *world, struct log *log, bool drain)
{
	pid_t pid = fork();

	cr_assert(pid >= 0);
	if (!pid) {
		if (drain)
			guard_job_drain(world->guard, world->job, report_write, log);
		else
			guard_refusals_read(world->guard, report_write, log);
		_exit(1);
	}
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	log->die_at = 0;
}

struct death_case {
	char what[48];
	int die_at;		/* with 3 kinds: 1 to 3 are first attempts, 4 to 6 repeats */
	bool before;
};

static const struct death_case death_cases[] = {
	{ "before a first attempt is written", 2, true },
	{ "after a first attempt is written", 2, false },
	{ "before repeats are written", 5, true },
	{ "after repeats are written", 5, false },
	{ "after the last one is written", 6, false },
};

Test(exactly_once, whatever_report_a_reader_dies_in, .timeout = 60)
{
	for (size_t i = 0; i < ARRAY_SIZE(death_cases); i++) {
		const struct death_case *row = &death_cases[i];
		_cleanup_world_ struct world world;
		_cleanup_log_ struct log log;
		char last[GUARD_UID_SIZE];

		log_open(&log);
		world_open_pinned(&world, MODE_ENFORCE, rules);
		refuse(socket_job(&world, AF_INET, SOCK_DGRAM), 30, 3);
		log.die_at = row->die_at;
		log.die_before = row->before;
		die_reading(&world, &log, true);
		log_sum(&log, last);
		world_take_over(&world, last);
		cr_assert_eq(guard_job_drain(world.guard, world.job, report_write, &log), 0);
		cr_expect_eq(log_sum(&log, last), 30, "%s: %" PRIu64, row->what,
			     log_sum(&log, NULL));
		/* Told a name of long ago, a successor gives nothing again. */
		world_take_over(&world, last);
		cr_assert_eq(guard_job_drain(world.guard, world.job, report_write, &log), 0);
		cr_expect_eq(log_sum(&log, NULL), 30, "%s, again", row->what);
	}
}

/* More kinds than the table holds, so that the last report is of those not kept apart. */
Test(exactly_once, what_could_not_be_kept_apart)
{
	unsigned int kinds = FOLDS_MAX + 100;
	_cleanup_world_ struct world world;
	_cleanup_log_ struct log log;
	char last[GUARD_UID_SIZE];
	int fd;

	log_open(&log);
	world_open_pinned(&world, MODE_ENFORCE, rules);
	fd = socket_job(&world, AF_INET, SOCK_DGRAM);
	refuse(fd, kinds, kinds);
	log.die_at = FOLDS_MAX + 1;
	die_reading(&world, &log, true);
	cr_assert_eq(log_sum(&log, last), kinds);
	cr_assert_eq(last[strlen(last) - 1], 'u', "%s", last);
	/* Its number has grown when the successor comes: only the difference is news. */
	refuse(fd, kinds, kinds);
	world_take_over(&world, last);
	cr_assert_eq(guard_job_drain(world.guard, world.job, report_write, &log), 0);
	cr_expect_eq(log_sum(&log, NULL), 2 * kinds, "%" PRIu64, log_sum(&log, NULL));
}

/* What only the job's last drain finds: attempts that went with an entry while it was taken. */
Test(exactly_once, what_is_left_at_the_end)
{
	struct fold_key key;
	_cleanup_world_ struct world world;
	_cleanup_log_ struct log log;
	char last[GUARD_UID_SIZE];

	log_open(&log);
	world_open_pinned(&world, MODE_ENFORCE, rules);
	refuse(socket_job(&world, AF_INET, SOCK_DGRAM), 10, 1);
	for (int i = 0; i < FOLD_EPOCHS; i++) {
		int fd = world.guard->jobs[world.job].tables[TABLE_FOLDS + i];

		while (!bpf_map_get_next_key(fd, NULL, &key))
			bpf_map_delete_elem(fd, &key);
	}
	log.die_at = 2;
	die_reading(&world, &log, true);
	cr_assert_eq(log_sum(&log, last), 10);
	world_take_over(&world, last);
	cr_assert_eq(guard_job_drain(world.guard, world.job, report_write, &log), 0);
	cr_expect_eq(log_sum(&log, NULL), 10, "%" PRIu64, log_sum(&log, NULL));
}

/* The kill that no callback can make: after the account was written, before the source is gone. */
Test(exactly_once, what_was_entered_but_not_removed)
{
	for (int repeats = 0; repeats < 2; repeats++) {
		_cleanup_world_ struct world world;
		_cleanup_log_ struct log log;
		struct account account;
		int fd, accounts;

		log_open(&log);
		world_open_pinned(&world, MODE_ENFORCE, rules);
		fd = socket_job(&world, AF_INET, SOCK_DGRAM);
		accounts = bpf_map__fd(world.guard->skeleton->maps.accounts);
		refuse(fd, 10, 1);
		if (repeats)
			cr_assert_eq(guard_refusals_read(world.guard, report_write, &log), 0);
		log.refuse = 1;
		cr_assert_eq(guard_job_drain(world.guard, world.job, report_write, &log), -ENOSPC);
		account = world.guard->accounts[world.job];
		account.last = repeats ? report_id_repeats(&log.refusal, 9) :
					 report_id_first(&log.refusal);
		account.given[REASON_NOT_ALLOWED] += repeats ? 9 : 1;
		cr_assert_eq(bpf_map_update_elem(accounts, &world.job, &account, BPF_ANY), 0);
		/* The log's last line may be the same report, or an older one. */
		world_take_over(&world, repeats ? NULL : log.refused);
		cr_assert_eq(guard_job_drain(world.guard, world.job, report_write, &log), 0);
		cr_expect_eq(log_sum(&log, NULL), repeats ? 1 : 9);
	}
}

static bool readable(int fd)
{
	_cleanup_close_ int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };

	cr_assert_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	return epoll_wait(epoll, &event, 1, 0) == 1;
}

Test(exactly_once, what_was_refused_stays_and_makes_no_busy_loop)
{
	_cleanup_world_ struct world world;
	_cleanup_log_ struct log log;
	char before[GUARD_UID_SIZE];
	int fd;

	log_open(&log);
	world_open_pinned(&world, MODE_ENFORCE, rules);
	fd = socket_job(&world, AF_INET, SOCK_DGRAM);
	cr_expect_not(readable(guard_refusals_fd(world.guard)));
	refuse(fd, 10, 2);
	cr_expect(readable(guard_refusals_fd(world.guard)));
	log.refuse = 4;
	cr_expect_eq(guard_refusals_read(world.guard, report_write, &log), -ENOSPC);
	memcpy(before, log.refused, sizeof(before));
	cr_expect_not(readable(guard_refusals_fd(world.guard)));
	/* Nor do the fold tables flip meanwhile, or one could be flipped away unread. */
	cr_expect_eq(guard_folds_drain(world.guard, report_write, &log), -ENOSPC);
	cr_expect_eq(guard_folds_drain(world.guard, report_write, &log), -ENOSPC);
	cr_expect_str_eq(log.refused, before);
	world_take_over(&world, NULL);
	cr_expect_eq(guard_refusals_read(world.guard, report_write, &log), -ENOSPC);
	cr_expect_str_eq(log.refused, before);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(guard_folds_drain(world.guard, report_write, &log), 0);
	cr_expect_eq(log_sum(&log, NULL), 10);
	refuse(fd, 1, 1);
	cr_expect(readable(guard_refusals_fd(world.guard)));
}

Test(exactly_once, refused_repeats_of_one_job_do_not_hide_those_of_another)
{
	_cleanup_world_ struct world world;
	_cleanup_log_ struct log log;

	log_open(&log);
	world_open_pinned(&world, MODE_ENFORCE, rules);
	refuse(socket_job(&world, AF_INET, SOCK_DGRAM), 20, 4);
	cr_expect_eq(guard_folds_drain(world.guard, report_write, &log), 0);
	cr_expect_eq(log_sum(&log, NULL), 4);
	/* Idle for more calls than a drain takes turns, but none of them came to its end. */
	for (int i = 0; i < 6; i++) {
		log.refuse = 1;
		cr_expect_eq(guard_folds_drain(world.guard, report_write, &log), -ENOSPC);
	}
	cr_expect_eq(guard_folds_drain(world.guard, report_write, &log), 0);
	cr_expect_eq(log_sum(&log, NULL), 20);
}

/* In a child: a daemon's life, until it is killed. */
static void life_run(struct world *world, struct log *log, const char *last)
{
	struct guard *guard;

	world->options.last_uid = last[0] ? last : NULL;
	if (guard_open(&world->options, &guard))
		_exit(1);
	for (;;) {
		if (guard_refusals_read(guard, report_write, log) ||
		    guard_folds_drain(guard, report_write, log))
			_exit(2);
	}
}

Test(exactly_once, under_a_reader_that_is_killed_over_and_over, .timeout = 120)
{
	unsigned int seed = (unsigned int)getpid();
	_cleanup_world_ struct world world;
	_cleanup_log_ struct log log;
	char last[GUARD_UID_SIZE];
	int fd;

	log_open(&log);
	world_open_pinned(&world, MODE_ENFORCE, rules);
	guard_close(world.guard);
	world.guard = NULL;
	fd = socket_job(&world, AF_INET, SOCK_DGRAM);
	for (int round = 0; round < ROUNDS; round++) {
		off_t size = lseek(log.fd, 0, SEEK_END);
		pid_t pid;

		log_sum(&log, last);
		pid = fork();
		if (!pid)
			life_run(&world, &log, last);
		/* Killed while it reads: not before, which is most of the time that it lives. */
		for (int try = 0; try < 20000 && lseek(log.fd, 0, SEEK_END) == size; try++) {
			refuse(fd, BURST / 100, 7);
			usleep(500);
		}
		for (int i = 0; i < 99; i++)
			refuse(fd, BURST / 100, 7);
		usleep((useconds_t)rand_r(&seed) % 3000);
		cr_assert_eq(kill(pid, SIGKILL), 0);
		cr_assert_eq(waitpid(pid, NULL, 0), pid);
	}
	log_sum(&log, last);
	world.options.last_uid = last;
	cr_assert_eq(guard_open(&world.options, &world.guard), 0);
	cr_assert_eq(guard_job_drain(world.guard, world.job, report_write, &log), 0);
	cr_expect_eq(log_sum(&log, NULL),
		     counters_read(world.guard, world.job).refused[REASON_NOT_ALLOWED],
		     "%" PRIu64 " written, %" PRIu64 " refused", log_sum(&log, NULL),
		     (uint64_t)counters_read(world.guard, world.job).refused[REASON_NOT_ALLOWED]);
}

Test(exactly_once, a_number_given_again_does_not_count_what_its_job_before_left)
{
	_cleanup_world_ struct world world;
	_cleanup_log_ struct log log;
	uint32_t again = 0;

	log_open(&log);
	world_open_pinned(&world, MODE_ENFORCE, rules);
	refuse(socket_job(&world, AF_INET, SOCK_DGRAM), 10, 2);
	cr_assert_eq(guard_job_remove(world.guard, world.job), 0);
	cr_assert_eq(guard_job_add(world.guard, &again), 0);
	cr_assert_eq(again, world.job);
	/* The ring still has them. */
	cr_expect_eq(guard_refusals_read(world.guard, report_write, &log), 0);
	cr_expect_eq(log_sum(&log, NULL), 2);
	cr_expect_eq(world.guard->accounts[again].given[REASON_NOT_ALLOWED], 0);
	cr_assert_eq(guard_attach(world.guard, world.cgroup->fd, again, world.policy, MODE_ENFORCE,
				  NULL, NULL), 0);
	refuse(socket_job(&world, AF_INET, SOCK_DGRAM), 5, 1);
	cr_assert_eq(guard_job_drain(world.guard, again, report_write, &log), 0);
	cr_expect_eq(log_sum(&log, NULL), 7);
}
