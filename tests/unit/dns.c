/* SPDX-License-Identifier: GPL-2.0 */
/* The DNS reader on messages in every odd form; dns_oracle.c holds it against ldns. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "base/cleanup.h"
#include "dns_reading.h"
#include "dns_wire.h"

#define A_IN		" 0001 0001"
#define AAAA_IN		" 001c 0001"
#define DEV		".dev .azure .com 00"
#define OPT		" 00 0029 04d0 00000000"
/* Type, class, TTL of 60 s, length. */
#define A_HEAD		" 0001 0001 0000003c 0004"
#define AAAA_HEAD	" 001c 0001 0000003c 0010"
#define CNAME_HEAD	" 0005 0001 0000003c"
#define TXT_HEAD	" 0010 0001 0000003c"

struct question_row {
	char message[256];
	char name[64];			/* that it begins with; empty: the question is refused */
	uint32_t len;			/* 0: name's own */
};

/* What was left by another message, behind the one under test: must make no difference. */
static const uint8_t leftovers[] = { 0x00, 0xff, 0x01, 0xc0, 'a' };

static struct dns_reading reading;

static void message_fill(const char *text, uint8_t leftover)
{
	uint8_t bytes[2 * DNS_MESSAGE_MAX];
	size_t len = dns_wire(text, bytes, sizeof(bytes));

	memset(&reading, leftover, sizeof(reading));
	dns_reading_fill(&reading, bytes, len);
}

static void question_expect(const struct question_row *row)
{
	uint32_t len = row->len ? row->len : (uint32_t)strlen(row->name);
	bool accepted = dns_reading_question(&reading);

	cr_expect_eq(accepted, *row->name != '\0', "'%s' was %s", row->message,
		     accepted ? "read" : "refused");
	if (!accepted)
		return;
	cr_expect_eq(reading.asked_len, len, "'%s': %u bytes", row->message, reading.asked_len);
	cr_expect_eq(memcmp(reading.asked, row->name, strlen(row->name)), 0, "'%s': %.254s",
		     row->message, reading.asked);
	cr_expect_eq(reading.key.prefix_bits, len * 8);
	for (uint32_t i = 0; i < len; i++)
		cr_assert_eq(reading.key.name[i], (uint8_t)reading.asked[len - 1 - i]);
}

ParameterizedTestParameters(dns, a_question_is_read_whole_or_refused)
{
	static struct question_row rows[] = {
		{ "Q " DEV A_IN, ".dev.azure.com", 0 },
		{ "Q " DEV AAAA_IN, ".dev.azure.com", 0 },
		{ "Q " DEV " 0010 0001", ".dev.azure.com", 0 },
		{ "Q .dEv .AZURE .cOm 00" A_IN, ".dev.azure.com", 0 },
		{ "Q .a 00" A_IN, ".a", 0 },
		{ "Q ._ldap .a-b .xn--p1ai 00" A_IN, "._ldap.a-b.xn--p1ai", 0 },
		{ "Q 03 5b405d 01 60 00" A_IN, ".[@].`", 0 },
		/* Labels and names at their longest, and one byte more. */
		{ "Q 3f 63x61 00" A_IN, ".aaaa", 64 },
		{ "Q 40 64x61 00" A_IN, "", 0 },
		{ "Q bf 63x61 00" A_IN, "", 0 },
		{ "Q {3 3f 63x61 } 3d 61x62 00" A_IN, ".aaaa", 254 },
		{ "Q {3 3f 63x61 } 3e 62x62 00" A_IN, "", 0 },
		{ "Q {127 .a } 00" A_IN, ".a.a", 254 },
		{ "Q {128 .a } 00" A_IN, "", 0 },
		/* Names that end with the message. */
		{ "Q .dev", "", 0 },
		{ "Q .dev 00", "", 0 },
		{ "Q .dev 00 0001", "", 0 },
		{ "Q .dev 00 0001 00", "", 0 },
		{ "Q 04 646576", "", 0 },
		{ "Q .dev c0", "", 0 },
		{ "Q", "", 0 },
		{ "1234 0100 0001", "", 0 },
		{ "", "", 0 },
		{ "Q 00" A_IN, "", 0 },
		/* Bytes that would imitate a boundary, or hide from a reader. */
		{ "Q 0d 6465762e617a7572652e636f6d 00" A_IN, "", 0 },
		{ "Q 03 640065 00" A_IN, "", 0 },
		{ "Q 03 642065 00" A_IN, "", 0 },
		{ "Q 03 640365 00" A_IN, "", 0 },
		{ "Q 03 647f65 00" A_IN, "", 0 },
		{ "Q 03 64c365 00" A_IN, "", 0 },
		{ "Q 03 64ff65 00" A_IN, "", 0 },
		/*
		 * Pointers: into the header's id (1234), to themselves, forwards, round in circles.
		 */
		{ "Q .dev c00c" A_IN, "", 0 },
		{ "Q c00c" A_IN, "", 0 },
		{ "Q c00e" A_IN " .dev 00", "", 0 },
		{ "Q c012" A_IN " .dev 00", "", 0 },
		{ "Q .dev c010" A_IN, "", 0 },
		{ "Q c000" A_IN, "", 0 },
		{ "Q ffff" A_IN, "", 0 },
	};

	return cr_make_param_array(struct question_row, rows, ARRAY_SIZE(rows));
}

ParameterizedTest(struct question_row *row, dns, a_question_is_read_whole_or_refused)
{
	for (size_t i = 0; i < sizeof(leftovers); i++) {
		message_fill(row->message, leftovers[i]);
		question_expect(row);
	}
}

ParameterizedTestParameters(dns, a_question_carries_nothing_beside_its_name)
{
	static struct question_row rows[] = {
		{ "1234 0000 0001 0000 0000 0000 " DEV A_IN, ".dev.azure.com", 0 },
		{ "1234 0130 0001 0000 0000 0000 " DEV A_IN, ".dev.azure.com", 0 },
		{ "1234 0100 0001 0000 0000 0001 " DEV A_IN OPT " 0000", ".dev.azure.com", 0 },
		{ "1234 0100 0001 0000 0000 0001 " DEV A_IN OPT " 000c 000a 0008 8x55",
		  ".dev.azure.com", 0 },
		/* Bytes behind the question, or behind the OPT. */
		{ "Q " DEV A_IN " 00", "", 0 },
		{ "Q " DEV A_IN OPT " 0000", "", 0 },
		{ "1234 0100 0001 0000 0000 0001 " DEV A_IN OPT " 0000 00", "", 0 },
		{ "1234 0100 0001 0000 0000 0001 " DEV A_IN OPT " 0004 00", "", 0 },
		{ "1234 0100 0001 0000 0000 0001 " DEV A_IN OPT " ffff", "", 0 },
		{ "1234 0100 0001 0000 0000 0001 " DEV A_IN OPT, "", 0 },
		{ "1234 0100 0001 0000 0000 0001 " DEV A_IN, "", 0 },
		/* Records of another type, with another owner, in other sections, or several. */
		{ "1234 0100 0001 0000 0000 0001 " DEV A_IN " 00 00fa 04d0 00000000 0000", "", 0 },
		{ "1234 0100 0001 0000 0000 0001 " DEV A_IN " .x 00 0029 04d0 00000000 0000", "", 0 },
		{ "1234 0100 0001 0000 0000 0002 " DEV A_IN OPT " 0000" OPT " 0000", "", 0 },
		{ "1234 0100 0001 0000 0001 0000 " DEV A_IN OPT " 0000", "", 0 },
		{ "1234 0100 0001 0001 0000 0000 " DEV A_IN " c00c" A_HEAD " c6336407", "", 0 },
		/* No question, two, or more than are there. */
		{ "1234 0100 0000 0000 0000 0000 " DEV A_IN, "", 0 },
		{ "1234 0100 0000 0000 0000 0000 5x00", "", 0 },
		{ "1234 0100 0002 0000 0000 0000 " DEV A_IN " " DEV A_IN, "", 0 },
		{ "1234 0100 0002 0000 0000 0000 " DEV A_IN, "", 0 },
		{ "1234 0100 ffff 0000 0000 0000 " DEV A_IN, "", 0 },
		/* An answer, an update (RFC 2136), a notify, an inverse query. */
		{ "1234 8180 0001 0000 0000 0000 " DEV A_IN, "", 0 },
		{ "1234 2800 0001 0000 0000 0000 " DEV A_IN, "", 0 },
		{ "1234 2000 0001 0000 0000 0000 " DEV A_IN, "", 0 },
		{ "1234 0800 0001 0000 0000 0000 " DEV A_IN, "", 0 },
		/* Chaos and any class; NULL, OPT, TKEY, IXFR, AXFR, ANY, and type 0. */
		{ "Q " DEV " 0001 0003", "", 0 },
		{ "Q " DEV " 0001 00ff", "", 0 },
		{ "Q " DEV " 0000 0001", "", 0 },
		{ "Q " DEV " 000a 0001", "", 0 },
		{ "Q " DEV " 0029 0001", "", 0 },
		{ "Q " DEV " 00f9 0001", "", 0 },
		{ "Q " DEV " 00fb 0001", "", 0 },
		{ "Q " DEV " 00fc 0001", "", 0 },
		{ "Q " DEV " 00ff 0001", "", 0 },
		{ "Q " DEV " 0041 0001", ".dev.azure.com", 0 },
		{ "Q " DEV " 0101 0001", ".dev.azure.com", 0 },
	};

	return cr_make_param_array(struct question_row, rows, ARRAY_SIZE(rows));
}

ParameterizedTest(struct question_row *row, dns, a_question_carries_nothing_beside_its_name)
{
	for (size_t i = 0; i < sizeof(leftovers); i++) {
		message_fill(row->message, leftovers[i]);
		question_expect(row);
	}
}

struct answer_row {
	char message[384];
	char addresses[96];		/* in hex, a space before each */
};

static void answer_expect(const struct answer_row *row)
{
	char found[DNS_RECORDS_MAX * 33 + 1] = "", *end = found;

	if (!dns_reading_answer(&reading))
		end = stpcpy(end, "refused");
	for (uint32_t i = 0; i < reading.address_count; i++) {
		const struct dns_address *address = &reading.addresses[i];

		cr_assert_leq(address->offset + address->length, reading.message.len);
		end = stpcpy(end, " ");
		for (uint32_t j = 0; j < address->length; j++)
			end += sprintf(end, "%02x", reading.message.bytes[address->offset + j]);
	}
	cr_expect_str_eq(found, row->addresses, "'%s' gave '%s'", row->message, found);
}

ParameterizedTestParameters(dns, an_answer_gives_the_addresses_of_the_asked_name)
{
	static struct answer_row rows[] = {
		{ "R1 " DEV A_IN " c00c" A_HEAD " c6336407", " c6336407" },
		{ "R2 " DEV A_IN " c00c" A_HEAD " c6336407 c00c" A_HEAD " c6336408", " c6336407 c6336408" },
		{ "R1 " DEV AAAA_IN " c00c" AAAA_HEAD " 20010db8 11x00 07",
		  " 20010db8000000000000000000000007" },
		{ "R1 .DEV .azure .com 00" A_IN " .dev .AZURE .com 00" A_HEAD " c6336407", " c6336407" },
		{ "R0 " DEV A_IN, "" },
		{ "R0 " DEV A_IN " c00c" A_HEAD " c6336407", "" },
		{ "R1 " DEV " 0010 0001 c00c" TXT_HEAD " 0004 03 616263", "" },
		/* A chain: www -> a -> dev; and the same out of order, or with a stranger in it. */
		{ "R2 .www c00c" A_IN, "refused" },
		{ "R2 .www 00" A_IN " c00c" CNAME_HEAD " 0003 .a 00 .a 00" A_HEAD " c6336407", " c6336407" },
		{ "R3 .www 00" A_IN " c00c" CNAME_HEAD " 0003 .a 00 c021" CNAME_HEAD " 0003 .b 00 c030"
		  A_HEAD " c6336407", " c6336407" },
		{ "R2 .www 00" A_IN " .a 00" A_HEAD " c6336407 c00c" CNAME_HEAD " 0003 .a 00", "" },
		{ "R2 .www 00" A_IN " .b 00" A_HEAD " c6336407 c00c" A_HEAD " c6336408", " c6336408" },
		{ "R2 .www 00" A_IN " c00c" CNAME_HEAD " 0003 .a 00 c00c" A_HEAD " c6336407", "" },
		{ "R2 .www 00" A_IN " c00c" CNAME_HEAD " 0002 c00c c00c" A_HEAD " c6336407", " c6336407" },
		/* Other types and classes between the addresses. */
		{ "R3 " DEV A_IN " c00c" A_HEAD " c6336407 c00c" TXT_HEAD " 0004 03 616263 c00c" A_HEAD
		  " c6336408", " c6336407 c6336408" },
		{ "R2 " DEV A_IN " c00c 0001 0003 0000003c 0004 c6336407 c00c" A_HEAD " c6336408",
		  " c6336408" },
		/* Truncated, and lengths that lie. */
		{ "1234 8380 0001 0001 0000 0000 " DEV A_IN " c00c" A_HEAD " c6336407", " c6336407" },
		{ "R1 " DEV A_IN " c00c" A_HEAD " c63364", "" },
		{ "R1 " DEV A_IN " c00c" A_HEAD, "" },
		{ "R1 " DEV A_IN " c00c 0001", "" },
		{ "R1 " DEV A_IN " c0", "" },
		{ "R2 " DEV A_IN " c00c" A_HEAD " c6336407", " c6336407" },
		{ "R9999 " DEV A_IN " c00c" A_HEAD " c6336407", " c6336407" },
		{ "R1 " DEV A_IN " c00c 0001 0001 0000003c 0005 c6336407 00", "" },
		{ "R1 " DEV A_IN " c00c 001c 0001 0000003c 0004 c6336407", "" },
		{ "R1 " DEV A_IN " c00c 0001 0001 0000003c ffff c6336407", "" },
		{ "R1 " DEV A_IN " c00c 0001 0001 0000003c 0000", "" },
		{ "R2 " DEV A_IN " c00c" TXT_HEAD " ffff c00c" A_HEAD " c6336407", "" },
		/*
		 * An owner that points forwards, at itself, into the header, or out of the message.
		 */
		{ "R1 " DEV A_IN " c01f" A_HEAD " c6336407", "" },
		{ "R1 " DEV A_IN " c021" A_HEAD " c6336407", "" },
		{ "R1 " DEV A_IN " c000" A_HEAD " c6336407", "" },
		{ "R1 " DEV A_IN " ffff" A_HEAD " c6336407", "" },
		/* An EDNS answer; an answer without a question or with two; a question. */
		{ "1234 8180 0001 0001 0000 0001 " DEV A_IN " c00c" A_HEAD " c6336407" OPT " 0000",
		  " c6336407" },
		{ "1234 8180 0000 0001 0000 0000 " DEV A_IN " c00c" A_HEAD " c6336407", "refused" },
		{ "1234 8180 0002 0001 0000 0000 " DEV A_IN " " DEV A_IN " c00c" A_HEAD " c6336407",
		  "refused" },
		{ "1234 0100 0001 0001 0000 0000 " DEV A_IN " c00c" A_HEAD " c6336407", "refused" },
		/* Addresses in the other sections count for nothing. */
		{ "1234 8180 0001 0000 0001 0001 " DEV A_IN " c00c" A_HEAD " c6336407 c00c" A_HEAD
		  " c6336408", "" },
	};

	return cr_make_param_array(struct answer_row, rows, ARRAY_SIZE(rows));
}

ParameterizedTest(struct answer_row *row, dns, an_answer_gives_the_addresses_of_the_asked_name)
{
	for (size_t i = 0; i < sizeof(leftovers); i++) {
		message_fill(row->message, leftovers[i]);
		answer_expect(row);
	}
}

/* A chain of ten names, each below the last, then fifty addresses of its end. */
static size_t chain_write(char *text)
{
	char *end = text + sprintf(text, "R60 .n0 00" A_IN);

	for (int i = 0; i < 10; i++)
		end += sprintf(end, " .n%d 00" CNAME_HEAD " 0004 .n%d 00", i,
			       i + 1 == 10 ? 0 : i + 1);
	for (int i = 0; i < 50; i++)
		end += sprintf(end, " .n0 00" A_HEAD " c63364%02x", i);
	return (size_t)(end - text);
}

Test(dns, fifty_addresses_behind_a_chain_of_ten_names_are_found)
{
	char text[8192];

	cr_assert_lt(chain_write(text), sizeof(text));
	message_fill(text, 0);
	cr_assert(dns_reading_answer(&reading));
	cr_assert_eq(reading.address_count, 50);
	for (uint32_t i = 0; i < 50; i++) {
		cr_expect_eq(reading.message.bytes[reading.addresses[i].offset + 3], i);
		cr_expect_eq(reading.addresses[i].ttl_s, 60);
	}
}

Test(dns, records_behind_the_limit_are_left_out)
{
	message_fill("R200 .a 00" A_IN " {200 c00c" A_HEAD " c6336407 }", 0);
	cr_assert(dns_reading_answer(&reading));
	cr_expect_eq(reading.address_count, DNS_RECORDS_MAX);
}

Test(dns, an_answer_longer_than_the_buffer_is_read_up_to_its_end)
{
	message_fill("R9 .a 00" A_IN " {8 c00c" TXT_HEAD " 01f4 500x41 } c00c" A_HEAD " c6336407",
		     0);
	cr_assert_eq(reading.message.len, DNS_MESSAGE_MAX);
	cr_assert(dns_reading_answer(&reading));
	cr_expect_eq(reading.address_count, 0);
	/* The same with one record less ends inside. */
	message_fill("R8 .a 00" A_IN " {7 c00c" TXT_HEAD " 01f4 500x41 } c00c" A_HEAD " c6336407",
		     0);
	cr_assert(dns_reading_answer(&reading));
	cr_expect_eq(reading.address_count, 1);
}

Test(dns, pointers_that_lead_backwards_are_followed_as_far_as_a_name_may_need)
{
	char text[2048], *end = text;

	/* Each of the pointers in the TXT record's data points at the one before it. */
	end += sprintf(end, "R2 .a 00" A_IN " c00c" TXT_HEAD " 0042 c00c");
	for (int i = 0; i < 32; i++)
		end += sprintf(end, " %04x", 0xc000 + 12 + 7 + 12 + 2 * i);
	sprintf(end, " c05f" A_HEAD " c6336407");
	message_fill(text, 0);
	cr_assert(dns_reading_answer(&reading));
	cr_expect_eq(reading.address_count, 1);
}
