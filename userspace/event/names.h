/* SPDX-License-Identifier: GPL-2.0 */
/* The words for the numbers of abi.h, as records and people read them. */
#ifndef BUILDFENCE_NAMES_H
#define BUILDFENCE_NAMES_H

#include <stddef.h>

#include "abi.h"

/* Both are stable: outside tools rely on them. */
extern const char *const reason_names[REASON_COUNT];
extern const char *const hook_names[HOOK_COUNT];

/* "not-allowed" and so on; "unknown" for a number that is none. */
const char *reason_name(unsigned int reason);
const char *hook_name(unsigned int hook);

/* "TCP"; the number in decimal, in the caller's buffer, for protocols without a name here. */
const char *protocol_name(unsigned int protocol, char buffer[static 8]);

/* "SOCK_RAW"; the number in decimal for others. */
const char *socket_type_name(unsigned int type, char buffer[static 12]);

/* Text of an address in network order, IPv4 without its prefix; at most INET6_ADDRSTRLEN bytes. */
const char *address_text(const __u8 addr[ADDR_LEN], char *buffer, size_t size);

/* What to do about a question that went to another server than the policy's. */
#define DNS_SERVER_ADVICE \
	"ask the machine's own: a list in `dns: { servers: [...] }` stands in their place"

/* Why no policy should have an entry for this name, though one would help; NULL: no reason. */
const char *name_objection(const char *name);

#endif
