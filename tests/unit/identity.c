/* SPDX-License-Identifier: GPL-2.0 */
/* Of an environment only what a kind names is kept, whatever its size and form. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "watch/agent.h"
#include "watch/identity.h"

#define ENTRIES(entries) (entries), sizeof(entries) - 1

static struct agent_field forge_fields[] = {
	{ "ForgeJobId", "FORGE_JOB_ID" },
	{ "ForgePipeline", "FORGE_PIPELINE" },
	{ "ForgePipeline", "FORGE_WORKFLOW" },
};

static const struct agent_kind forge = {
	.name = "forge", .worker = "forge-worker", .parent = "forge-runner", .identity_in_child = true,
	.job = "FORGE_JOB_NAME", .agent = "FORGE_RUNNER", .pool = "FORGE_POOL",
	.project = "FORGE_PROJECT", .definition = "FORGE_PIPELINE", .fields = forge_fields,
	.field_count = ARRAY_SIZE(forge_fields),
};

/* In pieces of `step` bytes. */
static int identity_of(const struct agent_kind *kind, const char *bytes, size_t length, size_t step,
		       struct identity **ret_identity)
{
	struct identity_reader *reader;

	cr_assert_eq(identity_reader_new(kind, &reader), 0);
	for (size_t at = 0; at < length; at += step)
		identity_take(reader, bytes + at, length - at < step ? length - at : step);
	return identity_finish(reader, ret_identity);
}

/* What is expected: "job agent pool project definition pairs...", "-" for NULL. */
struct identity_case {
	const char *what;
	const char *bytes;
	size_t length;
	const char *found;		/* NULL: -ENODATA */
};

static const struct identity_case cases[] = {
	{ "nothing", ENTRIES(""), NULL },
	{ "the job alone", ENTRIES("FORGE_JOB_NAME=a\0"), "a - - - -" },
	{ "all of it", ENTRIES("FORGE_POOL=p\0FORGE_JOB_NAME=a\0FORGE_RUNNER=r\0X=1\0FORGE_PROJECT=q\0"
			       "FORGE_PIPELINE=d\0FORGE_JOB_ID=7\0"),
	  "a r p q d ForgeJobId=7 ForgePipeline=d" },
	{ "no job", ENTRIES("FORGE_JOB_ID=7\0FORGE_PIPELINE=d\0"), NULL },
	{ "an empty job", ENTRIES("FORGE_JOB_NAME=\0FORGE_JOB_ID=7\0"), NULL },
	{ "set twice: the first counts", ENTRIES("FORGE_JOB_NAME=a\0FORGE_JOB_NAME=b\0"), "a - - - -" },
	{ "names that are longer or shorter",
	  ENTRIES("FORGE_JOB_NAMES=b\0FORGE_JOB_NAM=c\0XFORGE_JOB_NAME=d\0FORGE_JOB_NAME=a\0"),
	  "a - - - -" },
	{ "lower case is another variable", ENTRIES("forge_job_name=b\0"), NULL },
	{ "no value at all", ENTRIES("FORGE_JOB_NAME\0"), NULL },
	{ "only a sign", ENTRIES("=\0==\0\0\0FORGE_JOB_NAME=a\0"), "a - - - -" },
	{ "a value with signs and line ends", ENTRIES("FORGE_JOB_NAME=a=b\n##vso[\0"), "a=b\n##vso[ - - - -" },
	{ "a variable inside another's value", ENTRIES("Y=1\nFORGE_JOB_NAME=b\0"), NULL },
	{ "cut off in the middle", ENTRIES("FORGE_JOB_ID=7\0FORGE_JOB_NAME=a"), NULL },
	{ "two variables of a field: the first of the kind",
	  ENTRIES("FORGE_JOB_NAME=a\0FORGE_WORKFLOW=w\0FORGE_PIPELINE=d\0"),
	  "a - - - d ForgePipeline=d" },
	{ "the other variable of the field stands in for the definition",
	  ENTRIES("FORGE_JOB_NAME=a\0FORGE_WORKFLOW=w\0FORGE_PIPELINE=\0"),
	  "a - - - w ForgePipeline=w" },
};

static void identity_print(const struct identity *identity, char *ret_text, size_t size)
{
	int length = snprintf(ret_text, size, "%s %s %s %s %s",
			      identity->job ? identity->job : "-",
			      identity->agent ? identity->agent : "-",
			      identity->pool ? identity->pool : "-",
			      identity->project ? identity->project : "-",
			      identity->definition ? identity->definition : "-");

	for (char **pair = identity->pairs; *pair; pair++)
		length += snprintf(ret_text + length, size - (size_t)length, " %s", *pair);
}

Test(identity, only_the_named_variables_are_kept)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t step = 1; step < 40; step += 3) {
			_cleanup_identity_ struct identity *identity = NULL;
			const struct identity_case *row = &cases[i];
			char text[1024];
			int error = identity_of(&forge, row->bytes, row->length, step, &identity);

			cr_assert_eq(error, row->found ? 0 : -ENODATA, "%s: %d", row->what, error);
			if (!row->found)
				continue;
			identity_print(identity, text, sizeof(text));
			cr_expect_str_eq(text, row->found, "%s: '%s'", row->what, text);
		}
	}
}

Test(identity, a_long_value_is_cut_and_the_next_entry_is_whole)
{
	_cleanup_identity_ struct identity *identity = NULL;
	const size_t size = 300000;
	_cleanup_free_ char *bytes = malloc(size);
	int start = snprintf(bytes, size, "FORGE_JOB_NAME=");

	memset(bytes + start, 'x', size - (size_t)start);
	memcpy(bytes + size - 17, "\0FORGE_JOB_ID=77\0", 17);
	cr_assert_eq(identity_of(&forge, bytes, size, 4096, &identity), 0);
	cr_expect_eq(strlen(identity->job), IDENTITY_VALUE_MAX);
	cr_expect_str_eq(identity->pairs[0], "ForgeJobId=77");
	cr_expect_null(identity->pairs[1]);
}

Test(identity, what_a_kind_does_not_name_is_not_there)
{
	_cleanup_identity_ struct identity *identity = NULL;
	const struct agent_kind bare = { .name = "bare" };
	static const char bytes[] = "SECRET=x\0=\0";

	cr_assert_eq(identity_of(&bare, bytes, sizeof(bytes) - 1, 64, &identity), 0);
	cr_expect_null(identity->job);
	cr_expect_null(identity->pairs[0]);
}

Test(identity, a_workers_own_environment_counts_also_without_a_job)
{
	_cleanup_identity_ struct identity *identity = NULL;
	struct agent_kind own = forge;
	static const char bytes[] = "FORGE_JOB_ID=7\0";

	own.identity_in_child = false;
	cr_assert_eq(identity_of(&own, bytes, sizeof(bytes) - 1, 64, &identity), 0);
	cr_expect_null(identity->job);
	cr_expect_str_eq(identity->pairs[0], "ForgeJobId=7");
}

Test(identity, azures_variables_have_the_names_of_records)
{
	_cleanup_identity_ struct identity *identity = NULL;
	static const char bytes[] =
		"SYSTEM_ACCESSTOKEN=secret\0BUILD_DEFINITIONNAME=release-7\0SYSTEM_JOBID=j\0"
		"SYSTEM_TEAMPROJECT=shop\0AGENT_NAME=build-7\0BUILD_REPOSITORY_URI=https://x/_git/y\0";
	char text[1024];

	cr_assert_eq(identity_of(&agent_azure, bytes, sizeof(bytes) - 1, 64, &identity), 0);
	identity_print(identity, text, sizeof(text));
	cr_expect_str_eq(text, "j build-7 - shop release-7 AzpJobId=j AzpDefinitionName=release-7 "
			       "AzpProject=shop AzpRepositoryUri=https://x/_git/y AzpAgentName=build-7");
}

/* A process that waits, with a large environment in which the named variables come last. */
static pid_t waiter_start(int ret_pipe[2])
{
	static char large[10][100001], *environment[12];
	char *arguments[] = { "cat", NULL };
	pid_t child;

	cr_assert_eq(pipe(ret_pipe), 0);
	for (size_t i = 0; i < ARRAY_SIZE(large); i++) {
		memset(large[i], 'x', sizeof(large[i]) - 1);
		large[i][1] = '=';
		environment[i] = large[i];
	}
	environment[ARRAY_SIZE(large)] = "FORGE_JOB_NAME=late";
	child = fork();
	if (!child) {
		dup2(ret_pipe[0], STDIN_FILENO);
		close(ret_pipe[1]);
		execve("/bin/cat", arguments, environment);
		_exit(127);
	}
	close(ret_pipe[0]);
	return child;
}

Test(identity, a_process_tells_while_it_is_the_same_one)
{
	_cleanup_identity_ struct identity *identity = NULL;
	uint64_t start;
	int ends[2], error = -ENODATA;
	pid_t child = waiter_start(ends);

	cr_assert_eq(proc_start(child, &start), 0);
	for (int try = 0; error == -ENODATA && try < 1000; try++) {
		error = identity_read(child, start, &forge, &identity);
		usleep(1000);
	}
	cr_assert_eq(error, 0, "%d", error);
	cr_expect_str_eq(identity->job, "late");
	cr_expect_eq(identity_read(child, start - 1, &forge, &identity), -ESRCH);
	close(ends[1]);
	waitpid(child, NULL, 0);
	cr_expect_eq(identity_read(child, start, &forge, &identity), -ESRCH);
}
