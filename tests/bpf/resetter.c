/* SPDX-License-Identifier: GPL-2.0 */
/* The process that resets connections: one that cannot be reset holds up nobody. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/kernel_version.h"
#include "guard/resetter.h"

#define PAGE	4096

struct pair {
	int ends[2];
	struct refusal refusal;	/* of the first */
};

static void pair_make(struct pair *pair)
{
	struct sockaddr_in server = { .sin_family = AF_INET }, client = {};
	socklen_t size = sizeof(server);
	_cleanup_close_ int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(listener, (struct sockaddr *)&server, sizeof(server)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&server, &size), 0);
	pair->ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(pair->ends[0], (struct sockaddr *)&server, sizeof(server)), 0);
	cr_assert_eq(getsockname(pair->ends[0], (struct sockaddr *)&client, &size), 0);
	pair->ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert(pair->ends[1] >= 0);
	pair->refusal = (struct refusal){
		.family = 4,
		.sport = ntohs(client.sin_port),
		.dport = ntohs(server.sin_port),
		.pid = (uint32_t)getpid(),
		.cookie = UINT64_MAX,	/* INET_DIAG_NOCOOKIE */
	};
	memcpy(pair->refusal.src + 12, &client.sin_addr, 4);
	memcpy(pair->refusal.dst + 12, &server.sin_addr, 4);
}

/* A page that nobody fills: who reads it sleeps until it is killed. NULL: not with this kernel. */
static void *page_never_there(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	range.range.start = (uintptr_t)page;
	range.range.len = PAGE;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range))
		return NULL;
	return page;
}

/* A process that holds its connection's lock. */
static pid_t lock_hold(const struct pair *pair)
{
	pid_t pid = fork();
	void *page;

	if (pid)
		return pid;
	page = page_never_there();
	if (!page)
		_exit(77);
	send(pair->ends[0], page, PAGE, 0);
	_exit(0);
}

static bool is_reset(const struct pair *pair, int timeout_ms)
{
	struct pollfd fd = { .fd = pair->ends[0], .events = POLLIN };
	char byte;

	return poll(&fd, 1, timeout_ms) == 1 && recv(pair->ends[0], &byte, 1, 0) < 0 &&
	       errno == ECONNABORTED;
}

/* A resetter that was asked to reset what is held. Skips the test where nothing can be held. */
static pid_t resetter_hold(struct resetter *resetter, const struct pair *held)
{
	pid_t holder = lock_hold(held);

	cr_assert_eq(resetter_start(resetter), 0);
	usleep(200000);
	if (waitpid(holder, NULL, WNOHANG)) {
		resetter_end(resetter);
		cr_skip_test("no userfaultfd with this kernel");
	}
	for (int i = 0; i < 3; i++)
		resetter_ask(resetter, &held->refusal);
	return holder;
}

/*
 * Before 6.9 the kernel resets one connection at a time (sock_diag_mutex): the others' turn comes
 * when the lock is let go, and all that waits for it is the resetter.
 */
static bool resets_are_one_at_a_time(void)
{
	struct kernel_version version;
	struct utsname name;

	cr_assert_eq(uname(&name), 0);
	cr_assert_eq(kernel_version_read(name.release, name.version, NULL, &version), 0);
	return kernel_version_is_before(&version, 6, 9);
}

Test(resetter, resets_connections_also_when_one_is_held)
{
	struct resetter resetter = { .fd = -1 };
	struct pair held, idle;
	int64_t begin_ms;
	bool is_free;
	pid_t holder;

	pair_make(&held);
	pair_make(&idle);
	holder = resetter_hold(&resetter, &held);
	begin_ms = clock_ms(CLOCK_MONOTONIC);
	resetter_ask(&resetter, &idle.refusal);
	cr_expect_lt(clock_ms(CLOCK_MONOTONIC) - begin_ms, 1000, "asking waits");
	is_free = is_reset(&idle, 5000);
	kill(holder, SIGKILL);
	cr_expect(is_free || resets_are_one_at_a_time());
	cr_expect(is_free || is_reset(&idle, 20000));
	resetter_end(&resetter);
	waitpid(holder, NULL, 0);
}

Test(resetter, that_waits_for_a_lock_is_not_waited_for)
{
	struct resetter resetter = { .fd = -1 };
	struct pair held;
	int64_t begin_ms;
	pid_t holder;

	pair_make(&held);
	holder = resetter_hold(&resetter, &held);
	usleep(200000);
	begin_ms = clock_ms(CLOCK_MONOTONIC);
	resetter_end(&resetter);
	cr_expect_lt(clock_ms(CLOCK_MONOTONIC) - begin_ms, 5000, "ending waits");
	kill(holder, SIGKILL);
	cr_expect_eq(waitpid(holder, NULL, 0), holder);
	waitpid(resetter.pid, NULL, 0);
}

Test(resetter, ends_with_its_owner)
{
	struct resetter resetter = { .fd = -1 };
	int status = -1;

	cr_assert_eq(resetter_start(&resetter), 0);
	close(resetter.fd);
	cr_expect_eq(waitpid(resetter.pid, &status, 0), resetter.pid);
	cr_expect(WIFEXITED(status));
}

Test(resetter, that_was_never_started_is_no_error)
{
	struct resetter resetter = { .fd = -1 };
	const struct refusal refusal = {};

	resetter_ask(&resetter, &refusal);
	resetter_end(&resetter);
}
