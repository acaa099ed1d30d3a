/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All maps: who writes them, who reads them, and what happens when they are full. Sizes marked
 * "loader" are set before loading.
 */
#ifndef BUILDFENCE_MAPS_BPF_H
#define BUILDFENCE_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "abi.h"

/*
 * A function that the verifier checks apart, once, whatever it is called with. Of what it returns
 * the verifier learns nothing, and so must clang: one that looks into it (19 does, 14 does not)
 * leaves out the bounds that the verifier misses then. It looks into no weak function.
 */
#define GLOBAL __weak __noinline

/* Functions of their own, in dns.bpf.c. The only key that they write is the slot's. */
int dns_name_block(__u32 slot);
int dns_key_block(__u32 slot, __u32 from);
#define DNS_NAME_MORE(message) dns_name_block((message)->slot)
#define DNS_KEY_MORE(message, ret_key, from) dns_key_block((message)->slot, from)
#include "dns.h"

/*
 * maps.bpf.c has the definitions that count; in the other objects they are weak. Not extern: clang
 * 14 then leaves the types of keys and values out of the object's BTF, and they cannot be linked.
 */
#ifdef DEFINE_MAPS
#define MAP_LINKAGE
#else
#define MAP_LINKAGE __weak
#endif

#define MAP(map_name, ...) struct { __VA_ARGS__ } map_name MAP_LINKAGE SEC(".maps")

/*
 * The remote end of a flow that was judged and let through; for a TCP listener its own port, since
 * a rule of `inbound` is about that.
 */
struct judged_flow {
	__u8 addr[ADDR_LEN];
	__u16 port;
	__u8 protocol;
	__u8 valid;
	__u32 generation;
};

/*
 * What a socket remembers. judged[] is read and written under the lock, since several threads may
 * send on one UDP socket; `name` only by TCP, which has the socket's own lock. The process is the
 * one that made, connected or used the socket last.
 */
struct socket_state {
	struct bpf_spin_lock lock;
	__u32 pid;
	__u32 uid;
	__u32 resolvers_asked;		/* bit i: it sent a question to resolvers[i] */
	struct judged_flow judged[2];	/* by enum flow_direction */
	__u64 netns;
	char comm[COMM_LEN];
	__u32 name_known;
	struct name_key name;		/* by which the connection was allowed */
};

/* What packet.bpf.h read of a packet. */
struct packet {
	__u8 src[ADDR_LEN];
	__u8 dst[ADDR_LEN];
	__u16 sport;			/* host order; 0 for protocols without ports */
	__u16 dport;
	__u8 protocol;
	__u8 family;			/* 4 or 6 */
	__u8 control;			/* 1: the kernel's own (discovery, IGMP, errors) */
	__u8 pad;
	__u32 transport;		/* offset of the transport header */
};

/*
 * Memory for one packet's work, exclusive from claim to release: a packet hook can be interrupted
 * by another on the same CPU, so a per-CPU buffer would let a job swap the name under judgement.
 */
struct scratch {
	struct bpf_spin_lock lock;
	__u32 busy;
	struct job_slot job;		/* for functions that get only the slot's number */
	struct packet packet;
	struct dns_message dns;
	struct name_key key;		/* the asked name */
	struct question_key question_key;
	struct question question;
	struct learned_key learned_key;
	struct learned learned;
	struct fold_key fold_key;
	struct fold fold;		/* holds the refusal being recorded */
	struct reached reached;
};

/*
 * One direction of a TCP connection to a resolver: RFC 7766 messages, each behind its length, put
 * together from segments. The buffer is longer than a message by one piece, so that the verifier
 * sees a piece fit at any start.
 */
#define STREAM_PIECE	2048	/* a power of two */

struct dns_stream {
	__u32 next_seq;			/* of the byte that is expected next, host order */
	__u32 started;
	__u32 length_seen;		/* bytes of the length prefix that came: 0 to 2 */
	__u32 length;			/* of the message under way */
	__u32 filled;			/* its bytes that came */
	__u32 poisoned;			/* a question was refused: nothing more may leave */
	__u8 bytes[DNS_MESSAGE_MAX + STREAM_PIECE];
};

/*
 * 7.3 takes socket storage from kmalloc_nolock(), which gives 8 KiB at most (with the kernel's own
 * head): as one value for both directions it could be loaded there, and never allocated.
 */
_Static_assert(sizeof(struct dns_stream) <= 8000, "too long for socket storage");

/* --- per attachment, per socket, per packet ------------------------------------------------- */

/* Written by userspace when it attaches a job or changes its policy. Absent or zero: deny. */
MAP(job_slots,
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, struct job_slot);
);

/*
 * Written by every hook. An allocation that fails refuses the socket or packet, and is counted. An
 * accepted socket begins without: a copy would cost every connection, also over loopback, more than
 * judging its first packet does.
 */
MAP(sockets,
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct socket_state);
);

/*
 * DNS over TCP only: what the job asks, and what it is answered. Made when a question leaves, and
 * deleted by the next SYN. An allocation that fails refuses the segment, and is counted.
 */
MAP(asked_streams,
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct dns_stream);
);
MAP(answer_streams,
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct dns_stream);
);

/* Loader: 8 a CPU. All busy: the packet is refused, and counted. */
MAP(scratches,
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct scratch);
);

/* --- per policy: written whole by userspace before a job uses it ---------------------------- */

/* Loader: policies + 1. Slot 0 is never loaded: deny. */
MAP(policies,
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct policy_settings);
);

/* Inner maps have sizes, not types: clang 14 leaves the types below a nested pointer out of BTF. */
struct names_inner {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct name_key));
	__uint(value_size, sizeof(struct name_rule));
};

struct prefixes_inner {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(struct prefix_key));
	__uint(value_size, sizeof(struct prefix_rule));
};

/* BPF_F_INNER_MAP (5.10): policies may have different numbers of port rules. */
struct port_rules_inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct port_rule));
};

MAP(names,
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct names_inner);
);

MAP(prefixes,
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct prefixes_inner);
);

MAP(port_rules,
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct port_rules_inner);
);

/* --- per job: plain hashes, so that no job can evict or crowd out another ------------------- */

/*
 * Addresses that a job's own DNS answers gave it. Written by the answer hook, read by decide(),
 * swept by userspace. Full: the address is not learned, the connection is refused, and learn_full
 * is counted.
 */
struct learned_inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LEARNED_MAX);
	__uint(key_size, sizeof(struct learned_key));
	__uint(value_size, sizeof(struct learned));
};

/*
 * Questions that wait for their answer. Written by the question hook, taken by the answer hook,
 * swept by userspace. Full: the question is refused, and questions_full is counted.
 */
struct questions_inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, QUESTIONS_MAX);
	__uint(key_size, sizeof(struct question_key));
	__uint(value_size, sizeof(struct question));
};

/*
 * Peers of datagram sockets before the one in the socket's state: whom it sent to, written by
 * egress and sendmsg, read by ingress; and who was let in, written by ingress, read where a reply
 * is judged. Swept by userspace. Full: what the older peer sends, or is sent, is refused;
 * peers_full is counted.
 */
struct peers_inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PEERS_MAX);
	__uint(key_size, sizeof(struct peer_key));
	__uint(value_size, sizeof(struct peer));
};

/* Allowed destinations, for the summary. Full: not listed, and reached_full is counted. */
struct reached_inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, REACHED_MAX);
	__uint(key_size, sizeof(struct reached_key));
	__uint(value_size, sizeof(struct reached));
};

/*
 * Refused attempts of this epoch, one entry a kind; two tables a job, flipped and drained by
 * userspace once a second. Full: counted in unfolded[].
 */
struct folds_inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, FOLDS_MAX);
	__uint(key_size, sizeof(struct fold_key));
	__uint(value_size, sizeof(struct fold));
};

MAP(learned_addrs,
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct learned_inner);
);

MAP(questions,
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct questions_inner);
);

MAP(peers,
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct peers_inner);
);

MAP(reached_addrs,
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct reached_inner);
);

MAP(folds,
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 8);
	__type(key, __u32);
	__array(values, struct folds_inner);
);

/*
 * Loader: jobs + 1. Written by every hook with atomic adds, read by userspace, which looks at all
 * jobs once a second and therefore without system calls.
 */
MAP(counters,
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct job_counters);
);

/* Loader: jobs + 1. Userspace's own: here, so that they outlive it. */
MAP(accounts,
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct account);
);

/* --- for all jobs --------------------------------------------------------------------------- */

/* One entry, written by userspace. */
MAP(epochs,
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct epoch);
);

/* First attempts of a kind, at once. Full: they come with the next drain; ring_full is counted. */
MAP(refusals,
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
);

#endif
