/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Resolver side doors: ways to ask for a name that are no DNS question, so that the name is not
 * judged and its address not learned.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "abi.h"
#include "doctor/doctor.h"

#define DNS_GROUP	"Names"
#define SPACES		" \t\r\n"

/* Looks at each source on the last `hosts:` line of nsswitch.conf that begins with `source`. */
static void hosts_judge(const struct machine *machine, const char *source, struct finding *finding)
{
	_cleanup_fclose_ FILE *file = machine_file(machine, "etc/nsswitch.conf");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (file && getline(&line, &size, file) >= 0) {
		char *rest = line + strspn(line, SPACES), *word;

		rest[strcspn(rest, "#")] = '\0';
		if (strncmp(rest, "hosts:", strlen("hosts:")))
			continue;
		rest += strlen("hosts:");
		while ((word = strtok_r(rest, SPACES, &rest))) {
			if (!strncmp(word, source, strlen(source)))
				finding_add(finding, FINDING_WARNING, "'%s' in nsswitch.conf",
					    word);
		}
	}
	if (!finding->status)
		finding_add(finding, FINDING_OK, "none");
}

static void nss_resolve_judge(const struct machine *machine, struct finding *finding)
{
	hosts_judge(machine, "resolve", finding);
}

static void mdns_judge(const struct machine *machine, struct finding *finding)
{
	hosts_judge(machine, "mdns", finding);
}

static void cache_judge(const struct machine *machine, struct finding *finding)
{
	static const char *const sockets[] = {
		"run/nscd/socket", "var/run/nscd/socket", "var/lib/sss/pipes/nss",
	};

	for (size_t i = 0; i < ARRAY_SIZE(sockets) && finding->status < FINDING_WARNING; i++) {
		_cleanup_close_ int fd = machine_fd(machine, sockets[i], O_PATH);

		if (fd >= 0)
			finding_add(finding, FINDING_WARNING, "/%s", sockets[i]);
	}
	if (!finding->status)
		finding_add(finding, FINDING_OK, "none");
}

static bool is_addr(const char *word)
{
	char text[INET6_ADDRSTRLEN + 32];
	struct in6_addr v6;
	struct in_addr v4;

	snprintf(text, sizeof(text), "%s", word);
	text[strcspn(text, "%")] = '\0';
	return inet_aton(text, &v4) || inet_pton(AF_INET6, text, &v6) == 1;
}

/* Two places of the guard's table are for the local resolvers, as policy/machine_dns.c has it. */
static void resolvers_judge(const struct machine *machine, struct finding *finding)
{
	_cleanup_fclose_ FILE *file = machine_file(machine, "etc/resolv.conf");
	_cleanup_free_ char *line = NULL;
	unsigned int count = 0;
	size_t size = 0;

	while (file && getline(&line, &size, file) >= 0) {
		char *rest = line, *word = strtok_r(rest, SPACES, &rest);

		if (!word || strcmp(word, "nameserver"))
			continue;
		word = strtok_r(rest, SPACES, &rest);
		if (word && is_addr(word))
			finding_add(finding,
				    ++count > RESOLVERS_MAX - 2 ? FINDING_WARNING : FINDING_OK,
				    "%s%s", word,
				    !strcmp(word, "127.0.0.53") ? " (systemd-resolved)" : "");
		else
			finding_add(finding, FINDING_WARNING, "'%s' is no address",
				    word ? word : "");
	}
	if (!finding->status)
		finding_add(finding, file ? FINDING_OK : FINDING_WARNING, "%s",
			    file ? "none named: 127.0.0.1" : "no resolv.conf: 127.0.0.1");
}

const struct check dns_checks[] = {
	{ "dns-resolvers", DNS_GROUP, "resolvers in resolv.conf", resolvers_judge,
	  "jobs may ask the first 6 resolvers, given as plain addresses and on port 53; questions to "
	  "any other are refused",
	  "name at most 6 resolvers as `nameserver ADDRESS`; a resolver on another port needs a "
	  "forwarder on port 53" },
	{ "dns-nss-resolve", DNS_GROUP, "names asked of systemd-resolved without DNS",
	  nss_resolve_judge,
	  "names are asked over a UNIX socket, where they are not judged: allowed ones fail to connect, "
	  "since no address is learned, and any name can carry data out",
	  "take `resolve` out of the hosts line of /etc/nsswitch.conf, so that `dns` asks 127.0.0.53" },
	{ "dns-cache-daemon", DNS_GROUP, "nscd or sssd", cache_judge,
	  "if it caches or resolves host names, they are asked over a UNIX socket, where they are not "
	  "judged and no address is learned",
	  "stop nscd, or set `enable-cache hosts no` in /etc/nscd.conf; with sssd keep `sss` out of the "
	  "hosts line of /etc/nsswitch.conf" },
	{ "dns-mdns", DNS_GROUP, "names asked by multicast", mdns_judge,
	  "avahi-daemon asks for names below .local in a job's stead, unjudged",
	  "take mdns out of the hosts line of /etc/nsswitch.conf" },
};
const size_t dns_check_count = ARRAY_SIZE(dns_checks);
