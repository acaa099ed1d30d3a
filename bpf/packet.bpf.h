/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading a packet's own headers. Only what an ordinary socket sends is read; everything else
 * (options, routing and other extension headers, fragments) is not, and its packet is refused.
 */
#ifndef BUILDFENCE_PACKET_BPF_H
#define BUILDFENCE_PACKET_BPF_H

#include <linux/ip.h>
#include <linux/ipv6.h>
#include "decide.bpf.h"

#define IP_FRAGMENT_MASK	0x3fff	/* more fragments, or an offset */
#define IPPROTO_IGMP_		2
#define IPPROTO_HIP_		139	/* RFC 7401 */
#define IPPROTO_SHIM6_		140	/* RFC 5533 */
/* Hop-by-hop options, 8 bytes, that the kernel itself writes. */
#define HBH_ROUTER_ALERT	0x05
#define HBH_JUMBO		0xc2

/* Echo requests come from ping sockets and are judged; what the kernel sends by itself is not. */
static __always_inline int icmp_is_control(__u8 type)
{
	/* Destination unreachable (with path MTU), time exceeded, parameter problem: RFC 792. */
	return type == 3 || type == 11 || type == 12;
}

static __always_inline int icmp6_is_control(__u8 type, __u8 hop_limit, const __u8 *dst)
{
	if (type >= 1 && type <= 4)			/* errors, RFC 4443 */
		return 1;
	if (type >= 133 && type <= 137)			/* neighbour discovery, RFC 4861 */
		return hop_limit == 255;
	if ((type >= 130 && type <= 132) || type == 143)	/* multicast listeners */
		return dst[0] == 0xff;
	return 0;
}

/*
 * `length` bytes at `offset` of a packet's linear part, or NULL. What the stack builds or takes in
 * has its headers there; the payload may stand elsewhere.
 */
static __always_inline void *packet_head(struct __sk_buff *skb, __u32 offset, __u32 length)
{
	void *start = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	return start + offset + length <= end ? start + offset : NULL;
}

/* Fills ports, or what stands in their place, from the transport header. Returns 0 or -1. */
static __always_inline int transport_read(struct __sk_buff *skb, __u32 offset, __u8 hop_limit,
					  struct packet *packet)
{
	__u8 *head = packet_head(skb, offset, 4);

	if (!head)
		return -1;
	packet->transport = offset;
	switch (packet->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		packet->sport = bpf_ntohs(*(__be16 *)head);
		packet->dport = bpf_ntohs(*(__be16 *)(head + 2));
		break;
	case IPPROTO_ICMP:
		packet->control = packet->family == 4 && icmp_is_control(head[0]);
		break;
	case IPPROTO_ICMPV6:
		packet->control = packet->family == 6 &&
				  icmp6_is_control(head[0], hop_limit, packet->dst);
		break;
	}
	return 0;
}

static __always_inline int packet_read4(struct __sk_buff *skb, struct packet *packet)
{
	struct iphdr *ip = packet_head(skb, 0, sizeof(*ip));

	if (!ip)
		return -1;
	packet->family = 4;
	packet->protocol = ip->protocol;
	addr_from_v4(packet->src, ip->saddr);
	addr_from_v4(packet->dst, ip->daddr);
	/* IGMP carries a router-alert option, and goes no further than the link. */
	if (ip->protocol == IPPROTO_IGMP_ && packet->dst[12] >> 4 == 0xe) {
		packet->control = 1;
		return 0;
	}
	if (ip->ihl != 5 || ip->frag_off & bpf_htons(IP_FRAGMENT_MASK))
		return -1;
	return transport_read(skb, sizeof(*ip), 0, packet);
}

/*
 * Routing headers send a packet elsewhere than its address says, fragments hide its ports; a rule
 * for every protocol does not cover them. RFC 8200, and IANA's list for the last three.
 */
static __always_inline int protocol_is_extension(__u8 protocol)
{
	return protocol == IPPROTO_ROUTING || protocol == IPPROTO_FRAGMENT ||
	       protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_MH ||
	       protocol == IPPROTO_HIP_ || protocol == IPPROTO_SHIM6_;
}

static __always_inline int packet_read6(struct __sk_buff *skb, struct packet *packet)
{
	struct ipv6hdr *ip = packet_head(skb, 0, sizeof(*ip));
	__u8 hop_limit, *option;

	if (!ip)
		return -1;
	packet->family = 6;
	packet->protocol = ip->nexthdr;
	hop_limit = ip->hop_limit;
	__builtin_memcpy(packet->src, &ip->saddr, ADDR_LEN);
	__builtin_memcpy(packet->dst, &ip->daddr, ADDR_LEN);
	if (protocol_is_extension(packet->protocol))
		return -1;
	if (packet->protocol != 0)
		return transport_read(skb, sizeof(*ip), hop_limit, packet);
	/* Router alert in listener reports; a jumbogram's length in BIG TCP (5.19). */
	option = packet_head(skb, sizeof(*ip), 8);
	if (!option || option[1])
		return -1;
	packet->protocol = option[0];
	if (protocol_is_extension(packet->protocol))
		return -1;
	if (option[2] != HBH_JUMBO &&
	    (option[2] != HBH_ROUTER_ALERT || packet->protocol != IPPROTO_ICMPV6))
		return -1;
	return transport_read(skb, sizeof(*ip) + 8, hop_limit, packet);
}

/* Reads the headers; trusts the version nibble, since a v4 packet can leave an AF_INET6 socket. */
static __always_inline int packet_read(struct __sk_buff *skb, struct packet *ret_packet)
{
	__u8 *head = packet_head(skb, 0, 1);

	if (!head)
		return -1;
	if (*head >> 4 == 4)
		return packet_read4(skb, ret_packet);
	return *head >> 4 == 6 ? packet_read6(skb, ret_packet) : -1;
}

#endif
