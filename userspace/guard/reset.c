/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Resetting a TCP connection whose packets are refused: the packet hook can only drop, and the
 * program would wait until its retransmissions end. SOCK_DESTROY, in the socket's own network
 * namespace; needs CONFIG_INET_DIAG_DESTROY, which distributions set.
 */
#include "guard/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

struct destroy_request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 diag;
};

struct destroy_answer {
	struct nlmsghdr header;
	struct nlmsgerr error;
};

static void request_fill(const struct refusal *refusal, struct destroy_request *request)
{
	struct inet_diag_sockid *id = &request->diag.id;

	*request = (struct destroy_request){
		.header = {
			.nlmsg_len = sizeof(*request),
			.nlmsg_type = SOCK_DESTROY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		},
		.diag = {
			.sdiag_family = refusal->family == 6 ? AF_INET6 : AF_INET,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = ~0U,
		},
	};
	id->idiag_sport = htons(refusal->sport);
	id->idiag_dport = htons(refusal->dport);
	if (refusal->family == 6) {
		memcpy(id->idiag_src, refusal->src, ADDR_LEN);
		memcpy(id->idiag_dst, refusal->dst, ADDR_LEN);
	} else {
		memcpy(id->idiag_src, refusal->src + 12, 4);
		memcpy(id->idiag_dst, refusal->dst + 12, 4);
	}
	id->idiag_cookie[0] = (uint32_t)refusal->cookie;
	id->idiag_cookie[1] = (uint32_t)(refusal->cookie >> 32);
}

/* A netlink socket in the network namespace of a process, or in ours if it is gone. */
static int diag_socket_open(uint32_t pid)
{
	_cleanup_close_ int ours = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int theirs = -1;
	char path[64];
	int fd, error;

	if (ours < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
	theirs = open(path, O_RDONLY | O_CLOEXEC);
	if (theirs >= 0 && setns(theirs, CLONE_NEWNET))
		return -errno;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	error = fd < 0 ? -errno : 0;
	/* Without the way back, everything after this would happen in the wrong namespace. */
	if (theirs >= 0 && setns(ours, CLONE_NEWNET))
		abort();
	return error ? error : fd;
}

int guard_reset(const struct refusal *refusal)
{
	struct destroy_request request;
	struct destroy_answer answer;
	_cleanup_close_ int fd = diag_socket_open(refusal->pid);

	if (fd < 0)
		return fd;
	request_fill(refusal, &request);
	if (send(fd, &request, sizeof(request), 0) < 0)
		return -errno;
	if (recv(fd, &answer, sizeof(answer), 0) < (ssize_t)sizeof(answer))
		return -EIO;
	return answer.header.nlmsg_type == NLMSG_ERROR ? answer.error.error : -EPROTO;
}
