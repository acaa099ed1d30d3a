/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fuzzes the DNS reader: whatever the bytes, nothing is read behind the message, and what is
 * accepted is what the rest of the guard relies on.
 */
#include <sanitizer/asan_interface.h>
#include <stdlib.h>

#include "../unit/dns_reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct dns_reading reading;

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* Bytes behind the message are another's: the address sanitizer reports who reads them. */
static void fill(const uint8_t *bytes, size_t len)
{
	struct dns_message *message = &reading.message;

	ASAN_UNPOISON_MEMORY_REGION(message->bytes, sizeof(message->bytes));
	memset(&reading, 0xa5, sizeof(reading));
	dns_reading_fill(&reading, bytes, len);
	ASAN_POISON_MEMORY_REGION(message->bytes + message->len,
				  sizeof(message->bytes) - message->len);
}

/* The name as the policy's trie gets it: lower case, dots only between labels. */
static void name_require(void)
{
	uint32_t len = reading.asked_len;

	require(len <= NAME_MAX_LEN && reading.key.prefix_bits == len * 8);
	require(!len || (reading.asked[0] == '.' && reading.key.name[len - 1] == '.'));
	for (uint32_t i = 0; i < len; i++) {
		uint8_t byte = reading.key.name[i];

		require(byte > ' ' && byte < 0x7f && !(byte >= 'A' && byte <= 'Z'));
		require(byte != '.' || i == len - 1 || reading.key.name[i + 1] != '.');
		require(byte == (uint8_t)reading.asked[len - 1 - i]);
	}
	for (uint32_t i = len; i < NAME_LEN; i++)
		require(!reading.key.name[i]);
}

static void question_require(void)
{
	const struct dns_message *message = &reading.message;
	uint32_t end = message->question_end;

	require(reading.asked_len > 0 && message->answer_count == 0);
	require(end <= message->len);
	/* Nothing behind it but an OPT that ends with the message. */
	if (end < message->len)
		require(end + 11 + dns_u16(message, end + 9) == message->len);
	name_require();
}

static void addresses_require(void)
{
	const struct dns_message *message = &reading.message;
	uint32_t behind = message->question_end;

	require(reading.address_count <= DNS_RECORDS_MAX);
	require(reading.address_count <= message->answer_count);
	for (uint32_t i = 0; i < reading.address_count; i++) {
		const struct dns_address *address = &reading.addresses[i];

		require(address->length == 4 || address->length == 16);
		/* Behind the question and the record before it, and inside the message. */
		require(address->offset >= behind + 11);
		behind = address->offset + address->length;
		require(behind <= message->len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	fill(bytes, len);
	if (dns_reading_question(&reading))
		question_require();
	fill(bytes, len);
	if (dns_reading_answer(&reading)) {
		name_require();
		addresses_require();
	}
	return 0;
}
