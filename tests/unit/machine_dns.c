/* SPDX-License-Identifier: GPL-2.0 */
/* Reading resolv.conf: whom a job may ask, and the search domains. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "policy/compile.h"

#define LOCAL	" ::ffff:127.0.0.53 ::ffff:127.0.0.11"

struct row {
	char text[512];
	char resolvers[256];		/* each behind a space */
	char search[256];
};

/* Reads `text` as a file; both lists come back joined, to be compared at one glance. */
static void read_text(const char *text, char ret_resolvers[static 512],
		      char ret_search[static 4096])
{
	char path[] = "/tmp/buildfence-machine-dns-XXXXXX", addr[INET6_ADDRSTRLEN];
	_cleanup_close_ int fd = mkstemp(path);
	struct machine_dns dns;
	int r;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	r = machine_dns_read(path, &dns);
	unlink(path);
	cr_assert_eq(r, 0, "%s", strerror(-r));
	*ret_resolvers = *ret_search = '\0';
	for (unsigned int i = 0; i < dns.resolver_count; i++) {
		inet_ntop(AF_INET6, dns.resolvers[i], addr, sizeof(addr));
		strcat(strcat(ret_resolvers, " "), addr);
	}
	for (unsigned int i = 0; i < dns.search_count; i++)
		strcat(strcat(ret_search, " "), dns.search[i]);
}

ParameterizedTestParameters(machine_dns, a_file_is_read_as_the_resolver_library_reads_it)
{
	static struct row rows[] = {
		{ "nameserver 192.0.2.53\nsearch Corp.Example lab.test.\n", " ::ffff:192.0.2.53" LOCAL,
		  " corp.example lab.test" },
		{ "nameserver 2001:db8::53\nnameserver fe80::1%eth0\n", " 2001:db8::53 fe80::1" LOCAL, "" },
		{ "", " ::ffff:127.0.0.1" LOCAL, "" },
		{ "nameserver 127.0.0.53\n", " ::ffff:127.0.0.53 ::ffff:127.0.0.11", "" },
		{ "search a.example b.example\ndomain c.example d.example\n", " ::ffff:127.0.0.1" LOCAL,
		  " c.example" },
		{ "domain c.example\nsearch a.example\n", " ::ffff:127.0.0.1" LOCAL, " a.example" },
		{ "# nameserver 192.0.2.1\n;nameserver 192.0.2.2\n\nnameserver\nnameserver x.example\n"
		  "nameserver 300.1.1.1\nnameservers 192.0.2.4\noptions ndots:5\nnameserver\t192.0.2.3 # ours",
		  " ::ffff:192.0.2.3" LOCAL, "" },
		{ "nameserver 192.0.2.1\nnameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n"
		  "nameserver 192.0.2.4\nnameserver 192.0.2.5\nnameserver 192.0.2.6\nnameserver 192.0.2.7\n",
		  " ::ffff:192.0.2.1 ::ffff:192.0.2.2 ::ffff:192.0.2.3 ::ffff:192.0.2.4 ::ffff:192.0.2.5"
		  " ::ffff:192.0.2.6" LOCAL, "" },
		{ "search a b c d e f g h i j\n", " ::ffff:127.0.0.1" LOCAL, " a b c d e f g h" },
		{ "search .\n", " ::ffff:127.0.0.1" LOCAL, "" },
		{ "search a.example\nsearch\n", " ::ffff:127.0.0.1" LOCAL, "" },
	};

	return cr_make_param_array(struct row, rows, ARRAY_SIZE(rows));
}

ParameterizedTest(struct row *row, machine_dns, a_file_is_read_as_the_resolver_library_reads_it)
{
	char resolvers[512], search[4096];

	read_text(row->text, resolvers, search);
	cr_expect_str_eq(resolvers, row->resolvers);
	cr_expect_str_eq(search, row->search);
}

Test(machine_dns, a_missing_file_means_the_resolver_on_this_machine)
{
	static const uint8_t local[ADDR_LEN] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };
	struct machine_dns dns;

	cr_assert_eq(machine_dns_read("/nonexistent/resolv.conf", &dns), 0);
	cr_expect_eq(dns.resolver_count, 3);
	cr_expect_arr_eq(dns.resolvers[0], local, ADDR_LEN);
	cr_expect_eq(machine_dns_read("/etc/resolv.conf/x", &dns), -ENOTDIR);
}
