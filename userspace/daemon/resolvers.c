/* SPDX-License-Identifier: GPL-2.0 */
/* Reading resolv.conf when it has changed. What it says is policy/machine_dns.c's matter. */
#include "daemon/resolvers.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

#define RESOLV_CONF	"/etc/resolv.conf"

bool resolvers_read(struct resolvers *resolvers)
{
	struct stat status = {};
	struct machine_dns dns = {};
	int error;

	stat(RESOLV_CONF, &status);
	if (resolvers->changed.tv_sec == status.st_mtim.tv_sec &&
	    resolvers->changed.tv_nsec == status.st_mtim.tv_nsec && status.st_mtim.tv_sec)
		return false;
	error = machine_dns_read(RESOLV_CONF, &dns);
	if (error && error != -ENOENT) {
		log_error("cannot read " RESOLV_CONF ": %s; the resolvers known before stay",
			  strerror(-error));
		return false;
	}
	resolvers->changed = status.st_mtim;
	if (!memcmp(&dns, &resolvers->dns, sizeof(dns)))
		return false;
	resolvers->dns = dns;
	return true;
}
