/* SPDX-License-Identifier: GPL-2.0 */
/*
 * race listen LENGTH: counts the datagrams of that length that reach 127.0.0.53 port 53, until its
 * standard input ends. The kernel filters by length before it queues, so that the many others
 * cannot crowd out the one that matters.
 *
 * race send ALLOWED REFUSED COUNT one-cpu|any-cpu: two threads ask for two names on one socket,
 * each COUNT times. Prints how many questions of each kind were sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER_LEN	12	/* of a DNS message */
#define UDP_LEN		8	/* a socket filter sees the UDP header too */

struct asker {
	unsigned char message[512];
	size_t len;
	long count;
	long sent;
	int sock;
};

static const struct sockaddr_in resolver = {
	.sin_family = AF_INET,
	.sin_port = __builtin_bswap16(53),
	.sin_addr.s_addr = __builtin_bswap32(0x7f000035),
};

static size_t question_write(const char *name, unsigned char *message)
{
	static const unsigned char head[HEADER_LEN] = { 0, 7, 1, 0, 0, 1 };
	unsigned char *out = message + HEADER_LEN;

	memcpy(message, head, sizeof(head));
	while (*name) {
		size_t label = strcspn(name, ".");

		*out++ = label;
		memcpy(out, name, label);
		out += label;
		name += label + (name[label] == '.');
	}
	memcpy(out, "\0\0\1\0\1", 5);
	return out + 5 - message;
}

static void *asker_run(void *argument)
{
	struct asker *asker = argument;

	for (long i = 0; i < asker->count; i++) {
		if (sendto(asker->sock, asker->message, asker->len, 0,
			   (const struct sockaddr *)&resolver, sizeof(resolver)) >= 0)
			asker->sent++;
	}
	return NULL;
}

static int race_send(const char *const names[2], long count, int one_cpu)
{
	struct asker askers[2] = { 0 };
	pthread_t threads[2];
	cpu_set_t first;
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sock < 0 || (one_cpu && sched_setaffinity(0, sizeof(first), &first))) {
		perror("race");
		return 1;
	}
	for (int i = 0; i < 2; i++) {
		askers[i].sock = sock;
		askers[i].count = count;
		askers[i].len = question_write(names[i], askers[i].message);
		if (pthread_create(&threads[i], NULL, asker_run, &askers[i]))
			return 1;
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	printf("%ld allowed, %ld refused\n", askers[0].sent, askers[1].sent);
	return 0;
}

static int race_listen(unsigned int length)
{
	struct sock_filter of_length[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, length + UDP_LEN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = { .len = 4, .filter = of_length };
	int sock = socket(AF_INET, SOCK_DGRAM, 0);
	struct pollfd fds[2] = { { .fd = STDIN_FILENO }, { .fd = sock, .events = POLLIN } };
	char message[512];
	long count = 0;

	if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) ||
	    bind(sock, (const struct sockaddr *)&resolver, sizeof(resolver))) {
		perror("race listen");
		return 1;
	}
	printf("listening\n");
	fflush(stdout);
	while (poll(fds, 2, -1) > 0) {
		if (fds[1].revents) {
			if (recv(sock, message, sizeof(message), 0) > 0)
				count++;
		} else if (fds[0].revents) {
			break;
		}
	}
	printf("%ld heard\n", count);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "listen"))
		return race_listen(atoi(argv[2]));
	if (argc == 6 && !strcmp(argv[1], "send")) {
		const char *const names[2] = { argv[2], argv[3] };

		return race_send(names, atol(argv[4]), !strcmp(argv[5], "one-cpu"));
	}
	return 64;
}
