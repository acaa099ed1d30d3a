/* SPDX-License-Identifier: GPL-2.0 */
/* What it means when the kernel lacks a feature. How that is found out is guard/probe.c's. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "doctor/doctor.h"
#include "guard/probe.h"
#include "job/cgroup.h"

#define KERNEL_GROUP	"Kernel"
#define NEWER_KERNEL	"boot a kernel of 5.10 or newer with CONFIG_CGROUP_BPF"
#define HOOK_MEANS	"what passes this hook cannot be judged, so the guard refuses to start"
#define MAP_MEANS	"the guard's tables cannot be made, so it refuses to start"

/* How the kernel does without a feature; `missing` is the status then. */
struct feature {
	enum finding_status missing;
	const char *asked;
	const char *means;
	const char *fix;
};

static const struct feature features[PROBE_COUNT] = {
	[PROBE_SOCK_CREATE] = { FINDING_UNFIT, "hook for new sockets", HOOK_MEANS, NEWER_KERNEL },
	[PROBE_EGRESS] = { FINDING_UNFIT, "hook for outgoing packets", HOOK_MEANS, NEWER_KERNEL },
	[PROBE_INGRESS] = { FINDING_UNFIT, "hook for incoming packets", HOOK_MEANS, NEWER_KERNEL },
	[PROBE_CONNECT4] = { FINDING_UNFIT, "hook for connect, IPv4", HOOK_MEANS, NEWER_KERNEL },
	[PROBE_CONNECT6] = { FINDING_UNFIT, "hook for connect, IPv6", HOOK_MEANS,
			     NEWER_KERNEL ", with CONFIG_IPV6" },
	[PROBE_SENDMSG4] = { FINDING_UNFIT, "hook for sendmsg, IPv4", HOOK_MEANS, NEWER_KERNEL },
	[PROBE_SENDMSG6] = { FINDING_UNFIT, "hook for sendmsg, IPv6", HOOK_MEANS,
			     NEWER_KERNEL ", with CONFIG_IPV6" },
	[PROBE_OBJECT] = { FINDING_UNFIT, "the guard's own programs load",
			   "nothing can be guarded on this kernel",
			   "mend first what else is not ok here; otherwise send the message on "
			   "standard error and `uname -r` to the project" },
	[PROBE_RING_BUFFER] = { FINDING_UNFIT, "ring buffer for records", MAP_MEANS, NEWER_KERNEL },
	[PROBE_SOCKET_STORAGE] = { FINDING_UNFIT, "storage of sockets, cloned at accept", MAP_MEANS,
				   NEWER_KERNEL },
	[PROBE_CGROUP_STORAGE] = { FINDING_UNFIT, "storage of cgroups, shared by programs",
				   MAP_MEANS, NEWER_KERNEL },
	[PROBE_NAME_TRIES] = { FINDING_UNFIT, "tries of names, one for each policy", MAP_MEANS,
			       NEWER_KERNEL },
	[PROBE_SOCKET_CGROUP] = {
		FINDING_UNFIT, "a new socket belongs to its process's cgroup",
		"net_cls or net_prio was used, and this kernel then loses the cgroup of every new "
		"socket: jobs are not guarded",
		"update the kernel (the fix is 8520e224f547, in 5.15 and late 5.10), or reboot and "
		"let nothing use net_cls and net_prio" },
	[PROBE_SET_RETVAL] = {
		FINDING_WARNING, "own error number for a refused socket (else EPERM)",
		"a refused kind of socket fails with EPERM in place of EPROTONOSUPPORT: a program "
		"that would fall back to plain TCP may give up",
		"boot a kernel of 5.18 or newer if a build needs it" },
	[PROBE_PACKET_COMM] = { FINDING_OK, "the current process in packet hooks", "", "" },
	[PROBE_PACKET_NETNS] = { FINDING_OK, "the network namespace in packet hooks", "", "" },
	[PROBE_CGROUP_KILL] = { FINDING_OK, "cgroup.kill", "", "" },
	[PROBE_CLONE_INTO_CGROUP] = { FINDING_OK, "starting a process inside a cgroup", "", "" },
	[PROBE_SOCK_DESTROY] = {
		FINDING_WARNING, "resetting a refused TCP connection",
		"a connection that the policy no longer allows hangs until it times out in place of "
		"failing at once; nothing passes either way",
		"boot a kernel with CONFIG_INET_DIAG_DESTROY, as distributions set it; "
		"load tcp_diag where modules are not loaded on demand" },
	[PROBE_LSM_CGROUP] = { FINDING_OK, "BPF LSM for a cgroup (not used)", "", "" },
	[PROBE_JIT] = { FINDING_WARNING, "programs are compiled to machine code",
			"the guard is several times slower than it needs to be",
			"sysctl net.core.bpf_jit_enable=1" },
	[PROBE_BTF] = { FINDING_OK, "type information of the kernel (not needed)", "", "" },
};

/* What a kernel without the feature still does; NULL: see means. */
static const char *const instead[PROBE_COUNT] = {
	[PROBE_PACKET_COMM] = "no; the process is remembered when the socket is made",
	[PROBE_PACKET_NETNS] = "no; the namespace is remembered when the socket is made",
	[PROBE_CGROUP_KILL] = "no; processes are frozen and killed one by one",
	[PROBE_CLONE_INTO_CGROUP] = "no; a process is moved before it runs its command",
	[PROBE_BTF] = "no; only BPF LSM would want it",
};

static void feature_judge(enum probe_feature feature, int answer, struct finding *finding)
{
	if (answer == 1)
		finding_add(finding, FINDING_OK, "yes");
	else if (answer == 0)
		finding_add(finding, features[feature].missing, "%s",
			    instead[feature] ? instead[feature] : "no");
	else if (feature == PROBE_OBJECT)
		/* All else stands on it: where it is not seen to load, the machine is unfit. */
		finding_add(finding, FINDING_UNFIT, "no: %s", strerror(-answer));
	else if (answer == -EBADF)
		finding_add(finding, FINDING_UNKNOWN,
			    "not known: no cgroup could be made to try it");
	else
		finding_add(finding, FINDING_UNKNOWN, "not known: %s", strerror(-answer));
}

void kernel_run(const struct machine *machine, finding_fn take, void *context)
{
	int cgroup_fd = machine->cgroup ? machine->cgroup->fd : -1;

	for (unsigned int i = 0; i < PROBE_COUNT; i++) {
		struct finding finding = {};
		const struct check check = {
			.id = probe_id(i), .group = KERNEL_GROUP, .asked = features[i].asked,
			.means = features[i].means, .fix = features[i].fix,
		};

		feature_judge(i, probe_ask(i, cgroup_fd), &finding);
		take(&check, &finding, context);
		text_free(&finding.found);
	}
}
