/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's verdict against `policy explain`: thousands of generated policies, each asked for
 * flows by address, flows by learned name, and DNS questions. BUILDFENCE_SEED=N in the environment
 * runs another series.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "harness.h"
#include "policy/explain.h"

#include "buildfence.skel.h"

#include "../unit/generate.h"

#define POLICIES	3000
#define QUERIES		6		/* flows, and as many questions, of each policy */
#define ENTRIES_MAX	1024
#define SOURCE_PORT	61234

/*
 * The maps of policy 1, made once and filled anew for each policy: putting a new map into an outer
 * one waits for the kernel's grace period, which would be most of the test's time.
 */
struct refilled {
	int names_fd;
	int prefixes_fd;
	int port_rules_fd;
};

struct tally {
	unsigned int compared;
	unsigned int allowed;
	unsigned int by_reason[REASON_COUNT];
};

static void refilled_open(struct trial *trial, struct refilled *maps)
{
	const struct buildfence_bpf *skeleton = trial->guard->skeleton;

	maps->names_fd = inner_map_add(skeleton->maps.names, 1, BPF_MAP_TYPE_LPM_TRIE,
				       sizeof(struct name_key), sizeof(struct name_rule),
				       ENTRIES_MAX, BPF_F_NO_PREALLOC);
	maps->prefixes_fd = inner_map_add(skeleton->maps.prefixes, 1, BPF_MAP_TYPE_LPM_TRIE,
					  sizeof(struct prefix_key), sizeof(struct prefix_rule),
					  ENTRIES_MAX, BPF_F_NO_PREALLOC);
	maps->port_rules_fd = inner_map_add(skeleton->maps.port_rules, 1, BPF_MAP_TYPE_ARRAY,
					    sizeof(uint32_t), sizeof(struct port_rule), ENTRIES_MAX,
					    BPF_F_INNER_MAP);
	cr_assert(maps->names_fd >= 0 && maps->prefixes_fd >= 0 && maps->port_rules_fd >= 0);
}

static void refilled_close(const struct refilled *maps)
{
	close(maps->names_fd);
	close(maps->prefixes_fd);
	close(maps->port_rules_fd);
}

static void image_put(struct trial *trial, const struct refilled *maps, const struct image *image)
{
	const struct bpf_map *policies = trial->guard->skeleton->maps.policies;
	uint32_t policy = 1;
	int error = 0;

	cr_assert_leq(image->port_rule_count, ENTRIES_MAX);
	for (size_t i = 0; !error && i < image->name_count; i++)
		error = bpf_map_update_elem(maps->names_fd, &image->names[i].key,
					    &image->names[i].rule, BPF_NOEXIST);
	for (size_t i = 0; !error && i < image->prefix_count; i++)
		error = bpf_map_update_elem(maps->prefixes_fd, &image->prefixes[i].key,
					    &image->prefixes[i].rule, BPF_NOEXIST);
	for (uint32_t i = 0; !error && i < image->port_rule_count; i++)
		error = bpf_map_update_elem(maps->port_rules_fd, &i, &image->port_rules[i],
					    BPF_ANY);
	if (!error)
		error = bpf_map_update_elem(bpf_map__fd(policies), &policy, &image->settings,
					    BPF_ANY);
	cr_assert_eq(error, 0);
}

static void image_take(const struct refilled *maps, const struct image *image)
{
	for (size_t i = 0; i < image->name_count; i++)
		bpf_map_delete_elem(maps->names_fd, &image->names[i].key);
	for (size_t i = 0; i < image->prefix_count; i++)
		bpf_map_delete_elem(maps->prefixes_fd, &image->prefixes[i].key);
}

static void verdicts_compare(const struct policy *policy, const struct query *query,
			     const struct explanation *explained, const struct outcome *outcome,
			     struct tally *tally, uint64_t seed)
{
	uint32_t rule = explained->rule ? explained->rule->id : 0;
	bool same = explained->allowed == outcome->passed;
	_cleanup_free_ char *text = NULL;
	char addr[INET6_ADDRSTRLEN];

	tally->compared++;
	if (explained->allowed)
		tally->allowed++;
	else
		tally->by_reason[explained->reason]++;
	if (same && !explained->allowed)
		same = outcome->refusals == 1 && outcome->refusal.reason == explained->reason &&
		       outcome->refusal.rule == rule &&
		       !!(outcome->refusal.flags & REFUSAL_EXPECTED) == explained->expected;
	if (same)
		return;
	text = policy_describe(policy);
	inet_ntop(AF_INET6, query->addr, addr, sizeof(addr));
	cr_assert_fail("seed %lu: '%s' %s direction %u protocol %u port %u:\n"
		       "explain: allowed %d expected %d reason %d rule %u\n"
		       "kernel:  allowed %d expected %d reason %d rule %u recorded %u\n%s",
		       seed, query->by_name ? query->name : "", addr, query->direction,
		       query->protocol, query->port, explained->allowed, explained->expected,
		       explained->reason, rule, outcome->passed,
		       !!(outcome->refusal.flags & REFUSAL_EXPECTED), outcome->refusal.reason,
		       outcome->refusal.rule, outcome->refusals, text);
}

/*
 * A TCP packet back to a peer that `inbound` lets in passes too, though no rule names it outward; a
 * datagram only once the peer was heard, and here no socket has heard any.
 */
static void reply_explain(const struct policy *policy, const struct query *query,
			  struct explanation *explained)
{
	struct query inbound = *query;
	struct explanation reply;

	if (query->direction != DIRECTION_OUT || query->protocol != IPPROTO_TCP ||
	    explained->allowed || explained->reason == REASON_DNS_SERVER)
		return;
	inbound.direction = DIRECTION_IN;
	inbound.by_name = false;
	inbound.port = SOURCE_PORT;
	explain_flow(policy, &inbound, TEST_NOW, &reply);
	if (reply.allowed)
		explained->allowed = true;
}

static void flow_compare(struct trial *trial, const struct policy *policy, struct query *query,
			 struct tally *tally, uint64_t seed)
{
	struct explanation explained;
	uint8_t local[ADDR_LEN];
	struct made packet = {};
	struct outcome outcome;
	bool out = query->direction == DIRECTION_OUT;

	addr_parse("192.0.2.1", local);
	explain_flow(policy, query, TEST_NOW, &explained);
	reply_explain(policy, query, &explained);
	if (query->by_name)
		trial_learn(trial, query->addr, query->name, 0, false);
	/* The family is the remote end's; the local one is not judged. */
	made_ip(&packet, query->protocol, "192.0.2.1",
		memcmp(query->addr, local, 12) ? "2001:db8::1" : "192.0.2.1");
	memcpy(packet.bytes + (packet.len == 40 ? (out ? 24 : 8) : (out ? 16 : 12)),
	       packet.len == 40 ? query->addr : query->addr + 12, packet.len == 40 ? ADDR_LEN : 4);
	made_transport(&packet, query->protocol, SOURCE_PORT, query->port);
	outcome = out ? trial_egress(trial, &packet) : trial_ingress(trial, &packet);
	if (query->by_name)
		trial_unlearn(trial, query->addr, 0);
	verdicts_compare(policy, query, &explained, &outcome, tally, seed);
}

static void question_compare(struct trial *trial, struct generator *generator,
			     const struct policy *policy, struct tally *tally, uint64_t seed)
{
	struct query query = { .by_name = true };
	struct explanation explained;
	struct made packet = {};
	struct outcome outcome;

	generate_name(generator, policy, query.name);
	explain_question(policy, query.name, TEST_NOW, &explained);
	made_ip(&packet, IPPROTO_UDP, "192.0.2.1", RESOLVER_FAR);
	made_transport(&packet, IPPROTO_UDP, SOURCE_PORT, DNS_PORT);
	made_question(&packet, 1, query.name, DNS_A);
	outcome = trial_egress(trial, &packet);
	verdicts_compare(policy, &query, &explained, &outcome, tally, seed);
}

static void policy_compare(struct trial *trial, const struct refilled *maps, uint64_t seed,
			   struct tally *tally)
{
	struct generator generator = generator_seed(seed);
	_cleanup_policy_ struct policy *policy = generate_policy(&generator, TEST_NOW);
	_cleanup_image_ struct image *image = NULL;
	struct machine_dns dns = { .resolver_count = 1 };
	struct diagnostics diag = {};
	uint8_t docker[ADDR_LEN];

	addr_parse(RESOLVER_DOCKER, docker);
	addr_parse(RESOLVER_FAR, dns.resolvers[0]);
	cr_assert_eq(policy_compile(policy, &dns, TEST_NOW, &diag, &image), 0);
	image_put(trial, maps, image);
	for (int i = 0; i < QUERIES; i++) {
		struct query query;

		generate_query(&generator, policy, &query);
		if (generator_below(&generator, 50) == 0) {
			query.direction = DIRECTION_OUT;
			query.by_name = false;
			query.protocol = IPPROTO_TCP;
			query.port = DNS_PORT;
			query.to_resolver = true;
			memcpy(query.addr, dns.resolvers[0], ADDR_LEN);
		}
		/* The run's socket is no listener: TCP from a resolver is taken for its answer. */
		if (query.direction == DIRECTION_IN && query.protocol == IPPROTO_TCP &&
		    !memcmp(query.addr, docker, ADDR_LEN))
			query.protocol = IPPROTO_UDP;
		flow_compare(trial, policy, &query, tally, seed);
		question_compare(trial, &generator, policy, tally, seed);
	}
	image_take(maps, image);
}

Test(agree, the_kernel_judges_as_policy_explain_says)
{
	const char *given = getenv("BUILDFENCE_SEED");
	uint64_t first = given ? strtoull(given, NULL, 0) : 1;
	_cleanup_trial_ struct trial trial;
	struct question_key key;
	struct refilled maps;
	struct tally tally = {};

	trial_open(&trial, MODE_ENFORCE);
	refilled_open(&trial, &maps);
	printf("seeds %lu to %lu\n", first, first + POLICIES - 1);
	for (uint64_t seed = first; seed < first + POLICIES; seed++) {
		policy_compare(&trial, &maps, seed, &tally);
		/* Each run's socket is new, so its questions would fill the table. */
		while (!bpf_map_get_next_key(trial.guard->jobs[1].tables[TABLE_QUESTIONS], NULL, &key))
			bpf_map_delete_elem(trial.guard->jobs[1].tables[TABLE_QUESTIONS], &key);
	}
	refilled_close(&maps);
	printf("%u compared, %u allowed\n", tally.compared, tally.allowed);
	for (enum refusal_reason reason = 0; reason < REASON_COUNT; reason++) {
		if (reason == REASON_DNS_MALFORMED || reason == REASON_SOCKET_TYPE ||
		    reason == REASON_TLS_NAME || reason == REASON_TAMPER)
			continue;
		cr_expect_gt(tally.by_reason[reason], 20, "reason %u: %u times", reason,
			     tally.by_reason[reason]);
	}
	cr_expect_gt(tally.allowed, 2000);
}
