/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A DNS question on its way to a resolver: judged by its name, and remembered so that its answer,
 * and no other, is learned from.
 */
#include "packet.bpf.h"
#include "record.bpf.h"
#include "dns.bpf.h"

/* Resolvers give up after 5 to 30 seconds; an answer that comes later is not learned from. */
#define QUESTION_LIFETIME_NS	(60ULL * 1000000000ULL)

static __always_inline struct socket_state *question_socket(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return NULL;
	sk = bpf_sk_fullsock(sk);
	return sk ? bpf_sk_storage_get(&sockets, sk, 0, 0) : NULL;
}

/* The verdict on the slot's message, whose key and run it leaves in the scratch. */
static __always_inline __u64 question_verdict(struct scratch *scratch, const struct job_slot *job)
{
	struct rule_run *run;
	struct name_rule *rule;
	void *trie;

	__builtin_memset(&scratch->question, 0, sizeof(scratch->question));
	scratch->key.prefix_bits = 0;
	if (dns_question_read(&scratch->dns))
		return VERDICT(ACTION_DENY, REASON_DNS_MALFORMED, 0, 0);
	dns_name_reverse(&scratch->dns, &scratch->key);
	trie = bpf_map_lookup_elem(&names, &job->policy);
	rule = trie ? bpf_map_lookup_elem(trie, &scratch->key) : NULL;
	if (!rule)
		return question_judge(NULL);
	run = rule->prefix_bits == scratch->key.prefix_bits ? &rule->exact : &rule->below;
	if (scratch->key.prefix_bits - rule->prefix_bits > STAR_MAX_LEN * 8)
		return VERDICT(ACTION_DENY, REASON_DNS_NAME, 0, run->question_rule);
	scratch->question.run = *run;
	return question_judge(run);
}

static __always_inline int question_refuse(struct scratch *scratch, const struct job_slot *job,
					   const struct socket_state *state, __u64 verdict)
{
	const struct packet *packet = &scratch->packet;
	struct attempt attempt = {
		.remote = packet->dst,
		.local = packet->src,
		.state = state,
		.verdict = verdict,
		.cookie = scratch->question_key.cookie,
		.source_port = packet->sport,
		.port = packet->dport,
		.protocol = packet->protocol,
		.hook = HOOK_EGRESS,
		.family = packet->family,
		.reset = packet->protocol == IPPROTO_TCP,
	};

	refusal_fill(&scratch->fold.refusal, job, &attempt);
	refusal_name(&scratch->fold.refusal, &scratch->key, scratch->dns.asked_hash);
	if (!scratch->key.prefix_bits)
		scratch->fold.refusal.name_hash = 0;
	refusal_record(scratch->dns.slot);
	return job->mode == MODE_AUDIT;
}

/* Keeps the question for its answer. Returns 0, or -1: then the answer could not be learned. */
static __always_inline int question_keep(struct scratch *scratch, const struct job_slot *job)
{
	const struct packet *packet = &scratch->packet;
	void *table = bpf_map_lookup_elem(&questions, &job->job);
	struct question_key *key = &scratch->question_key;

	key->name_hash = scratch->dns.asked_hash;
	__builtin_memcpy(key->server, packet->dst, ADDR_LEN);
	key->id = scratch->dns.id;
	/* Docker's answers come from port 53, whatever the question was redirected to. */
	key->port = DNS_PORT;
	/* Some resolvers ask for A and AAAA under one id. */
	key->qtype = scratch->dns.qtype;
	key->protocol = packet->protocol;
	key->pad = 0;
	scratch->question.expires_ns = bpf_ktime_get_boot_ns() + QUESTION_LIFETIME_NS;
	scratch->question.generation = job->generation;
	if (!table || bpf_map_update_elem(table, key, &scratch->question, BPF_ANY))
		return -1;
	COUNT(job, questions_kept);
	return 0;
}

GLOBAL int dns_question_judge(struct __sk_buff *skb, __u32 slot, __u32 resolver)
{
	struct job_slot *job = job_slot_of();
	struct socket_state *state = question_socket(skb);
	struct scratch *scratch = scratch_at(slot);
	__u64 verdict;

	if (!scratch || !state)
		return 0;
	scratch->question_key.cookie = bpf_get_socket_cookie(skb);
	verdict = question_verdict(scratch, job);
	/* In audit mode refused names are learned too, so that records can name an address. */
	if (scratch->key.prefix_bits && (VERDICT_ALLOWS(verdict) || job->mode == MODE_AUDIT) &&
	    question_keep(scratch, job)) {
		COUNT(job, questions_full);
		if (VERDICT_ALLOWS(verdict))
			verdict = VERDICT(ACTION_DENY, REASON_NOT_ALLOWED, 0, 0);
	}
	if (!VERDICT_ALLOWS(verdict) && !question_refuse(scratch, job, state, verdict))
		return 0;
	state->resolvers_asked |= 1U << (resolver & 31);
	return 1;
}
