/* SPDX-License-Identifier: GPL-2.0 */
/* The socket, who finds a place, lines for all. One client's life is connection.c's. */
#include "control/server.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"
#include "control/internal.h"
#include "control/peer.h"
#include "control/protocol.h"

/* Others' turn comes between so many connections that wait at once. */
#define ACCEPTS_MAX	16

/* One timer for all: deadlines are a second late at most. */
static void ticks_set(struct control *control, bool ticks)
{
	struct timespec second = { .tv_sec = ticks };
	struct itimerspec timer = { .it_interval = second, .it_value = second };

	if (ticks != control->ticks)
		timerfd_settime(control->timer_fd, 0, &timer, NULL);
	control->ticks = ticks;
}

static void clients_tick(void *context)
{
	struct control *control = context;
	uint64_t expirations;

	if (read(control->timer_fd, &expirations, sizeof(expirations)) < 0)
		return;
	if (control->paused && !loop_fd_change(control->loop, control->listen_fd, EPOLLIN))
		control->paused = false;
	for (unsigned int i = 0; i < control->clients_max; i++)
		client_tick(&control->clients[i], clock_ms(CLOCK_MONOTONIC));
	if (!control->clients_count && !control->paused)
		ticks_set(control, false);
}

static unsigned int part(unsigned int whole, unsigned int share)
{
	return whole / share ? whole / share : 1;
}

static bool cgroup_same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : !a && !b;
}

/* NULL when there is a place for this peer, else what is full. */
static const char *place_refusal(const struct control *control, const struct control_peer *peer)
{
	unsigned int max = control->clients_max, others = 0, user = 0, cgroup = 0;

	for (unsigned int i = 0; i < max; i++) {
		const struct client *client = &control->clients[i];

		if (client->phase == CLIENT_NONE || client->peer.trusted)
			continue;
		others++;
		user += client->peer.uid == peer->uid;
		cgroup += cgroup_same(client->peer.cgroup, peer->cgroup);
	}
	if (control->clients_count >= max)
		return "the daemon serves as many clients as it can";
	if (peer->trusted)
		return NULL;
	if (others >= max - part(max, 4))
		return "the daemon serves as many clients as it can; the rest is kept for root";
	if (user >= part(max, 2))
		return "this user has as many connections to the daemon as it may have";
	if (cgroup >= part(max, 16))
		return "this cgroup has as many connections to the daemon as it may have";
	return NULL;
}

static void client_begin(struct control *control, int fd, struct control_peer *peer)
{
	struct client *client = control->clients;

	while (client->phase != CLIENT_NONE)
		client++;
	if (loop_fd_add(control->loop, fd, EPOLLIN, client_run, client)) {
		close(fd);
		return;
	}
	*client = (struct client){
		.phase = CLIENT_READS,
		.control = control,
		.peer = { .uid = peer->uid, .pid = peer->pid, .cgroup = TAKE_PTR(peer->cgroup),
			  .trusted = peer->trusted },
		.fd = fd,
		.deadline_ms = clock_ms(CLOCK_MONOTONIC) + CONTROL_REQUEST_TIME_S * 1000,
	};
	control->clients_count++;
	ticks_set(control, true);
}

static void connection_take(struct control *control, int fd)
{
	struct control_peer peer = {};
	const char *refusal;
	char line[256];

	if (peer_find(fd, &peer.uid, &peer.pid)) {
		close(fd);
		return;
	}
	peer.cgroup = peer_cgroup(fd, peer.pid);
	peer.trusted = !peer.uid && (!control->trust || control->trust(&peer, control->context));
	refusal = place_refusal(control, &peer);
	if (!refusal) {
		client_begin(control, fd, &peer);
	} else {
		int length = snprintf(line, sizeof(line),
				      "{\"ok\":false,\"error\":\"%s; try again\"}\n", refusal);

		/* The buffer of a new connection is empty: this fits, or the peer is gone. */
		send(fd, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
	}
	free(peer.cgroup);
}

static void connections_accept(void *context)
{
	struct control *control = context;

	for (int i = 0; i < ACCEPTS_MAX; i++) {
		int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			connection_take(control, fd);
			continue;
		}
		/* No descriptor or memory: the connection stays, and would call again at once. */
		if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
			control->paused = !loop_fd_change(control->loop, control->listen_fd, 0);
			ticks_set(control, true);
		}
		return;
	}
}

/* Whatever was at `path` before: nobody finds the place empty. */
static int socket_place(struct control *control, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat before;
	int error = 0;

	if (strlen(path) > CONTROL_PATH_MAX)
		return -ENAMETOOLONG;
	if (!lstat(path, &before) && !S_ISSOCK(before.st_mode))
		return -ENOTSOCK;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s.new", path);
	if (unlink(address.sun_path) && errno != ENOENT)
		return -errno;
	if (bind(control->listen_fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (chmod(address.sun_path, 0666) || lstat(address.sun_path, &control->socket) ||
	    listen(control->listen_fd, SOMAXCONN) || rename(address.sun_path, path))
		error = -errno;
	if (error)
		unlink(address.sun_path);
	return error;
}

static int control_start(struct control *control, const char *path)
{
	int error;

	control->path = strdup(path);
	if (!control->path)
		return -ENOMEM;
	control->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	control->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->timer_fd < 0 || control->listen_fd < 0)
		return -errno;
	error = loop_fd_add(control->loop, control->timer_fd, EPOLLIN, clients_tick, control);
	if (!error)
		error = loop_fd_add(control->loop, control->listen_fd, EPOLLIN, connections_accept,
				    control);
	return error ? error : socket_place(control, path);
}

int control_open(const char *path, unsigned int clients_max, struct loop *loop, control_fn answer,
		 void *context, struct control **ret_control)
{
	_cleanup_control_ struct control *control = NULL;
	int error;

	if (!clients_max)
		return -EINVAL;
	control = calloc(1, sizeof(*control) + clients_max * sizeof(control->clients[0]));
	if (!control)
		return -ENOMEM;
	control->loop = loop;
	control->answer = answer;
	control->context = context;
	control->clients_max = clients_max;
	control->timer_fd = -1;
	control->listen_fd = -1;
	error = control_start(control, path);
	if (!error)
		*ret_control = TAKE_PTR(control);
	return error;
}

void control_trust(struct control *control, control_trust_fn trust)
{
	control->trust = trust;
}

void control_close(struct control *control)
{
	struct stat now;

	if (!control)
		return;
	for (unsigned int i = 0; i < control->clients_max; i++) {
		if (control->clients[i].phase != CLIENT_NONE)
			client_end(&control->clients[i]);
	}
	/* A successor may have put its own there. */
	if (control->socket.st_ino && !lstat(control->path, &now) &&
	    now.st_ino == control->socket.st_ino && now.st_dev == control->socket.st_dev)
		unlink(control->path);
	loop_fd_remove(control->loop, control->listen_fd);
	loop_fd_remove(control->loop, control->timer_fd);
	close_fd(&control->listen_fd);
	close_fd(&control->timer_fd);
	free(control->path);
	free(control);
}

void control_publish(struct control *control, uint32_t job, const char *line, size_t length)
{
	for (unsigned int i = 0; i < control->clients_max; i++)
		client_publish(&control->clients[i], job, line, length);
}

void control_job_end(struct control *control, uint32_t job)
{
	for (unsigned int i = 0; i < control->clients_max; i++) {
		struct client *client = &control->clients[i];

		if (client->job != job || !job)
			continue;
		client->follow = false;
		if (client->phase != CLIENT_FOLLOWS)
			continue;
		client_finish(client);
		if (!client->awaits_room)
			client_send(client);
	}
}

unsigned int control_clients(const struct control *control)
{
	return control->clients_count;
}
