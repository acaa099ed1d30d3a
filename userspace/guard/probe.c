/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What this kernel can do, found by loading a small program: libbpf 1.1's own helper probes say yes
 * to everything on 6.18.
 */
#include "guard/internal.h"

#include <linux/filter.h>

#include "base/cleanup.h"

/* bpf_set_retval: commit b44123b4a3dc ("bpf: Add cgroup helpers bpf_{get,set}_retval"), 5.18. */
bool probe_set_retval(void)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = -1 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_set_retval },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options,
		    .expected_attach_type = BPF_CGROUP_INET_SOCK_CREATE);
	_cleanup_close_ int fd = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK, "probe_retval", "GPL",
					       program, ARRAY_SIZE(program), &options);

	return fd >= 0;
}
