/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What this machine's resolv.conf(5) adds to a policy: whom a job may ask, and which search domains
 * its resolver library appends. Lines that cannot be read are left out, as the library does.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "compile.h"

#define SPACES	" \t\r\n"

static void addr_from_v4(const struct in_addr *v4, uint8_t ret_addr[static ADDR_LEN])
{
	memset(ret_addr, 0, ADDR_LEN);
	ret_addr[10] = 0xff;
	ret_addr[11] = 0xff;
	memcpy(ret_addr + 12, v4, sizeof(*v4));
}

/* Adds a resolver unless it is there or the table is full. */
static void resolver_add(struct machine_dns *dns, const char *text)
{
	uint8_t addr[ADDR_LEN];
	struct in_addr v4;

	if (inet_aton(text, &v4))	/* resolv.conf knows 10.1 too */
		addr_from_v4(&v4, addr);
	else if (inet_pton(AF_INET6, text, addr) != 1)
		return;
	for (unsigned int i = 0; i < dns->resolver_count; i++) {
		if (!memcmp(dns->resolvers[i], addr, ADDR_LEN))
			return;
	}
	if (dns->resolver_count < RESOLVERS_MAX)
		memcpy(dns->resolvers[dns->resolver_count++], addr, ADDR_LEN);
}

/* "fe80::1%eth0" without its zone. Two places stay free for the local resolvers. */
static void nameserver_line(struct machine_dns *dns, char *rest)
{
	char *text = strtok_r(rest, SPACES, &rest);

	if (!text || dns->resolver_count >= RESOLVERS_MAX - 2)
		return;
	text[strcspn(text, "%")] = '\0';
	resolver_add(dns, text);
}

static void search_add(struct machine_dns *dns, const char *domain)
{
	char *search = dns->search[dns->search_count];
	size_t len = strlen(domain);

	if (len && domain[len - 1] == '.')
		len--;
	if (!len || len > NAME_MAX_LEN - 1 || dns->search_count == ARRAY_SIZE(dns->search))
		return;
	for (size_t i = 0; i < len; i++)
		search[i] = (char)tolower((unsigned char)domain[i]);
	search[len] = '\0';
	dns->search_count++;
}

/* The last `search` or `domain` line counts alone; `domain` names one. */
static void search_line(struct machine_dns *dns, char *rest, bool one)
{
	const char *domain;

	memset(dns->search, 0, sizeof(dns->search));
	dns->search_count = 0;
	while ((domain = strtok_r(rest, SPACES, &rest))) {
		search_add(dns, domain);
		if (one)
			return;
	}
}

static void line_read(struct machine_dns *dns, char *line)
{
	char *rest = line;
	const char *keyword;

	/* Comments, and keywords that are indented, do not count. */
	if (strchr("#; \t\r\n", *line))
		return;
	keyword = strtok_r(rest, SPACES, &rest);
	if (!keyword)
		return;
	if (!strcmp(keyword, "nameserver"))
		nameserver_line(dns, rest);
	else if (!strcmp(keyword, "search") || !strcmp(keyword, "domain"))
		search_line(dns, rest, *keyword == 'd');
}

int machine_dns_read(const char *path, struct machine_dns *ret_dns)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	struct machine_dns dns = {};
	size_t size = 0;

	if (!file && errno != ENOENT)
		return -errno;
	while (file && getline(&line, &size, file) >= 0)
		line_read(&dns, line);
	if (file && ferror(file))
		return -EIO;
	/* resolv.conf(5): without a nameserver, the one on this machine. */
	if (!dns.resolver_count)
		resolver_add(&dns, "127.0.0.1");
	resolver_add(&dns, "127.0.0.53");
	resolver_add(&dns, "127.0.0.11");
	*ret_dns = dns;
	return 0;
}
