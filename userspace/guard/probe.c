/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Probes that load a program or make a map: libbpf 1.1's own helper probes say yes to everything on
 * 6.18. Those that need a process in a cgroup are probe_live.c's.
 */
#include "guard/probe.h"

#include <errno.h>
#include <linux/btf.h>
#include <linux/filter.h>
#include <string.h>

#include "base/cleanup.h"
#include "guard/internal.h"
#include "guard/probe_live.h"

#define CALL(function)	{ .code = BPF_JMP | BPF_CALL, .imm = (function) }
#define MOVE(reg, value) \
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (reg), .imm = (value) }
#define EXIT		{ .code = BPF_JMP | BPF_EXIT }

/* A name's key in its trie: the length in bits, and 256 bytes. */
#define TRIE_KEY_SIZE	(sizeof(uint32_t) + 256)

struct hook {
	const char *id;
	enum bpf_prog_type type;
	enum bpf_attach_type attach;
};

/* Links for cgroups: af6eea57437a ("bpf: Implement bpf_link-based cgroup ..."), 5.7. */
static const struct hook hooks[] = {
	/* 610236587600 ("bpf: Add new cgroup attach type to enable sock modifications"), 4.10 */
	[PROBE_SOCK_CREATE] = { "kernel-hook-sock-create", BPF_PROG_TYPE_CGROUP_SOCK,
				BPF_CGROUP_INET_SOCK_CREATE },
	/* 0e33661de493 ("bpf: add new prog type for cgroup socket filtering"), 4.10 */
	[PROBE_EGRESS] = { "kernel-hook-egress", BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS },
	[PROBE_INGRESS] = { "kernel-hook-ingress", BPF_PROG_TYPE_CGROUP_SKB,
			    BPF_CGROUP_INET_INGRESS },
	/* d74bad4e74ee ("bpf: Hooks for sys_connect"), 4.17 */
	[PROBE_CONNECT4] = { "kernel-hook-connect4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
			     BPF_CGROUP_INET4_CONNECT },
	[PROBE_CONNECT6] = { "kernel-hook-connect6", BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
			     BPF_CGROUP_INET6_CONNECT },
	/* 1cedee13d25a ("bpf: Hooks for sys_sendmsg"), 4.18 */
	[PROBE_SENDMSG4] = { "kernel-hook-sendmsg4", BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
			     BPF_CGROUP_UDP4_SENDMSG },
	[PROBE_SENDMSG6] = { "kernel-hook-sendmsg6", BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
			     BPF_CGROUP_UDP6_SENDMSG },
};

static int program_load(const struct hook *hook, const struct bpf_insn *program, size_t count)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = hook->attach);
	int fd = bpf_prog_load(hook->type, "probe", "GPL", program, count, &options);

	return fd < 0 ? -errno : fd;
}

/* An answer from a descriptor or an error: only want of rights or of memory leaves it open. */
static int answer_of(int fd)
{
	if (fd >= 0) {
		close(fd);
		return 1;
	}
	return fd == -EPERM || fd == -ENOMEM || fd == -EBADF ? fd : 0;
}

static int hook_ask(const struct hook *hook, int cgroup_fd)
{
	const struct bpf_insn program[] = { MOVE(BPF_REG_0, 1), EXIT };
	_cleanup_close_ int fd = program_load(hook, program, ARRAY_SIZE(program));
	int link;

	if (fd < 0)
		return answer_of(fd);
	if (cgroup_fd < 0)
		return -EBADF;
	/* The link goes, and its attachment with it, when its descriptor is closed. */
	link = bpf_link_create(fd, cgroup_fd, hook->attach, NULL);
	return answer_of(link < 0 ? -errno : link);
}

static int helper_ask(enum probe_feature hook, enum bpf_func_id function)
{
	/* R1 is still the context where the helper wants one. */
	const struct bpf_insn program[] = { CALL(function), MOVE(BPF_REG_0, 1), EXIT };

	return answer_of(program_load(&hooks[hook], program, ARRAY_SIZE(program)));
}

/* bpf_set_retval: commit b44123b4a3dc ("bpf: Add cgroup helpers bpf_{get,set}_retval"), 5.18. */
static int set_retval_ask(void)
{
	const struct bpf_insn program[] = {
		MOVE(BPF_REG_1, -1), CALL(BPF_FUNC_set_retval), MOVE(BPF_REG_0, 1), EXIT,
	};

	return answer_of(program_load(&hooks[PROBE_SOCK_CREATE], program, ARRAY_SIZE(program)));
}

bool probe_set_retval(void)
{
	return set_retval_ask() == 1;
}

static int map_ask(enum bpf_map_type type, uint32_t key_size, uint32_t value_size,
		   uint32_t max_entries, const struct bpf_map_create_opts *options)
{
	int fd = bpf_map_create(type, "probe", key_size, value_size, max_entries, options);

	return answer_of(fd < 0 ? -errno : fd);
}

/*
 * Socket storage must name its types: BTF for an int key, 4 bytes, and the same as value. It needs
 * bpf_sk_storage, commit 6ac99e8f23d4 (5.2), and BPF_F_CLONE, 8f51dfc73bf1 (5.4).
 */
static int socket_storage_ask(void)
{
	const struct {
		struct btf_header header;
		struct btf_type type;
		uint32_t integer;
		char strings[5];
	} btf = {
		.header = {
			.magic = BTF_MAGIC, .version = BTF_VERSION, .hdr_len = sizeof(btf.header),
			.type_len = sizeof(btf.type) + sizeof(btf.integer),
			.str_off = sizeof(btf.type) + sizeof(btf.integer),
			.str_len = sizeof(btf.strings),
		},
		.type = { .name_off = 1, .info = BTF_KIND_INT << 24, .size = 4 },
		.integer = BTF_INT_SIGNED << 24 | 32,
		.strings = "\0int",
	};
	uint32_t size = sizeof(btf.header) + btf.header.str_off + btf.header.str_len;
	_cleanup_close_ int btf_fd = bpf_btf_load(&btf, size, NULL);
	LIBBPF_OPTS(bpf_map_create_opts, options,
		    .map_flags = BPF_F_NO_PREALLOC | BPF_F_CLONE, .btf_fd = (uint32_t)btf_fd,
		    .btf_key_type_id = 1, .btf_value_type_id = 1);

	if (btf_fd < 0)
		return answer_of(-errno);
	return map_ask(BPF_MAP_TYPE_SK_STORAGE, 4, 4, 0, &options);
}

/* "bpf: Make cgroup storages shared between programs on the same cgroup", 7d9c3427894f, 5.9. */
static int cgroup_storage_ask(void)
{
	return map_ask(BPF_MAP_TYPE_CGROUP_STORAGE, sizeof(uint64_t), sizeof(struct job_slot), 0,
		       NULL);
}

/* 56f668dfe00d ("bpf: Add array of maps support"), 4.12. */
static int name_tries_ask(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, inner_options, .map_flags = BPF_F_NO_PREALLOC);
	_cleanup_close_ int inner = bpf_map_create(BPF_MAP_TYPE_LPM_TRIE, "probe", TRIE_KEY_SIZE,
						   4, 16, &inner_options);
	LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = (uint32_t)inner);

	if (inner < 0)
		return answer_of(-errno);
	return map_ask(BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 2, &options);
}

static int object_ask(void)
{
	struct guard *guard;
	int error = guard_open(NULL, &guard);

	if (error)
		return answer_of(error);
	guard_close(guard);
	return 1;
}

static int jit_ask(void)
{
	const struct bpf_insn program[] = { MOVE(BPF_REG_0, 1), EXIT };
	_cleanup_close_ int fd = program_load(&hooks[PROBE_EGRESS], program, ARRAY_SIZE(program));
	struct bpf_prog_info loaded = {};
	uint32_t size = sizeof(loaded);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &loaded, &size))
		return -errno;
	return loaded.jited_prog_len > 0;
}

static int file_ask(int folder_fd, const char *path)
{
	return !faccessat(folder_fd, path, F_OK, 0) ? 1 : errno == ENOENT ? 0 : -errno;
}

const char *probe_id(enum probe_feature feature)
{
	static const char *const ids[PROBE_COUNT] = {
		[PROBE_OBJECT] = "kernel-object",
		[PROBE_RING_BUFFER] = "kernel-ring-buffer",
		[PROBE_SOCKET_STORAGE] = "kernel-socket-storage",
		[PROBE_CGROUP_STORAGE] = "kernel-cgroup-storage",
		[PROBE_NAME_TRIES] = "kernel-name-tries",
		[PROBE_SOCKET_CGROUP] = "kernel-socket-cgroup",
		[PROBE_SET_RETVAL] = "kernel-set-retval",
		[PROBE_PACKET_COMM] = "kernel-packet-comm",
		[PROBE_PACKET_NETNS] = "kernel-packet-netns-cookie",
		[PROBE_CGROUP_KILL] = "kernel-cgroup-kill",
		[PROBE_CLONE_INTO_CGROUP] = "kernel-clone-into-cgroup",
		[PROBE_SOCK_DESTROY] = "kernel-sock-destroy",
		[PROBE_LSM_CGROUP] = "kernel-lsm-cgroup",
		[PROBE_JIT] = "kernel-jit",
		[PROBE_BTF] = "kernel-btf",
	};

	return feature < ARRAY_SIZE(hooks) ? hooks[feature].id : ids[feature];
}

int probe_ask(enum probe_feature feature, int cgroup_fd)
{
	switch (feature) {
	case PROBE_OBJECT:
		return object_ask();
	case PROBE_RING_BUFFER:	/* 457f44363a88 ("bpf: Implement BPF ring buffer"), 5.8 */
		return map_ask(BPF_MAP_TYPE_RINGBUF, 0, 0, (uint32_t)sysconf(_SC_PAGESIZE), NULL);
	case PROBE_SOCKET_STORAGE:
		return socket_storage_ask();
	case PROBE_CGROUP_STORAGE:
		return cgroup_storage_ask();
	case PROBE_NAME_TRIES:
		return name_tries_ask();
	case PROBE_SOCKET_CGROUP:
		return probe_socket_cgroup(cgroup_fd);
	case PROBE_SET_RETVAL:
		return set_retval_ask();
	case PROBE_PACKET_COMM:	/* pid and comm in cgroup_skb: between 6.1 and 6.12 */
		return helper_ask(PROBE_EGRESS, BPF_FUNC_get_current_pid_tgid);
	case PROBE_PACKET_NETNS:	/* bpf_get_netns_cookie in cgroup_skb: 6.15 */
		return helper_ask(PROBE_EGRESS, BPF_FUNC_get_netns_cookie);
	case PROBE_CGROUP_KILL:	/* 661ee6280931 ("cgroup: introduce cgroup.kill"), 5.14 */
		return cgroup_fd < 0 ? -EBADF : file_ask(cgroup_fd, "cgroup.kill");
	case PROBE_CLONE_INTO_CGROUP:
		return probe_clone_into_cgroup(cgroup_fd);
	case PROBE_SOCK_DESTROY:
		return probe_sock_destroy();
	case PROBE_LSM_CGROUP:
		return probe_lsm_cgroup(cgroup_fd);
	case PROBE_JIT:
		return jit_ask();
	case PROBE_BTF:		/* 341dfcf8d78e ("btf: expose BTF info through sysfs"), 5.4 */
		return file_ask(-1, "/sys/kernel/btf/vmlinux");
	default:
		return feature < ARRAY_SIZE(hooks) ? hook_ask(&hooks[feature], cgroup_fd) : -EINVAL;
	}
}
