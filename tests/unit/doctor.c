/* SPDX-License-Identifier: GPL-2.0 */
/* The doctor's checks, judged on made-up files below a folder. The kernel's part needs a kernel. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "doctor/doctor.h"

struct doctor_case {
	char id[32];
	char path[64];
	char text[256];
	enum finding_status status;
	char found[96];
};

static const struct check *check_get(const char *id)
{
	const struct {
		const struct check *checks;
		size_t count;
	} tables[] = {
		{ base_checks, base_check_count },
		{ family_checks, family_check_count },
		{ dns_checks, dns_check_count },
		{ docker_checks, docker_check_count },
		{ agent_checks, agent_check_count },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		for (size_t j = 0; j < tables[i].count; j++) {
			if (!strcmp(tables[i].checks[j].id, id))
				return &tables[i].checks[j];
		}
	}
	return NULL;
}

/* Writes a file below the folder, and the folders on its way. */
static void file_put(const char *root, const char *path, const char *text)
{
	char full[256];
	FILE *file;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(full, 0700);
		*slash = '/';
	}
	file = fopen(full, "w");
	cr_assert(file);
	fputs(text, file);
	fclose(file);
}

static void root_make(char *root)
{
	strcpy(root, "/tmp/doctor.XXXXXX");
	cr_assert(mkdtemp(root));
}

static void root_remove(const char *root)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", root);
	cr_expect_eq(system(command), 0);
}

static void judge(const char *root, const char *id, enum finding_status status, const char *found)
{
	const struct check *check = check_get(id);
	struct machine machine = { .root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	struct finding finding = {};

	cr_assert(check, "no check %s", id);
	check->judge(&machine, &finding);
	cr_expect_eq(finding.status, status, "%s: status %d", id, finding.status);
	cr_expect_str_eq(finding.found.bytes, found);
	text_free(&finding.found);
	close(machine.root_fd);
}

ParameterizedTestParameters(doctor, a_file_decides)
{
	static struct doctor_case cases[] = {
		{ "dns-nss-resolve", "etc/nsswitch.conf", "hosts: files resolve [!UNAVAIL=return] dns\n", FINDING_WARNING, "'resolve' in nsswitch.conf" },
		{ "dns-nss-resolve", "etc/nsswitch.conf", "hosts: files dns # resolve\n", FINDING_OK, "none" },
		{ "dns-nss-resolve", "etc/nsswitch.conf", "passwd: resolve\n", FINDING_OK, "none" },
		{ "dns-mdns", "etc/nsswitch.conf", "hosts: files mdns4_minimal dns\n", FINDING_WARNING, "'mdns4_minimal' in nsswitch.conf" },
		{ "dns-cache-daemon", "run/nscd/socket", "", FINDING_WARNING, "/run/nscd/socket" },
		{ "dns-cache-daemon", "etc/other", "", FINDING_OK, "none" },
		{ "dns-resolvers", "etc/resolv.conf", "nameserver 127.0.0.53\noptions edns0 use-vc\n", FINDING_OK, "127.0.0.53 (systemd-resolved)" },
		{ "dns-resolvers", "etc/resolv.conf", "nameserver [::1]:5353\n", FINDING_WARNING, "'[::1]:5353' is no address" },
		{ "dns-resolvers", "etc/resolv.conf", "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\nnameserver 192.0.2.5\nnameserver 192.0.2.6\nnameserver ::1\n", FINDING_WARNING, "192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4, 192.0.2.5, 192.0.2.6, ::1" },
		{ "dns-resolvers", "etc/other", "", FINDING_WARNING, "no resolv.conf: 127.0.0.1" },
		{ "privileges", "proc/self/status", "Name:\tx\nCapEff:\t0000000000000000\n", FINDING_UNFIT, "no CAP_BPF, no CAP_NET_ADMIN, no CAP_PERFMON" },
		{ "privileges", "proc/self/status", "CapEff:\t0000000000200000\n", FINDING_OK, "yes" },
		{ "cgroup2", "proc/self/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", FINDING_OK, "/sys/fs/cgroup, alone" },
		{ "cgroup2", "proc/self/mounts", "cgroup /c cgroup rw,cpu 0 0\nx /u cgroup2 rw 0 0\n", FINDING_OK, "/u, v1 beside it" },
		{ "cgroup2", "proc/self/mounts", "cgroup /c cgroup rw,cpu 0 0\n", FINDING_UNFIT, "not mounted" },
		{ "bpffs", "proc/self/mounts", "proc /proc proc rw 0 0\n", FINDING_WARNING, "not mounted" },
		{ "unprivileged-bpf", "proc/sys/kernel/unprivileged_bpf_disabled", "0\n", FINDING_WARNING, "allowed" },
		{ "unprivileged-bpf", "proc/sys/kernel/unprivileged_bpf_disabled", "2\n", FINDING_OK, "no" },
		{ "lsm-list", "sys/kernel/security/lsm", "lockdown,bpf", FINDING_OK, "yes" },
		{ "lsm-list", "sys/kernel/security/lsm", "lockdown,bpfx", FINDING_OK, "no" },
		{ "lsm-list", "etc/other", "", FINDING_UNKNOWN, "not known: securityfs cannot be read" },
		{ "docker-cgroup-parent", "etc/docker/daemon.json", "{\"cgroup-parent\": \"jobs.slice\"}", FINDING_OK, "jobs.slice" },
		{ "docker-cgroup-parent", "etc/docker/daemon.json", "{", FINDING_WARNING, "/etc/docker/daemon.json is no JSON" },
		{ "docker-cgroup-parent", "run/docker.sock", "", FINDING_WARNING, "not set" },
		{ "docker-daemon", "proc/71/comm", "dockerd\n", FINDING_WARNING, "dockerd[71]" },
		{ "docker-daemon", "proc/71/comm", "dockerd-x\n", FINDING_OK, "not running" },
		{ "agents", "etc/systemd/system/vsts.agent.c.p.a.service", "[Service]\nUser=azp\n", FINDING_OK, "as user azp" },
		{ "agents", "etc/systemd/system/vsts.agent.c.p.a.service", "[Service]\n", FINDING_WARNING, "as user root" },
		{ "agents", "etc/other", "", FINDING_OK, "none seen" },
		{ "agent-ptrace", "proc/sys/kernel/yama/ptrace_scope", "0\n", FINDING_OK, "no agent seen" },
	};

	return cr_make_param_array(struct doctor_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct doctor_case *row, doctor, a_file_decides)
{
	char root[32];

	root_make(root);
	file_put(root, row->path, row->text);
	judge(root, row->id, row->status, row->found);
	root_remove(root);
}

struct kernel_case {
	char release[32];
	char version[64];
	enum finding_status status;
};

ParameterizedTestParameters(doctor, net_cls_harms_old_kernels_only)
{
	static struct kernel_case cases[] = {
		{ "5.10.223-cloud", "#1 SMP", FINDING_WARNING },
		{ "5.10.262", "#1 SMP", FINDING_OK },
		{ "5.10.0-32-amd64", "#1 SMP Debian 5.10.223-1 (2024-08-10)", FINDING_WARNING },
		{ "5.10.0-40-amd64", "#1 SMP Debian 5.10.262-1 (2026-08-10)", FINDING_OK },
		{ "4.19.0-20-amd64", "#1 SMP Debian 4.19.235-1 (2022-03-17)", FINDING_WARNING },
		{ "5.14.0", "#1 SMP", FINDING_WARNING },
		{ "5.15.1", "#1 SMP", FINDING_OK },
		{ "6.1.0-43", "", FINDING_OK },
	};

	return cr_make_param_array(struct kernel_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct kernel_case *row, doctor, net_cls_harms_old_kernels_only)
{
	char root[32];

	root_make(root);
	file_put(root, "proc/self/mounts", "cgroup /n cgroup rw,net_cls 0 0\n");
	file_put(root, "proc/sys/kernel/osrelease", row->release);
	file_put(root, "proc/sys/kernel/version", row->version);
	judge(root, "net-cls", row->status,
	      row->status == FINDING_OK ? "harmless on this kernel" : "mounted at /n");
	root_remove(root);
}

Test(doctor, a_kernel_that_mixes_up_jobs_is_not_fit)
{
	char root[32];

	root_make(root);
	judge(root, "job-slot", FINDING_UNKNOWN, "not known");
	file_put(root, "proc/sys/kernel/osrelease", "5.10.0-8-amd64\n");
	file_put(root, "proc/sys/kernel/version", "#1 SMP Debian 5.10.46-4 (2021-08-03)\n");
	judge(root, "job-slot", FINDING_UNFIT,
	      "no: 5.10.46 may judge a job's packets by another job's policy");
	file_put(root, "proc/sys/kernel/version", "#1 SMP Debian 5.10.70-1 (2021-09-30)\n");
	judge(root, "job-slot", FINDING_OK, "yes");
	file_put(root, "proc/sys/kernel/osrelease", "5.13.0-40-lowlatency\n");
	file_put(root, "proc/sys/kernel/version", "#45-Ubuntu SMP PREEMPT Tue Mar 29 2022\n");
	file_put(root, "proc/version_signature", "Ubuntu 5.13.0-40.45-lowlatency 5.13.19\n");
	judge(root, "job-slot", FINDING_UNFIT,
	      "no: 5.13.19 may let packets pass unjudged when it is busy");
	root_remove(root);
}

#define RELEASE		"9.9.9-test"
#define ALIASES		"lib/modules/" RELEASE "/modules.alias"
#define PROTOCOLS	"protocol  size sockets  memory press maxhdr  slab module\n"

static void kernel_with_modules(char *root)
{
	root_make(root);
	file_put(root, "proc/net/protocols", PROTOCOLS "TCP 2304 1 171 no 192 yes kernel\n");
	file_put(root, "proc/modules", "");
	file_put(root, "proc/sys/kernel/osrelease", RELEASE "\n");
}

Test(doctor, a_family_that_passes_no_hook_is_seen)
{
	char root[32];

	root_make(root);
	judge(root, "socket-families", FINDING_UNKNOWN,
	      "not known: no /proc, or no /lib/modules of it");
	/* A kernel without modules. */
	file_put(root, "proc/net/protocols", PROTOCOLS "TCPv6 2432 0 171 no 192 yes kernel\n");
	judge(root, "socket-families", FINDING_OK, "none");
	file_put(root, "proc/net/protocols", PROTOCOLS
		 "SMC6 1 0 -1 NI 0 yes smc\nRDS 1 0 -1 NI 0 yes kernel\n");
	judge(root, "socket-families", FINDING_WARNING, "RDS is there");
	/* One with modules, of which nothing can be read. */
	file_put(root, "proc/modules", "");
	file_put(root, "proc/net/protocols", PROTOCOLS);
	judge(root, "socket-families", FINDING_UNKNOWN,
	      "not known: no /proc, or no /lib/modules of it");
	root_remove(root);
}

struct modprobe_case {
	char line[64];
	bool off;
};

ParameterizedTestParameters(doctor, a_line_of_modprobe_d_turns_a_family_off)
{
	static struct modprobe_case cases[] = {
		{ "# alias net-pf-24-proto-1 off", false },
		{ "alias net-pf-24 off", false },
		{ "alias net-pf-24-proto-1 off", true },
		{ "alias net_pf_24_proto_1 off # why", true },
		{ "  alias\tnet-pf-24* off", true },
		{ "alias net-pf-2?-proto-* off", true },
		{ "alias net-pf-24-proto-1 pppox", false },
		{ "alias net-pf-24-proto-1", false },
		{ "blacklist l2tp-ppp", true },
		{ "blacklist l2tp_core", false },
		{ "blacklist", false },
		{ "install l2tp_ppp /bin/false", true },
		{ "install l2tp_ppp /usr/bin/true", true },
		{ "install l2tp_ppp true", true },
		{ "install l2tp_ppp /sbin/modprobe -i l2tp_ppp", false },
		{ "install pppoe /bin/false", false },
		{ "options l2tp_ppp off", false },
	};

	return cr_make_param_array(struct modprobe_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct modprobe_case *row, doctor, a_line_of_modprobe_d_turns_a_family_off)
{
	char root[32];

	kernel_with_modules(root);
	file_put(root, ALIASES,
		 "# Aliases\nalias net-pf-24-proto-1 l2tp_ppp\nalias net-pf-1 unix\n");
	judge(root, "socket-families", FINDING_WARNING, "loaded on demand: l2tp_ppp");
	file_put(root, "etc/modprobe.d/ours", "alias * off\n");
	file_put(root, "lib/modprobe.d/ours.conf", row->line);
	if (row->off)
		judge(root, "socket-families", FINDING_OK, "none");
	else
		judge(root, "socket-families", FINDING_WARNING, "loaded on demand: l2tp_ppp");
	root_remove(root);
}

/* One name is not enough: L2TP is loaded by its netlink commands, too. */
Test(doctor, a_family_is_off_when_all_its_names_are)
{
	char root[32];

	kernel_with_modules(root);
	file_put(root, ALIASES,
		 "alias net-pf-24-proto-1 l2tp_ppp\nalias net-l2tp-type-7 l2tp_ppp\n");
	file_put(root, "etc/modprobe.d/a.conf", "alias net-pf-24-proto-* off\n");
	judge(root, "socket-families", FINDING_WARNING, "loaded on demand: l2tp_ppp");
	file_put(root, "run/modprobe.d/b.conf", "\nalias net-l2tp-type-7 off\n");
	judge(root, "socket-families", FINDING_OK, "none");
	file_put(root, ALIASES, "alias net-pf-21 rds\nalias net-pf-43 smc\nalias net-pf-41 kcm\n");
	file_put(root, "proc/net/protocols", PROTOCOLS "KCM 1 0 -1 NI 0 yes kcm\n");
	judge(root, "socket-families", FINDING_WARNING, "KCM is there, loaded on demand: rds, smc");
	root_remove(root);
}

/* What `make install` puts in place; the assembler reads it. */
extern const char modprobe_conf[];
__asm__(".pushsection .rodata\n"
	"modprobe_conf: .incbin \"userspace/modprobe/buildfence.conf\"\n"
	".byte 0\n"
	".popsection\n");

/* The names in Debian's 5.10, 6.1, 6.12 and 7.3, and of what Debian leaves out. */
Test(doctor, what_is_installed_turns_every_family_off)
{
	static const char *const aliases[] = {
		"net-pf-24-proto-1 l2tp_ppp", "net-l2tp-type-7 l2tp_ppp", "net-pf-24-proto-0 pppoe",
		"net-pf-24-proto-2 pptp", "net-pf-21 rds", "net-pf-33 rxrpc", "net-pf-30 tipc",
		"net-pf-41 kcm", "net-pf-43 smc", "net-pf-2-proto-256-type-1 smc",
		"net-pf-10-proto-256-type-1 smc", "net-pf-16-proto-16-family-SMC_GEN_NETLINK smc",
		"net-pf-3 ax25", "net-pf-5 appletalk", "net-pf-6 netrom", "net-pf-8 atm",
		"net-pf-20 atm", "net-pf-9 x25", "net-pf-11 rose", "net-pf-12 decnet",
		"net-pf-26 llc2", "net-pf-32 af_iucv", "net-pf-34 mISDN_core", "net-pf-35 phonet",
		"net-pf-36 ieee802154_socket", "net-pf-37 caif_socket", "net-pf-39 nfc",
		"net-pf-16-proto-16-family-nfc nfc", "net-pf-42 qrtr", "net-pf-45 mctp",
	};
	char root[32], line[128], found[96];

	kernel_with_modules(root);
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
		snprintf(line, sizeof(line), "alias %s\n", aliases[i]);
		snprintf(found, sizeof(found), "loaded on demand: %s", strchr(aliases[i], ' ') + 1);
		file_put(root, ALIASES, line);
		judge(root, "socket-families", FINDING_WARNING, found);
		file_put(root, "etc/modprobe.d/buildfence.conf", modprobe_conf);
		judge(root, "socket-families", FINDING_OK, "none");
		file_put(root, "etc/modprobe.d/buildfence.conf", "");
	}
	root_remove(root);
}

Test(doctor, an_agents_rights_are_found)
{
	char root[32];

	root_make(root);
	file_put(root, "etc/systemd/system/vsts.agent.c.p.a.service",
		 "[Service]\nUser=azp\nWorkingDirectory=/opt/agent\n");
	file_put(root, "opt/agent/.proxy", "http://192.0.2.1:3128\n");
	file_put(root, "etc/group", "docker:x:5:azp\nsudo:x:6:azp\n");
	file_put(root, "etc/sudoers",
		 "Defaults x\n# azp\n%sudo ALL=(ALL) ALL\nroot ALL=(ALL) ALL\n");
	file_put(root, "etc/sudoers.d/azp", "azp ALL=(ALL) NOPASSWD: ALL\n");
	file_put(root, "etc/sudoers.d/azp.bak", "azp ALL=(ALL) NOPASSWD: ALL\n");
	file_put(root, "run/docker.sock", "");
	judge(root, "agent-sudo", FINDING_WARNING,
	      "azp by '%sudo' in /etc/sudoers, azp by 'azp' in /etc/sudoers.d/azp");
	judge(root, "docker-socket", FINDING_WARNING, "azp by group docker");
	judge(root, "agent-proxy", FINDING_WARNING, "/opt/agent/.proxy");
	judge(root, "agent-ptrace", FINDING_WARNING, "allowed: no Yama");
	file_put(root, "proc/sys/kernel/yama/ptrace_scope", "0\n");
	judge(root, "agent-ptrace", FINDING_WARNING, "allowed: kernel.yama.ptrace_scope is 0");
	file_put(root, "proc/sys/kernel/yama/ptrace_scope", "1\n");
	judge(root, "agent-ptrace", FINDING_OK, "no");
	root_remove(root);
}

Test(doctor, a_link_does_not_lead_out_of_the_root)
{
	char root[32], link[64];

	root_make(root);
	file_put(root, "etc/nsswitch.conf", "hosts: files\n");
	file_put(root, "run/resolv.conf", "nameserver 192.0.2.7\n");
	snprintf(link, sizeof(link), "%s/etc/resolv.conf", root);
	cr_assert_eq(symlink("/run/resolv.conf", link), 0);
	judge(root, "dns-resolvers", FINDING_OK, "192.0.2.7");
	root_remove(root);
}

/* What holds a job that became root, or notices it, is not built: nobody may rely on it. */
Test(doctor, a_job_with_root_is_promised_to_be_neither_held_nor_reported)
{
	static const char *const ids[] = { "agents", "agent-sudo" };

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		const struct check *check = check_get(ids[i]);

		cr_assert(check);
		cr_expect(strstr(check->means, "disarm the guard, and nothing reports that"), "%s",
			  check->means);
		cr_expect_null(strstr(check->means, "LSM"));
	}
}
