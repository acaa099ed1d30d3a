/* SPDX-License-Identifier: GPL-2.0 */
/* Packets to and from resolvers: finds the DNS message in them and hands it on. */
#include "packet.bpf.h"
#include "record.bpf.h"
#include "dns.bpf.h"

#define UDP_HEADER_LEN	8
#define TCP_FLAG_SYN	0x02
#define TCP_FLAG_URG	0x20
#define TCP_SYN_SENT	2
#define TCP_LISTEN	10

GLOBAL int dns_name_block(__u32 slot)
{
	struct scratch *scratch = scratch_at(slot);

	return scratch ? dns_name_more(&scratch->dns) : -1;
}

GLOBAL int dns_key_block(__u32 slot, __u32 from)
{
	struct scratch *scratch = scratch_at(slot);

	if (scratch)
		dns_key_more(&scratch->dns, &scratch->key, from);
	return 0;
}

GLOBAL int dns_packet_read(struct __sk_buff *skb, __u32 slot)
{
	struct scratch *scratch = scratch_at(slot);

	return scratch ? packet_read(skb, &scratch->packet) : -1;
}

/* Loads a datagram's payload into the slot's message. Returns 0 or -1. */
static __always_inline int message_load(struct __sk_buff *skb, struct scratch *scratch,
					__u32 offset)
{
	__u32 length = skb->len - offset;

	if (skb->len <= offset)
		length = 0;
	scratch->dns.len = 0;
	if (length > DNS_MESSAGE_MAX)
		length = DNS_MESSAGE_MAX;
	if (length == 0)
		return -1;
	/* 5.10 wants the bound again, and at least 1, right before the call. */
	length = ((length - 1) & DNS_MESSAGE_MASK) + 1;
	if (bpf_skb_load_bytes(skb, offset, scratch->dns.bytes, length))
		return -1;
	scratch->dns.len = length;
	return 0;
}

/* Bytes in pages of the sender's (MSG_ZEROCOPY, splice) can change after they were judged. */
static __always_inline int packet_is_linear(struct __sk_buff *skb)
{
	return (long)skb->data_end - (long)skb->data == skb->len;
}

/* Judges the question at `offset`; at 0 there is none that can be read, and it is refused so. */
static __always_inline int question_at(struct __sk_buff *skb, __u32 resolver, __u32 offset)
{
	struct job_slot *job = job_slot_of();
	__u32 slot = scratch_claim();
	struct scratch *scratch = scratch_at(slot);
	int verdict = 0;

	if (slot == SCRATCH_NONE || !scratch) {
		refusal_count_lost(job, VERDICT(ACTION_DENY, REASON_DNS_MALFORMED, 0, 0));
		return job->mode == MODE_AUDIT;
	}
	if (!offset || message_load(skb, scratch, offset))
		scratch->dns.len = 0;
	if (!dns_packet_read(skb, slot))
		verdict = dns_question_judge(skb, slot, resolver);
	scratch_release(slot);
	return verdict;
}

static __always_inline int datagram_question(struct __sk_buff *skb, __u32 resolver,
					     __u32 transport)
{
	__u32 offset = transport + UDP_HEADER_LEN;

	/* Several datagrams in one packet (GSO) cannot be read one by one. */
	if (skb->gso_segs > 1 || !packet_is_linear(skb) || skb->len > offset + DNS_MESSAGE_MAX)
		offset = 0;
	return question_at(skb, resolver, offset);
}

/* Offset of a TCP segment's payload; 0 where the header cannot be read. */
static __always_inline __u32 segment_payload(struct __sk_buff *skb, __u32 transport,
					     __u8 *ret_flags)
{
	__u8 head[2];

	if (bpf_skb_load_bytes(skb, transport + 12, head, sizeof(head)))
		return 0;
	*ret_flags = head[1];
	return transport + (head[0] >> 4) * 4;
}

GLOBAL int dns_egress(struct __sk_buff *skb, __u32 protocol, __u32 transport, __u32 resolver)
{
	struct bpf_sock *sk = skb->sk;
	__u32 payload;
	__u8 flags = 0;
	int fed;

	if (protocol == IPPROTO_UDP)
		return datagram_question(skb, resolver, transport);
	payload = segment_payload(skb, transport, &flags);
	if (!payload || !sk)
		return 0;
	if (flags & TCP_FLAG_SYN) {
		/* A new connection, maybe of a socket used before. */
		sk = bpf_sk_fullsock(sk);
		if (sk) {
			bpf_sk_storage_delete(&asked_streams, sk);
			bpf_sk_storage_delete(&answer_streams, sk);
		}
		/* Data that comes with it (TFO) is in no stream yet. */
		return skb->len <= payload || question_at(skb, resolver, 0);
	}
	if (skb->len <= payload)
		return 1;
	/* The resolver's kernel takes the urgent byte out of the stream: it reads other bytes. */
	if (flags & TCP_FLAG_URG && !question_at(skb, resolver, 0))
		return 0;
	fed = dns_stream_feed(skb, DIRECTION_OUT, transport, payload, resolver);
	return fed == DNS_TOO_MANY ? question_at(skb, resolver, 0) : fed == 1;
}

/* Is this socket's datagram from a resolver that it asked? */
static __always_inline int resolver_was_asked(struct __sk_buff *skb, const struct job_slot *job,
					      const __u8 *addr)
{
	struct policy_settings *settings = policy_settings_of(job);
	struct bpf_sock *sk = skb->sk;
	struct socket_state *state;
	int resolver;

	if (!settings || !sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 0;
	state = bpf_sk_storage_get(&sockets, sk, 0, 0);
	resolver = resolver_index(settings, addr);
	return state && resolver >= 0 && state->resolvers_asked & (1U << (resolver & 31));
}

static __always_inline int datagram_answer(struct __sk_buff *skb, __u32 transport)
{
	struct job_slot *job = job_slot_of();
	__u32 slot = scratch_claim();
	struct scratch *scratch = scratch_at(slot);
	int asked = 0;

	if (slot == SCRATCH_NONE || !scratch) {
		COUNT(job, out_of_memory);
		return 0;	/* better asked again than connected in vain */
	}
	if (!dns_packet_read(skb, slot))
		asked = resolver_was_asked(skb, job, scratch->packet.src);
	if (asked && !message_load(skb, scratch, transport + UDP_HEADER_LEN))
		dns_answer_take(skb, slot);
	scratch_release(slot);
	return asked ? 1 : DNS_NOT_ANSWER;
}

GLOBAL int dns_ingress(struct __sk_buff *skb, __u32 protocol, __u32 transport, __u32 tcp_state)
{
	__u32 payload;
	__u8 flags = 0;
	int fed;

	if (protocol == IPPROTO_UDP)
		return datagram_answer(skb, transport);
	if (protocol != IPPROTO_TCP || tcp_state == TCP_SYN_SENT || tcp_state == TCP_LISTEN)
		return DNS_NOT_ANSWER;
	payload = segment_payload(skb, transport, &flags);
	if (!payload)
		return 0;
	if (skb->len <= payload)
		return 1;
	fed = dns_stream_feed(skb, DIRECTION_IN, transport, payload, 0);
	return fed == DNS_TOO_MANY ? 0 : fed;
}
