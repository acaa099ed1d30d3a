/* SPDX-License-Identifier: GPL-2.0 */
/* See made.h. */
#include "made.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

#define V4_HEADER	20
#define V6_HEADER	40
#define CLASS_IN	1

void made_add(struct made *made, const void *bytes, size_t len)
{
	cr_assert_leq(made->len + len, sizeof(made->bytes));
	memcpy(made->bytes + made->len, bytes, len);
	made->len += len;
}

void made_u8(struct made *made, uint8_t value)
{
	made_add(made, &value, 1);
}

void made_u16(struct made *made, uint16_t value)
{
	value = htons(value);
	made_add(made, &value, sizeof(value));
}

void made_u32(struct made *made, uint32_t value)
{
	value = htonl(value);
	made_add(made, &value, sizeof(value));
}

void addr_parse(const char *text, uint8_t ret_addr[static ADDR_LEN])
{
	static const uint8_t v4_prefix[12] = { [10] = 0xff, 0xff };

	if (inet_pton(AF_INET6, text, ret_addr) == 1)
		return;
	memcpy(ret_addr, v4_prefix, sizeof(v4_prefix));
	cr_assert_eq(inet_pton(AF_INET, text, ret_addr + 12), 1, "'%s' is no address", text);
}

static void header4(struct made *made, uint8_t protocol, const uint8_t *src, const uint8_t *dst)
{
	const uint8_t head[12] = { 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0 };

	made_add(made, head, sizeof(head));
	made_add(made, src, 4);
	made_add(made, dst, 4);
}

static void header6(struct made *made, uint8_t protocol, const uint8_t *src, const uint8_t *dst)
{
	const uint8_t head[8] = { 0x60, 0, 0, 0, 0, 0, protocol, 64 };

	made_add(made, head, sizeof(head));
	made_add(made, src, ADDR_LEN);
	made_add(made, dst, ADDR_LEN);
}

void made_ip(struct made *made, uint8_t protocol, const char *src, const char *dst)
{
	uint8_t from[ADDR_LEN], to[ADDR_LEN];

	addr_parse(src, from);
	addr_parse(dst, to);
	if (strchr(dst, ':'))
		header6(made, protocol, from, to);
	else
		header4(made, protocol, from + 12, to + 12);
}

void made_transport(struct made *made, uint8_t protocol, uint16_t sport, uint16_t dport)
{
	switch (protocol) {
	case IPPROTO_TCP:
		made_u16(made, sport);
		made_u16(made, dport);
		made_u32(made, 1000);
		made_u32(made, 0);
		made_u16(made, 5 << 12 | TCP_SYN);
		made_u16(made, 65535);
		made_u32(made, 0);
		break;
	case IPPROTO_ICMP:
		made_add(made, "\10\0\0\0\0\1\0\1", 8);
		break;
	case IPPROTO_ICMPV6:
		made_add(made, "\200\0\0\0\0\1\0\1", 8);
		break;
	default:
		made_u16(made, sport);
		made_u16(made, dport);
		made_u32(made, 0);
		break;
	}
}

void made_packet(struct made *made, uint8_t protocol, const uint8_t src[static ADDR_LEN],
		 const uint8_t dst[static ADDR_LEN], uint16_t sport, uint16_t dport)
{
	uint8_t far[ADDR_LEN];

	addr_parse("::ffff:0:0", far);
	if (memcmp(dst, far, 12))
		header6(made, protocol, src, dst);
	else
		header4(made, protocol, src + 12, dst + 12);
	made_transport(made, protocol, sport, dport);
}

void made_ip_end(struct made *made)
{
	uint16_t len;

	if (made->len >= V4_HEADER && made->bytes[0] >> 4 == 4) {
		len = htons((uint16_t)made->len);
		memcpy(made->bytes + 2, &len, sizeof(len));
	} else if (made->len >= V6_HEADER && made->bytes[0] >> 4 == 6) {
		len = htons((uint16_t)(made->len - V6_HEADER));
		memcpy(made->bytes + 4, &len, sizeof(len));
	}
}

void made_dns_head(struct made *made, uint16_t id, uint16_t flags, const uint16_t counts[static 4])
{
	made_u16(made, id);
	made_u16(made, flags);
	for (int i = 0; i < 4; i++)
		made_u16(made, counts[i]);
}

void made_dns_name(struct made *made, const char *name)
{
	while (*name) {
		size_t label = strcspn(name, ".");

		made_u8(made, (uint8_t)label);
		made_add(made, name, label);
		name += label + (name[label] == '.');
	}
	made_u8(made, 0);
}

static void question_add(struct made *made, const char *name, uint16_t type)
{
	made_dns_name(made, name);
	made_u16(made, type);
	made_u16(made, CLASS_IN);
}

void made_question(struct made *made, uint16_t id, const char *name, uint16_t type)
{
	made_dns_head(made, id, 0x0100, (const uint16_t[4]){ 1 });
	question_add(made, name, type);
}

void made_answer(struct made *made, uint16_t id, const char *name, uint16_t type, uint16_t answers)
{
	made_dns_head(made, id, 0x8180, (const uint16_t[4]){ 1, answers });
	question_add(made, name, type);
}

void made_record(struct made *made, const char *owner, uint16_t type, uint32_t ttl,
		 const void *bytes, size_t len)
{
	if (owner)
		made_dns_name(made, owner);
	else
		made_u16(made, 0xc00c);
	made_u16(made, type);
	made_u16(made, CLASS_IN);
	made_u32(made, ttl);
	made_u16(made, (uint16_t)len);
	made_add(made, bytes, len);
}

void made_record_addr(struct made *made, const char *owner, uint32_t ttl, const char *addr)
{
	uint8_t bytes[ADDR_LEN];

	addr_parse(addr, bytes);
	if (strchr(addr, ':'))
		made_record(made, owner, DNS_AAAA, ttl, bytes, ADDR_LEN);
	else
		made_record(made, owner, DNS_A, ttl, bytes + 12, 4);
}

void made_record_cname(struct made *made, const char *owner, const char *target)
{
	struct made name = {};

	made_dns_name(&name, target);
	made_record(made, owner, DNS_CNAME, 60, name.bytes, name.len);
}
