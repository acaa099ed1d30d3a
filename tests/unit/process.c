/* SPDX-License-Identifier: GPL-2.0 */
/* Names of processes: chosen by their owner, cut by the kernel. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "watch/process.h"

#define REST	" 1 2 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 "

struct stat_case {
	const char *stat;
	int error;
	pid_t pid, parent;
	char state;
	uint64_t start_ticks;
	const char *comm;
};

static const struct stat_case stats[] = {
	{ "12 (cat) S 7" REST "4242 9 9\n", 0, 12, 7, 'S', 4242, "cat" },
	{ "12 (a) S 99 (b) R 7" REST "4242 9\n", 0, 12, 7, 'R', 4242, "a) S 99 (b" },
	{ "12 (()) S 7" REST "4242 9\n", 0, 12, 7, 'S', 4242, "()" },
	{ "12 (a) T 7" REST "4242 9\n", 0, 12, 7, 'T', 4242, "a" },
	{ "12 () S 7" REST "4242 9\n", 0, 12, 7, 'S', 4242, "" },
	{ "12 (Agent.PluginHos) S 7" REST "4242", 0, 12, 7, 'S', 4242, "Agent.PluginHos" },
	{ "12 (kworker/u8:2-events_unbound) I 2" REST "4242", 0, 12, 2, 'I', 4242, "kworker/u8:2-ev" },
	{ "12 (cat) S 7 1 2\n", -EINVAL, 0, 0, 0, 0, "" },
	{ "12 (cat S 7" REST "4242", -EINVAL, 0, 0, 0, 0, "" },
	{ "12 )cat( S 7" REST "4242", -EINVAL, 0, 0, 0, 0, "" },
	{ "(cat) S 7" REST "4242", -EINVAL, 0, 0, 0, 0, "" },
	{ "", -EINVAL, 0, 0, 0, 0, "" },
};

Test(process, a_line_of_stat_is_read_past_any_name)
{
	for (size_t i = 0; i < ARRAY_SIZE(stats); i++) {
		struct process process = {};
		const struct stat_case *row = &stats[i];

		cr_expect_eq(process_parse(row->stat, &process), row->error, "%s", row->stat);
		cr_expect_eq(process.pid, row->pid, "%s", row->stat);
		cr_expect_eq(process.parent, row->parent, "%s", row->stat);
		cr_expect_eq(process.state, row->state, "%s", row->stat);
		cr_expect_eq(process.start_ticks, row->start_ticks, "%s", row->stat);
		cr_expect_str_eq(process.comm, row->comm, "%s", row->stat);
	}
}

Test(process, we_are_who_the_other_reader_says)
{
	struct process process;
	uint64_t start;

	cr_assert_eq(proc_start(getpid(), &start), 0);
	cr_assert_eq(process_look(getpid(), &process), 0);
	cr_expect_eq(process.pid, getpid());
	cr_expect_eq(process.parent, getppid());
	cr_expect_eq(process.start_ticks, start);
	cr_expect_eq(process_look(0x7ffffff0, &process), -ESRCH);
}

struct comm_case {
	char comm[PROCESS_COMM];
	const char *name;
	bool same;
};

static const struct comm_case comms[] = {
	{ "Agent.Worker", "Agent.Worker", true },
	{ "Agent.Worker", "Agent.Worke", false },
	{ "Agent.Worke", "Agent.Worker", false },
	{ "Agent.PluginHos", "Agent.PluginHost", true },
	{ "Agent.PluginHos", "Agent.PluginHos", true },
	{ "Agent.PluginHo", "Agent.PluginHost", false },
	{ "agent.worker", "Agent.Worker", false },
	{ "", "Agent.Worker", false },
};

Test(process, a_name_is_compared_as_far_as_the_kernel_keeps_it)
{
	for (size_t i = 0; i < ARRAY_SIZE(comms); i++)
		cr_expect_eq(process_comm_is(comms[i].comm, comms[i].name), comms[i].same,
			     "'%s' and '%s'", comms[i].comm, comms[i].name);
}

#define ARGUMENTS(text) (text), sizeof(text) - 1

struct arguments_case {
	const char *arguments;
	size_t length;
	bool found;
};

static const struct arguments_case arguments[] = {
	{ ARGUMENTS("forge-runner\0"), true },
	{ ARGUMENTS("/opt/forge/forge-runner\0--once\0"), true },
	{ ARGUMENTS("/bin/sh\0./forge-runner\0x\0"), true },
	{ ARGUMENTS("/usr/bin/python3\0-u\0-O\0/opt/forge-runner\0"), true },
	{ ARGUMENTS("/bin/sh\0-c\0echo\0forge-runner\0"), false },
	{ ARGUMENTS("/bin/sh\0./other\0forge-runner\0"), false },
	{ ARGUMENTS("/opt/forge-runner/other\0"), false },
	{ ARGUMENTS("/opt/my-forge-runner\0"), false },
	{ ARGUMENTS("forge-runner-2\0"), false },
	{ ARGUMENTS("/bin/sh\0forge-runner"), false },	/* cut: who knows what follows */
	{ ARGUMENTS("\0\0\0"), false },
	{ ARGUMENTS(""), false },
};

Test(process, a_script_is_known_by_its_first_argument)
{
	for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
		cr_expect_eq(process_arguments_name(arguments[i].arguments, arguments[i].length,
						    "forge-runner"), arguments[i].found, "row %zu", i);
}
