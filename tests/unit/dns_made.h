/* SPDX-License-Identifier: GPL-2.0 */
/* DNS messages made from a seed: valid ones, and what damage makes of them. */
#ifndef BUILDFENCE_TESTS_DNS_MADE_H
#define BUILDFENCE_TESTS_DNS_MADE_H

#include <stddef.h>
#include <stdint.h>

#include "generate.h"

#define DNS_MADE_MAX	2048

struct dns_made {
	size_t len;
	uint8_t bytes[DNS_MADE_MAX];
};

/* A question as resolvers send it: a name from a small pool, often with an OPT. */
void dns_make_question(struct generator *generator, struct dns_made *ret_made);

/* An answer: CNAME chains, addresses, other records, names compressed or not. */
void dns_make_answer(struct generator *generator, struct dns_made *ret_made);

/* Changes one to four places: a bit, a byte, a pointer, a count, the length. */
void dns_damage(struct generator *generator, struct dns_made *made);

#endif
