/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's DNS reader in userspace: bpf/dns.h with its seams filled so that addresses are
 * collected instead of learned. Shared by the unit tests and the fuzzer.
 */
#ifndef BUILDFENCE_TESTS_DNS_READING_H
#define BUILDFENCE_TESTS_DNS_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dns_message;
static void dns_address_collect(struct dns_message *message, uint32_t offset, uint32_t length,
				uint32_t ttl_s);
#define DNS_ADDRESS(message, offset, length, ttl_s) \
	dns_address_collect(message, offset, length, ttl_s)
/* The reader's pragmas are clang's. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#include "dns.h"
#pragma GCC diagnostic pop

struct dns_address {
	uint32_t offset;		/* into the message's bytes */
	uint32_t length;
	uint32_t ttl_s;
};

struct dns_reading {
	struct dns_message message;	/* first: dns_address_collect() finds the rest by it */
	struct name_key key;		/* the asked name, reversed */
	uint32_t asked_len;
	char asked[NAME_LEN];		/* the asked name, with its leading dot */
	uint32_t address_count;
	struct dns_address addresses[DNS_RECORDS_MAX];
};

static void dns_address_collect(struct dns_message *message, uint32_t offset, uint32_t length,
				uint32_t ttl_s)
{
	struct dns_reading *reading = (struct dns_reading *)message;

	reading->addresses[reading->address_count++] =
		(struct dns_address){ offset, length, ttl_s };
}

/* Puts a message where a packet's payload would stand; a longer one is cut. */
static inline void dns_reading_fill(struct dns_reading *reading, const uint8_t *bytes, size_t len)
{
	if (len > DNS_MESSAGE_MAX)
		len = DNS_MESSAGE_MAX;
	reading->message.len = (uint32_t)len;
	memcpy(reading->message.bytes, bytes, len);
	reading->address_count = 0;
}

/* Keeps the name that was read last as the asked one. */
static inline void dns_reading_asked(struct dns_reading *reading)
{
	memset(&reading->key, 0, sizeof(reading->key));
	memset(reading->asked, 0, sizeof(reading->asked));
	dns_name_reverse(&reading->message, &reading->key);
	reading->asked_len = reading->message.name_len;
	memcpy(reading->asked, reading->message.name, reading->asked_len);
}

/* As the packet hook reads what leaves. */
static inline bool dns_reading_question(struct dns_reading *reading)
{
	if (dns_question_read(&reading->message))
		return false;
	dns_reading_asked(reading);
	return true;
}

/* As the packet hook reads what comes in: the addresses are collected. */
static inline bool dns_reading_answer(struct dns_reading *reading)
{
	if (dns_head_read(&reading->message) || !(reading->message.flags & DNS_FLAG_RESPONSE))
		return false;
	dns_reading_asked(reading);
	dns_answer_records(&reading->message);
	return true;
}

#endif
