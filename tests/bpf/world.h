/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guarded job on real sockets: a network namespace of the test's own, in which 198.51.100.0/24,
 * 203.0.113.0/24, 192.0.2.0/24 and 2001:db8::/32 are all local, and a cgroup with the guard
 * attached. Whose socket it is, is decided by the cgroup in which it was made; so the test itself
 * plays the job, the resolver and the world outside, and no step needs to wait for another process.
 */
#ifndef BUILDFENCE_TESTS_WORLD_H
#define BUILDFENCE_TESTS_WORLD_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "harness.h"

struct cgroup;

struct world {
	struct guard *guard;
	struct cgroup *cgroup;
	uint32_t job;
	uint32_t policy;
	enum guard_mode mode;
	char pins[32];			/* name of its pins; empty: none */
	struct guard_options options;
	int resolver;			/* UDP socket on RESOLVER port 53, outside the job */
	struct sockaddr_storage asker;	/* of the question that the resolver heard last */
};

void world_open(struct world *world, enum guard_mode mode, const char *yaml);
void world_open_sized(struct world *world, enum guard_mode mode, const char *yaml,
		      size_t ring_bytes);
/* The same with pins of the test's own, which go with it. */
void world_open_pinned(struct world *world, enum guard_mode mode, const char *yaml);
/* The guard's process ends, and another one takes over; `last_uid` as in guard_options. */
void world_take_over(struct world *world, const char *last_uid);
void world_close(struct world *world);
#define _cleanup_world_ __attribute__((cleanup(world_close)))

/* Puts another policy and mode in force, as a reload does. */
void world_policy(struct world *world, const char *yaml, enum guard_mode mode);

/* The address and port as the socket calls want them; `family` AF_INET6 makes IPv4 v4-mapped. */
struct sockaddr_storage address_of(int family, const char *addr, uint16_t port);
socklen_t address_len(const struct sockaddr_storage *address);

/* A socket of the job, or of the world outside. */
int socket_job(struct world *world, int family, int type);
int socket_job_try(struct world *world, int family, int type);	/* or -errno */
int socket_outside(int family, int type);
/* One outside, bound; TCP ones listen. */
int server_outside(int family, int type, const char *addr, uint16_t port);

/* 0 or -errno. connect() waits at most a second, since a refused SYN could be sent again. */
int connect_to(int fd, const char *addr, uint16_t port);
int send_to(int fd, const void *bytes, size_t len, const char *addr, uint16_t port);

/* Is there something to read within the time? */
bool hears(int fd, int timeout_ms);

/* The job's socket asks, the resolver hears it. */
void ask(struct world *world, int fd, uint16_t id, const char *name);
void ask_type(struct world *world, int fd, uint16_t id, const char *name, uint16_t type);
/* The resolver answers from a socket outside; the job's socket reads it. */
void answer(struct world *world, int from, int fd, const struct made *message);

/* Takes one entry of the learned addresses; false: there is none. */
bool learned_find(struct world *world, const char *addr, struct learned *ret_learned);
unsigned int learned_count(struct world *world);
void learned_clear(struct world *world);

#endif
