/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Packets and DNS messages, put together byte by byte, so that a test can make each of them wrong
 * on purpose. Checksums are left at zero: the hooks run where the kernel has checked them already.
 */
#ifndef BUILDFENCE_TESTS_MADE_H
#define BUILDFENCE_TESTS_MADE_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"

#define DNS_PORT	53
#define DNS_A		1
#define DNS_CNAME	5
#define DNS_TXT		16
#define DNS_AAAA	28
#define DNS_OPT		41
#define TCP_SYN		0x02
#define TCP_ACK		0x10

struct made {
	uint8_t bytes[8192];
	size_t len;
};

/* Text with the NULs that stand in it, as an address and a length. */
#define BYTES(text)	(text), sizeof(text) - 1

void made_add(struct made *made, const void *bytes, size_t len);
void made_u8(struct made *made, uint8_t value);
void made_u16(struct made *made, uint16_t value);
void made_u32(struct made *made, uint32_t value);

/* The text of an address in the 16 bytes of abi.h. A text that is none fails the test. */
void addr_parse(const char *text, uint8_t ret_addr[static ADDR_LEN]);

/*
 * An IP header from one address to another, of the family of `dst`; `protocol` is the next header.
 */
void made_ip(struct made *made, uint8_t protocol, const char *src, const char *dst);

/* The header that fits the protocol; ICMP is an echo request, others get 8 bytes of ports. */
void made_transport(struct made *made, uint8_t protocol, uint16_t sport, uint16_t dport);

/* Both, with the IP header made for an address of abi.h: v4-mapped ones become IPv4. */
void made_packet(struct made *made, uint8_t protocol, const uint8_t src[static ADDR_LEN],
		 const uint8_t dst[static ADDR_LEN], uint16_t sport, uint16_t dport);

/* Sets the length fields of an IP header at the beginning. */
void made_ip_end(struct made *made);

/* A DNS header; `counts` are questions, answers, authorities, additionals. */
void made_dns_head(struct made *made, uint16_t id, uint16_t flags, const uint16_t counts[static 4]);

/* "dev.azure.com" as labels with the root behind them; "" is the root. */
void made_dns_name(struct made *made, const char *name);

/* A question for one name, as a stub resolver sends it. */
void made_question(struct made *made, uint16_t id, const char *name, uint16_t type);

/* The head of an answer: the question and how many answers follow. */
void made_answer(struct made *made, uint16_t id, const char *name, uint16_t type, uint16_t answers);

/* A record; `owner` NULL: a pointer to the question's name. */
void made_record(struct made *made, const char *owner, uint16_t type, uint32_t ttl,
		 const void *bytes, size_t len);
void made_record_addr(struct made *made, const char *owner, uint32_t ttl, const char *addr);
void made_record_cname(struct made *made, const char *owner, const char *target);

#endif
