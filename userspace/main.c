/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The command line's first words: which subcommand, and help about all of them. What a subcommand
 * takes is its own file's business (cmd.h).
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cmd.h"

#define COMMANDS_MAX	16

struct command {
	const char *name;
	const char *summary;
	int (*function)(int argc, char **argv);
	const struct command_table *table;	/* in place of function: commands of its own */
};

struct command_table {
	const char *doc;
	const struct command *commands;
	size_t count;
};

static const struct command policy_commands[] = {
	{ "check", "report a policy's errors and warnings", cmd_policy_check, NULL },
	{ "show", "print a policy with its presets read in", cmd_policy_show, NULL },
	{ "explain", "say whether a target is allowed, and by which rule", cmd_policy_explain,
	  NULL },
	{ "diff", "print what one policy opens and closes against another", cmd_policy_diff, NULL },
	{ "derive", "print entries for this machine's own mirrors and registries",
	  cmd_policy_derive, NULL },
};

static const struct command_table policy_table = {
	.doc = "Work with policies; nothing is guarded.",
	.commands = policy_commands,
	.count = ARRAY_SIZE(policy_commands),
};

static const struct command main_commands[] = {
	{ "run", "run a command that can reach only what its policy names", cmd_run, NULL },
	{ "daemon", "guard the jobs of this machine's build agents", cmd_daemon, NULL },
	{ "policy", "check, show, explain, compare or derive policies", NULL, &policy_table },
	{ "suggest", "turn an audit run's records into a policy", cmd_suggest, NULL },
	{ "attach", "have the daemon guard a cgroup as a job", cmd_attach, NULL },
	{ "detach", "have the daemon let go of a job", cmd_detach, NULL },
	{ "jobs", "list the jobs that the daemon guards", cmd_jobs, NULL },
	{ "status", "say how the daemon is, or whether a cgroup is guarded", cmd_status, NULL },
	{ "events", "print the daemon's records of what was refused", cmd_events, NULL },
	{ "reload", "have the daemon read its configuration again", cmd_reload, NULL },
	{ "doctor", "say what this machine can do for the guard", cmd_doctor, NULL },
};

static const struct command_table main_table = {
	.doc = "A network guard for build agents.",
	.commands = main_commands,
	.count = ARRAY_SIZE(main_commands),
};

const char *argp_program_version = "buildfence " BUILDFENCE_VERSION;

struct choice {
	const struct command_table *table;
	const struct command *command;
	int index;			/* of the command's word in argv */
};

static const struct command *command_find(const struct command_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++) {
		if (!strcmp(table->commands[i].name, name))
			return &table->commands[i];
	}
	return NULL;
}

/* Ends the process with EX_USAGE. */
static void command_unknown(const struct argp_state *state, const struct command_table *table,
			    const char *name)
{
	const char *names[COMMANDS_MAX], *nearest;
	size_t count = 0;

	for (size_t i = 0; i < table->count && count < COMMANDS_MAX; i++)
		names[count++] = table->commands[i].name;
	nearest = text_nearest(name, names, count);
	if (nearest)
		argp_error(state, "unknown command '%s'; did you mean '%s'?", name, nearest);
	else
		argp_error(state, "unknown command '%s'", name);
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct choice *choice = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		choice->command = command_find(choice->table, argument);
		if (!choice->command)
			command_unknown(state, choice->table, argument);
		/* Everything behind the command's word is the command's. */
		choice->index = state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which command?");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Adds the list of commands to --help; argp frees what is returned here. */
static char *help_filter(int key, const char *text, void *input)
{
	const struct choice *choice = input;
	struct text list = {};

	if (key != ARGP_KEY_HELP_POST_DOC || !choice)
		return (char *)text;
	text_printf(&list, "Commands:\n");
	for (size_t i = 0; i < choice->table->count; i++)
		text_printf(&list, "  %-10s %s\n", choice->table->commands[i].name,
			    choice->table->commands[i].summary);
	text_printf(&list, "\nEach command has a --help of its own.");
	return text_take(&list);
}

static int table_run(const struct command_table *table, const char *name, int argc, char **argv)
{
	const struct argp argp = {
		.parser = parse_option,
		.args_doc = "COMMAND [ARGUMENT...]",
		.doc = table->doc,
		.help_filter = help_filter,
	};
	struct choice choice = { .table = table };
	_cleanup_free_ char *full_name = NULL;

	argv[0] = (char *)name;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &choice))
		return EX_USAGE;
	if (asprintf(&full_name, "%s %s", name, choice.command->name) < 0)
		return EX_OSERR;
	argc -= choice.index;
	argv += choice.index;
	if (choice.command->table)
		return table_run(choice.command->table, full_name, argc, argv);
	argv[0] = full_name;
	return choice.command->function(argc, argv);
}

int main(int argc, char **argv)
{
	int status;

	if (argc < 1)
		return EX_USAGE;
	status = table_run(&main_table, "buildfence", argc, argv);
	/* A full disk must not look like success. */
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr,
			"buildfence: cannot write to standard output: %s\n", strerror(errno));
		return status ? status : EXIT_FAILURE;
	}
	return status;
}
