/* SPDX-License-Identifier: GPL-2.0 */
/* Telling the service manager: the sockets it may name, and its watchdog. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/notify.h"

/* A manager's socket with this name, as sun_path has it. */
static int manager_open(const char *name, size_t length)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, name, length);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address,
			  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)), 0);
	return fd;
}

static void expect_told(int manager, const char *state)
{
	char text[256] = "";

	cr_expect_eq(notify_send(state), 1);
	cr_expect_eq(recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT), (ssize_t)strlen(state));
	cr_expect_str_eq(text, state);
}

Test(notify, the_manager_hears_it_at_a_path)
{
	char path[64];
	int manager;

	snprintf(path, sizeof(path), "/tmp/notify.%d", getpid());
	manager = manager_open(path, strlen(path) + 1);
	setenv("NOTIFY_SOCKET", path, 1);
	expect_told(manager, "READY=1\nSTATUS=2 jobs");
	close(manager);
	cr_expect_eq(notify_send("READY=1"), -ECONNREFUSED);
	unlink(path);
	cr_expect_eq(notify_send("READY=1"), -ENOENT);
}

Test(notify, the_manager_hears_it_at_an_abstract_name)
{
	char name[64];
	int manager;

	snprintf(name, sizeof(name), "@notify.%d", getpid());
	setenv("NOTIFY_SOCKET", name, 1);
	name[0] = '\0';
	manager = manager_open(name, 1 + strlen(name + 1));
	expect_told(manager, "WATCHDOG=1");
	close(manager);
}

Test(notify, a_manager_who_does_not_read_blocks_nobody, .timeout = 10)
{
	char path[64];
	int manager, result = 1;

	snprintf(path, sizeof(path), "/tmp/notify.%d", getpid());
	manager = manager_open(path, strlen(path) + 1);
	setenv("NOTIFY_SOCKET", path, 1);
	for (int i = 0; i < 100000 && result == 1; i++)
		result = notify_send("WATCHDOG=1");
	cr_expect_eq(result, -EAGAIN);
	close(manager);
	unlink(path);
}

Test(notify, without_a_manager_nothing_is_sent)
{
	char path[200];

	unsetenv("NOTIFY_SOCKET");
	cr_expect_eq(notify_send("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	cr_expect_eq(notify_send("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
	cr_expect_eq(notify_send("READY=1"), -EAFNOSUPPORT);
	snprintf(path, sizeof(path), "/%0*d", 150, 0);
	setenv("NOTIFY_SOCKET", path, 1);
	cr_expect_eq(notify_send("READY=1"), -ENAMETOOLONG);
}

struct watchdog_case {
	char usec[24];		/* "": not set */
	char pid[24];		/* "self": ours */
	uint64_t interval;
};

ParameterizedTestParameters(notify, the_watchdog_hears_twice_in_its_time)
{
	static struct watchdog_case cases[] = {
		{ "30000000", "", 15000000 },
		{ "30000000", "self", 15000000 },
		{ "30000000", "1", 0 },
		{ "", "self", 0 },
		{ "-5", "", 0 },
		{ "30s", "", 0 },
		{ "99999999999999999999", "", 0 },
	};

	return cr_make_param_array(struct watchdog_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct watchdog_case *row, notify, the_watchdog_hears_twice_in_its_time)
{
	char self[16];

	snprintf(self, sizeof(self), "%d", getpid());
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	if (row->usec[0])
		setenv("WATCHDOG_USEC", row->usec, 1);
	if (row->pid[0])
		setenv("WATCHDOG_PID", strcmp(row->pid, "self") ? row->pid : self, 1);
	cr_expect_eq(notify_watchdog_interval_us(), row->interval);
}
