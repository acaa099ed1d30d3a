/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading DNS messages (RFC 1035, 6891): one question, and the addresses of its answer. Pure: no
 * map, no helper, no allocation, so the same lines run in the kernel, in unit tests against ldns,
 * and under the fuzzer. Whoever includes it may define seams first. The kernel makes of the first
 * three functions of their own, which its verifier walks once, however often they are called:
 *   DNS_NAME_MORE(message)             reads a block of a name: dns_name_more()
 *   DNS_KEY_MORE(message, key, from)   reverses a block of a name: dns_key_more()
 *   DNS_RECORD(message)                reads a record: dns_record_step()
 *   DNS_ADDRESS(message, offset, length, ttl_s)   is told of each address
 * What is judged and learned is not decided here.
 */
#ifndef BUILDFENCE_DNS_H
#define BUILDFENCE_DNS_H

#include "abi.h"

/* A power of two, since the verifier wants an index bounded by a mask. Longer messages are cut. */
#define DNS_MESSAGE_MAX		4096
#define DNS_MESSAGE_MASK	(DNS_MESSAGE_MAX - 1)
#define DNS_HEADER_LEN		12
/* One step is one byte of a name or one compression pointer. */
#define DNS_NAME_STEPS		(NAME_MAX_LEN + 34)
/* Steps of a name, and bytes of its key, that are taken at a time: what a verifier walks. */
#define DNS_NAME_BLOCK		16
/* A CNAME chain of 10 and 100 addresses; what stands behind is not learned. */
#define DNS_RECORDS_MAX		128

#define DNS_TYPE_A		1
#define DNS_TYPE_CNAME		5
#define DNS_TYPE_NULL		10
#define DNS_TYPE_AAAA		28
#define DNS_TYPE_OPT		41
#define DNS_CLASS_IN		1

_Static_assert(DNS_NAME_STEPS % DNS_NAME_BLOCK == 0, "the last block is whole");

#define DNS_FLAG_RESPONSE	0x8000
#define DNS_MASK_OPCODE		0x7800
#define DNS_MASK_RCODE		0x000f
#define DNS_RCODE_NOERROR	0
#define DNS_RCODE_NXDOMAIN	3

#ifndef DNS_INLINE
#define DNS_INLINE static inline __attribute__((always_inline, unused))
#endif

/* The state of reading one name. */
struct dns_walk {
	__u64 hash;
	__u32 offset;
	__u32 length;
	__u32 label_left;
	__u32 end;			/* behind the name where it began; 0: not known yet */
	__u32 lowest;			/* a pointer must point below this */
	__u32 pad;
};

/*
 * A message and what has been read of it. Bytes at and behind `len` may be left from another one.
 */
struct dns_message {
	__u32 slot;			/* for the kernel's seams */
	__u32 len;
	__u32 name_len;			/* of the name read last, with its leading dot */
	__u32 name_end;			/* offset behind that name */
	__u64 name_hash;
	__u64 asked_hash;
	__u16 id;			/* host order, like all below */
	__u16 flags;
	__u16 qtype;
	__u16 answer_count;
	__u32 question_end;
	__u32 record_offset;
	__u64 owner_hash;		/* of the name whose records count now */
	struct dns_walk walk;
	__u8 name[NAME_LEN];		/* ".dev.azure.com", lower case */
	__u8 bytes[DNS_MESSAGE_MAX];
};

#define DNS_HASH_START 0xcbf29ce484222325ULL

DNS_INLINE __u64 dns_hash_step(__u64 hash, __u8 byte)
{
	return (hash ^ byte) * 0x100000001b3ULL;	/* FNV-1a, 64 bits */
}

DNS_INLINE __u32 dns_byte(const struct dns_message *message, __u32 offset)
{
	return message->bytes[offset & DNS_MESSAGE_MASK];
}

DNS_INLINE __u32 dns_u16(const struct dns_message *message, __u32 offset)
{
	return dns_byte(message, offset) << 8 | dns_byte(message, offset + 1);
}

DNS_INLINE __u32 dns_u32(const struct dns_message *message, __u32 offset)
{
	return dns_u16(message, offset) << 16 | dns_u16(message, offset + 2);
}

/*
 * A byte that may stand in a label: printable, no space, no dot (which separates labels in our
 * keys), so that no label can imitate a boundary. Upper case becomes lower case. 0: refused.
 */
DNS_INLINE __u8 dns_label_byte(__u32 byte)
{
	if (byte >= 'A' && byte <= 'Z')
		return byte + ('a' - 'A');
	if (byte <= ' ' || byte >= 0x7f || byte == '.')
		return 0;
	return byte;
}

/*
 * One step of reading a name: one byte of it, or one compression pointer. Returns 1 to go on, 0 at
 * the name's end, -1 if it is no name or longer than RFC 1035 allows. The walk's state is volatile,
 * in memory and not in registers: a verifier that tells its values apart would walk every
 * combination of them at every step.
 */
DNS_INLINE int dns_name_step(struct dns_message *message, volatile struct dns_walk *walk)
{
	__u32 offset = walk->offset, length = walk->length, byte;

	if (offset >= message->len)
		return -1;
	byte = dns_byte(message, offset);
	walk->offset = offset + 1;
	if (walk->label_left) {
		byte = dns_label_byte(byte);
		if (!byte)
			return -1;
		walk->label_left--;
	} else if (byte == 0) {
		if (!walk->end)
			walk->end = offset + 1;
		return 0;
	} else if (byte >= 0xc0) {
		if (offset + 1 >= message->len)
			return -1;
		if (!walk->end)
			walk->end = offset + 2;
		offset = (byte & 0x3f) << 8 | dns_byte(message, offset + 1);
		if (offset >= walk->lowest)
			return -1;
		walk->lowest = offset;
		walk->offset = offset;
		return 1;
	} else if (byte > 63) {
		return -1;
	} else {
		walk->label_left = byte;
		byte = '.';
	}
	if (length >= NAME_MAX_LEN)
		return -1;
	message->name[length & (NAME_LEN - 1)] = byte;
	walk->length = length + 1;
	walk->hash = dns_hash_step(walk->hash, byte);
	return 1;
}

/* The next steps of the name under way. Returns as dns_name_step() does. */
DNS_INLINE int dns_name_more(struct dns_message *message)
{
	for (int step = 0; step < DNS_NAME_BLOCK; step++) {
		int more = dns_name_step(message, &message->walk);

		if (more <= 0)
			return more;
	}
	return 1;
}

#ifndef DNS_NAME_MORE
#define DNS_NAME_MORE(message) dns_name_more(message)
#endif

/*
 * Reads the name at `offset` into message->name, lower case, a dot before each label, and sets
 * name_len, name_end and name_hash. Compression pointers must point backwards, so there are no
 * loops. Returns 0, or -1 if it cannot be read.
 */
DNS_INLINE int dns_name_read(struct dns_message *message, __u32 offset)
{
	struct dns_walk *walk = &message->walk;

	walk->offset = offset;
	walk->lowest = offset;
	walk->label_left = 0;
	walk->end = 0;
	walk->length = 0;
	walk->hash = DNS_HASH_START;
#pragma clang loop unroll(disable)
	for (int step = 0; step < DNS_NAME_STEPS; step += DNS_NAME_BLOCK) {
		int more = DNS_NAME_MORE(message);

		if (more < 0)
			return -1;
		if (more)
			continue;
		message->name_len = walk->length;
		message->name_end = walk->end;
		message->name_hash = walk->hash;
		return 0;
	}
	return -1;
}

/* Reads header and question, which both directions share. Returns 0 or -1. */
DNS_INLINE int dns_head_read(struct dns_message *message)
{
	if (message->len < DNS_HEADER_LEN + 5)
		return -1;
	message->id = dns_u16(message, 0);
	message->flags = dns_u16(message, 2);
	message->answer_count = dns_u16(message, 6);
	if (message->flags & DNS_MASK_OPCODE)
		return -1;
	if (dns_u16(message, 4) != 1)
		return -1;
	if (dns_name_read(message, DNS_HEADER_LEN))
		return -1;
	/* There is nothing before a question that a pointer in it could mean. */
	if (message->name_end != DNS_HEADER_LEN + message->name_len + 1)
		return -1;
	if (message->name_end + 4 > message->len)
		return -1;
	message->asked_hash = message->name_hash;
	message->qtype = dns_u16(message, message->name_end);
	message->question_end = message->name_end + 4;
	return dns_u16(message, message->name_end + 2) == DNS_CLASS_IN ? 0 : -1;
}

/* Types that carry data or ask for more than records of one name. */
DNS_INLINE int dns_type_refused(__u32 qtype)
{
	return qtype == 0 || qtype == DNS_TYPE_NULL || qtype == DNS_TYPE_OPT ||
	       (qtype >= 128 && qtype <= 255);
}

/*
 * Reads a question as a stub resolver sends it: one question, no records but an EDNS OPT, and not
 * a byte behind it that could carry something out. Returns 0 or -1.
 */
DNS_INLINE int dns_question_read(struct dns_message *message)
{
	__u32 extra, end;

	if (dns_head_read(message))
		return -1;
	if (message->flags & DNS_FLAG_RESPONSE || message->answer_count || dns_u16(message, 8))
		return -1;
	if (dns_type_refused(message->qtype) || message->name_len == 0)
		return -1;
	end = message->question_end;
	extra = dns_u16(message, 10);
	if (extra == 0)
		return end == message->len ? 0 : -1;
	/* OPT: root name, type, 2 bytes of size, 4 of flags, 2 of length, options. */
	if (extra != 1 || end + 11 > message->len || dns_byte(message, end) ||
	    dns_u16(message, end + 1) != DNS_TYPE_OPT)
		return -1;
	return end + 11 + dns_u16(message, end + 9) == message->len ? 0 : -1;
}

#ifdef DNS_ADDRESS
/*
 * Reads the record at message->record_offset. An A or AAAA record of the asked name, or of the end
 * of its CNAME chain so far, goes to DNS_ADDRESS; a CNAME record leads the chain on; records of
 * other names are passed over. Returns 1 to go on, 0 at the end of what can be read.
 */
DNS_INLINE int dns_record_step(struct dns_message *message)
{
	__u32 offset, type, length;

	if (dns_name_read(message, message->record_offset))
		return 0;
	offset = message->name_end;
	if (offset + 10 > message->len)
		return 0;
	type = dns_u16(message, offset);
	length = dns_u16(message, offset + 8);
	if (offset + 10 + length > message->len)
		return 0;
	message->record_offset = offset + 10 + length;
	if (message->name_hash != message->owner_hash ||
	    dns_u16(message, offset + 2) != DNS_CLASS_IN)
		return 1;
	if (type == DNS_TYPE_CNAME) {
		if (dns_name_read(message, offset + 10) ||
		    message->name_end != message->record_offset)
			return 0;
		message->owner_hash = message->name_hash;
	} else if ((type == DNS_TYPE_A && length == 4) || (type == DNS_TYPE_AAAA && length == 16)) {
		DNS_ADDRESS(message, offset + 10, length, dns_u32(message, offset + 4));
	}
	return 1;
}

#ifndef DNS_RECORD
#define DNS_RECORD(message) dns_record_step(message)
#endif

/* Reads the records of an answer whose head was read, in the order in which they stand. */
DNS_INLINE void dns_answer_records(struct dns_message *message)
{
	message->owner_hash = message->asked_hash;
	message->record_offset = message->question_end;
	for (__u32 i = 0; i < DNS_RECORDS_MAX; i++) {
		if (i >= message->answer_count || !DNS_RECORD(message))
			break;
	}
}
#endif

/* Writes the bytes of a name's key from `from` on: one block, or up to the name's end. */
DNS_INLINE void dns_key_more(const struct dns_message *message, struct name_key *ret_key,
			     __u32 from)
{
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < DNS_NAME_BLOCK; i++) {
		__u32 at = from + i;

		if (at >= message->name_len)
			break;
		ret_key->name[at & (NAME_LEN - 1)] =
			message->name[(message->name_len - 1 - at) & (NAME_LEN - 1)];
	}
}

#ifndef DNS_KEY_MORE
#define DNS_KEY_MORE(message, ret_key, from) dns_key_more(message, ret_key, from)
#endif

/* Reverses the name read last into a key: "moc.eruza.ved.". */
DNS_INLINE void dns_name_reverse(const struct dns_message *message, struct name_key *ret_key)
{
	__u32 length = message->name_len;

	if (length > NAME_MAX_LEN)
		length = NAME_MAX_LEN;
	ret_key->prefix_bits = length * 8;
#pragma clang loop unroll(disable)
	for (__u32 from = 0; from < NAME_MAX_LEN; from += DNS_NAME_BLOCK) {
		if (from >= length)
			break;
		DNS_KEY_MORE(message, ret_key, from);
	}
}

#endif
