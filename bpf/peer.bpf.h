/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whom a datagram socket has sent to. The peer sent to last stands in the socket's state; when the
 * socket turns to another one, the one before moves to the job's table, so that it is still heard.
 */
#ifndef BUILDFENCE_PEER_BPF_H
#define BUILDFENCE_PEER_BPF_H

#include "record.bpf.h"
#include "socket.bpf.h"

/* As long as nf_conntrack keeps a UDP stream (nf_conntrack_udp_timeout_stream: 120 s), and more. */
#define PEER_LIFETIME_NS	(300ULL * 1000000000ULL)

static __always_inline void peer_keep(const struct job_slot *job, __u64 cookie,
				      const struct judged_flow *before, const struct flow *now)
{
	struct peer peer = { .expires_ns = bpf_ktime_get_boot_ns() + PEER_LIFETIME_NS };
	struct peer_key key = { .cookie = cookie, .port = before->port,
				.protocol = before->protocol };
	void *table = bpf_map_lookup_elem(&peers, &job->job);

	if (!table || !before->valid)
		return;
	if (before->port == now->port && addr_equal(before->addr, now->addr))
		return;
	__builtin_memcpy(key.addr, before->addr, ADDR_LEN);
	if (bpf_map_update_elem(table, &key, &peer, BPF_ANY))
		COUNT(job, peers_full);
}

static __always_inline int peer_is_known(const struct job_slot *job, __u64 cookie,
					 const __u8 *addr, __u16 port, __u8 protocol)
{
	struct peer_key key = { .cookie = cookie, .port = port, .protocol = protocol };
	void *table = bpf_map_lookup_elem(&peers, &job->job);
	struct peer *peer;

	if (!table)
		return 0;
	__builtin_memcpy(key.addr, addr, ADDR_LEN);
	peer = bpf_map_lookup_elem(table, &key);
	return peer && peer->expires_ns >= bpf_ktime_get_boot_ns();
}

#endif
