/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One small program for each thing that a kernel can do or not and that no test of the guard shows.
 * Its name is the feature's, as `buildfence doctor` calls it, with _ for -. Not part of the guard.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("?cgroup_skb/egress")
int kernel_packet_comm(struct __sk_buff *skb)
{
	return bpf_get_current_pid_tgid() != 0;
}

SEC("?cgroup_skb/egress")
int kernel_packet_netns_cookie(struct __sk_buff *skb)
{
	return bpf_get_netns_cookie(skb) != 0;
}

/* Refuses every new socket, so that a process can tell whether it was asked. */
SEC("?lsm_cgroup/socket_create")
int kernel_lsm_cgroup(void *context)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
