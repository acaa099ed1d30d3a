/* SPDX-License-Identifier: GPL-2.0 */
/* What server.c (connections, requests) and stream.c (what is sent) share. */
#ifndef BUILDFENCE_CONTROL_INTERNAL_H
#define BUILDFENCE_CONTROL_INTERNAL_H

#include <stdio.h>
#include <sys/stat.h>

#include "base/text.h"
#include "control/server.h"

/*
 * What may wait for one reader, besides what the kernel's socket buffer holds (some 200 KiB). The
 * memory for it is twice that at most. An answer to root may be longer: how many jobs there are is
 * bounded elsewhere.
 */
#define OUTPUT_MAX	(64 * 1024)

enum client_phase {
	CLIENT_NONE = 0,	/* a free place */
	CLIENT_READS,		/* its request is read */
	CLIENT_PAST,		/* lines of the past are sent */
	CLIENT_FOLLOWS,		/* lines are sent as they come */
	CLIENT_ENDS,		/* closed once everything is sent */
};

struct client {
	enum client_phase phase;
	struct control *control;
	struct control_peer peer;
	int fd;
	int64_t deadline_ms;	/* CLOCK_MONOTONIC; of its request, then of the answer's reading */
	char *request;		/* CONTROL_REQUEST_MAX bytes, while it is read */
	size_t request_length;

	struct text out;	/* what waits to be sent, from `sent` on */
	size_t sent;
	bool awaits_room;	/* the loop calls when the socket takes more */
	uint64_t lost;		/* lines since the reader was too slow */
	FILE *past;
	int64_t past_left;	/* bytes of it to read; without end for who follows it then */
	char *past_only;
	bool follow;
	uint32_t job;
};

struct control {
	struct loop *loop;
	control_fn answer;
	control_trust_fn trust;	/* or NULL */
	void *context;
	char *path;
	struct stat socket;	/* device and inode of what we put at `path` */
	int listen_fd;
	int timer_fd;		/* ticks once a second while there is somebody to wait for */
	bool ticks;
	bool paused;		/* no descriptors were left: no accept() until the next tick */
	unsigned int clients_max;
	unsigned int clients_count;
	struct client clients[];
};

/* connection.c. The loop calls this when the client sends, takes, or is gone. */
void client_run(void *context);

/* Ends it when its time is over. */
void client_tick(struct client *client, int64_t now_ms);

/* From now on it ends once everything is sent, or when its time is over. */
void client_finish(struct client *client);

/* Closes it and frees the place. */
void client_end(struct client *client);

/* Whether the loop calls when the socket has room for more. Ends the client if that fails. */
void client_await(struct client *client, bool room);

/* stream.c: sends what can be sent without waiting, and goes on to the next phase behind it. */
void client_send(struct client *client);

/* A line for who follows this job or all; others do not get it. */
void client_publish(struct client *client, uint32_t job, const char *line, size_t length);

#endif
