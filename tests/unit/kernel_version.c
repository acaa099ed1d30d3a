/* SPDX-License-Identifier: GPL-2.0 */
/* Which version a kernel really is, and which versions mix up jobs. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>

#include "base/cleanup.h"
#include "base/kernel_version.h"
#include "guard/slot_flaw.h"

struct version_case {
	char release[48];
	char version[96];
	char signature[64];
	unsigned int major, minor, patch;
};

ParameterizedTestParameters(kernel_version, is_the_highest_patch_of_the_series)
{
	static struct version_case cases[] = {
		{ "5.10.61", "#1 SMP Tue Aug 31 2021", "", 5, 10, 61 },
		{ "6.18", "#1 SMP", "", 6, 18, 0 },
		{ "6.18-rc3", "#1 SMP", "", 6, 18, 0 },
		{ "5.10.0-8-amd64", "#1 SMP Debian 5.10.46-4 (2021-08-03)", "", 5, 10, 46 },
		{ "5.10.0-33-cloud-amd64", "#1 SMP Debian 5.10.226-1 (2024-10-03)", "", 5, 10, 226 },
		{ "6.12.41+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.41-1 (2025-08-12)", "", 6, 12, 41 },
		{ "5.11.0-49-generic", "#55-Ubuntu SMP Wed Jan 12 2022", "Ubuntu 5.11.0-49.55-generic 5.11.22", 5, 11, 22 },
		{ "5.11.22-7-pve", "#1 SMP PVE 5.11.22-12 (Sun, 07 Nov 2021)", "", 5, 11, 22 },
		/* Not of the same series, or not a version. */
		{ "5.10.3", "#1 SMP Debian 6.1.119-1 1.2 5.10 5.100.7", "Ubuntu 5.15.0-1.2 5.15.9", 5, 10, 3 },
		/* A release that says more than the rest. */
		{ "5.10.70", "#1 SMP Debian 5.10.46-4", "", 5, 10, 70 },
	};

	return cr_make_param_array(struct version_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct version_case *row, kernel_version, is_the_highest_patch_of_the_series)
{
	struct kernel_version version;

	cr_assert_eq(kernel_version_read(row->release, row->version,
					 row->signature[0] ? row->signature : NULL, &version), 0);
	cr_expect_eq(version.major, row->major, "%s", row->release);
	cr_expect_eq(version.minor, row->minor, "%s", row->release);
	cr_expect_eq(version.patch, row->patch, "%s: %u", row->release, version.patch);
}

Test(kernel_version, a_release_that_is_none_is_an_error)
{
	struct kernel_version version;

	cr_expect_eq(kernel_version_read("", "#1 SMP", NULL, &version), -EINVAL);
	cr_expect_eq(kernel_version_read("next-5.10.1", "#1 SMP", NULL, &version), -EINVAL);
	cr_expect_eq(kernel_version_read("5", "#1 SMP", NULL, &version), -EINVAL);
}

struct flaw_case {
	char release[32];
	char version[96];
	char flaw[64];
};

#define MIXED	"may judge a job's packets by another job's policy"
#define SKIPPED	"may let packets pass unjudged when it is busy"

ParameterizedTestParameters(slot_flaw, is_known_by_the_version)
{
	static struct flaw_case cases[] = {
		{ "5.9.16", "#1 SMP PREEMPT", "" },
		{ "5.10.0", "#1 SMP", MIXED },
		{ "5.10.61", "#1 SMP", MIXED },
		{ "5.10.62", "#1 SMP", "" },
		{ "5.10.0-8-amd64", "#1 SMP Debian 5.10.46-4 (2021-08-03)", MIXED },
		{ "5.10.0-9-amd64", "#1 SMP Debian 5.10.70-1 (2021-09-30)", "" },
		{ "5.10.103-v8", "#1 SMP PREEMPT Tue Mar 8 2022", "" },
		{ "5.10.0-33-rt-amd64", "#1 SMP PREEMPT_RT Debian 5.10.226-1 (2024-10-03)", SKIPPED },
		{ "5.10.0-8-rt-amd64", "#1 SMP PREEMPT_RT Debian 5.10.46-4 (2021-08-03)", MIXED },
		{ "5.11.22", "#1 SMP", MIXED },
		{ "5.12.19", "#1 SMP", MIXED },
		{ "5.13.11", "#1 SMP", MIXED },
		{ "5.13.12", "#1 SMP", "" },
		{ "5.13.12", "#1 SMP PREEMPT Wed Aug 18 2021", SKIPPED },
		{ "5.14.21", "#1 SMP", "" },
		{ "5.14.21", "#1 SMP PREEMPT Sun Nov 21 2021", SKIPPED },
		{ "5.14.0-427.13.1.el9_4.x86_64", "#1 SMP PREEMPT_DYNAMIC Wed Apr 10 2024", "" },
		{ "5.15.0", "#1 SMP PREEMPT", "" },
		{ "5.15.0", "#1 SMP PREEMPT_RT", "" },
		{ "6.10.1", "#1 SMP PREEMPT_RT", "" },
		{ "6.11.0", "#1 SMP PREEMPT", "" },
	};

	return cr_make_param_array(struct flaw_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct flaw_case *row, slot_flaw, is_known_by_the_version)
{
	struct kernel_version version;
	const char *flaw;

	cr_assert_eq(kernel_version_read(row->release, row->version, NULL, &version), 0);
	flaw = slot_flaw(&version, row->version);
	cr_expect_str_eq(flaw ? flaw : "", row->flaw, "%s %s: %s", row->release, row->version,
			 flaw ? flaw : "none");
}
