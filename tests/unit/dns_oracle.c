/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The DNS reader against ldns: what both read must be the same, and where only ours refuses, one of
 * the reasons below must hold. Where ldns refuses, ours must too. Messages are made from a seed,
 * most of them valid, most of those then damaged.
 */
#include <criterion/criterion.h>
#include <ldns/ldns.h>

#include "dns_made.h"
#include "dns_reading.h"

#define ROUNDS	300000

static struct dns_reading reading;

/* Fails with the message in hex. */
static void mismatch(const struct dns_made *made, const char *what)
{
	char hex[2 * DNS_MADE_MAX + 1], *end = hex;

	for (size_t i = 0; i < made->len; i++)
		end += sprintf(end, "%02x", made->bytes[i]);
	cr_assert_fail("%s: %s", what, hex);
}

/* A name of ldns in our form; -1 if a byte of it is one that we refuse. */
static int name_convert(const ldns_rdf *rdf, char ret_name[static NAME_LEN], uint32_t *ret_len)
{
	const uint8_t *wire = ldns_rdf_data(rdf);
	uint32_t at = 0, len = 0;

	while (wire[at]) {
		uint32_t label = wire[at++];

		ret_name[len++] = '.';
		for (; label; label--) {
			int byte = wire[at++];

			if (byte <= ' ' || byte >= 0x7f || byte == '.')
				return -1;
			ret_name[len++] = (char)(byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
		}
	}
	*ret_len = len;
	return 0;
}

/* Where the name at `at` goes by pointers: do all lead backwards, and are they few enough? */
static bool pointers_are_ours(const struct dns_made *made, size_t at)
{
	size_t lowest = at;
	unsigned int pointers = 0;

	while (at < made->len && made->bytes[at]) {
		if (made->bytes[at] < 0xc0) {
			at += 1U + made->bytes[at];
			continue;
		}
		if (at + 1 >= made->len)
			return false;
		at = (made->bytes[at] & 0x3fU) << 8 | made->bytes[at + 1];
		if (at >= lowest || ++pointers > DNS_NAME_STEPS - NAME_MAX_LEN)
			return false;
		lowest = at;
	}
	return true;
}

static unsigned int u16_at(const struct dns_made *made, size_t at)
{
	return at + 2 > made->len ? 0 : made->bytes[at] << 8U | made->bytes[at + 1];
}

/* The named ways in which our reader is stricter with a question's head. NULL: none holds. */
static const char *head_refusal(const struct dns_made *made, const ldns_rr *question, size_t end)
{
	char name[NAME_LEN];
	uint32_t len;

	if (made->bytes[2] & 0x78)
		return "opcode";
	if (!question || u16_at(made, 4) != 1)
		return "not one question";
	if (name_convert(ldns_rr_owner(question), name, &len))
		return "label bytes";
	if (!pointers_are_ours(made, DNS_HEADER_LEN))
		return "pointers";
	if (ldns_rr_get_class(question) != LDNS_RR_CLASS_IN)
		return "class";
	return end > made->len ? "short" : NULL;
}

static const char *question_refusal(const struct dns_made *made, const ldns_rr *question,
				    size_t end)
{
	const char *refusal = head_refusal(made, question, end);
	ldns_rr_type type;
	ldns_rr *extra = NULL;

	if (refusal)
		return refusal;
	type = ldns_rr_get_type(question);
	if (made->bytes[2] & 0x80)
		return "an answer";
	if (u16_at(made, 6) || u16_at(made, 8))
		return "records";
	if (ldns_rdf_size(ldns_rr_owner(question)) == 1)
		return "the root";
	if (type == 0 || type == LDNS_RR_TYPE_NULL || type == LDNS_RR_TYPE_OPT ||
	    (type >= 128 && type <= 255))
		return "type";
	if (u16_at(made, 10) == 0)
		return end == made->len ? NULL : "bytes behind the question";
	if (u16_at(made, 10) != 1)
		return "records";
	if (end >= made->len || made->bytes[end])
		return "an OPT's owner";
	if (ldns_wire2rr(&extra, made->bytes, made->len, &end, LDNS_SECTION_ADDITIONAL))
		return "an OPT that cannot be read";
	type = ldns_rr_get_type(extra);
	ldns_rr_free(extra);
	if (type != LDNS_RR_TYPE_OPT)
		return "records";
	return end == made->len ? NULL : "bytes behind the OPT";
}

/* Reads the question with ldns; NULL if it cannot. *ret_end is the offset behind it. */
static ldns_rr *question_read(const struct dns_made *made, size_t *ret_end)
{
	ldns_rr *question = NULL;

	*ret_end = DNS_HEADER_LEN;
	if (made->len < DNS_HEADER_LEN ||
	    ldns_wire2rr(&question, made->bytes, made->len, ret_end, LDNS_SECTION_QUESTION))
		return NULL;
	return question;
}

static void asked_compare(const struct dns_made *made, const ldns_rr *question)
{
	char name[NAME_LEN];
	uint32_t len = 0;

	if (name_convert(ldns_rr_owner(question), name, &len) || len != reading.asked_len ||
	    memcmp(name, reading.asked, len))
		mismatch(made, "another name than ldns read");
	if (ldns_rr_get_type(question) != reading.message.qtype)
		mismatch(made, "another type than ldns read");
}

static bool question_judge(const struct dns_made *made)
{
	ldns_pkt *packet = NULL;
	size_t end;
	ldns_rr *question = question_read(made, &end);
	bool ours, theirs = question && !ldns_wire2pkt(&packet, made->bytes, made->len);

	dns_reading_fill(&reading, made->bytes, made->len);
	ours = dns_reading_question(&reading);
	if (ours && !theirs)
		mismatch(made, "ldns refuses a question that we read");
	if (ours && question_refusal(made, question, end))
		mismatch(made, question_refusal(made, question, end));
	if (!ours && theirs && !question_refusal(made, question, end))
		mismatch(made, "refused for none of the reasons we name");
	if (ours)
		asked_compare(made, question);
	ldns_pkt_free(packet);
	ldns_rr_free(question);
	return ours;
}

Test(dns_oracle, a_question_is_read_as_ldns_reads_it, .timeout = 120)
{
	struct generator generator = generator_seed(1);
	unsigned int read = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct dns_made made;

		dns_make_question(&generator, &made);
		if (i % 4)
			dns_damage(&generator, &made);
		read += question_judge(&made);
	}
	/* Else the messages would be so odd that nothing was compared. */
	cr_expect_gt(read, ROUNDS / 5, "%u were read", read);
	cr_expect_lt(read, ROUNDS * 9 / 10, "%u were read", read);
}

/* The chain as ldns sees it. */
struct chain {
	char name[NAME_LEN];
	uint32_t len;
	uint32_t found;
};

static bool address_is(const struct dns_made *made, uint32_t index, const ldns_rr *record)
{
	const ldns_rdf *rdf = ldns_rr_rdf(record, 0);
	const struct dns_address *address = &reading.addresses[index];

	return index < reading.address_count && address->length == ldns_rdf_size(rdf) &&
	       address->offset + address->length <= made->len &&
	       !memcmp(made->bytes + address->offset, ldns_rdf_data(rdf), address->length) &&
	       address->ttl_s == ldns_rr_ttl(record);
}

/* The offset behind the name at `at`, which ldns has read before. */
static size_t name_skip(const struct dns_made *made, size_t at)
{
	ldns_rdf *name = NULL;

	cr_assert_eq(ldns_wire2dname(&name, made->bytes, made->len, &at), LDNS_STATUS_OK);
	ldns_rdf_deep_free(name);
	return at;
}

/* Where the record at `start` ends by its own length. */
static size_t record_end(const struct dns_made *made, size_t start)
{
	size_t fields = name_skip(made, start);

	return fields + 10 + u16_at(made, fields + 8);
}

/* Takes one record into account. Returns false where our reader stops by its own rules. */
static bool record_judge(const struct dns_made *made, const ldns_rr *record, size_t start,
			 struct chain *chain)
{
	ldns_rr_type type = ldns_rr_get_type(record);
	size_t fields = name_skip(made, start);
	char name[NAME_LEN];
	uint32_t len;

	if (!pointers_are_ours(made, start) || name_convert(ldns_rr_owner(record), name, &len))
		return false;
	if (len != chain->len || memcmp(name, chain->name, len) ||
	    ldns_rr_get_class(record) != LDNS_RR_CLASS_IN)
		return true;
	if (type == LDNS_RR_TYPE_CNAME)
		return pointers_are_ours(made, fields + 10) &&
		       !name_convert(ldns_rr_rdf(record, 0), chain->name, &chain->len);
	if ((type == LDNS_RR_TYPE_A || type == LDNS_RR_TYPE_AAAA) &&
	    !address_is(made, chain->found++, record))
		mismatch(made, "an address that ldns found is missing, or another");
	return true;
}

/* Walks the answer section with ldns. Returns false where ldns stopped and ours may go on. */
static bool records_judge(const struct dns_made *made, const ldns_rr *question, size_t end,
			  struct chain *chain)
{
	unsigned int count = u16_at(made, 6);

	name_convert(ldns_rr_owner(question), chain->name, &chain->len);
	for (unsigned int i = 0; i < count && i < DNS_RECORDS_MAX; i++) {
		size_t start = end;
		ldns_rr *record = NULL;
		bool more, is_ours;

		if (ldns_wire2rr(&record, made->bytes, made->len, &end, LDNS_SECTION_ANSWER))
			return false;
		/*
		 * ldns takes the first bytes of an address that is too long, and reads on there; of
		 * a record without data it knows no more than that.
		 */
		is_ours = end == record_end(made, start) && ldns_rr_rd_count(record);
		more = is_ours && record_judge(made, record, start, chain);
		ldns_rr_free(record);
		if (!more)
			return is_ours;
	}
	return true;
}

/*
 * ldns also reads the data of records that we pass over, and stops where it is broken. Addresses
 * that we find behind must still be inside the message.
 */
static bool answer_judge(const struct dns_made *made, bool *ret_whole)
{
	struct chain chain = {};
	size_t end;
	ldns_rr *question = question_read(made, &end);
	bool ours;

	dns_reading_fill(&reading, made->bytes, made->len);
	ours = dns_reading_answer(&reading);
	if (ours && (!question || head_refusal(made, question, end)))
		mismatch(made, "ldns refuses the head of an answer that we read");
	if (!ours && question && made->bytes[2] & 0x80 && !head_refusal(made, question, end))
		mismatch(made, "refused for none of the reasons we name");
	if (ours) {
		asked_compare(made, question);
		*ret_whole = records_judge(made, question, end, &chain);
		if (*ret_whole && chain.found != reading.address_count)
			mismatch(made, "addresses that ldns did not find");
	}
	for (uint32_t i = 0; i < reading.address_count; i++)
		cr_assert_leq(reading.addresses[i].offset + reading.addresses[i].length, made->len);
	ldns_rr_free(question);
	return ours;
}

Test(dns_oracle, an_answer_gives_the_addresses_that_ldns_finds_along_the_chain, .timeout = 120)
{
	struct generator generator = generator_seed(2);
	unsigned int whole = 0, found = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct dns_made made;
		bool is_whole = false;

		dns_make_answer(&generator, &made);
		if (i % 3)
			dns_damage(&generator, &made);
		if (answer_judge(&made, &is_whole))
			found += reading.address_count;
		whole += is_whole;
	}
	cr_expect_gt(whole, ROUNDS / 3, "%u were compared to the end", whole);
	cr_expect_gt(found, ROUNDS / 2, "%u addresses were found", found);
}
