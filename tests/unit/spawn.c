/* SPDX-License-Identifier: GPL-2.0 */
/* Exit statuses, which signals are passed on, users. Starting in a cgroup is tested end to end. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "job/descriptors.h"
#include "job/spawn.h"

Test(spawn, failures_have_the_statuses_of_shells)
{
	cr_expect_eq(spawn_exit_status(-ENOENT, true), 127);
	cr_expect_eq(spawn_exit_status(-EACCES, true), 126);
	cr_expect_eq(spawn_exit_status(-ENOEXEC, true), 126);
	cr_expect_eq(spawn_exit_status(-ENOENT, false), 125);
	cr_expect_eq(wait_exit_status(W_EXITCODE(42, 0)), 42);
	cr_expect_eq(wait_exit_status(W_EXITCODE(0, SIGTERM)), 143);
}

#define JOB_PID	4711

struct signal_case {
	unsigned int number;
	int code;
	unsigned int sender;
	bool own_group;
	bool passed_on;
};

ParameterizedTestParameters(spawn, a_signal_reaches_the_job_once)
{
	static struct signal_case cases[] = {
		/* Somebody sent it to us. */
		{ SIGTERM, SI_USER, 1, false, true },
		{ SIGTERM, SI_USER, 1, true, true },
		/* The terminal sent it to our group, and the command is in it, or is not. */
		{ SIGINT, SI_KERNEL, 0, false, false },
		{ SIGWINCH, SI_KERNEL, 0, false, false },
		{ SIGINT, SI_KERNEL, 0, true, true },
		/* A hangup comes to the session's leader alone. */
		{ SIGHUP, SI_KERNEL, 0, false, true },
		/* The command signals its whole group: it has it already. */
		{ SIGTERM, SI_USER, JOB_PID, false, false },
	};

	return cr_make_param_array(struct signal_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct signal_case *row, spawn, a_signal_reaches_the_job_once)
{
	struct signalfd_siginfo signal = {
		.ssi_signo = row->number,
		.ssi_code = row->code,
		.ssi_pid = row->sender,
	};

	cr_expect_eq(signal_is_for_job(&signal, JOB_PID, row->own_group), row->passed_on);
}

Test(spawn, users_are_found_by_name_and_number)
{
	_cleanup_job_user_ struct job_user *by_name = NULL, *by_number = NULL, *none = NULL;

	cr_assert_eq(job_user_find("root", &by_name), 0);
	cr_assert_eq(job_user_find("0", &by_number), 0);
	cr_expect_str_eq(by_number->name, "root");
	cr_expect_eq(by_name->groups[0], by_name->gid);
	cr_expect_eq(job_user_find("no-such-user", &none), -ENOENT);
	cr_expect_null(none);
}

static bool is_open(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) >= 0 || errno != EBADF;
}

Test(spawn, inherited_network_sockets_are_closed_and_others_stay)
{
	int tcp = socket(AF_INET, SOCK_STREAM, 0), udp6 = socket(AF_INET6, SOCK_DGRAM, 0);
	int pair[2], pipes[2], fd = -1;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cr_assert_eq(pipe(pipes), 0);
	cr_assert_eq(descriptors_check(&fd), 0);
	cr_expect_not(is_open(tcp));
	cr_expect_not(is_open(udp6));
	cr_expect(is_open(pair[0]));
	cr_expect(is_open(pipes[0]));
}

Test(spawn, a_network_socket_as_standard_input_is_refused)
{
	int tcp = socket(AF_INET, SOCK_STREAM, 0), fd = -1;

	cr_assert_eq(dup2(tcp, STDIN_FILENO), STDIN_FILENO);
	cr_expect_eq(descriptors_check(&fd), -EBADF);
	cr_expect_eq(fd, STDIN_FILENO);
}
