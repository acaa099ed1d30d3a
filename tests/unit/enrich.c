/* SPDX-License-Identifier: GPL-2.0 */
/* Enriching: names, times, and never another process's path. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "event/describe.h"
#include "event/enrich.h"
#include "event_made.h"
#include "policy/compile.h"

Test(enrich, a_reversed_name_comes_forward_and_escaped)
{
	uint8_t key[NAME_LEN] = {};
	char name[NAME_LEN * 4 + 1];

	name_forward(key, name_reverse("dev.azure.com", key), name);
	cr_expect_str_eq(name, "dev.azure.com");
	name_forward((const uint8_t *)"b\n[osv##a.", 10, name);
	cr_expect_str_eq(name, "a\\x23#vso[\\x0ab");
	name_forward(key, 0, name);
	cr_expect_str_eq(name, "");
}

Test(enrich, the_longest_name_fits)
{
	uint8_t key[NAME_LEN];
	char name[NAME_LEN * 4 + 1];

	memset(key, 0xff, sizeof(key));
	name_forward(key, sizeof(key), name);
	cr_expect_eq(strlen(name), NAME_LEN * 4);
}

Test(enrich, now_since_boot_is_now)
{
	struct timespec converted = time_from_boot(clock_ns(CLOCK_BOOTTIME));

	cr_expect_lt(labs(converted.tv_sec - time(NULL)), 2);
}

Test(enrich, a_process_is_described_by_its_path)
{
	_cleanup_free_ char *path = NULL, *command_line = NULL;
	char comm[COMM_LEN] = "enrich-test";

	prctl(PR_SET_NAME, comm);
	process_describe(getpid(), comm, clock_ns(CLOCK_BOOTTIME), &path, &command_line);
	cr_assert_not_null(path);
	cr_expect_eq(path[0], '/');
	cr_expect_not_null(command_line);
}

Test(enrich, a_process_that_started_after_the_attempt_is_another_one)
{
	_cleanup_free_ char *path = NULL, *command_line = NULL;
	char comm[COMM_LEN] = "enrich-test";

	prctl(PR_SET_NAME, comm);
	process_describe(getpid(), comm, 1, &path, &command_line);
	cr_expect_null(path);
	cr_expect_null(command_line);
}

Test(enrich, a_process_with_another_name_is_another_one)
{
	_cleanup_free_ char *path = NULL, *command_line = NULL;

	process_describe(getpid(), (char[COMM_LEN]){ "somebody-else" }, clock_ns(CLOCK_BOOTTIME),
			 &path, &command_line);
	cr_expect_null(path);
	cr_expect_null(command_line);
}

Test(enrich, a_process_that_is_gone_keeps_the_name_that_the_kernel_saw)
{
	struct refusal refusal = {
		.pid = 0x7fffffff, .comm = "gone\n", .time_ns = clock_ns(CLOCK_BOOTTIME),
	};
	struct event event;

	cr_assert_eq(event_fill(&job_made, &refusal, 3, 0, true, false, &event), 0);
	cr_expect_str_eq(event.process, "gone\\x0a");
	cr_expect_null(event.command_line);
	cr_expect_str_eq(event.username, "root");
	cr_expect_eq(event.count, 3);
	event_clear(&event);
}

Test(enrich, a_rule_number_that_the_policy_lacks_is_no_rule)
{
	struct refusal refusal = { .rule = 99 };
	struct event event;

	cr_assert_eq(event_fill(&job_made, &refusal, 1, 0, true, true, &event), 0);
	cr_expect_null(event.rule);
	event_clear(&event);
}
