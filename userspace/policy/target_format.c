/* SPDX-License-Identifier: GPL-2.0 */
/* Targets as text, and which of two covers the other: see target.h. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "target.h"

static bool is_v4(const struct target *target)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return target->prefix_bits >= 96 && !memcmp(target->addr, mapped, sizeof(mapped));
}

/* Brackets are needed where a port follows an IPv6 address. */
static void host_format(const struct target *target, bool brackets,
			char ret_text[static TARGET_TEXT_LEN])
{
	static const char *const stars[] = {
		[NAME_EXACT] = "", [NAME_BELOW] = "*.", [NAME_SUFFIX] = "*",
	};
	char addr[INET6_ADDRSTRLEN];
	bool v4 = is_v4(target);

	if (target->kind == TARGET_NAME) {
		snprintf(ret_text, TARGET_TEXT_LEN, "%s%s", stars[target->match], target->name);
		return;
	}
	brackets = brackets && !v4;
	inet_ntop(v4 ? AF_INET : AF_INET6, target->addr + (v4 ? 12 : 0), addr, sizeof(addr));
	if (target->prefix_bits == 128)
		snprintf(ret_text, TARGET_TEXT_LEN, brackets ? "[%s]" : "%s", addr);
	else
		snprintf(ret_text, TARGET_TEXT_LEN, brackets ? "[%s]/%u" : "%s/%u", addr,
			 v4 ? target->prefix_bits - 96u : target->prefix_bits);
}

void target_format_host(const struct target *target, char ret_text[static TARGET_TEXT_LEN])
{
	host_format(target, false, ret_text);
}

/* The scheme that stands for exactly this protocol and port, or NULL. */
static const char *scheme_find(const struct target *target)
{
	static const struct { uint16_t port; const char *name; } schemes[] = {
		{ 443, "https" }, { 80, "http" }, { 22, "ssh" }, { 9418, "git" },
	};

	if (target->protocol != IPPROTO_TCP || target->port_low != target->port_high)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		if (schemes[i].port == target->port_low)
			return schemes[i].name;
	}
	return NULL;
}

void target_format(const struct target *target, enum rule_list list,
		   char ret_text[static TARGET_TEXT_LEN])
{
	const char *scheme = list == LIST_INBOUND ? NULL : scheme_find(target);
	const char *protocol = target->protocol == IPPROTO_TCP ? "tcp" :
			       target->protocol == IPPROTO_UDP ? "udp" : "any";
	char host[TARGET_TEXT_LEN];

	host_format(target, !target->everything, host);
	if (target->everything)
		snprintf(ret_text, TARGET_TEXT_LEN, "%s", host);
	else if (scheme)
		snprintf(ret_text, TARGET_TEXT_LEN, "%s://%.*s", scheme, NAME_LEN + 8, host);
	else if (!target->port_low)
		snprintf(ret_text, TARGET_TEXT_LEN, "%s://%.*s", protocol, NAME_LEN + 8, host);
	else if (target->port_low == target->port_high)
		snprintf(ret_text, TARGET_TEXT_LEN, "%s://%.*s:%u", protocol, NAME_LEN + 8, host,
			 target->port_low);
	else
		snprintf(ret_text, TARGET_TEXT_LEN, "%s://%.*s:%u-%u", protocol, NAME_LEN + 8, host,
			 target->port_low, target->port_high);
}

static bool prefix_covers(const struct target *outer, const struct target *inner)
{
	unsigned int bytes = outer->prefix_bits / 8, rest = outer->prefix_bits % 8;

	if (outer->prefix_bits > inner->prefix_bits || memcmp(outer->addr, inner->addr, bytes))
		return false;
	return !rest || !((outer->addr[bytes] ^ inner->addr[bytes]) >> (8 - rest));
}

static bool name_covers(const struct target *outer, const struct target *inner)
{
	size_t outer_len = strlen(outer->name), inner_len = strlen(inner->name);

	if (outer_len > inner_len || strcmp(inner->name + inner_len - outer_len, outer->name))
		return false;
	switch (outer->match) {
	case NAME_EXACT:
		return inner->match == NAME_EXACT && inner_len == outer_len;
	case NAME_BELOW:
		if (inner_len == outer_len)
			return inner->match == NAME_BELOW;
		return inner->name[inner_len - outer_len - 1] == '.';
	case NAME_SUFFIX:
		return true;
	}
	return false;
}

bool target_host_covers(const struct target *outer, const struct target *inner)
{
	if (outer->kind != inner->kind)
		return false;
	return outer->kind == TARGET_NAME ? name_covers(outer, inner) : prefix_covers(outer, inner);
}

bool target_is_loopback(const struct target *target)
{
	/* The unspecified addresses reach loopback too. */
	static const struct target loopback[] = {
		{ .kind = TARGET_PREFIX, .addr = { [10] = 0xff, 0xff, 127 }, .prefix_bits = 104 },
		{ .kind = TARGET_PREFIX, .addr = { [10] = 0xff, 0xff }, .prefix_bits = 128 },
		{ .kind = TARGET_PREFIX, .addr = { [15] = 1 }, .prefix_bits = 128 },
		{ .kind = TARGET_PREFIX, .addr = {}, .prefix_bits = 128 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(loopback); i++) {
		if (target_host_covers(&loopback[i], target))
			return true;
	}
	return false;
}

bool target_is_localhost(const struct target *target)
{
	return target->kind == TARGET_NAME && target->match == NAME_EXACT &&
	       !strcmp(target->name, "localhost");
}

bool target_covers(const struct target *outer, const struct target *inner)
{
	return (!outer->protocol || outer->protocol == inner->protocol) &&
	       outer->port_low <= inner->port_low && outer->port_high >= inner->port_high &&
	       target_host_covers(outer, inner);
}
