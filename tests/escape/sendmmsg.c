/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sendmmsg ALLOWED FORBIDDEN PORT: one call with three datagrams, the one in the middle with
 * $SECRET to FORBIDDEN. Status 0 if that one was sent. Waits for the echo of what was sent: to a
 * socket that is closed already, it would come back as an ICMP error with the text in it.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	const char *secret = getenv("SECRET");
	struct sockaddr_in to[3] = { 0 };
	struct mmsghdr messages[3] = { 0 };
	struct timeval patience = { .tv_sec = 5 };
	struct iovec parts[3];
	char echo[256];
	int sock, sent;

	if (argc != 4 || !secret)
		return 64;
	for (int i = 0; i < 3; i++) {
		const char *text = i == 1 ? secret : "innocent";

		to[i].sin_family = AF_INET;
		to[i].sin_port = htons(atoi(argv[3]));
		if (inet_pton(AF_INET, argv[i == 1 ? 2 : 1], &to[i].sin_addr) != 1)
			return 64;
		parts[i] = (struct iovec){ .iov_base = (char *)text, .iov_len = strlen(text) };
		messages[i].msg_hdr.msg_name = &to[i];
		messages[i].msg_hdr.msg_namelen = sizeof(to[i]);
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	if (sock < 0) {
		perror("socket");
		return 1;
	}
	sent = sendmmsg(sock, messages, 3, 0);
	if (sent < 0)
		perror("sendmmsg");
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	for (int i = 0; i < sent; i++) {
		if (recv(sock, echo, sizeof(echo), 0) < 0)
			perror("recv");
	}
	return sent == 3 ? 0 : 1;
}
