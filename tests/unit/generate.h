/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Policies and queries made from a seed, for tests that hold one judge against another. Names,
 * addresses and ports come from small pools, so that patterns lie inside each other, touch and
 * overlap far more often than in a policy that a person would write.
 */
#ifndef BUILDFENCE_TESTS_GENERATE_H
#define BUILDFENCE_TESTS_GENERATE_H

#include "policy/explain.h"

struct generator {
	uint64_t state;
};

struct generator generator_seed(uint64_t seed);

/* A number below `limit`, which must not be 0. */
uint32_t generator_below(struct generator *generator, uint32_t limit);

/* An empty policy with the defaults of policy.h, and room for `capacity` rules. */
struct policy *policy_new(size_t capacity);

/* Adds a rule; the caller made sure that there is room. Its text is made from the target. */
struct rule *policy_rule_add(struct policy *policy, enum rule_list list,
			     const struct target *target);

/* The same from text, as it stands in a policy file. A text that does not parse fails the test. */
struct rule *policy_text_add(struct policy *policy, enum rule_list list, const char *text);

/*
 * A policy of up to 24 rules of every kind; some of them expired at `now`. Its resolvers are those
 * of the machine (resolvers_auto), so a test that wants DNS gives policy_compile() some outside
 * 198.51.100.0/24 and 2001:db8::/32, where generated targets lie.
 */
struct policy *generate_policy(struct generator *generator, time_t now);

/* A name that the policy's patterns are likely to cover, or to miss by little. */
void generate_name(struct generator *generator, const struct policy *policy,
		   char ret_name[static NAME_LEN]);

/*
 * A flow near the policy's rules: by address (out or in), or by name with an address that could be
 * learned (never loopback, link-local, metadata or private). Protocols are TCP, UDP and ICMP (whose
 * port is 0).
 */
void generate_query(struct generator *generator, const struct policy *policy,
		    struct query *ret_query);

/* The policy as text, for the message of a test that failed. Freed by the caller. */
char *policy_describe(const struct policy *policy);

#endif
