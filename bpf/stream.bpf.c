/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DNS over TCP (RFC 7766): messages put together from segments, each direction for itself. A
 * question may begin in one segment and end in another: the segment that completes it is the one
 * that is let through or refused. A resolver does nothing with half a question.
 */
#include "packet.bpf.h"
#include "record.bpf.h"
#include "dns.bpf.h"

/* Reads of one segment: two for each message, its length and its bytes. */
#define STREAM_STEPS	32
/* Bytes copied at a time: few enough steps for the verifier. */
#define COPY_BLOCK	128

struct copy_block {
	__u64 words[COPY_BLOCK / 8];
};

/* `flags` as of bpf_sk_storage_get(). */
static __always_inline struct dns_stream *stream_get(struct __sk_buff *skb, __u32 direction,
						     __u64 flags)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return NULL;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return NULL;
	if (direction == DIRECTION_OUT)
		return bpf_sk_storage_get(&asked_streams, sk, 0, flags);
	return bpf_sk_storage_get(&answer_streams, sk, 0, flags);
}

static __always_inline struct dns_stream *stream_of(struct __sk_buff *skb, __u32 direction)
{
	return stream_get(skb, direction, 0);
}

/* Both, for a question that leaves. Returns that of its direction; NULL: no memory. */
static __always_inline struct dns_stream *streams_make(struct __sk_buff *skb)
{
	if (!stream_get(skb, DIRECTION_IN, BPF_SK_STORAGE_GET_F_CREATE))
		return NULL;
	return stream_get(skb, DIRECTION_OUT, BPF_SK_STORAGE_GET_F_CREATE);
}

/* No memory for a question's bytes: refused unread, and counted. */
static __always_inline int stream_refuse(void)
{
	struct job_slot *job = job_slot_of();

	COUNT(job, out_of_memory);
	refusal_count_lost(job, VERDICT(ACTION_DENY, REASON_DNS_MALFORMED, 0, 0));
	return job->mode == MODE_AUDIT;
}

/* Copies the whole message into a scratch slot and lets it be judged, or learned from. */
GLOBAL int dns_stream_message(struct __sk_buff *skb, __u32 direction, __u32 resolver)
{
	struct job_slot *job = job_slot_of();
	struct dns_stream *stream = stream_of(skb, direction);
	struct scratch *scratch;
	__u32 slot, length;
	int verdict = 1;

	if (!stream)
		return 0;
	slot = scratch_claim();
	scratch = scratch_at(slot);
	if (slot == SCRATCH_NONE || !scratch) {
		refusal_count_lost(job, VERDICT(ACTION_DENY, REASON_DNS_MALFORMED, 0, 0));
		return job->mode == MODE_AUDIT;
	}
	length = stream->filled;
	if (length > DNS_MESSAGE_MAX)
		length = DNS_MESSAGE_MAX;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < DNS_MESSAGE_MAX / COPY_BLOCK; i++) {
		if (i * COPY_BLOCK >= length)
			break;
		*(struct copy_block *)(scratch->dns.bytes + i * COPY_BLOCK) =
			*(const struct copy_block *)(stream->bytes + i * COPY_BLOCK);
	}
	/* A question longer than the buffer was cut: unreadable. */
	scratch->dns.len = length;
	if (stream->length > DNS_MESSAGE_MAX && direction == DIRECTION_OUT)
		scratch->dns.len = 0;
	if (dns_packet_read(skb, slot))
		verdict = 0;
	else if (direction == DIRECTION_OUT)
		verdict = dns_question_judge(skb, slot, resolver);
	else
		dns_answer_take(skb, slot);
	scratch_release(slot);
	return verdict;
}

/*
 * Takes up to one piece (a length, or the bytes of one message) from the segment. Returns how many
 * bytes it took, or -1 if a question was refused or the packet cannot be read.
 */
GLOBAL int dns_stream_step(struct __sk_buff *skb, __u32 direction, __u32 offset, __u32 resolver)
{
	struct dns_stream *stream = stream_of(skb, direction);
	__u32 have = skb->len, take, room;
	__u8 byte;

	if (!stream || have <= offset)
		return -1;
	have -= offset;
	if (stream->length_seen < 2) {
		if (bpf_skb_load_bytes(skb, offset, &byte, 1))
			return -1;
		stream->length = (stream->length << 8 | byte) & 0xffff;
		stream->length_seen++;
		stream->filled = 0;
		take = 1;
	} else {
		take = stream->length - stream->filled;
		if (take > have)
			take = have;
		room = stream->filled < DNS_MESSAGE_MAX ? DNS_MESSAGE_MAX - stream->filled : 0;
		if (room > STREAM_PIECE)
			room = STREAM_PIECE;
		/* The rest is the next step's; what the buffer cannot hold is taken at once. */
		if (room && take > room)
			take = room;
		if (room > take)
			room = take;
		if (room) {
			__u32 at = stream->filled & DNS_MESSAGE_MASK;

			room = ((room - 1) & (STREAM_PIECE - 1)) + 1;
			if (bpf_skb_load_bytes(skb, offset, stream->bytes + at, room))
				return -1;
		}
		stream->filled += take;
	}
	stream->next_seq += take;
	if (stream->length_seen < 2)
		return take;
	/* A question too long to be read is refused before its bytes leave, not after. */
	if (stream->filled < stream->length &&
	    (direction == DIRECTION_IN || stream->length <= DNS_MESSAGE_MAX ||
	     job_slot_of()->mode == MODE_AUDIT))
		return take;
	stream->length_seen = 0;
	if (!dns_stream_message(skb, direction, resolver)) {
		stream->poisoned = 1;
		return -1;
	}
	stream->length = 0;
	return take;
}

/* The stream's place in TCP's sequence: begins with the first payload byte of the question. */
static __always_inline int stream_start(struct __sk_buff *skb, struct dns_stream *stream,
					__u32 sequence, __u32 acknowledged)
{
	struct dns_stream *answers = stream_of(skb, DIRECTION_IN);

	if (stream->started)
		return 0;
	if (!answers)
		return -1;
	stream->started = 1;
	stream->next_seq = sequence;
	answers->started = 1;
	answers->next_seq = acknowledged;
	return 0;
}

GLOBAL int dns_stream_feed(struct __sk_buff *skb, __u32 direction, __u32 transport,
			   __u32 offset, __u32 resolver)
{
	struct dns_stream *stream;
	__u32 sequence[2], end = skb->len;
	int ahead;

	stream = direction == DIRECTION_OUT ? streams_make(skb) : stream_of(skb, direction);
	if (direction == DIRECTION_OUT && !stream)
		return stream_refuse();
	/* Nothing was asked here: an ordinary connection, judged when it was made. */
	if (direction == DIRECTION_IN && (!stream || !stream->started))
		return DNS_NOT_ANSWER;
	if (!stream || bpf_skb_load_bytes(skb, transport + 4, sequence, sizeof(sequence)))
		return 0;
	sequence[0] = bpf_ntohl(sequence[0]);
	if (direction == DIRECTION_OUT &&
	    stream_start(skb, stream, sequence[0], bpf_ntohl(sequence[1])))
		return 0;
	if (!stream->started)
		return 0;
	if (stream->poisoned)
		return job_slot_of()->mode == MODE_AUDIT;
	/* Behind a gap: dropped; TCP sends it again once what is missing has come. */
	ahead = (int)(sequence[0] - stream->next_seq);
	if (ahead > 0)
		return 0;
	/* Sent again: what was judged before passes, what is new is read. */
	offset -= ahead;
	for (int i = 0; i < STREAM_STEPS; i++) {
		int took;

		if (offset >= end)
			return 1;
		took = dns_stream_step(skb, direction, offset, resolver);
		if (took <= 0)
			return 0;
		offset += took;
	}
	if (offset >= end)
		return 1;
	/* What a segment sent again would hold behind this point could not be judged any more. */
	if (direction == DIRECTION_OUT)
		stream->poisoned = 1;
	return DNS_TOO_MANY;
}
