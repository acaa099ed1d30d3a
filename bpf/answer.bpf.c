/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An answer from a resolver, before the job reads it: its addresses are learned, for the socket's
 * network namespace, with what the asked name may do. Only an answer to a question that this
 * socket asked counts: same resolver, transaction id and name.
 */
#include <linux/types.h>

int dns_address_learn(__u32 slot, __u32 offset, __u32 length, __u32 ttl_s);
int dns_record_at(__u32 slot);
#define DNS_RECORD(message) dns_record_at((message)->slot)
#define DNS_ADDRESS(message, offset, length, ttl_s) \
	dns_address_learn((message)->slot, offset, length, ttl_s)

#include "packet.bpf.h"
#include "record.bpf.h"
#include "dns.bpf.h"

#define NS_PER_S	1000000000ULL
/* A TTL above a day is somebody's mistake; RFC 8767 advises no more than a week. */
#define TTL_MAX_S	86400U
/* How long a question waits on when another resolver has answered it. */
#define QUESTION_SETTLED_NS	(2 * NS_PER_S)

/* Does this IPv4 address, in host order, name something that no DNS answer should open? */
static __always_inline int v4_unlearnable(__u32 addr, int private_allowed)
{
	if (addr >> 24 == 0 || addr >> 24 == 127 || addr >> 28 >= 0xe)
		return 1;	/* unspecified, loopback, multicast and reserved */
	if (addr >> 16 == 0xa9fe || addr == 0xa83f8110)
		return 1;	/* link-local with 169.254.169.254, and 168.63.129.16 */
	if (private_allowed)
		return 0;
	return addr >> 24 == 10 || addr >> 20 == 0xac1 || addr >> 16 == 0xc0a8 ||
	       addr >> 22 == 0x191;	/* RFC 1918, and 100.64.0.0/10 of RFC 6598 */
}

static __always_inline int addr_unlearnable(const __u8 *addr, int from_aaaa, int private_allowed)
{
	__u32 last = bpf_ntohl(addr_v4(addr));

	if (!from_aaaa)
		return v4_unlearnable(last, private_allowed);
	/* ::/96 and v4-mapped; 64:ff9b::/96 stands for the IPv4 address it ends with (RFC 6052). */
	if (*(const __u64 *)addr == 0)
		return 1;
	if (*(const __u64 *)addr == bpf_cpu_to_be64(0x0064ff9b00000000ULL) &&
	    *(const __u32 *)(addr + 8) == 0)
		return v4_unlearnable(last, private_allowed);
	if (addr[0] == 0xff || (addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80))
		return 1;	/* multicast, link-local */
	return !private_allowed && (addr[0] & 0xfe) == 0xfc;	/* RFC 4193 */
}

/* The way that this name may take: its own, a free one, or one whose time is over. */
static __always_inline int way_choose(void *table, struct scratch *scratch, __u64 now)
{
	struct learned_key *key = &scratch->learned_key;
	int spare = -1;

	for (int way = 0; way < WAYS_MAX; way++) {
		struct learned *learned;

		key->way = way;
		learned = bpf_map_lookup_elem(table, key);
		if (!learned)
			return spare >= 0 ? spare : way;
		if (learned->name_hash == scratch->learned.name_hash)
			return way;
		/* One that expired long ago is the sweeper's; see guard_sweep(). */
		if (spare < 0 && learned->expires_ns < now &&
		    learned->expires_ns + LEARNED_REUSE_NS > now)
			spare = way;
		/* Where all ways are taken, one that allows the same loses nothing. */
		if (way == WAYS_MAX - 1 && spare < 0 &&
		    learned->run.first == scratch->learned.run.first &&
		    learned->run.count == scratch->learned.run.count)
			spare = way;
	}
	return spare;
}

GLOBAL int dns_address_learn(__u32 slot, __u32 offset, __u32 length, __u32 ttl_s)
{
	struct scratch *scratch = scratch_at(slot);
	struct policy_settings *settings;
	__u64 now = bpf_ktime_get_boot_ns(), lifetime;
	struct learned_key *key;
	__u32 word[4] = {};
	void *table;
	int way;

	if (!scratch)
		return 0;
	settings = policy_settings_of(&scratch->job);
	table = bpf_map_lookup_elem(&learned_addrs, &scratch->job.job);
	if (!settings || !table)
		return 0;
	key = &scratch->learned_key;
	if (length == 4) {
		addr_from_v4(key->addr, bpf_htonl(dns_u32(&scratch->dns, offset)));
	} else {
		word[0] = bpf_htonl(dns_u32(&scratch->dns, offset));
		word[1] = bpf_htonl(dns_u32(&scratch->dns, offset + 4));
		word[2] = bpf_htonl(dns_u32(&scratch->dns, offset + 8));
		word[3] = bpf_htonl(dns_u32(&scratch->dns, offset + 12));
		__builtin_memcpy(key->addr, word, ADDR_LEN);
	}
	if (addr_unlearnable(key->addr, length == 16, settings->private_answers))
		return 0;
	lifetime = (ttl_s > TTL_MAX_S ? TTL_MAX_S : ttl_s) * NS_PER_S;
	if (lifetime < settings->min_ttl_ns)
		lifetime = settings->min_ttl_ns;
	scratch->learned.expires_ns = now + lifetime;
	scratch->learned.learned_ns = now;
	way = way_choose(table, scratch, now);
	key->way = way;
	if (way < 0 || bpf_map_update_elem(table, key, &scratch->learned, BPF_ANY))
		COUNT(&scratch->job, learn_full);
	else
		COUNT(&scratch->job, answers_learned);
	return 0;
}

GLOBAL int dns_record_at(__u32 slot)
{
	struct scratch *scratch = scratch_at(slot);

	return scratch ? dns_record_step(&scratch->dns) : 0;
}

/* Finds the question that this answer belongs to, and takes it from the table. */
static __always_inline int question_take(struct scratch *scratch, struct __sk_buff *skb)
{
	const struct packet *packet = &scratch->packet;
	void *table = bpf_map_lookup_elem(&questions, &scratch->job.job);
	struct question_key *key = &scratch->question_key;
	struct question *question;

	if (!table)
		return -1;
	key->cookie = bpf_get_socket_cookie(skb);
	key->name_hash = scratch->dns.asked_hash;
	__builtin_memcpy(key->server, packet->src, ADDR_LEN);
	key->id = scratch->dns.id;
	key->port = DNS_PORT;
	key->qtype = scratch->dns.qtype;
	key->protocol = packet->protocol;
	key->pad = 0;
	question = bpf_map_lookup_elem(table, key);
	if (!question || question->expires_ns < bpf_ktime_get_boot_ns())
		return -1;
	scratch->learned.run = question->run;
	scratch->learned.generation = question->generation;
	bpf_map_delete_elem(table, key);
	return 0;
}

/*
 * Some ask all their resolvers at once (musl), and listen no more once one has answered. What the
 * others were asked would stay in the table for a minute; but their answers may be under way on
 * another CPU, and be read first. After any other code than these two the next answer may count.
 */
static __always_inline void question_settle(struct scratch *scratch,
					    const struct socket_state *state)
{
	__u32 rcode = scratch->dns.flags & DNS_MASK_RCODE, asked = state->resolvers_asked;
	struct policy_settings *settings;
	void *table;
	__u64 end;

	/* Most ask one resolver. */
	if (!(asked & (asked - 1)) ||
	    (rcode != DNS_RCODE_NOERROR && rcode != DNS_RCODE_NXDOMAIN))
		return;
	settings = policy_settings_of(&scratch->job);
	table = bpf_map_lookup_elem(&questions, &scratch->job.job);
	if (!settings || !table)
		return;
	end = bpf_ktime_get_boot_ns() + QUESTION_SETTLED_NS;
#pragma clang loop unroll(disable)
	for (int i = 0; i < RESOLVERS_MAX; i++) {
		struct question *question;

		if (!(asked >> i & 1))
			continue;
		__builtin_memcpy(scratch->question_key.server, settings->resolvers[i], ADDR_LEN);
		question = bpf_map_lookup_elem(table, &scratch->question_key);
		if (question && question->expires_ns > end)
			question->expires_ns = end;
	}
}

GLOBAL int dns_answer_take(struct __sk_buff *skb, __u32 slot)
{
	struct job_slot *job = job_slot_of();
	struct scratch *scratch = scratch_at(slot);
	struct bpf_sock *sk = skb->sk;
	struct socket_state *state;

	if (!scratch || !sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	state = sk ? bpf_sk_storage_get(&sockets, sk, 0, 0) : NULL;
	/* Where it is, is not known of one that was accepted: that is no place to learn for. */
	if (!state || !state->netns)
		return 0;
	scratch->job = *job;
	if (dns_head_read(&scratch->dns) || !(scratch->dns.flags & DNS_FLAG_RESPONSE))
		return 0;
	dns_name_reverse(&scratch->dns, &scratch->key);
	if (question_take(scratch, skb))
		return 0;
	question_settle(scratch, state);
	scratch->learned.name_hash = scratch->dns.asked_hash;
	scratch->learned.name = scratch->key;
	scratch->learned.pad = 0;
	scratch->learned_key.netns = state->netns;
	scratch->learned_key.pad = 0;
	dns_answer_records(&scratch->dns);
	return 0;
}
