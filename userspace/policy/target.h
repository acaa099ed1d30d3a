/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Targets, the other way round and against each other. Parsing one from text is target_parse() in
 * load.h.
 *
 *	[SCHEME://]HOST[:PORT[-PORT]][/path]
 *
 * SCHEME is https (tcp/443), http (tcp/80), ssh (tcp/22), git (tcp/9418), tcp or udp (a port must
 * follow), any (every protocol; every port where none is given). HOST is a name, *.NAME, *SUFFIX,
 * or an address or prefix: 192.0.2.0/24:8080, 2001:db8::/32, [2001:db8::]/32:8080,
 * [2001:db8::/32]:8080.
 */
#ifndef BUILDFENCE_POLICY_TARGET_H
#define BUILDFENCE_POLICY_TARGET_H

#include "policy.h"

/* Enough for the longest target as text: scheme, brackets, star, name, length and port range. */
#define TARGET_TEXT_LEN	(NAME_LEN + 32)

/*
 * Writes a target in the shortest form that target_parse() reads back as the same target in the
 * same list.
 */
void target_format(const struct target *target, enum rule_list list,
		   char ret_text[static TARGET_TEXT_LEN]);

/* Writes host alone, as a person reads it: "*.example.com", "192.0.2.0/24", "2001:db8::1". */
void target_format_host(const struct target *target, char ret_text[static TARGET_TEXT_LEN]);

/* Is every host of `inner` one of `outer`'s? */
bool target_host_covers(const struct target *outer, const struct target *inner);

/* The same for hosts, protocol and ports together. */
bool target_covers(const struct target *outer, const struct target *inner);

/* Does the policy's `loopback` decide about every host of it, and no entry? Addresses alone. */
bool target_is_loopback(const struct target *target);

/* Is it "localhost", which no resolver is asked for? */
bool target_is_localhost(const struct target *target);

#endif
