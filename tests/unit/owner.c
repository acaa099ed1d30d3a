/* SPDX-License-Identifier: GPL-2.0 */
/* Owners: a pid that was given away again is not the owner. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/owner.h"

static void own_tag_read(int *ret_pid, uint64_t *ret_start, unsigned long *ret_namespace)
{
	char tag[OWNER_TAG_SIZE];

	cr_assert_eq(owner_tag(tag), 0);
	cr_assert_eq(sscanf(tag, "%d-%" SCNu64 "-%lu", ret_pid, ret_start, ret_namespace), 3);
}

static enum owner_state state_of(int pid, uint64_t start, unsigned long namespace, const char *end)
{
	char tag[OWNER_TAG_SIZE * 2];

	snprintf(tag, sizeof(tag), "%d-%" PRIu64 "-%lu%s", pid, start, namespace, end);
	return owner_state(tag);
}

Test(owner, we_are_alive_and_our_pids_former_owner_is_not)
{
	unsigned long namespace;
	uint64_t start;
	int pid;

	own_tag_read(&pid, &start, &namespace);
	cr_expect_eq(state_of(pid, start, namespace, ""), OWNER_ALIVE);
	cr_expect_eq(state_of(pid, start - 1, namespace, ""), OWNER_DEAD);
}

Test(owner, a_process_that_is_gone_is_dead)
{
	unsigned long namespace;
	uint64_t start;
	int pid;
	pid_t child = fork();

	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	own_tag_read(&pid, &start, &namespace);
	cr_expect_eq(state_of(child, start, namespace, ""), OWNER_DEAD);
}

Test(owner, another_pid_namespaces_processes_are_left_alone)
{
	unsigned long namespace;
	uint64_t start;
	int pid;

	own_tag_read(&pid, &start, &namespace);
	cr_expect_eq(state_of(0x7ffffff0, 1, namespace + 1, ""), OWNER_UNKNOWN);
}

Test(owner, what_is_no_tag_is_left_alone)
{
	unsigned long namespace;
	uint64_t start;
	int pid;

	own_tag_read(&pid, &start, &namespace);
	cr_expect_eq(state_of(0x7ffffff0, 1, namespace, "x"), OWNER_UNKNOWN);
	cr_expect_eq(state_of(-1, 1, namespace, ""), OWNER_UNKNOWN);
	cr_expect_eq(owner_state(""), OWNER_UNKNOWN);
	cr_expect_eq(owner_state("1-2"), OWNER_UNKNOWN);
}
