/* SPDX-License-Identifier: GPL-2.0 */
/* Headers that no ordinary socket sends are refused; what the kernel sends by itself passes. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "harness.h"

#define ALLOWED4	"198.51.100.7"
#define ALLOWED6	"2001:db8:1::7"
#define SOURCE4		"192.0.2.1"
#define SOURCE6		"2001:db8::1"

static const char rules[] =
	"loopback: deny\n"
	"allow: [ any://198.51.100.0/24, 'any://[2001:db8:1::]/48' ]\n"
	"inbound: { allow: [ 'udp://198.51.100.0/24:1-65535', 'udp://[2001:db8:1::]/48:1-65535' ] }\n";

/*
 * What is wrong with a packet that would be allowed; `bytes` take the place of those at `offset`.
 */
struct patch_case {
	const char *what;
	bool v6;
	uint8_t protocol;
	size_t offset;
	const char *bytes;
	size_t len;
	bool refused;
};

static const struct patch_case patches[] = {
	{ "nothing, v4", false, IPPROTO_UDP, 0, BYTES(""), false },
	{ "nothing, v6", true, IPPROTO_UDP, 0, BYTES(""), false },
	{ "v4 options", false, IPPROTO_UDP, 0, BYTES("\x46"), true },
	{ "v4 header shorter than itself", false, IPPROTO_UDP, 0, BYTES("\x44"), true },
	{ "v4 header length 0", false, IPPROTO_UDP, 0, BYTES("\x40"), true },
	{ "version 5", false, IPPROTO_UDP, 0, BYTES("\x55"), true },
	{ "version 0", false, IPPROTO_UDP, 0, BYTES("\x05"), true },
	{ "version 15", true, IPPROTO_UDP, 0, BYTES("\xf0"), true },
	{ "first fragment", false, IPPROTO_UDP, 6, BYTES("\x20\0"), true },
	{ "second fragment", false, IPPROTO_UDP, 6, BYTES("\x20\x01"), true },
	{ "last fragment", false, IPPROTO_UDP, 6, BYTES("\0\x01"), true },
	{ "highest offset", false, IPPROTO_UDP, 6, BYTES("\x1f\xff"), true },
	{ "don't fragment", false, IPPROTO_UDP, 6, BYTES("\x40\0"), false },
	{ "fragment of an echo", false, IPPROTO_ICMP, 6, BYTES("\0\x01"), true },
	{ "hop-by-hop pad", true, IPPROTO_HOPOPTS, 40, BYTES("\x11\0\x01\x04\0\0\0\0"), true },
	{ "hop-by-hop of 16 bytes", true, IPPROTO_HOPOPTS, 40, BYTES("\x11\x01\xc2\x04\0\0\0\0"),
	  true },
	{ "router alert of UDP", true, IPPROTO_HOPOPTS, 40, BYTES("\x11\0\x05\x02\0\0\x01\0"), true },
	{ "jumbogram behind hop-by-hop", true, IPPROTO_HOPOPTS, 40, BYTES("\x11\0\xc2\x04\0\x01\0\0"),
	  false },
};

static void packet_pair(struct trial *trial, const struct made *packet, const struct made *reverse,
			struct outcome *ret_out, struct outcome *ret_in)
{
	*ret_out = trial_egress(trial, packet);
	*ret_in = trial_ingress(trial, reverse);
}

static void base_make(struct made *made, bool v6, uint8_t protocol, bool out)
{
	const char *near = v6 ? SOURCE6 : SOURCE4, *far = v6 ? ALLOWED6 : ALLOWED4;

	made_ip(made, protocol, out ? near : far, out ? far : near);
	made_transport(made, protocol, 4000, 5000);
	made_add(made, "0123456789abcdef0123456789abcdef", 32);
}

static void patches_run(enum guard_mode mode)
{
	_cleanup_trial_ struct trial trial;

	trial_open(&trial, mode);
	trial_policy(&trial, rules);
	for (size_t i = 0; i < ARRAY_SIZE(patches); i++) {
		const struct patch_case *row = &patches[i];
		struct made packet = {}, reverse = {};
		struct outcome out, in;

		base_make(&packet, row->v6, row->protocol, true);
		base_make(&reverse, row->v6, row->protocol, false);
		memcpy(packet.bytes + row->offset, row->bytes, row->len);
		memcpy(reverse.bytes + row->offset, row->bytes, row->len);
		packet_pair(&trial, &packet, &reverse, &out, &in);
		if (!row->refused) {
			outcome_expect_pass(&out, row->what);
			outcome_expect_pass(&in, row->what);
			continue;
		}
		outcome_expect_refusal(&out, row->what, mode, REASON_NOT_ALLOWED);
		outcome_expect_refusal(&in, row->what, mode, REASON_INBOUND);
	}
}

Test(headers, that_cannot_be_read_are_refused_with_a_record)
{
	patches_run(MODE_ENFORCE);
}

Test(headers, that_cannot_be_read_are_recorded_in_audit)
{
	patches_run(MODE_AUDIT);
}

Test(headers, cut_short_are_refused)
{
	_cleanup_trial_ struct trial trial;

	trial_open(&trial, MODE_ENFORCE);
	trial_policy(&trial, rules);
	for (int v6 = 0; v6 < 2; v6++) {
		struct made packet = {};
		size_t whole = v6 ? 44 : 24;

		base_make(&packet, v6, IPPROTO_UDP, true);
		for (packet.len = 1; packet.len < whole; packet.len++) {
			struct outcome outcome = trial_egress(&trial, &packet);

			outcome_expect_refusal(&outcome, "cut", MODE_ENFORCE, REASON_NOT_ALLOWED);
		}
		packet.len = whole;
		outcome_expect_pass(&(struct outcome){ trial_egress(&trial, &packet).passed, 0, {},
						       true, "" }, "whole ports");
	}
}

/* Extension headers whose own destination may differ from the one that a connect hook saw. */
Test(headers, of_ipv6_extensions_are_refused_also_where_every_protocol_is_allowed)
{
	static const uint8_t extensions[] = {
		IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_DSTOPTS, 135 /* mobility */,
		139 /* HIP */, 140 /* shim6 */,
	};
	_cleanup_trial_ struct trial trial;

	trial_open(&trial, MODE_ENFORCE);
	trial_policy(&trial, rules);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(extensions); i++) {
		bool jumbo = i >= ARRAY_SIZE(extensions);
		uint8_t extension = extensions[i % ARRAY_SIZE(extensions)];
		struct made packet = {};
		struct outcome outcome;

		made_ip(&packet, jumbo ? IPPROTO_HOPOPTS : extension, SOURCE6, ALLOWED6);
		if (jumbo) {
			made_u8(&packet, extension);
			made_add(&packet, BYTES("\0\xc2\x04\0\x01\0\0"));
		}
		made_add(&packet, BYTES("\x11\2\0\1\0\0\0\0"));
		made_add(&packet, BYTES("\x20\1\x0d\xb8\0\7\0\0\0\0\0\0\0\0\0\7"));
		made_transport(&packet, IPPROTO_UDP, 4000, 443);
		outcome = trial_egress(&trial, &packet);
		outcome_expect_refusal(&outcome, "extension", MODE_ENFORCE, REASON_NOT_ALLOWED);
		cr_expect_eq(outcome.refusal.protocol, extension);
	}
}

/* Messages of the kernel itself, and others that only look like them. */
struct control_case {
	const char *what;
	const char *dst;
	uint8_t protocol;
	uint8_t hop_limit;
	const char *bytes;
	size_t len;
	bool passes;
};

static const struct control_case controls[] = {
	{ "destination unreachable", "192.0.2.9", IPPROTO_ICMP, 64, BYTES("\3\4\0\0\0\0\5\xdc"), true },
	{ "time exceeded", "192.0.2.9", IPPROTO_ICMP, 64, BYTES("\13\0\0\0\0\0\0\0"), true },
	{ "parameter problem", "192.0.2.9", IPPROTO_ICMP, 64, BYTES("\14\0\0\0\0\0\0\0"), true },
	{ "echo request", "192.0.2.9", IPPROTO_ICMP, 64, BYTES("\10\0\0\0\0\1\0\1"), false },
	{ "echo reply", "192.0.2.9", IPPROTO_ICMP, 64, BYTES("\0\0\0\0\0\1\0\1"), false },
	{ "redirect", "192.0.2.9", IPPROTO_ICMP, 64, BYTES("\5\0\0\0\0\1\0\1"), false },
	{ "timestamp", "192.0.2.9", IPPROTO_ICMP, 64, BYTES("\15\0\0\0\0\1\0\1"), false },
	{ "packet too big", "2001:db8::9", IPPROTO_ICMPV6, 64, BYTES("\2\0\0\0\0\0\5\0"), true },
	{ "v6 echo request", "2001:db8::9", IPPROTO_ICMPV6, 64, BYTES("\200\0\0\0\0\1\0\1"), false },
	{ "v6 echo reply", "2001:db8::9", IPPROTO_ICMPV6, 64, BYTES("\201\0\0\0\0\1\0\1"), false },
	{ "neighbour solicitation", "ff02::1:ff00:9", IPPROTO_ICMPV6, 255,
	  BYTES("\207\0\0\0\0\0\0\0"), true },
	{ "neighbour advertisement", "2001:db8::9", IPPROTO_ICMPV6, 255, BYTES("\210\0\0\0\0\0\0\0"),
	  true },
	{ "solicitation from afar", "2001:db8::9", IPPROTO_ICMPV6, 254, BYTES("\207\0\0\0\0\0\0\0"),
	  false },
	{ "router solicitation", "ff02::2", IPPROTO_ICMPV6, 255, BYTES("\205\0\0\0\0\0\0\0"), true },
	{ "listener report", "ff02::16", IPPROTO_HOPOPTS, 1,
	  BYTES("\x3a\0\5\2\0\0\1\0\217\0\0\0\0\0\0\0"), true },
	{ "listener report without its option", "ff02::16", IPPROTO_ICMPV6, 1,
	  BYTES("\217\0\0\0\0\0\0\0"), true },
	{ "listener report to one host", "2001:db8::9", IPPROTO_ICMPV6, 1, BYTES("\217\0\0\0\0\0\0\0"),
	  false },
	{ "echo behind a router alert", "2001:db8::9", IPPROTO_HOPOPTS, 1,
	  BYTES("\x3a\0\5\2\0\0\1\0\200\0\0\0\0\0\0\0"), false },
	{ "ICMPv6 in IPv4", "192.0.2.9", IPPROTO_ICMPV6, 255, BYTES("\207\0\0\0\0\0\0\0"), false },
	{ "ICMP in IPv6", "2001:db8::9", IPPROTO_ICMP, 255, BYTES("\3\0\0\0\0\0\0\0"), false },
	{ "IGMP report", "224.0.0.22", IPPROTO_IGMP, 1, BYTES("\x22\0\0\0\0\0\0\1"), true },
	{ "IGMP to one host", "192.0.2.9", IPPROTO_IGMP, 1, BYTES("\x22\0\0\0\0\0\0\1"), false },
};

static void controls_run(enum guard_mode mode)
{
	_cleanup_trial_ struct trial trial;

	trial_open(&trial, mode);
	trial_policy(&trial, "loopback: deny");
	for (size_t i = 0; i < ARRAY_SIZE(controls); i++) {
		const struct control_case *row = &controls[i];
		bool v6 = strchr(row->dst, ':');
		struct made packet = {};
		struct outcome outcome;

		made_ip(&packet, row->protocol, v6 ? SOURCE6 : SOURCE4, row->dst);
		packet.bytes[v6 ? 7 : 8] = row->hop_limit;
		made_add(&packet, row->bytes, row->len);
		outcome = trial_egress(&trial, &packet);
		if (row->passes)
			outcome_expect_pass(&outcome, row->what);
		else
			outcome_expect_refusal(&outcome, row->what, mode, REASON_NOT_ALLOWED);
		outcome = trial_ingress(&trial, &packet);
		if (row->passes)
			outcome_expect_pass(&outcome, row->what);
		else
			outcome_expect_refusal(&outcome, row->what, mode, REASON_INBOUND);
	}
}

Test(headers, of_the_kernels_own_messages_pass)
{
	controls_run(MODE_ENFORCE);
}

Test(headers, of_the_kernels_own_messages_pass_in_audit)
{
	controls_run(MODE_AUDIT);
}

/* A job that answers questions could teach its own sockets any address. */
Test(headers, a_job_does_not_speak_from_where_resolvers_speak)
{
	_cleanup_trial_ struct trial trial;
	struct made packet = {};
	struct outcome outcome;

	trial_open(&trial, MODE_ENFORCE);
	trial_policy(&trial, rules);
	made_ip(&packet, IPPROTO_UDP, SOURCE4, ALLOWED4);
	made_transport(&packet, IPPROTO_UDP, DNS_PORT, 443);
	outcome = trial_egress(&trial, &packet);
	outcome_expect_refusal(&outcome, "from port 53", MODE_ENFORCE, REASON_DNS_SERVER);

	packet.len = 0;
	made_ip(&packet, IPPROTO_UDP, RESOLVER_DOCKER, ALLOWED4);
	made_transport(&packet, IPPROTO_UDP, 40000, 443);
	outcome = trial_egress(&trial, &packet);
	outcome_expect_refusal(&outcome, "from 127.0.0.11", MODE_ENFORCE, REASON_DNS_SERVER);
}

/* An answer that nobody asked for is a datagram like any other. */
Test(headers, a_stranger_on_port_53_is_a_stranger)
{
	_cleanup_trial_ struct trial trial;
	struct made packet = {};
	struct outcome outcome;

	trial_open(&trial, MODE_ENFORCE);
	trial_policy(&trial, "loopback: deny");
	made_ip(&packet, IPPROTO_UDP, RESOLVER_FAR, SOURCE4);
	made_transport(&packet, IPPROTO_UDP, DNS_PORT, 40000);
	made_answer(&packet, 7, "dev.azure.com", DNS_A, 1);
	made_record_addr(&packet, NULL, 60, ALLOWED4);
	outcome = trial_ingress(&trial, &packet);
	outcome_expect_refusal(&outcome, "answer", MODE_ENFORCE, REASON_INBOUND);
	cr_expect_eq(counters_read(trial.guard, trial.job).answers_learned, 0);
}
