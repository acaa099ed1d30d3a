/* SPDX-License-Identifier: GPL-2.0 */
/* Cgroups by their paths: what is within what, and what must never be guarded. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <limits.h>
#include <string.h>

#include "daemon/home.h"

struct path_case {
	char path[80];
	bool yes;
};

ParameterizedTestParameters(home, the_vm_agents_unit_and_what_is_above_it_are_known)
{
	static struct path_case cases[] = {
		{ "/", true },
		{ "/azure.slice", true },
		{ "/azure.slice/", true },
		{ "/system.slice", true },
		{ "/azure.slice/walinuxagent.service", true },
		{ "/azure.slice/walinuxagent.service/", true },
		{ "/system.slice/walinuxagent.service", true },
		{ "/azure.slice/waagent.service", true },
		{ "/system.slice/waagent.service", true },
		{ "/other.slice/walinuxagent.service", true },
		{ "/lxc/machine/azure.slice/waagent.service", true },
		{ "/azure.slice/walinuxagent.service/build", false },
		{ "/azure.slice/azure-vmextensions.slice", false },
		{ "/system.slice/vsts.agent.contoso.Default.build.service", false },
		{ "/azure.slice/walinuxagent.services", false },
		{ "/azure.slice/mywalinuxagent.service", false },
		{ "/azure", false },
		{ "/system.slice2", false },
	};

	return cr_make_param_array(struct path_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct path_case *the, home, the_vm_agents_unit_and_what_is_above_it_are_known)
{
	cr_assert_eq(cgroup_holds_vm_agent(the->path), the->yes, "%s", the->path);
}

ParameterizedTestParameters(home, only_one_form_of_a_path_is_plain)
{
	static struct path_case cases[] = {
		{ "/", true },
		{ "/a", true },
		{ "/a.b/..c/.d/...", true },
		{ "", false },
		{ "a", false },
		{ "//", false },
		{ "//a", false },
		{ "/a/", false },
		{ "/a//b", false },
		{ "/.", false },
		{ "/a/./b", false },
		{ "/..", false },
		{ "/a/../b", false },
		{ "/a/..", false },
		{ "/../../etc", false },
	};

	return cr_make_param_array(struct path_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct path_case *the, home, only_one_form_of_a_path_is_plain)
{
	cr_assert_eq(cgroup_path_is_plain(the->path), the->yes, "%s", the->path);
}

Test(home, a_path_longer_than_any_is_not_plain)
{
	static char path[PATH_MAX + 1];

	memset(path, 'a', PATH_MAX);
	path[0] = '/';
	cr_assert_not(cgroup_path_is_plain(path));
	path[PATH_MAX - 1] = '\0';
	cr_assert(cgroup_path_is_plain(path));
}

Test(home, a_name_that_another_begins_with_does_not_hold_it)
{
	cr_assert(cgroup_is_within("/a/b", "/a"));
	cr_assert(cgroup_is_within("/a/b", "/a/"));
	cr_assert(cgroup_is_within("/a", "/a"));
	cr_assert(cgroup_is_within("/a", "/"));
	cr_assert_not(cgroup_is_within("/ab", "/a"));
	cr_assert_not(cgroup_is_within("/a", "/a/b"));
}
