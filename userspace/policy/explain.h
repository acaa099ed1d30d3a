/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The userspace twin of decide(): judges by the rules as written, without the flattened image, so
 * that a fault in the compiler or in the kernel shows as a difference between the two.
 *
 * Of several rules that match, deny goes before allow, allow before expected, expected before
 * expired; within one of these the most specific pattern (the longer name, counting the dot of
 * "*.x", or the longer prefix), then the first in the file. What is built in (loopback, metadata)
 * stands before rules for the same prefix. An address's rules decide before those of its name.
 */
#ifndef BUILDFENCE_EXPLAIN_H
#define BUILDFENCE_EXPLAIN_H

#include "policy.h"

/* A question to the policy. */
struct query {
	bool by_name;			/* name, and the address it resolved to if known */
	char name[NAME_LEN];		/* lower case, no dot at the end */
	uint8_t addr[ADDR_LEN];
	bool has_addr;
	uint8_t protocol;
	uint16_t port;
	uint8_t direction;		/* enum flow_direction; IN: addr is the peer, port local */
	bool to_resolver;		/* addr is one of the policy's resolvers */
};

struct explanation {
	bool allowed;
	bool expected;			/* denied, but listed under `expected` */
	enum refusal_reason reason;
	/*
	 * The rule that decided, or for a refusal that nothing decided the one that makes it
	 * expected or expired. NULL: no rule, or loopback or metadata.
	 */
	const struct rule *rule;
	const struct rule *near[8];	/* rules that nearly matched (right name, other port ...) */
	size_t near_count;
};

/* May this name be asked for over DNS? */
void explain_question(const struct policy *policy, const char *name, time_t now,
		      struct explanation *ret);

/*
 * Is a connection or datagram to this destination (or from this peer) allowed? A query with a name
 * and an address means that the job learned this address for the name.
 */
void explain_flow(const struct policy *policy, const struct query *query, time_t now,
		  struct explanation *ret);

#endif
