/* SPDX-License-Identifier: GPL-2.0 */
/* Parses targets; their syntax stands in target.h. Names are target_name.c's part. */
#include "target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "load.h"
#include "target_name.h"

/* Longer than any target with a path that a person would write. */
#define TARGET_INPUT_MAX	4096

static const struct scheme {
	const char *name;
	uint8_t protocol;
	uint16_t port;			/* 0: one must be given */
} schemes[] = {
	{ "https", IPPROTO_TCP, 443 },
	{ "http", IPPROTO_TCP, 80 },
	{ "ssh", IPPROTO_TCP, 22 },
	{ "git", IPPROTO_TCP, 9418 },
	{ "tcp", IPPROTO_TCP, 0 },
	{ "udp", IPPROTO_UDP, 0 },
	{ "any", 0, 0 },
};

/* Where in the text the parser stands, and what it knows so far. */
struct target_parser {
	const char *rest;
	enum rule_list list;
	const struct scheme *scheme;	/* NULL: none was given */
	struct target target;
	bool prefix_given;
	bool port_given;
	char *error;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool denies(enum rule_list list)
{
	return list == LIST_DENY || list == LIST_EXPECTED;
}

static int scheme_parse(struct target_parser *parser)
{
	const char *end = strstr(parser->rest, "://"), *names[ARRAY_SIZE(schemes)], *nearest;
	char name[16] = {};

	/* "://" may also stand in a path: example.com/?from=https://x */
	if (!end || strcspn(parser->rest, "/?#") < (size_t)(end - parser->rest))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		names[i] = schemes[i].name;
		if (strlen(names[i]) != (size_t)(end - parser->rest) ||
		    strncasecmp(names[i], parser->rest, (size_t)(end - parser->rest)))
			continue;
		parser->scheme = &schemes[i];
		parser->rest = end + 3;
		return 0;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(end - parser->rest), parser->rest);
	nearest = text_nearest(name, names, ARRAY_SIZE(schemes));
	if (nearest)
		return target_refuse(parser->error, "unknown scheme '%s'; did you mean '%s'?", name,
				     nearest);
	return target_refuse(parser->error,
			     "unknown scheme '%s'; known are https, http, ssh, git, tcp, udp, any", name);
}

static int prefix_len_parse(struct target_parser *parser, bool v4)
{
	unsigned int bits = 0, most = v4 ? 32 : 128;
	const char *from = parser->rest + 1;
	size_t digits = strspn(from, "0123456789");

	for (size_t i = 0; i < digits && i < 4; i++)
		bits = 10 * bits + (unsigned int)(from[i] - '0');
	if (digits > 3 || bits > most)
		return target_refuse(parser->error, "prefix length '/%.*s' is more than %u",
				     (int)(digits > 20 ? 20 : digits), from, most);
	if (digits > 1 && *from == '0')
		return target_refuse(parser->error, "prefix length '/%.*s' has a leading zero",
				     (int)digits, from);
	parser->target.prefix_bits = (uint8_t)(v4 ? bits + 96 : bits);
	parser->prefix_given = true;
	parser->rest = from + digits;
	return 0;
}

/* Is "/24" at the parser's place a prefix length, and not the path of a URL? */
static bool at_prefix_len(const struct target_parser *parser)
{
	const char *end = parser->rest + 1;

	if (parser->prefix_given || *parser->rest != '/' || !is_digit(*end))
		return false;
	end += strspn(end, "0123456789");
	return !*end || *end == ':' || *end == ']';
}

/* Clears host bits of a copy, and tells whether any was set. */
static bool host_bits_clear(uint8_t addr[static ADDR_LEN], unsigned int bits)
{
	bool changed = false;

	for (unsigned int i = 0; i < ADDR_LEN; i++) {
		unsigned int keep = bits <= 8 * i ? 0 : bits - 8 * i >= 8 ? 8 : bits - 8 * i;
		uint8_t mask = (uint8_t)(0xff00 >> keep);

		changed |= addr[i] & ~mask;
		addr[i] &= mask;
	}
	return changed;
}

static int prefix_check(struct target_parser *parser)
{
	static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };
	char given[TARGET_TEXT_LEN], meant[TARGET_TEXT_LEN], one[TARGET_TEXT_LEN];
	struct target cleared = parser->target, single = parser->target;
	uint8_t v4_cleared[ADDR_LEN] = {};

	if (host_bits_clear(cleared.addr, cleared.prefix_bits)) {
		single.prefix_bits = 128;
		target_format_host(&parser->target, given);
		target_format_host(&cleared, meant);
		target_format_host(&single, one);
		return target_refuse(parser->error,
				     "%s has bits set behind its prefix; did you mean %s, or only %s?",
				     given, meant, one);
	}
	memcpy(v4_cleared, v4_prefix, sizeof(v4_prefix));
	host_bits_clear(v4_cleared, cleared.prefix_bits);
	if (cleared.prefix_bits < 96 && !memcmp(v4_cleared, cleared.addr, ADDR_LEN))
		return target_refuse(parser->error,
				     "this prefix holds all of IPv4 too; write 0.0.0.0/0 for IPv4, and for IPv6 [2000::]/3 (public) or [fc00::]/7 (private)");
	return 0;
}

/* Returns 0 with *ret_is_address false when the host is not an address at all. */
static int address_parse(struct target_parser *parser, bool *ret_is_address)
{
	bool bracket = *parser->rest == '[';
	const char *start = parser->rest + bracket;
	size_t len = strcspn(start, bracket ? "/]" : "/?#"), colon = strcspn(start, ":/?#");
	char host[INET6_ADDRSTRLEN] = {};
	struct target *target = &parser->target;
	bool v4, v6 = bracket;
	int r = 0;

	*ret_is_address = false;
	if (!bracket && colon < len && memchr(start + colon + 1, ':', len - colon - 1))
		v6 = true;
	else if (!bracket)
		len = colon;
	if (memchr(start, '%', len) && v6)
		return target_refuse(parser->error,
				     "an address with a zone ('%%') is not for policies");
	if (len < sizeof(host))
		memcpy(host, start, len);
	target->kind = TARGET_PREFIX;
	target->prefix_bits = 128;
	memset(target->addr, 0, 10);
	memset(target->addr + 10, 0xff, 2);
	v4 = !v6 && inet_pton(AF_INET, host, target->addr + 12) == 1;
	if (v6 && inet_pton(AF_INET6, host, target->addr) != 1)
		return target_refuse(parser->error, "'%.*s' is not an IPv6 address",
				     len > 60 ? 60 : (int)len, start);
	if (!v4 && !v6)
		return 0;
	*ret_is_address = true;
	parser->rest = start + len;
	/* Is "2001:db8::7:443" one with a port? RFC 3986, 3.2.2, has brackets tell. */
	if (v6 && !bracket && parser->scheme && !at_prefix_len(parser))
		return target_refuse(parser->error,
				     "behind a scheme an IPv6 address stands in brackets, as in %s://[2001:db8::7]:443",
				     parser->scheme->name);
	if (at_prefix_len(parser))
		r = prefix_len_parse(parser, v4);
	if (r)
		return r;
	if (bracket && *parser->rest != ']')
		return target_refuse(parser->error, "the bracket behind '%s' is not closed", host);
	parser->rest += bracket;
	if (at_prefix_len(parser))
		r = prefix_len_parse(parser, false);
	return r ? r : prefix_check(parser);
}

static int host_parse(struct target_parser *parser)
{
	size_t authority = strcspn(parser->rest, "/?#"), len;
	bool is_address;
	int r;

	if (memchr(parser->rest, '@', authority))
		return target_refuse(parser->error,
				     "a user name or password ('@') cannot be part of a target; leave it out, as in ssh://github.com");
	if (!authority || (*parser->rest == ':' && parser->rest[1] != ':'))
		return target_refuse(parser->error,
				     "no host; write a name or an address, as in https://example.com");
	r = address_parse(parser, &is_address);
	if (r || is_address)
		return r;
	parser->target.kind = TARGET_NAME;
	parser->target.prefix_bits = 0;
	memset(parser->target.addr, 0, ADDR_LEN);
	if (parser->list == LIST_INBOUND)
		return target_refuse(parser->error,
				     "inbound entries name addresses, as in tcp://10.0.0.0/8:8080; a peer's name is not known");
	len = strcspn(parser->rest, ":/?#");
	r = target_name_parse(parser->rest, len, &parser->target, parser->error);
	parser->rest += len;
	return r;
}

static int port_parse(struct target_parser *parser, uint16_t *ret_port)
{
	size_t digits = strspn(parser->rest, "0123456789");
	unsigned int port = 0;

	for (size_t i = 0; i < digits && i < 6; i++)
		port = 10 * port + (unsigned int)(parser->rest[i] - '0');
	if (!digits || *parser->rest == '0' || digits > 5 || port > 65535)
		return target_refuse(parser->error,
				     "'%.20s' is not a port; write 1 to 65535, or a range such as 8000-8080",
				     parser->rest);
	parser->rest += digits;
	*ret_port = (uint16_t)port;
	return 0;
}

static int ports_parse(struct target_parser *parser)
{
	struct target *target = &parser->target;
	int r;

	if (*parser->rest != ':')
		return 0;
	parser->rest++;
	parser->port_given = true;
	r = port_parse(parser, &target->port_low);
	if (r)
		return r;
	target->port_high = target->port_low;
	if (*parser->rest == '-') {
		parser->rest++;
		r = port_parse(parser, &target->port_high);
	}
	if (r)
		return r;
	if (target->port_low > target->port_high)
		return target_refuse(parser->error,
				     "port range %u-%u is the wrong way round; did you mean %u-%u?",
				     target->port_low, target->port_high, target->port_high,
				     target->port_low);
	return 0;
}

/* What may stand behind host and ports. */
static int path_parse(struct target_parser *parser)
{
	if (!*parser->rest || !strcmp(parser->rest, "/"))
		return 0;
	if (!strchr("/?#", *parser->rest))
		return target_refuse(parser->error,
				     "'%.60s' behind the host and port is not understood",
				     parser->rest);
	if (parser->target.kind == TARGET_PREFIX && at_prefix_len(parser))
		return target_refuse(parser->error,
				     "the port stands behind the prefix, as in 10.0.0.0/8:8080");
	parser->target.has_path = true;
	return 0;
}

/* Protocol and ports where the text gave none. */
static int defaults_set(struct target_parser *parser)
{
	const struct scheme *scheme = parser->scheme;
	struct target *target = &parser->target;
	bool every_port = scheme && !scheme->protocol;

	target->protocol = scheme ? scheme->protocol : denies(parser->list) ? 0 : IPPROTO_TCP;
	if (parser->port_given)
		return 0;
	if (!scheme && parser->list == LIST_INBOUND)
		return target_refuse(parser->error,
				     "which local port? write it, as in tcp://10.0.0.0/8:8080");
	if (scheme && !scheme->port && !every_port)
		return target_refuse(parser->error,
				     "%s:// needs a port, as in %s://example.com:8080, or a range such as :1-65535",
				     scheme->name, scheme->name);
	target->everything = !scheme && denies(parser->list);
	if (every_port || target->everything) {
		target->port_low = 0;
		target->port_high = 65535;
		return 0;
	}
	target->port_low = scheme ? scheme->port : 443;
	target->port_high = target->port_low;
	return 0;
}

int target_parse(const char *text, enum rule_list list, struct target *ret_target,
		 char ret_error[static 256])
{
	struct target_parser parser = { .rest = text, .list = list, .error = ret_error };
	int r;

	if (!*text)
		return target_refuse(ret_error,
				     "an empty target; write a name or an address, as in https://example.com");
	if (strlen(text) > TARGET_INPUT_MAX)
		return target_refuse(ret_error,
				     "a target of more than %d letters", TARGET_INPUT_MAX);
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return target_refuse(ret_error,
					     "a blank or control character inside a target");
	}
	r = scheme_parse(&parser);
	if (!r)
		r = host_parse(&parser);
	if (!r)
		r = ports_parse(&parser);
	if (!r)
		r = path_parse(&parser);
	if (!r)
		r = defaults_set(&parser);
	if (r)
		return r;
	*ret_target = parser.target;
	return 0;
}
