/* SPDX-License-Identifier: GPL-2.0 */
/* See world.h. */
#include "world.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "base/cleanup.h"
#include "base/directory.h"
#include "job/cgroup.h"
#include "job/leftover.h"

static void namespace_make(void)
{
	static const char *const commands[] = {
		"ip link set lo up",
		"ip address add 192.0.2.1/24 dev lo",
		"ip address add 2001:db8::1/128 dev lo nodad",
		"ip route add local 198.51.100.0/24 dev lo",
		"ip route add local 203.0.113.0/24 dev lo",
		"ip route add local 10.0.0.0/8 dev lo",
		"ip route add local 2001:db8::/32 dev lo",
		"sysctl -q net.ipv6.ip_nonlocal_bind=1",
	};

	cr_assert_eq(unshare(CLONE_NEWNET), 0, "unshare: %s", strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		cr_assert_eq(system(commands[i]), 0, "%s", commands[i]);
}

/* What tests that were killed left: pins named after a process that is gone. */
static void pins_collect(void)
{
	_cleanup_directory_ DIR *directory = NULL;
	struct dirent *entry;

	if (directory_open(AT_FDCWD, GUARD_PINS, &directory))
		return;
	while ((entry = directory_next(directory))) {
		int pid, end = 0;

		if (sscanf(entry->d_name, "test-%d%n", &pid, &end) == 1 && !entry->d_name[end] &&
		    kill(pid, 0) && errno == ESRCH)
			guard_pins_forget(entry->d_name);
	}
}

static void world_begin(struct world *world, enum guard_mode mode, const char *yaml)
{
	world->mode = mode;
	world->resolver = -1;
	job_collect_dead();
	pins_collect();
	namespace_make();
	cr_assert_eq(guard_open(&world->options, &world->guard), 0);
	cr_assert_eq(guard_job_add(world->guard, &world->job), 0);
	world->policy = guard_policy_from_text(world->guard, yaml);
	cr_assert_eq(cgroup_make("bpf-test", false, &world->cgroup), 0);
	cr_assert_eq(guard_attach(world->guard, world->cgroup->fd, world->job, world->policy, mode,
				  NULL, NULL), 0);
	world->resolver = server_outside(AF_INET, SOCK_DGRAM, RESOLVER, DNS_PORT);
}

void world_open_sized(struct world *world, enum guard_mode mode, const char *yaml,
		      size_t ring_bytes)
{
	*world = (struct world){ .options.ring_bytes = ring_bytes };
	world_begin(world, mode, yaml);
}

void world_open(struct world *world, enum guard_mode mode, const char *yaml)
{
	world_open_sized(world, mode, yaml, 0);
}

void world_open_pinned(struct world *world, enum guard_mode mode, const char *yaml)
{
	*world = (struct world){ .options = { .jobs_max = 4, .policies_max = 4 } };
	snprintf(world->pins, sizeof(world->pins), "test-%d", getpid());
	world->options.pins = world->pins;
	world_begin(world, mode, yaml);
}

void world_take_over(struct world *world, const char *last_uid)
{
	guard_close(world->guard);
	world->guard = NULL;
	world->options.last_uid = last_uid;
	cr_assert_eq(guard_open(&world->options, &world->guard), 0);
	world->options.last_uid = NULL;
}

void world_close(struct world *world)
{
	if (world->guard)
		guard_detach(world->guard, world->job);
	cgroup_remove(world->cgroup->parent_fd, world->cgroup->name);
	cgroup_free(world->cgroup);
	guard_close(world->guard);
	if (world->pins[0])
		guard_pins_forget(world->pins);
	close(world->resolver);
}

void world_policy(struct world *world, const char *yaml, enum guard_mode mode)
{
	uint32_t policy = guard_policy_from_text(world->guard, yaml);

	cr_assert_eq(guard_job_policy_set(world->guard, world->job, policy, mode, NULL), 0);
	cr_assert_eq(guard_policy_remove(world->guard, world->policy), 0);
	world->policy = policy;
	world->mode = mode;
}

struct sockaddr_storage address_of(int family, const char *addr, uint16_t port)
{
	struct sockaddr_storage address = { .ss_family = (sa_family_t)family };
	struct sockaddr_in *in = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;
	uint8_t bytes[ADDR_LEN];

	addr_parse(addr, bytes);
	if (family == AF_INET) {
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, bytes + 12, 4);
	} else {
		in6->sin6_port = htons(port);
		memcpy(&in6->sin6_addr, bytes, ADDR_LEN);
	}
	return address;
}

socklen_t address_len(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) :
					       sizeof(struct sockaddr_in6);
}

static void cgroup_enter(int cgroup_fd)
{
	_cleanup_close_ int fd = openat(cgroup_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	cr_assert(fd >= 0 && write(fd, "0", 1) == 1, "cgroup.procs: %s", strerror(errno));
}

int socket_outside(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0, "socket: %s", strerror(errno));
	return fd;
}

int socket_job_try(struct world *world, int family, int type)
{
	int fd;

	cgroup_enter(world->cgroup->fd);
	fd = socket(family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fd = -errno;
	cgroup_enter(world->cgroup->parent_fd);
	return fd;
}

int socket_job(struct world *world, int family, int type)
{
	int fd = socket_job_try(world, family, type);

	cr_assert(fd >= 0, "socket: %s", strerror(-fd));
	return fd;
}

int server_outside(int family, int type, const char *addr, uint16_t port)
{
	struct sockaddr_storage address = address_of(family, addr, port);
	int fd = socket_outside(family, type), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, address_len(&address)), 0,
		     "cannot bind to %s port %u: %s", addr, port, strerror(errno));
	cr_assert(type == SOCK_DGRAM || !listen(fd, 16));
	return fd;
}

static int family_of(int fd)
{
	int family;
	socklen_t len = sizeof(family);

	cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len), 0);
	return family;
}

int connect_to(int fd, const char *addr, uint16_t port)
{
	struct sockaddr_storage address = address_of(family_of(fd), addr, port);
	const struct timeval second = { .tv_sec = 1 };

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
	return connect(fd, (struct sockaddr *)&address, address_len(&address)) ? -errno : 0;
}

int send_to(int fd, const void *bytes, size_t len, const char *addr, uint16_t port)
{
	struct sockaddr_storage address = address_of(family_of(fd), addr, port);

	return sendto(fd, bytes, len, MSG_NOSIGNAL, (struct sockaddr *)&address,
		      address_len(&address)) < 0 ? -errno : 0;
}

bool hears(int fd, int timeout_ms)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	return poll(&wait, 1, timeout_ms) > 0;
}

void ask(struct world *world, int fd, uint16_t id, const char *name)
{
	ask_type(world, fd, id, name, DNS_A);
}

void ask_type(struct world *world, int fd, uint16_t id, const char *name, uint16_t type)
{
	socklen_t len = sizeof(world->asker);
	struct made question = {};
	uint8_t heard[512];

	made_question(&question, id, name, type);
	cr_assert_eq(send_to(fd, question.bytes, question.len, RESOLVER, DNS_PORT), 0, "%s", name);
	cr_assert(hears(world->resolver, 1000), "%s", name);
	cr_assert_eq(recvfrom(world->resolver, heard, sizeof(heard), 0,
			      (struct sockaddr *)&world->asker, &len), (ssize_t)question.len);
}

void answer(struct world *world, int from, int fd, const struct made *message)
{
	uint8_t heard[sizeof(message->bytes)];

	cr_assert_eq(sendto(from, message->bytes, message->len, 0, (struct sockaddr *)&world->asker,
			    address_len(&world->asker)), (ssize_t)message->len);
	if (hears(fd, from == world->resolver ? 1000 : 30))
		cr_expect_eq(recv(fd, heard, sizeof(heard), 0), (ssize_t)message->len);
	else
		cr_expect_neq(from, world->resolver, "the answer was not let through");
}

static int learned_fd(struct world *world)
{
	return world->guard->jobs[world->job].tables[TABLE_LEARNED];
}

bool learned_find(struct world *world, const char *addr, struct learned *ret_learned)
{
	struct learned_key key, *before = NULL;
	uint8_t wanted[ADDR_LEN];

	addr_parse(addr, wanted);
	for (; !bpf_map_get_next_key(learned_fd(world), before, &key); before = &key) {
		if (!memcmp(key.addr, wanted, ADDR_LEN))
			return !bpf_map_lookup_elem(learned_fd(world), &key, ret_learned);
	}
	return false;
}

unsigned int learned_count(struct world *world)
{
	struct learned_key key, *before = NULL;
	unsigned int count = 0;

	for (; !bpf_map_get_next_key(learned_fd(world), before, &key); before = &key)
		count++;
	return count;
}

void learned_clear(struct world *world)
{
	struct learned_key key;

	while (!bpf_map_get_next_key(learned_fd(world), NULL, &key))
		cr_assert_eq(bpf_map_delete_elem(learned_fd(world), &key), 0);
}
