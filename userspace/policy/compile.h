/* SPDX-License-Identifier: GPL-2.0 */
/* From a policy to what the kernel's maps hold: flattened names, prefixes and port rules. */
#ifndef BUILDFENCE_COMPILE_H
#define BUILDFENCE_COMPILE_H

#include "policy.h"

struct name_entry {
	struct name_key key;
	struct name_rule rule;
};

struct prefix_entry {
	struct prefix_key key;
	struct prefix_rule rule;
};

/* What this machine adds to a policy: read from /etc/resolv.conf, or given by a test. */
struct machine_dns {
	uint8_t resolvers[RESOLVERS_MAX][ADDR_LEN];
	unsigned int resolver_count;
	char search[8][NAME_LEN];	/* lower case, no dot at either end */
	unsigned int search_count;
};

/* A whole policy as the kernel gets it. Keys are unique and sorted; runs index port_rules. */
struct image {
	struct policy_settings settings;
	struct name_entry *names;
	size_t name_count;
	struct prefix_entry *prefixes;
	size_t prefix_count;
	struct port_rule *port_rules;
	size_t port_rule_count;
};

/*
 * Flattens a policy. `now` decides which rules have expired. `dns` may be NULL: no resolvers and
 * no search domains. For each search domain every name gets an alias below it with the same run,
 * since resolvers try them in turn and a refusal would end the search.
 * Returns 0, or -E2BIG (a name or prefix with more than RUN_MAX port rules; said in `diag`) or
 * -ENOMEM; *ret_image is written only on success.
 */
int policy_compile(const struct policy *policy, const struct machine_dns *dns, time_t now,
		   struct diagnostics *diag, struct image **ret_image);

void image_free(struct image *image);

static inline void image_cleanup(struct image **image)
{
	image_free(*image);
}
#define _cleanup_image_ __attribute__((cleanup(image_cleanup)))

/*
 * Reads nameservers and search domains from a resolv.conf(5). 127.0.0.53 and 127.0.0.11 are always
 * among the resolvers. Returns 0 or -errno.
 */
int machine_dns_read(const char *path, struct machine_dns *ret_dns);

/* Writes the reversed form of a name into ret_key (up to NAME_LEN bytes); returns its length. */
size_t name_reverse(const char *name, uint8_t ret_key[static NAME_LEN]);

#endif
