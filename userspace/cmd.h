/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The seam between main.c's tables and the subcommands, one file each. A function gets the
 * arguments behind its name, with argv[0] set to the full command ("buildfence policy check") for
 * argp's messages, and returns the exit status. Commands parse with argp (ARGP_IN_ORDER), which
 * gives --help, --version and exit status 64 for usage errors.
 */
#ifndef BUILDFENCE_CMD_H
#define BUILDFENCE_CMD_H

int cmd_run(int argc, char **argv);
int cmd_daemon(int argc, char **argv);
int cmd_suggest(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_detach(int argc, char **argv);
int cmd_jobs(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_policy_check(int argc, char **argv);
int cmd_policy_show(int argc, char **argv);
int cmd_policy_explain(int argc, char **argv);
int cmd_policy_diff(int argc, char **argv);
int cmd_policy_derive(int argc, char **argv);

#endif
