/* SPDX-License-Identifier: GPL-2.0 */
/* Words for numbers; sentences for people are the text sink's. */
#include "event/names.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/cleanup.h"

const char *const reason_names[REASON_COUNT] = {
	[REASON_NOT_ALLOWED] = "not-allowed",
	[REASON_PORT] = "port",
	[REASON_DNS_NAME] = "dns-name",
	[REASON_DNS_SERVER] = "dns-server",
	[REASON_DNS_MALFORMED] = "dns-malformed",
	[REASON_METADATA] = "metadata",
	[REASON_INBOUND] = "inbound",
	[REASON_SOCKET_TYPE] = "socket-type",
	[REASON_TLS_NAME] = "tls-name",
	[REASON_LOOPBACK] = "loopback",
	[REASON_DENIED_BY_RULE] = "denied-by-rule",
	[REASON_EXPIRED] = "expired",
	[REASON_TAMPER] = "tamper",
};

const char *const hook_names[HOOK_COUNT] = {
	[HOOK_NONE] = "none",
	[HOOK_CONNECT] = "connect",
	[HOOK_SENDMSG] = "sendmsg",
	[HOOK_EGRESS] = "egress",
	[HOOK_INGRESS] = "ingress",
	[HOOK_SOCK_CREATE] = "sock_create",
};

const char *reason_name(unsigned int reason)
{
	return reason < REASON_COUNT ? reason_names[reason] : "unknown";
}

const char *hook_name(unsigned int hook)
{
	return hook < HOOK_COUNT ? hook_names[hook] : "unknown";
}

const char *protocol_name(unsigned int protocol, char buffer[static 8])
{
	switch (protocol) {
	case IPPROTO_ICMP:
		return "ICMP";
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_GRE:
		return "GRE";
	case IPPROTO_ICMPV6:
		return "IPV6-ICMP";
	case IPPROTO_SCTP:
		return "SCTP";
	case IPPROTO_UDPLITE:
		return "UDPLITE";
	}
	snprintf(buffer, 8, "%u", protocol & 0xff);
	return buffer;
}

const char *socket_type_name(unsigned int type, char buffer[static 12])
{
	static const char *const names[] = {
		[SOCK_STREAM] = "SOCK_STREAM",
		[SOCK_DGRAM] = "SOCK_DGRAM",
		[SOCK_RAW] = "SOCK_RAW",
		[SOCK_RDM] = "SOCK_RDM",
		[SOCK_SEQPACKET] = "SOCK_SEQPACKET",
		[SOCK_DCCP] = "SOCK_DCCP",
		[SOCK_PACKET] = "SOCK_PACKET",
	};

	if (type < ARRAY_SIZE(names) && names[type])
		return names[type];
	snprintf(buffer, 12, "%u", type);
	return buffer;
}

const char *address_text(const __u8 addr[ADDR_LEN], char *buffer, size_t size)
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool is_v4 = !memcmp(addr, mapped, sizeof(mapped));

	return inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? addr + 12 : addr, buffer,
			 (socklen_t)size);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && !strcasecmp(text + len - end_len, end);
}

const char *name_objection(const char *name)
{
	if (ends_with(name, ".in-addr.arpa") || ends_with(name, ".ip6.arpa"))
		return "a reverse lookup, which builds do without";
	return NULL;
}
