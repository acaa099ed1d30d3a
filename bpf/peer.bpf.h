/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who talks with a datagram socket. The peer sent to last, and the one heard last, stand in the
 * socket's state; when it turns to another one, the one before moves to the job's table.
 */
#ifndef BUILDFENCE_PEER_BPF_H
#define BUILDFENCE_PEER_BPF_H

#include "record.bpf.h"
#include "socket.bpf.h"

/* As long as nf_conntrack keeps a UDP stream (nf_conntrack_udp_timeout_stream: 120 s), and more. */
#define PEER_LIFETIME_NS	(300ULL * 1000000000ULL)

static __always_inline void peer_keep(const struct job_slot *job, __u64 cookie, __u8 direction,
				      const struct judged_flow *before, const struct flow *now)
{
	struct peer peer = { .expires_ns = bpf_ktime_get_boot_ns() + PEER_LIFETIME_NS };
	struct peer_key key = {
		.cookie = cookie,
		.port = before->port,
		.protocol = before->protocol,
		.direction = direction,
	};
	void *table = bpf_map_lookup_elem(&peers, &job->job);

	/* Loopback is open or shut both ways, and its servers hear a stranger with every client. */
	if (!table || !before->valid || addr_is_loopback(before->addr))
		return;
	if (before->port == now->port && addr_equal(before->addr, now->addr))
		return;
	__builtin_memcpy(key.addr, before->addr, ADDR_LEN);
	if (bpf_map_update_elem(table, &key, &peer, BPF_ANY))
		COUNT(job, peers_full);
	else
		COUNT(job, peers_kept);
}

/* Is this peer, of whichever generation, the last of its direction or in the table? */
static __always_inline int peer_is_known(const struct job_slot *job, struct socket_state *state,
					 __u64 cookie, __u8 direction, const __u8 *addr,
					 __u16 port, __u8 protocol)
{
	struct peer_key key = {
		.cookie = cookie, .port = port, .protocol = protocol, .direction = direction,
	};
	void *table = bpf_map_lookup_elem(&peers, &job->job);
	struct peer *peer;

	if (flow_is_established(state, direction, addr, port, protocol))
		return 1;
	if (!table)
		return 0;
	__builtin_memcpy(key.addr, addr, ADDR_LEN);
	peer = bpf_map_lookup_elem(table, &key);
	return peer && peer->expires_ns >= bpf_ktime_get_boot_ns();
}

#endif
