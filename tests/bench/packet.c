/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The packet hooks alone, by BPF_PROG_TEST_RUN, next to an empty program in the same run. A test
 * run makes one socket and repeats on it: the first packet is judged, all others find it
 * remembered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#include "base/cleanup.h"
#include "bench.h"
#include "buildfence.skel.h"
#include "guard/internal.h"

#define PACKET_LEN	1400
#define REPEAT		200000
#define ROUNDS		9

struct kind {
	const char *name;
	bool v6, tcp, allowed;
};

static const struct kind kinds[] = {
	{ "TCP v4", false, true, true }, { "TCP v6", true, true, true },
	{ "UDP v4", false, false, true }, { "UDP v6", true, false, true },
};

struct frame {
	struct ethhdr ethernet;
	uint8_t packet[PACKET_LEN];
} __attribute__((packed));

static size_t ip_fill(uint8_t *packet, const struct kind *kind)
{
	uint8_t protocol = kind->tcp ? IPPROTO_TCP : IPPROTO_UDP;

	if (kind->v6) {
		struct ipv6hdr ip = {
			.version = 6, .nexthdr = protocol, .hop_limit = 64,
			.payload_len = htons(PACKET_LEN - sizeof(ip)),
		};

		inet_pton(AF_INET6, BENCH_ADDR6, &ip.saddr);
		inet_pton(AF_INET6, kind->allowed ? BENCH_ADDR6 : "2001:db8:ffff::1", &ip.daddr);
		memcpy(packet, &ip, sizeof(ip));
		return sizeof(ip);
	}
	struct iphdr ip = {
		.version = 4, .ihl = 5, .ttl = 64, .protocol = protocol,
		.tot_len = htons(PACKET_LEN),
	};

	inet_pton(AF_INET, BENCH_ADDR4, &ip.saddr);
	inet_pton(AF_INET, kind->allowed ? BENCH_ADDR4 : "203.0.113.1", &ip.daddr);
	memcpy(packet, &ip, sizeof(ip));
	return sizeof(ip);
}

/* A packet in mid-stream, from and to ports that the policy allows both ways. */
static void frame_fill(struct frame *frame, const struct kind *kind)
{
	uint8_t *transport;

	memset(frame, 0, sizeof(*frame));
	frame->ethernet.h_proto = htons(kind->v6 ? ETH_P_IPV6 : ETH_P_IP);
	transport = frame->packet + ip_fill(frame->packet, kind);
	transport[0] = transport[2] = 7777 >> 8;
	transport[1] = transport[3] = 7777 & 0xff;
	if (kind->tcp) {
		transport[12] = 5 << 4;
		transport[13] = TH_ACK;
	}
}

/* Nanoseconds a packet. *ret_verdict is what the program returned. */
static double run(int fd, struct frame *frame, unsigned int repeat, uint32_t *ret_verdict)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(*frame),
		    .repeat = (int)repeat);

	bench_check(bpf_prog_test_run_opts(fd, &options), "run a program on a packet");
	*ret_verdict = options.retval;
	return options.duration;
}

static int empty_load(void)
{
	const struct bpf_insn yes[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1 }, { .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_CGROUP_INET_EGRESS);
	int fd = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "empty", "GPL", yes, ARRAY_SIZE(yes),
			       &options);

	bench_check(fd, "load an empty program");
	return fd;
}

/* The median of what one hook took, and of the empty program beside it. */
static double hook_measure(int fd, int empty_fd, const struct kind *kind, double *ret_empty)
{
	double guarded[ROUNDS], empty[ROUNDS];
	struct frame frame;
	uint32_t verdict;

	frame_fill(&frame, kind);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		empty[i] = run(empty_fd, &frame, REPEAT, &verdict);
		guarded[i] = run(fd, &frame, REPEAT, &verdict);
		bench_check((verdict & 1) == kind->allowed ? 0 : -EINVAL, "get the right verdict");
	}
	*ret_empty = bench_median(empty, ROUNDS);
	return bench_median(guarded, ROUNDS);
}

/*
 * The first packet of a socket, which is judged by the policy. The kernel times single runs badly.
 */
static double first_measure(int fd, const struct kind *kind)
{
	double values[1001];
	struct frame frame;
	uint32_t verdict;

	frame_fill(&frame, kind);
	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++)
		values[i] = run(fd, &frame, 1, &verdict);
	return bench_median(values, ARRAY_SIZE(values));
}

static void kind_rows(const struct kind *kind, int fd, int empty_fd, const char *hook)
{
	char what[64], note[96];
	double empty, ns = hook_measure(fd, empty_fd, kind, &empty);

	snprintf(what, sizeof(what), "packet, judged, %s %s, / empty", kind->name, hook);
	snprintf(note, sizeof(note), "%.0f ns; empty %.0f; first packet %.0f", ns, empty,
		 first_measure(fd, kind));
	/* 130 and 60 ns, where an empty program takes 25. */
	bench_row(&(struct row){ .what = what, .must = 130.0 / 25, .aim = 60.0 / 25,
				 .measured = ns / empty, .note = note });
}

void packet_rows(unsigned int extra)
{
	static const struct kind refused = { "TCP v4", false, true, false };
	const struct guard_options options = {
		.trial = { .job = 1, .policy = 1, .generation = 1 },
	};
	_cleanup_close_ int empty_fd = empty_load();
	struct guard *guard;
	double empty, ns;
	uint64_t load_ns;
	uint32_t job;
	int egress, ingress;

	bench_check(guard_open(&options, &guard), "load the programs");
	bench_check(guard_job_add(guard, &job), "make a job's tables");
	bench_policy_add(guard, extra, &load_ns);
	egress = bpf_program__fd(guard->skeleton->progs.guard_egress);
	ingress = bpf_program__fd(guard->skeleton->progs.guard_ingress);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		kind_rows(&kinds[i], egress, empty_fd, "out");
		kind_rows(&kinds[i], ingress, empty_fd, "in");
	}
	ns = hook_measure(egress, empty_fd, &refused, &empty);
	printf("%-46s %26s %.0f ns; empty %.0f\n", "packet, refused, TCP v4 out", "", ns, empty);
	guard_close(guard);
}
