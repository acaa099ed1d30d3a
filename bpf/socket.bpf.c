/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sock_create: gives every socket its memory while the process that makes it is known, and
 * refuses types that no build needs. EPROTONOSUPPORT, where the kernel lets us choose, makes
 * programs fall back (from MPTCP to TCP, say).
 */
#include <linux/errno.h>
#include "record.bpf.h"
#include "socket.bpf.h"

extern const volatile __u8 has_set_retval;

#define SOCK_STREAM	1
#define SOCK_DGRAM	2
#define AF_INET6	10

static __always_inline int socket_type_allowed(__u32 type, __u32 protocol)
{
	if (type == SOCK_STREAM)
		return protocol == IPPROTO_TCP;
	return type == SOCK_DGRAM && (protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP ||
				      protocol == IPPROTO_ICMPV6);
}

SEC("cgroup/sock_create")
int guard_sock_create(struct bpf_sock *sk)
{
	struct job_slot *job = job_slot_of();
	const __u8 nowhere[ADDR_LEN] = {};
	struct attempt attempt = {
		.remote = nowhere,
		.protocol = sk->protocol,
		.hook = HOOK_SOCK_CREATE,
		.verdict = VERDICT(ACTION_DENY, REASON_SOCKET_TYPE, 0, 0),
		.socket_type = sk->type,
		.family = sk->family == AF_INET6 ? 6 : 4,
	};
	struct socket_state *state;

	if (!job->job)
		return 0;
	state = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!state) {
		refusal_count_lost(job, attempt.verdict);
		return job->mode == MODE_AUDIT;
	}
	state->netns = bpf_get_netns_cookie(sk);
	state_process_set(state);
	if (socket_type_allowed(sk->type, sk->protocol))
		return 1;
	attempt.state = state;
	/* Programs that ask for MPTCP take TCP instead: Go's listeners ask in every build. */
	if (sk->protocol == IPPROTO_MPTCP)
		attempt.verdict |= VERDICT(0, 0, REFUSAL_EXPECTED, 0);
	refuse(job, &attempt, NULL);
	if (job->mode == MODE_AUDIT)
		return 1;
	if (has_set_retval)
		bpf_set_retval(-EPROTONOSUPPORT);
	return 0;
}
