/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Types and constants shared by the BPF programs and userspace: what stands in every map and in
 * the ring. Nothing else may define them. Every struct has fixed-width members, explicit padding
 * and an asserted size; zero means "deny" or "none" in every field.
 *
 * Addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d. Ports are in host order.
 * Times are nanoseconds of CLOCK_BOOTTIME. Names are "reversed": lower case, the bytes of the
 * textual name from its end, and a dot behind each label, so that dev.azure.com is
 * "moc.eruza.ved." and everything below azure.com begins with "moc.eruza.".
 */
#ifndef BUILDFENCE_ABI_H
#define BUILDFENCE_ABI_H

#include <linux/types.h>

#define ADDR_LEN	16
#define COMM_LEN	16
/* RFC 1035: 255 bytes on the wire with the root's zero, so 254 reversed. */
#define NAME_LEN	256
#define NAME_MAX_LEN	254
#define RESOLVERS_MAX	8
#define IMAGE_HASH_LEN	32
/* Port rules that one name or prefix may have after inheritance; the compiler refuses more. */
#define RUN_MAX		64
/* Different names that may hold one address at the same time, per network namespace. */
#define WAYS_MAX	16
/* An expired way may be taken by another name this long; after an hour the sweeper removes it. */
#define LEARNED_REUSE_NS	(3000ULL * 1000000000ULL)
#define LEARNED_SWEEP_NS	(3600ULL * 1000000000ULL)
/*
 * Entries in the tables of one job. Each costs 16 bytes of a bucket that nobody may ever use, so
 * together 640 KiB a job: addresses stay for an hour, questions without an answer a minute.
 */
#define LEARNED_MAX	16384
#define QUESTIONS_MAX	4096
#define PEERS_MAX	8192
#define REACHED_MAX	4096
#define FOLDS_MAX	4096

/*
 * Bytes that a wildcard's star may stand for in a DNS question. Long enough for any real host, and
 * it halves what one question below an allowed wildcard can carry.
 */
#define STAR_MAX_LEN	128

/* What decided: the value of `mode` in job_slot. Zero is the closed one. */
enum guard_mode {
	MODE_ENFORCE = 0,
	MODE_AUDIT = 1,
};

/* What a port rule does. In a run all DENY stand first, then ALLOW, EXPECTED, EXPIRED. */
enum rule_action {
	ACTION_DENY = 0,
	ACTION_ALLOW = 1,
	ACTION_EXPECTED = 2,	/* denied and counted, but not reported as a violation */
	ACTION_EXPIRED = 3,	/* denied: an allow rule whose last day has passed */
};

/* Why something was refused: `Reason` in records, in the order of reason_names[]. */
enum refusal_reason {
	REASON_NOT_ALLOWED = 0,
	REASON_PORT,
	REASON_DNS_NAME,
	REASON_DNS_SERVER,
	REASON_DNS_MALFORMED,
	REASON_METADATA,
	REASON_INBOUND,
	REASON_SOCKET_TYPE,
	REASON_TLS_NAME,
	REASON_LOOPBACK,
	REASON_DENIED_BY_RULE,
	REASON_EXPIRED,
	REASON_TAMPER,
	REASON_COUNT,
};
#define REASON_SLOTS	16

/* Where it was refused: `Hook` in records. */
enum guard_hook {
	HOOK_NONE = 0,
	HOOK_CONNECT,
	HOOK_SENDMSG,
	HOOK_EGRESS,
	HOOK_INGRESS,
	HOOK_SOCK_CREATE,
	HOOK_COUNT,
};

enum flow_direction {
	DIRECTION_OUT = 0,
	DIRECTION_IN = 1,
};

/*
 * Value of the cgroup storage: what every program of one attachment knows about its job.
 * Replaced whole by userspace, so that no packet sees half of a new policy.
 */
struct job_slot {
	__u32 job;		/* index into the per-job outer maps; 0: not set up, deny all */
	__u32 policy;		/* index into the per-policy outer maps; 0: deny all */
	__u32 generation;	/* unique per loaded policy and mode; what caches compare */
	__u32 mode;		/* enum guard_mode */
};

/* One flattened permission. Port 0 to 65535 with protocol 0 covers protocols without ports too. */
struct port_rule {
	__u16 port_low;
	__u16 port_high;
	__u8 protocol;		/* IPPROTO_TCP, IPPROTO_UDP, or 0 for every protocol */
	__u8 action;		/* enum rule_action */
	__u8 reason;		/* enum refusal_reason, for ACTION_DENY */
	__u8 pad;
	__u32 rule;		/* number of the policy's rule, from 1; 0: built in */
};

/* Consecutive port rules, and the verdict on a DNS question for a name that has them. */
struct rule_run {
	__u32 first;
	__u16 count;
	__u8 question;		/* enum rule_action: may the name be asked for? */
	__u8 known;		/* 1: some allow rule covers it, so a refusal is about the port */
	__u32 question_rule;	/* the rule that decided `question` */
};

struct name_key {
	__u32 prefix_bits;
	__u8 name[NAME_LEN];	/* reversed */
};

/* An entry carries all that it inherits, so one lookup decides. */
struct name_rule {
	struct rule_run exact;	/* for the name that ends here (name_key.prefix_bits equal) */
	struct rule_run below;	/* for every longer name */
	__u32 prefix_bits;	/* of this entry's own key */
};

struct prefix_key {
	__u32 prefix_bits;	/* 8 for the direction, then those of the address */
	__u8 direction;		/* enum flow_direction */
	__u8 addr[ADDR_LEN];	/* the remote end, for both directions */
	__u8 pad[3];
};

struct prefix_rule {
	struct rule_run run;	/* for inbound, ports are local ports */
};

struct policy_settings {
	__u64 min_ttl_ns;
	__u32 loaded;		/* 1: the slot holds a whole policy; 0: deny all */
	__u8 private_answers;	/* 1: private ranges in DNS answers are learned */
	__u8 resolver_count;
	__u8 loopback_open;	/* 1: loopback is allowed, and no rule denies a part of it */
	__u8 pad;
	__u8 resolvers[RESOLVERS_MAX][ADDR_LEN];
	__u8 image_hash[IMAGE_HASH_LEN];	/* SHA-256; for userspace, to know it again */
};

struct learned_key {
	__u64 netns;		/* cookie of the network namespace that asked */
	__u8 addr[ADDR_LEN];
	__u32 way;		/* 0 to WAYS_MAX - 1, filled without holes */
	__u32 pad;
};

/* Every value of a per-job table begins with expires_ns: one sweeper serves all of them. */
struct learned {
	__u64 expires_ns;
	__u64 name_hash;
	__u64 learned_ns;
	struct rule_run run;	/* of policy generation `generation` */
	__u32 generation;
	struct name_key name;	/* the whole name: looked up again once the policy has changed */
	__u32 pad;
};

struct question_key {
	__u64 cookie;		/* of the socket that asked */
	__u64 name_hash;
	__u8 server[ADDR_LEN];
	__u16 id;
	__u16 port;
	__u16 qtype;
	__u8 protocol;
	__u8 pad;
};

struct question {
	__u64 expires_ns;
	struct rule_run run;
	__u32 generation;
};

struct peer_key {
	__u64 cookie;
	__u8 addr[ADDR_LEN];
	__u16 port;
	__u8 protocol;
	__u8 direction;		/* OUT: the socket sent to it; IN: `inbound` let it be heard */
	__u32 pad;
};

struct peer {
	__u64 expires_ns;
};

struct reached_key {
	__u8 addr[ADDR_LEN];
	__u64 name_hash;
	__u16 port;
	__u8 protocol;
	__u8 direction;
	__u32 pad;
};

/* An allowed destination, for the summary at the end of a job. */
struct reached {
	__u64 expires_ns;	/* never: ~0 */
	__u64 count;
	__u64 first_ns;
	__u64 last_ns;
	__u32 rule;
	__u32 name_len;
	__u8 name[NAME_LEN];	/* reversed */
};

enum refusal_flag {
	REFUSAL_EXPECTED = 1,	/* listed under `expected`: counted, not reported */
	REFUSAL_RESET = 2,	/* a TCP connection that must be reset, or it would hang */
	REFUSAL_AUDIT = 4,	/* let through: the policy is in audit mode */
};

/* One refused attempt, as the ring and the fold tables hold it. */
struct refusal {
	__u64 time_ns;
	__u64 netns;
	__u64 cookie;		/* of the socket; 0: none yet */
	__u64 name_hash;
	__u8 src[ADDR_LEN];	/* zero where the hook does not know it */
	__u8 dst[ADDR_LEN];
	__u16 sport;
	__u16 dport;
	__u8 family;		/* 4 or 6: what the caller or the packet used */
	__u8 protocol;
	__u8 reason;		/* enum refusal_reason */
	__u8 hook;		/* enum guard_hook */
	__u8 direction;		/* enum flow_direction */
	__u8 flags;		/* enum refusal_flag */
	__u16 name_len;
	__u32 job;
	__u32 generation;
	__u32 rule;		/* that decided; 0: none */
	__u32 pid;		/* thread group; 0: not known */
	__u32 uid;
	__u32 socket_type;	/* SOCK_*, for REASON_SOCKET_TYPE */
	char comm[COMM_LEN];
	__u8 name[NAME_LEN];	/* reversed */
};

/* What makes two attempts of the same kind, so that they fold into one record. */
struct fold_key {
	__u64 name_hash;
	__u8 remote[ADDR_LEN];
	__u32 pid;
	__u32 generation;	/* of the policy, since `rule` is a number in it */
	__u32 rule;
	__u16 port;
	__u8 protocol;
	__u8 reason;
	__u8 hook;
	__u8 direction;
	__u8 flags;
	__u8 pad[5];
};

struct fold {
	__u64 count;
	__u64 last_ns;
	__u64 announced;	/* 1: its first attempt went through the ring at once */
	struct refusal refusal;
};

/*
 * Counters per job. Every refused attempt counts once in refused[], and once in a fold or in
 * unfolded[].
 */
struct job_counters {
	__u64 refused[REASON_SLOTS];
	__u64 unfolded[REASON_SLOTS];	/* not kept apart: a table was full, or no memory */
	__u64 ring_full;		/* the first attempt of a kind waits for the next drain */
	__u64 answers_learned;
	__u64 learn_full;
	__u64 questions_full;
	__u64 peers_full;
	__u64 reached_full;
	__u64 out_of_memory;		/* no storage or scratch: refused, or an answer dropped */
	__u64 questions_kept;		/* entries that questions and peers got: what a sweep */
	__u64 peers_kept;		/* may find */
};

/* Which report of a job it is. */
struct report_id {
	__u64 time_ns;		/* of its first attempt; of the account's beginning, for 'u' */
	__u64 kind_hash;	/* of what makes its kind; for 'u' see guard/report.c */
	__u64 count;		/* attempts; for 'u' those given out so far */
	__u32 kind;		/* 'f', 'r' or 'u'; 0: none */
	__u32 pad;
};

/* Of a number that has its tables already, but no job yet. */
#define ACCOUNT_SPARE	1

/*
 * What was given out of a job's refused attempts. Written whole with each report by userspace
 * alone, so that its death leaves either all of the report in the account, or nothing.
 */
struct account {
	/* When the job was added, so no number has two; ACCOUNT_SPARE: it is still to come. */
	__u64 begun_ns;
	__u64 given[REASON_SLOTS];		/* attempts, one way or the other */
	__u64 unfolded[REASON_SLOTS];		/* of job_counters, as far as given out */
	struct report_id last;			/* its source may not be removed yet */
};

/* Which fold tables are written now, and the generation that a slot got last. */
struct epoch {
	__u32 epoch;		/* the lowest bit counts */
	__u32 generation;
};

/* Index into the two-entry arrays of fold tables: job * 2 + (epoch & 1). */
#define FOLD_EPOCHS	2

_Static_assert(sizeof(struct job_slot) == 16, "abi");
_Static_assert(sizeof(struct port_rule) == 12, "abi");
_Static_assert(sizeof(struct rule_run) == 12, "abi");
_Static_assert(sizeof(struct name_key) == 260, "abi");
_Static_assert(sizeof(struct name_rule) == 28, "abi");
_Static_assert(sizeof(struct prefix_key) == 24, "abi");
_Static_assert(sizeof(struct prefix_rule) == 12, "abi");
_Static_assert(sizeof(struct policy_settings) == 176, "abi");
_Static_assert(sizeof(struct learned_key) == 32, "abi");
_Static_assert(sizeof(struct learned) == 304, "abi");
_Static_assert(sizeof(struct question_key) == 40, "abi");
_Static_assert(sizeof(struct question) == 24, "abi");
_Static_assert(sizeof(struct peer_key) == 32, "abi");
_Static_assert(sizeof(struct peer) == 8, "abi");
_Static_assert(sizeof(struct reached_key) == 32, "abi");
_Static_assert(sizeof(struct reached) == 296, "abi");
_Static_assert(sizeof(struct refusal) == 376, "abi");
_Static_assert(sizeof(struct fold_key) == 48, "abi");
_Static_assert(sizeof(struct fold) == 400, "abi");
_Static_assert(sizeof(struct job_counters) == (2 * REASON_SLOTS + 9) * 8, "abi");
_Static_assert(sizeof(struct report_id) == 32, "abi");
_Static_assert(sizeof(struct account) == (2 * REASON_SLOTS + 5) * 8, "abi");
_Static_assert(sizeof(struct epoch) == 8, "abi");

#endif
