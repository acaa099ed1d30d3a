/* SPDX-License-Identifier: GPL-2.0 */
/*
 * flood ADDRESS PORT COUNT: tries COUNT datagrams and prints how many the kernel refused with
 * EPERM. Any other outcome ends it with status 1, so that what was printed is exact.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	long count, refused = 0;
	int sock;

	if (argc != 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		return 64;
	to.sin_port = htons(atoi(argv[2]));
	count = atol(argv[3]);
	sock = socket(AF_INET, SOCK_DGRAM, 0);
	if (sock < 0) {
		perror("socket");
		return 1;
	}
	for (long i = 0; i < count; i++) {
		if (sendto(sock, "flood", 5, 0, (struct sockaddr *)&to, sizeof(to)) >= 0 ||
		    errno != EPERM) {
			fprintf(stderr, "attempt %ld: %s\n", i, strerror(errno));
			return 1;
		}
		refused++;
	}
	printf("%ld\n", refused);
	return 0;
}
