/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The seams of DNS in the kernel. dns.bpf.c takes packets to and from resolvers; question.bpf.c
 * judges a question, answer.bpf.c learns from an answer; stream.bpf.c puts messages together that
 * come over TCP. Each is a function of its own, with scalars for arguments as 5.10 wants it, and
 * shares the message through a scratch slot.
 */
#ifndef BUILDFENCE_DNS_BPF_H
#define BUILDFENCE_DNS_BPF_H

#include "maps.bpf.h"

#define DNS_TOO_MANY	3	/* dns_stream_feed: more messages in one segment than are read */
#define DNS_NOT_ANSWER	2	/* dns_ingress: an ordinary packet, judge it so */

/*
 * A packet to a resolver of the policy, with its transport header at an offset. Returns 1 to let it
 * pass, 0 to drop it.
 */
int dns_egress(struct __sk_buff *skb, __u32 protocol, __u32 transport, __u32 resolver);

/* A packet from port 53 for a socket in `tcp_state`. Returns 1, 0, or DNS_NOT_ANSWER. */
int dns_ingress(struct __sk_buff *skb, __u32 protocol, __u32 transport, __u32 tcp_state);

/* Reads the packet's headers into the slot. Returns 0 or -1. */
int dns_packet_read(struct __sk_buff *skb, __u32 slot);

/* Judges the question in the slot's message and packet; records a refusal. Returns 1 or 0. */
int dns_question_judge(struct __sk_buff *skb, __u32 slot, __u32 resolver);

/* Learns from the answer in the slot's message, if this socket asked for it. Always 0. */
int dns_answer_take(struct __sk_buff *skb, __u32 slot);

/*
 * Feeds the payload at `offset` of a TCP segment, whose header is at `transport`, into the stream
 * of its direction. Returns 1 if all of it was taken and nothing refused, 0 if not, DNS_TOO_MANY,
 * or DNS_NOT_ANSWER where nothing was asked on this connection.
 */
int dns_stream_feed(struct __sk_buff *skb, __u32 direction, __u32 transport, __u32 offset,
		    __u32 resolver);

#endif
