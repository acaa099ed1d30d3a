/* SPDX-License-Identifier: GPL-2.0 */
/* See harness.h. */
#include "harness.h"

#include <criterion/criterion.h>
#include <linux/filter.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "buildfence.skel.h"
#include "policy/load.h"

#define ETHERNET_HEADER	14

/*
 * Does a test run give programs for cgroup_skb the packet's bytes? On 5.10 data_end is 0 there (on
 * real packets it is not), and every packet would be one that cannot be read.
 */
static bool trial_shows_packets(void)
{
	/* return skb->data <= skb->data_end */
	const struct bpf_insn program[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_1,
		  .off = offsetof(struct __sk_buff, data) },
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_3, .src_reg = BPF_REG_1,
		  .off = offsetof(struct __sk_buff, data_end) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_JLE | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_3,
		  .off = 1 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, load,
		    .expected_attach_type = BPF_CGROUP_INET_EGRESS);
	_cleanup_close_ int fd = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "trial", "GPL", program,
					       ARRAY_SIZE(program), &load);
	uint8_t frame[ETHERNET_HEADER + 20] = {};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = 1);

	cr_assert(fd >= 0, "cannot load a program: %s", strerror(errno));
	cr_assert_eq(bpf_prog_test_run_opts(fd, &options), 0);
	return options.retval & 1;
}

void trial_open(struct trial *trial, enum guard_mode mode)
{
	const struct guard_options options = {
		.trial = { .job = 1, .policy = 1, .generation = 1, .mode = mode },
	};
	int error;

	if (!trial_shows_packets())
		cr_skip_test("BPF_PROG_TEST_RUN shows no packet to cgroup_skb on this kernel");
	error = guard_open(&options, &trial->guard);
	cr_assert_eq(error, 0, "cannot load the programs: %s", strerror(-error));
	cr_assert_eq(guard_job_add(trial->guard, &trial->job), 0);
	cr_assert_eq(trial->job, 1);
	trial->policy = 0;
}

void trial_close(struct trial *trial)
{
	guard_close(trial->guard);
	trial->guard = NULL;
}

struct policy *policy_from_text(const char *yaml)
{
	char path[] = "/tmp/buildfence-bpf-XXXXXX";
	const struct policy_request request = { .file = path };
	_cleanup_free_ char *messages = NULL;
	struct diagnostics diag = {};
	struct policy *policy = NULL;
	int fd = mkstemp(path);
	size_t len;

	cr_assert(fd >= 0 && dprintf(fd, "version: 1\n%s", yaml) > 0);
	close(fd);
	diag.out = open_memstream(&messages, &len);
	cr_assert(diag.out);
	policy_load(&request, &diag, &policy);
	fclose(diag.out);
	unlink(path);
	cr_assert(policy, "%s\n%s", messages, yaml);
	return policy;
}

struct machine_dns resolvers_of_tests(void)
{
	struct machine_dns dns = { .resolver_count = 4 };

	addr_parse(RESOLVER, dns.resolvers[0]);
	addr_parse(RESOLVER_DOCKER, dns.resolvers[1]);
	addr_parse(RESOLVER_FAR, dns.resolvers[2]);
	addr_parse(RESOLVER_V6, dns.resolvers[3]);
	return dns;
}

uint32_t guard_policy_from_text(struct guard *guard, const char *yaml)
{
	_cleanup_policy_ struct policy *policy = policy_from_text(yaml);
	const struct machine_dns dns = resolvers_of_tests();
	_cleanup_image_ struct image *image = NULL;
	struct diagnostics diag = { .out = stderr };
	uint32_t number = 0;

	cr_assert_eq(policy_compile(policy, &dns, TEST_NOW, &diag, &image), 0);
	cr_assert_eq(guard_policy_add(guard, image, &number), 0);
	return number;
}

void trial_policy(struct trial *trial, const char *yaml)
{
	if (trial->policy)
		cr_assert_eq(guard_policy_remove(trial->guard, trial->policy), 0);
	trial->policy = guard_policy_from_text(trial->guard, yaml);
	cr_assert_eq(trial->policy, 1);
}

static void name_forward(const struct refusal *refusal, char ret_name[static NAME_LEN])
{
	size_t len = refusal->name_len;

	cr_assert_leq(len, NAME_MAX_LEN);
	for (size_t i = 0; i + 1 < len; i++)
		ret_name[i] = (char)refusal->name[len - 2 - i];
	ret_name[len ? len - 1 : 0] = '\0';
}

static int report_keep(const struct guard_report *report, void *context)
{
	struct outcome *outcome = context;

	outcome->refusals += (unsigned int)report->count;
	outcome->refusal = *report->refusal;
	outcome->apart = report->apart;
	name_forward(report->refusal, outcome->name);
	return 0;
}

struct outcome refusals_take(struct guard *guard, uint32_t job)
{
	struct outcome outcome = {};

	cr_assert_eq(guard_job_drain(guard, job, report_keep, &outcome), 0);
	return outcome;
}

static struct outcome program_run(struct trial *trial, const struct bpf_program *program,
				  const struct made *packet, uint32_t gso_segments)
{
	uint8_t frame[ETHERNET_HEADER + sizeof(packet->bytes)] = {};
	struct __sk_buff context = { .gso_segs = gso_segments,
				     .gso_size = gso_segments ? 64 : 0 };
	LIBBPF_OPTS(bpf_test_run_opts, options,
		    .data_in = frame, .data_size_in = (uint32_t)(ETHERNET_HEADER + packet->len),
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);
	bool v6 = packet->len && packet->bytes[0] >> 4 == 6;
	struct outcome outcome;

	/*
	 * The kernel refuses to run a shorter packet of these types; any other type is
	 * not looked at.
	 */
	if (packet->len >= (v6 ? 40 : 20))
		memcpy(frame + 12, v6 ? "\x86\xdd" : "\x08\x00", 2);
	memcpy(frame + ETHERNET_HEADER, packet->bytes, packet->len);
	cr_assert_eq(bpf_prog_test_run_opts(bpf_program__fd(program), &options), 0);
	outcome = refusals_take(trial->guard, trial->job);
	outcome.passed = options.retval & 1;
	return outcome;
}

struct outcome trial_egress_gso(struct trial *trial, const struct made *packet,
				uint32_t gso_segments)
{
	return program_run(trial, trial->guard->skeleton->progs.guard_egress, packet,
			   gso_segments);
}

struct outcome trial_egress(struct trial *trial, const struct made *packet)
{
	return trial_egress_gso(trial, packet, 0);
}

struct outcome trial_ingress(struct trial *trial, const struct made *packet)
{
	return program_run(trial, trial->guard->skeleton->progs.guard_ingress, packet, 0);
}

uint64_t boot_ns_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct learned_key learned_key_of(const uint8_t addr[static ADDR_LEN], uint32_t way)
{
	struct learned_key key = { .way = way };

	memcpy(key.addr, addr, ADDR_LEN);
	return key;
}

void trial_learn(struct trial *trial, const uint8_t addr[static ADDR_LEN], const char *name,
		 uint32_t way, bool expired)
{
	struct learned_key key = learned_key_of(addr, way);
	/* Of no generation in force, so that the name is looked up in whichever policy there is. */
	struct learned learned = {
		.expires_ns = expired ? 1 : ~0ULL,
		.learned_ns = boot_ns_now(),
		.name_hash = way + 1,
	};

	learned.name.prefix_bits = 8 * (uint32_t)name_reverse(name, learned.name.name);
	cr_assert_eq(bpf_map_update_elem(trial->guard->jobs[trial->job].tables[TABLE_LEARNED], &key, &learned,
					 BPF_ANY), 0);
}

void trial_unlearn(struct trial *trial, const uint8_t addr[static ADDR_LEN], uint32_t way)
{
	struct learned_key key = learned_key_of(addr, way);

	bpf_map_delete_elem(trial->guard->jobs[trial->job].tables[TABLE_LEARNED], &key);
}

struct job_counters counters_read(struct guard *guard, uint32_t job)
{
	struct job_counters counters;

	cr_assert_eq(guard_counters_read(guard, job, &counters), 0);
	return counters;
}

void outcome_expect_pass(const struct outcome *outcome, const char *what)
{
	cr_expect(outcome->passed, "%s: dropped", what);
	cr_expect_eq(outcome->refusals, 0, "%s: %u recorded, with reason %u", what,
		     outcome->refusals, outcome->refusal.reason);
}

void outcome_expect_refusal(const struct outcome *outcome, const char *what, enum guard_mode mode,
			    enum refusal_reason reason)
{
	cr_expect_eq(outcome->passed, mode == MODE_AUDIT, "%s: %s", what,
		     outcome->passed ? "passed" : "dropped");
	cr_expect_eq(outcome->refusals, 1, "%s: %u recorded", what, outcome->refusals);
	cr_expect_eq(outcome->refusal.reason, reason, "%s: reason %u, not %u", what,
		     outcome->refusal.reason, reason);
	cr_expect_eq(outcome->refusal.flags & REFUSAL_AUDIT, mode == MODE_AUDIT ? REFUSAL_AUDIT : 0,
		     "%s", what);
}
