/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guard under test: loaded once a test, given policies from text, and asked about single
 * packets by BPF_PROG_TEST_RUN. That makes a new socket for each packet, so what needs a history is
 * tested on real sockets; see world.h.
 */
#ifndef BUILDFENCE_TESTS_HARNESS_H
#define BUILDFENCE_TESTS_HARNESS_H

#include "guard/internal.h"
#include "made.h"
#include "policy/compile.h"
#include "policy/policy.h"

/* Resolvers of every policy here, as if read from resolv.conf. */
#define RESOLVER	"127.0.0.53"
#define RESOLVER_DOCKER	"127.0.0.11"
#define RESOLVER_FAR	"192.0.2.53"
#define RESOLVER_V6	"2001:db8:53::53"

/* The day on which the policies of these tests are compiled: 2026-01-01. */
#define TEST_NOW	1767225600

/* What a packet's run gave. */
struct outcome {
	bool passed;
	unsigned int refusals;		/* recorded attempts, whichever way they came */
	struct refusal refusal;		/* the last of them; zero where there is none */
	bool apart;			/* it was kept apart from others */
	char name[NAME_LEN];		/* of the refusal, forward, without the dot at its end */
};

struct trial {
	struct guard *guard;
	uint32_t job;
	uint32_t policy;		/* 0: none */
};

/* Loads the programs for test runs in a mode, with one job. Freed by trial_close(). */
void trial_open(struct trial *trial, enum guard_mode mode);
void trial_close(struct trial *trial);
#define _cleanup_trial_ __attribute__((cleanup(trial_close)))

/* The policy of a YAML text ("version: 1" is added in front). A faulty one fails the test. */
struct policy *policy_from_text(const char *yaml);

/* Resolvers as above, no search domains. */
struct machine_dns resolvers_of_tests(void);

/* Compiles a policy and puts it into the guard; returns its number. */
uint32_t guard_policy_from_text(struct guard *guard, const char *yaml);

/* Puts a policy in force for the test runs that follow. */
void trial_policy(struct trial *trial, const char *yaml);

/* Runs one program on one packet; gso_segments above 1 make it a packet of several datagrams. */
struct outcome trial_egress(struct trial *trial, const struct made *packet);
struct outcome trial_egress_gso(struct trial *trial, const struct made *packet,
				uint32_t gso_segments);
struct outcome trial_ingress(struct trial *trial, const struct made *packet);

/* A learned address of a socket without history (network namespace 0) in one way. */
void trial_learn(struct trial *trial, const uint8_t addr[static ADDR_LEN], const char *name,
		 uint32_t way, bool expired);
void trial_unlearn(struct trial *trial, const uint8_t addr[static ADDR_LEN], uint32_t way);

/* The descriptor of one of a job's tables. */
int table_fd(const struct guard *guard, uint32_t job, enum job_table table);

struct job_counters counters_read(struct guard *guard, uint32_t job);

/* All refusals of a job that are still counted; the sum of their counts, and the last one. */
struct outcome refusals_take(struct guard *guard, uint32_t job);

uint64_t boot_ns_now(void);

/* Fails the test where an outcome is not as expected; `what` names the case. */
void outcome_expect_pass(const struct outcome *outcome, const char *what);
void outcome_expect_refusal(const struct outcome *outcome, const char *what, enum guard_mode mode,
			    enum refusal_reason reason);

#endif
