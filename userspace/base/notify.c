/* SPDX-License-Identifier: GPL-2.0 */
/* sd_notify(3)'s protocol without its library, which would bring four others into the daemon. */
#include "base/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"

int notify_send(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	size_t length;
	socklen_t size;

	if (!path || !*path)
		return 0;
	length = strlen(path);
	/* A machine's manager may be reached over vsock: not the one that started this daemon. */
	if (path[0] != '/' && path[0] != '@')
		return -EAFNOSUPPORT;
	if (length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, length + 1);
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	else
		size++;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* The manager tells services apart by the sender's credentials, which the kernel adds. */
	if (sendto(fd, state, strlen(state), MSG_DONTWAIT | MSG_NOSIGNAL,
		   (const struct sockaddr *)&address, size) < 0)
		return -errno;
	return 1;
}

/* A whole positive decimal number, or 0. */
static uint64_t number_read(const char *text)
{
	unsigned long long number;
	char *end;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	number = strtoull(text, &end, 10);
	return *end || errno ? 0 : number;
}

uint64_t notify_watchdog_interval_us(void)
{
	const char *pid = getenv("WATCHDOG_PID");

	if (pid && number_read(pid) != (uint64_t)getpid())
		return 0;
	return number_read(getenv("WATCHDOG_USEC")) / 2;
}
