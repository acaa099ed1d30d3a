/* SPDX-License-Identifier: GPL-2.0 */
/* Targets: what each form means, what is refused and how, the way back to text, covering. */
#include "policy/target.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/load.h"

static struct target parsed(const char *text, enum rule_list list)
{
	char error[256] = "";
	struct target target = {};

	cr_assert_eq(target_parse(text, list, &target, error), 0, "%s: %s", text, error);
	return target;
}

Test(target, schemes_give_protocol_and_ports)
{
	static const struct {
		const char *text;
		uint8_t protocol;
		uint16_t low, high;
	} rows[] = {
		{ "https://a.example", IPPROTO_TCP, 443, 443 },
		{ "HTTPS://a.example", IPPROTO_TCP, 443, 443 },
		{ "http://a.example", IPPROTO_TCP, 80, 80 },
		{ "ssh://a.example", IPPROTO_TCP, 22, 22 },
		{ "git://a.example", IPPROTO_TCP, 9418, 9418 },
		{ "https://a.example:8443", IPPROTO_TCP, 8443, 8443 },
		{ "tcp://a.example:1-65535", IPPROTO_TCP, 1, 65535 },
		{ "udp://a.example:123", IPPROTO_UDP, 123, 123 },
		{ "any://a.example:5000-5001", 0, 5000, 5001 },
		{ "any://a.example", 0, 0, 65535 },
		{ "a.example", IPPROTO_TCP, 443, 443 },
		{ "a.example:8443", IPPROTO_TCP, 8443, 8443 },
		{ "192.0.2.1", IPPROTO_TCP, 443, 443 },
		{ "2001:db8::1", IPPROTO_TCP, 443, 443 },
		{ "https://a.example/", IPPROTO_TCP, 443, 443 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct target target = parsed(rows[i].text, LIST_ALLOW);

		cr_expect(target.protocol == rows[i].protocol && target.port_low == rows[i].low &&
				  target.port_high == rows[i].high,
			  "%s: protocol %u, ports %u-%u", rows[i].text, target.protocol,
			  target.port_low, target.port_high);
		cr_expect(!target.everything && !target.has_path, "%s", rows[i].text);
	}
}

Test(target, without_scheme_and_port_a_denial_is_for_everything)
{
	static const enum rule_list lists[] = { LIST_DENY, LIST_EXPECTED };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct target bare = parsed("*.a.example", lists[i]);
		struct target scheme = parsed("https://a.example", lists[i]);
		struct target port = parsed("a.example:8443", lists[i]);

		cr_expect(bare.everything && !bare.protocol && !bare.port_low &&
			  bare.port_high == 65535);
		cr_expect(!scheme.everything && scheme.protocol == IPPROTO_TCP &&
			  scheme.port_low == 443);
		cr_expect(!port.everything && !port.protocol && port.port_low == 8443);
	}
}

Test(target, names_become_what_dns_asks_for)
{
	static const struct {
		const char *text, *name;
		enum name_match match;
	} rows[] = {
		{ "Dev.Azure.COM", "dev.azure.com", NAME_EXACT },
		{ "dev.azure.com.", "dev.azure.com", NAME_EXACT },
		{ "*.azure.com", "azure.com", NAME_BELOW },
		{ "*.azure.com.", "azure.com", NAME_BELOW },
		{ "*cdn.vsassets.io", "cdn.vsassets.io", NAME_SUFFIX },
		{ "*-cdn.vsassets.io", "-cdn.vsassets.io", NAME_SUFFIX },
		{ "b\xc3\xbc" "cher.example", "xn--bcher-kva.example", NAME_EXACT },
		{ "*.B\xc3\x9c" "CHER.example", "xn--bcher-kva.example", NAME_BELOW },
		{ "*-x.b\xc3\xbc" "cher.example", "-x.xn--bcher-kva.example", NAME_SUFFIX },
		{ "fa\xc3\x9f.example", "xn--fa-hia.example", NAME_EXACT },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example", NAME_EXACT },
		{ "_dmarc.a.example", "_dmarc.a.example", NAME_EXACT },
		{ "buildserver", "buildserver", NAME_EXACT },
		{ "1e100.net", "1e100.net", NAME_EXACT },
		{ "10.0.0.1.example", "10.0.0.1.example", NAME_EXACT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct target target = parsed(rows[i].text, LIST_ALLOW);

		cr_expect_eq(target.kind, TARGET_NAME, "%s", rows[i].text);
		cr_expect_eq(target.match, rows[i].match, "%s", rows[i].text);
		cr_expect_str_eq(target.name, rows[i].name);
	}
}

Test(target, addresses_are_16_bytes_with_their_prefix)
{
	static const struct {
		const char *text, *addr;
		unsigned int bits, port;
	} rows[] = {
		{ "192.0.2.1", "::ffff:192.0.2.1", 128, 443 },
		{ "tcp://10.20.0.0/16:5432", "::ffff:10.20.0.0", 112, 5432 },
		{ "https://0.0.0.0/0", "::ffff:0.0.0.0", 96, 443 },
		{ "2001:db8::1", "2001:db8::1", 128, 443 },
		{ "2001:db8::/32", "2001:db8::", 32, 443 },
		{ "2001:db8::/32:8443", "2001:db8::", 32, 8443 },
		{ "tcp://2001:db8::/32:8443", "2001:db8::", 32, 8443 },
		{ "tcp://[2001:db8::1]:80", "2001:db8::1", 128, 80 },
		{ "tcp://[2001:db8::/32]:80", "2001:db8::", 32, 80 },
		{ "tcp://[2001:db8::]/32:80", "2001:db8::", 32, 80 },
		{ "https://[2001:db8::]/32", "2001:db8::", 32, 443 },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1", 128, 443 },
		{ "tcp://[::ffff:192.0.2.0]/120:80", "::ffff:192.0.2.0", 120, 80 },
		{ "::ffff:0:0/96", "::ffff:0.0.0.0", 96, 443 },
		{ "[2000::]/3", "2000::", 3, 443 },
		{ "[fe80::]/10", "fe80::", 10, 443 },
		{ "https://192.0.2.1/24/x", "::ffff:192.0.2.1", 128, 443 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct target target = parsed(rows[i].text, LIST_ALLOW);
		uint8_t addr[ADDR_LEN];

		cr_assert_eq(inet_pton(AF_INET6, rows[i].addr, addr), 1);
		cr_expect_eq(target.kind, TARGET_PREFIX, "%s", rows[i].text);
		cr_expect(!memcmp(target.addr, addr, ADDR_LEN), "%s", rows[i].text);
		cr_expect_eq(target.prefix_bits, rows[i].bits, "%s: %u", rows[i].text,
			     target.prefix_bits);
		cr_expect_eq(target.port_low, rows[i].port, "%s: %u", rows[i].text,
			     target.port_low);
	}
}

Test(target, a_path_is_noticed)
{
	static const char *const texts[] = {
		"https://a.example/x", "https://a.example:8443/x", "a.example?x", "a.example/?u=https://b",
		"https://a.example/#x", "https://192.0.2.1/api",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_expect(parsed(texts[i], LIST_ALLOW).has_path, "%s", texts[i]);
}

Test(target, what_is_refused_says_what_was_expected)
{
	static const struct { const char *text, *error; } rows[] = {
		{ "", "empty target" },
		{ "*", "a star alone" },
		{ "https://*", "a star alone" },
		{ "*.", "a star alone" },
		{ "*.*.example.com", "only at the front" },
		{ "a.*.example.com", "only at the front" },
		{ "**.example.com", "only at the front" },
		{ "a..example", "empty label" },
		{ ".example", "empty label" },
		{ "a.example..", "empty label" },
		{ ".", "empty label" },
		{ "a b.example", "a blank" },
		{ "a\nb.example", "a blank or control character" },
		{ "a%00b.example", "'%' cannot stand in a host name" },
		{ "a,b.example", "',' cannot stand" },
		{ "htps://a.example", "unknown scheme 'htps'; did you mean 'https'?" },
		{ "ftp://a.example", "unknown scheme 'ftp'; known are https" },
		{ "gopher://a.example", "known are https" },
		{ "tcp://a.example", "tcp:// needs a port" },
		{ "udp://192.0.2.1", "udp:// needs a port" },
		{ "https://2001:db8::7:8443", "stands in brackets, as in https://[2001:db8::7]:443" },
		{ "tcp://2001:db8::7", "stands in brackets, as in tcp://[2001:db8::7]:443" },
		{ "https://", "no host" },
		{ "https://:443", "no host" },
		{ "https:///x", "no host" },
		{ "https://user@a.example", "user name or password" },
		{ "https://user:secret@a.example", "user name or password" },
		{ "git@github.com:org/repo.git", "user name or password" },
		{ "a.example:0", "is not a port" },
		{ "a.example:65536", "is not a port" },
		{ "a.example:99999999999", "is not a port" },
		{ "a.example:080", "is not a port" },
		{ "a.example:", "is not a port" },
		{ "a.example:http", "is not a port" },
		{ "a.example:80-", "is not a port" },
		{ "a.example:-80", "is not a port" },
		{ "a.example:90-80", "did you mean 80-90?" },
		{ "a.example:80x", "behind the host and port" },
		{ "10.0.0", "looks like an IPv4 address" },
		{ "10.0.0/8", "looks like an IPv4 address" },
		{ "010.1.1.1", "looks like an IPv4 address" },
		{ "256.1.1.1", "looks like an IPv4 address" },
		{ "1.2.3.4.5", "looks like an IPv4 address" },
		{ "0x7f.1", "looks like an IPv4 address" },
		{ "0x7f000001", "looks like an IPv4 address" },
		{ "2130706433", "looks like an IPv4 address" },
		{ "192.0.2.1/33", "prefix length '/33' is more than 32" },
		{ "2001:db8::/129", "prefix length '/129' is more than 128" },
		{ "192.0.2.0/99999999999", "is more than 32" },
		{ "192.0.2.0/024", "leading zero" },
		{ "192.0.2.5/24", "did you mean 192.0.2.0/24, or only 192.0.2.5?" },
		{ "2001:db8::1/32", "did you mean 2001:db8::/32, or only 2001:db8::1?" },
		{ "192.0.2.0:443/24", "the port stands behind the prefix" },
		{ "::/0", "all of IPv4 too" },
		{ "[::]/80:443", "all of IPv4 too" },
		{ "[2001:db8::1", "not closed" },
		{ "[192.0.2.1]:80", "not an IPv6 address" },
		{ "[a.example]:80", "not an IPv6 address" },
		{ "2001:db8:::1", "not an IPv6 address" },
		{ "a:b:c", "not an IPv6 address" },
		{ "fe80::1%eth0", "zone" },
		{ "[2001:db8::1]x", "behind the host and port" },
		{ "*b\xc3\xbc" "cher.example", "part of a label" },
		{ "\xe2\x98\x95\xe2\x80\x8b.example", "not a valid international name" },
		{ "\xef\xbc\x8a.example", "only at the front" },	/* a full-width star */
		{ "a\xef\xbc\x8f" "b.example", "'/' cannot stand" },	/* a full-width slash */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char error[256] = "nothing";
		struct target target = { .port_low = 7 };
		int r = target_parse(rows[i].text, LIST_ALLOW, &target, error);

		cr_expect_eq(r, -EINVAL, "'%s' was taken", rows[i].text);
		cr_expect(strstr(error, rows[i].error), "'%s': %s", rows[i].text, error);
		cr_expect_eq(target.port_low, 7, "'%s' wrote a result", rows[i].text);
	}
}

/* A name of labels of 63 letters and a last one, `len` letters in all. */
static void name_make(char *name, size_t len)
{
	memset(name, 'a', len);
	for (size_t i = 63; i < len - 1; i += 64)
		name[i] = '.';
	name[len] = '\0';
}

Test(target, the_longest_label_and_name_fit_and_one_letter_more_does_not)
{
	char error[256], name[512];
	struct target target;

	name_make(name, 253);
	cr_expect_eq(target_parse(name, LIST_ALLOW, &target, error), 0, "%s", error);
	strcat(name, ".");
	cr_expect_eq(target_parse(name, LIST_ALLOW, &target, error), 0, "%s", error);
	name_make(name, 254);
	cr_expect_eq(target_parse(name, LIST_ALLOW, &target, error), -EINVAL);
	cr_expect(strstr(error, "name of 254 letters"), "%s", error);

	memset(name, 'a', 63);
	strcpy(name + 63, ".example");
	cr_expect_eq(target_parse(name, LIST_ALLOW, &target, error), 0, "%s", error);
	memset(name, 'a', 64);
	strcpy(name + 64, ".example");
	cr_expect_eq(target_parse(name, LIST_ALLOW, &target, error), -EINVAL);
	cr_expect(strstr(error, "has 64 letters"), "%s", error);
}

Test(target, inbound_entries_are_prefixes_with_a_local_port)
{
	static const struct { const char *text, *error; } rows[] = {
		{ "tcp://10.0.0.0/8:8080", NULL },
		{ "udp://[2001:db8::]/32:500", NULL },
		{ "any://10.0.0.0/8", NULL },
		{ "10.0.0.1:8080", NULL },
		{ "tcp://a.example:8080", "inbound entries name addresses" },
		{ "10.0.0.0/8", "which local port?" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char error[256] = "";
		struct target target;
		int r = target_parse(rows[i].text, LIST_INBOUND, &target, error);

		cr_expect_eq(r, rows[i].error ? -EINVAL : 0, "%s: %s", rows[i].text, error);
		cr_expect(!rows[i].error || strstr(error, rows[i].error), "%s: %s", rows[i].text,
			  error);
	}
}

static bool target_equal(const struct target *a, const struct target *b)
{
	return a->kind == b->kind && a->match == b->match && !strcmp(a->name, b->name) &&
	       !memcmp(a->addr, b->addr, ADDR_LEN) && a->prefix_bits == b->prefix_bits &&
	       a->protocol == b->protocol && a->port_low == b->port_low &&
	       a->port_high == b->port_high && a->everything == b->everything;
}

Test(target, what_is_formatted_parses_to_the_same_target)
{
	static const char *const hosts[] = {
		"a.example", "*.a.example", "*x.a.example", "192.0.2.1", "192.0.2.0/24", "[2001:db8::1]",
		"[2001:db8::]/32", "0.0.0.0/0", "[::1]", "[::]", "[::ffff:192.0.2.1]",
	};
	static const char *const schemes[] = { "", "https://", "http://", "ssh://", "any://" };
	static const char *const ports[] = { "", ":443", ":22", ":53", ":1-65535", ":8000-8001" };
	static const enum rule_list lists[] = { LIST_ALLOW, LIST_DENY, LIST_EXPECTED,
						LIST_INBOUND };
	char text[300], error[256], formatted[TARGET_TEXT_LEN];
	unsigned int compared = 0;

	for (size_t i = 0; i < 4 * 11 * 5 * 6; i++) {
		enum rule_list list = lists[i % 4];
		struct target target, back;

		snprintf(text, sizeof(text), "%s%s%s", schemes[i / 4 / 11 % 5], hosts[i / 4 % 11],
			 ports[i / 4 / 11 / 5]);
		if (target_parse(text, list, &target, error))
			continue;
		target_format(&target, list, formatted);
		cr_assert_eq(target_parse(formatted, list, &back, error), 0, "%s -> %s: %s", text,
			     formatted, error);
		cr_expect(target_equal(&target, &back), "%s -> %s", text, formatted);
		compared++;
	}
	cr_expect_gt(compared, 1000);
}

Test(target, the_longest_target_is_formatted_whole)
{
	char text[600], name[512], formatted[TARGET_TEXT_LEN];
	struct target target;

	name_make(name, 253);
	snprintf(text, sizeof(text), "tcp://*.%s:10000-20000", name);
	target = parsed(text, LIST_ALLOW);
	target_format(&target, LIST_ALLOW, formatted);
	cr_expect_str_eq(formatted, text);
}

Test(target, covering_is_by_host_protocol_and_ports)
{
	static const struct { const char *outer, *inner; bool covers; } rows[] = {
		{ "https://a.example", "https://a.example", true },
		{ "https://a.example", "http://a.example", false },
		{ "any://a.example", "udp://a.example:5", true },
		{ "tcp://a.example:1-100", "tcp://a.example:50-100", true },
		{ "tcp://a.example:1-100", "tcp://a.example:50-101", false },
		{ "tcp://a.example:1-100", "any://a.example:50", false },
		{ "*.example", "a.example", true },
		{ "*.example", "b.a.example", true },
		{ "*.example", "example", false },
		{ "*.example", "*.example", true },
		{ "*.example", "*.a.example", true },
		{ "*.a.example", "*.example", false },
		{ "*.example", "*x.example", true },
		{ "*.example", "*ample", false },
		{ "*.example", "*x.a.example", true },
		{ "*.example", "aexample", false },
		{ "*x.example", "ax.example", true },
		{ "*x.example", "x.example", true },
		{ "*x.example", "a.x.example", true },
		{ "*x.example", "*.x.example", true },
		{ "*x.example", "*yx.example", true },
		{ "a.example", "*.a.example", false },
		{ "10.0.0.0/8", "10.1.0.0/16", true },
		{ "10.0.0.0/8", "11.0.0.0/8", false },
		{ "10.1.0.0/16", "10.0.0.0/8", false },
		{ "10.0.0.0/9", "10.128.0.0/9", false },
		{ "0.0.0.0/0", "192.0.2.1", true },
		{ "[2000::]/3", "192.0.2.1", false },
		{ "0.0.0.0/0", "a.example", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct target outer = parsed(rows[i].outer, LIST_ALLOW);
		struct target inner = parsed(rows[i].inner, LIST_ALLOW);

		cr_expect_eq(target_covers(&outer, &inner), rows[i].covers, "%s over %s",
			     rows[i].outer, rows[i].inner);
	}
}
