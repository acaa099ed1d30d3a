/* SPDX-License-Identifier: GPL-2.0 */
/* Finding cgroup2 and naming a job's cgroup. What needs root is tested end to end. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "job/cgroup.h"

static FILE *text_open(const char *text)
{
	FILE *file = fmemopen((char *)text, strlen(text), "r");

	cr_assert_not_null(file);
	return file;
}

struct find_case {
	char text[160];
	int error;
	char path[64];
};

ParameterizedTestParameters(cgroup, the_mount_of_cgroup2_is_found)
{
	static struct find_case cases[] = {
		{ "proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", 0, "/sys/fs/cgroup" },
		{ "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n", 0,
		  "/sys/fs/cgroup/unified" },
		{ "none /mnt/with\\040space cgroup2 rw 0 0\n", 0, "/mnt/with space" },
		{ "cgroup2 /sys/fs/cgroup/cpu cgroup rw 0 0\n", -ENOENT, "" },
	};

	return cr_make_param_array(struct find_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct find_case *row, cgroup, the_mount_of_cgroup2_is_found)
{
	_cleanup_fclose_ FILE *mounts = text_open(row->text);
	_cleanup_free_ char *path = NULL;

	cr_expect_eq(cgroup_mount_find(mounts, &path), row->error);
	cr_expect_str_eq(path ? path : "", row->path);
}

ParameterizedTestParameters(cgroup, our_own_cgroup_is_found_beside_v1)
{
	static struct find_case cases[] = {
		{ "0::/system.slice/agent.service\n", 0, "/system.slice/agent.service" },
		{ "9:name=systemd:/a\n4:memory:/b\n0::/c\n", 0, "/c" },
		{ "0::/\n", 0, "/" },
		{ "4:memory:/b\n10::/x\n", -ENOENT, "" },
	};

	return cr_make_param_array(struct find_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct find_case *row, cgroup, our_own_cgroup_is_found_beside_v1)
{
	_cleanup_fclose_ FILE *membership = text_open(row->text);
	_cleanup_free_ char *path = NULL;

	cr_expect_eq(cgroup_own_find(membership, &path), row->error);
	cr_expect_str_eq(path ? path : "", row->path);
}

struct name_case {
	char job[32];
	char name[32];
};

ParameterizedTestParameters(cgroup, a_jobs_name_is_safe_in_a_path)
{
	static struct name_case cases[] = {
		{ "nightly_2-b", "nightly_2-b" },
		{ "../../etc", "______etc" },
		{ "a.b c\n", "a_b_c_" },
		{ "\xc3\xa4", "__" },
		{ "", "_" },
		{ "0123456789012345678", "012345678901234" },
	};

	return cr_make_param_array(struct name_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct name_case *row, cgroup, a_jobs_name_is_safe_in_a_path)
{
	char name[16];

	cgroup_name_clean(row->job, name, sizeof(name));
	cr_expect_str_eq(name, row->name);
}
