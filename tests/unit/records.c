/* SPDX-License-Identifier: GPL-2.0 */
/* The daemon's file of records, and what happens when it is moved away. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/records.h"
#include "event_made.h"

static char folder[32], path[64], moved[80];
static struct records *records;

static void publish(uint32_t job, const char *line, size_t length, void *context)
{
	(void)job;
	(void)line;
	(void)length;
	(void)context;
}

static void folder_make(void)
{
	char last_uid[RECORD_UID_SIZE];

	strcpy(folder, "/tmp/records.XXXXXX");
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/log/records.ndjson", folder);
	snprintf(moved, sizeof(moved), "%s.1", path);
	umask(0022);
	cr_assert_eq(records_open(path, publish, NULL, last_uid, &records), 0);
}

static void folder_remove(void)
{
	char command[64];

	records_close(records);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	cr_expect_eq(system(command), 0);
}

TestSuite(records, .init = folder_make, .fini = folder_remove);

static void record_write(void)
{
	const struct event event = event_made("paste.example", REASON_NOT_ALLOWED, HOOK_CONNECT);

	cr_assert_eq(records_write(records, 1, &event), 0);
}

/* How many bytes of records stand there, from a place on. */
static off_t length_from(const struct records_place *place)
{
	_cleanup_close_ int fd = records_past_open(records, place);
	struct stat status;

	cr_assert(fd >= 0 && !fstat(fd, &status));
	return status.st_size - lseek(fd, 0, SEEK_CUR);
}

static mode_t mode_of(const char *file)
{
	struct stat status;

	cr_assert_eq(stat(file, &status), 0);
	return status.st_mode & 07777;
}

Test(records, a_place_is_where_later_records_begin)
{
	struct records_place begin = records_end(records), middle;

	record_write();
	middle = records_end(records);
	record_write();
	cr_expect_eq(begin.offset, 0);
	cr_expect_eq(length_from(&middle), (off_t)middle.offset);
	cr_expect_eq(length_from(NULL), 2 * (off_t)middle.offset);
}

Test(records, a_place_in_a_file_that_was_moved_is_the_beginning_of_the_next)
{
	struct records_place middle;

	record_write();
	middle = records_end(records);
	cr_assert_eq(rename(path, moved), 0);
	record_write();
	cr_assert_eq(records_reopen(records), 0);
	cr_expect_eq(length_from(&middle), 0);
	record_write();
	record_write();
	cr_expect_eq(length_from(&middle), 2 * (off_t)middle.offset);
	/* As an older version wrote it down. */
	middle.file = 0;
	cr_expect_eq(length_from(&middle), (off_t)middle.offset);
}

Test(records, a_file_that_is_made_is_closed_and_one_that_is_there_keeps_its_mode)
{
	cr_expect_eq(mode_of(path), 0640);
	cr_assert_eq(rename(path, moved), 0);
	cr_assert_eq(records_reopen(records), 0);
	cr_expect_eq(mode_of(path), 0640);
	cr_assert_eq(chmod(path, 0604), 0);
	cr_assert_eq(records_reopen(records), 0);
	cr_expect_eq(mode_of(path), 0604);
}
