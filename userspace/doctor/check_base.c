/* SPDX-License-Identifier: GPL-2.0 */
/* What the guard stands on: rights, cgroups, the bpf file system, others' settings and programs. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <mntent.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/kernel_version.h"
#include "doctor/doctor.h"
#include "guard/guard.h"
#include "guard/slot_flaw.h"
#include "job/cgroup.h"

#define BASE_GROUP	"System"
#define LINE_SIZE	256

static void privileges_judge(const struct machine *machine, struct finding *finding)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} needed[] = {
		{ CAP_BPF, "CAP_BPF" }, { CAP_NET_ADMIN, "CAP_NET_ADMIN" },
		{ CAP_PERFMON, "CAP_PERFMON" },
	};
	_cleanup_fclose_ FILE *file = machine_file(machine, "proc/self/status");
	_cleanup_free_ char *line = NULL;
	uint64_t effective;
	size_t size = 0;

	while (file && getline(&line, &size, file) >= 0) {
		if (sscanf(line, "CapEff: %" SCNx64, &effective) != 1)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
			if (!(effective & (1ULL << needed[i].bit | 1ULL << CAP_SYS_ADMIN)))
				finding_add(finding, FINDING_UNFIT, "no %s", needed[i].name);
		}
		if (!finding->status)
			finding_add(finding, FINDING_OK, "yes");
	}
	if (!finding->status)
		finding_add(finding, FINDING_UNKNOWN, "/proc/self/status cannot be read");
}

static void cgroup2_judge(const struct machine *machine, struct finding *finding)
{
	_cleanup_fclose_ FILE *mounts = machine_file(machine, "proc/self/mounts");
	_cleanup_free_ char *path = NULL;
	struct mntent entry;
	char buffer[4096 + 256];
	bool v1 = false;

	if (!mounts) {
		finding_add(finding, FINDING_UNKNOWN, "/proc/self/mounts cannot be read");
		return;
	}
	if (cgroup_mount_find(mounts, &path)) {
		finding_add(finding, FINDING_UNFIT, "not mounted");
		return;
	}
	if (fseek(mounts, 0, SEEK_SET)) {
		finding_add(finding, FINDING_UNKNOWN, "/proc/self/mounts cannot be read again");
		return;
	}
	while (getmntent_r(mounts, &entry, buffer, sizeof(buffer)))
		v1 |= !strcmp(entry.mnt_type, "cgroup");
	finding_add(finding, FINDING_OK, "%s, %s", path, v1 ? "v1 beside it" : "alone");
}

static void own_cgroup_judge(const struct machine *machine, struct finding *finding)
{
	if (machine->cgroup)
		finding_add(finding, FINDING_OK, "yes");
	else
		finding_add(finding, FINDING_UNFIT, "%s", strerror(-machine->cgroup_error));
}

static void bpffs_judge(const struct machine *machine, struct finding *finding)
{
	_cleanup_fclose_ FILE *mounts = machine_file(machine, "proc/self/mounts");
	struct mntent entry;
	char buffer[4096 + 256], trial[64];
	bool mounted = false;

	while (mounts && getmntent_r(mounts, &entry, buffer, sizeof(buffer)))
		mounted |= !strcmp(entry.mnt_type, "bpf") && !strcmp(entry.mnt_dir, "/sys/fs/bpf");
	snprintf(trial, sizeof(trial), "/sys/fs/bpf/buildfence-doctor-%d", getpid());
	if (!mounted)
		finding_add(finding, FINDING_WARNING, "not mounted");
	else if (!machine->live)
		finding_add(finding, FINDING_OK, "/sys/fs/bpf");
	else if (mkdir(trial, 0700))
		finding_add(finding, FINDING_UNFIT, "/sys/fs/bpf: %s", strerror(errno));
	else if (!rmdir(trial))
		finding_add(finding, FINDING_OK, "/sys/fs/bpf, pins can be made");
}

/* The nearest cgroup above the one made here that forbids others' programs below it. */
static void exclusive_judge(const struct machine *machine, struct finding *finding)
{
	_cleanup_free_ char *blocker = NULL;

	if (!machine->cgroup) {
		finding_add(finding, FINDING_UNKNOWN, "not known: no cgroup could be made");
		return;
	}
	blocker = guard_blocker_find(machine->cgroup->fd);
	if (blocker)
		finding_add(finding, FINDING_UNFIT, "%s", blocker);
	else
		finding_add(finding, FINDING_OK, "none seen");
}

static void unprivileged_judge(const struct machine *machine, struct finding *finding)
{
	_cleanup_fclose_ FILE *file =
		machine_file(machine, "proc/sys/kernel/unprivileged_bpf_disabled");
	int value;

	if (!file || fscanf(file, "%d", &value) != 1)
		finding_add(finding, FINDING_UNKNOWN, "not known");
	else if (!value)
		finding_add(finding, FINDING_WARNING, "allowed");
	else
		finding_add(finding, FINDING_OK, "no");
}

static void lsm_list_judge(const struct machine *machine, struct finding *finding)
{
	_cleanup_fclose_ FILE *file = machine_file(machine, "sys/kernel/security/lsm");
	_cleanup_free_ char *line = NULL;
	char *rest, *word;
	size_t size = 0;

	if (!file || getline(&line, &size, file) < 0) {
		finding_add(finding, FINDING_UNKNOWN, "not known: securityfs cannot be read");
		return;
	}
	line[strcspn(line, "\n")] = '\0';
	rest = line;
	while ((word = strsep(&rest, ","))) {
		if (!strcmp(word, "bpf")) {
			finding_add(finding, FINDING_OK, "yes");
			return;
		}
	}
	finding_add(finding, FINDING_OK, "no");
}

/* The first line of a file, "" without one, and without its end. */
static void line_read(const struct machine *machine, const char *path, char *ret_line, int size)
{
	_cleanup_fclose_ FILE *file = machine_file(machine, path);

	if (!file || !fgets(ret_line, size, file))
		ret_line[0] = '\0';
	ret_line[strcspn(ret_line, "\n")] = '\0';
}

/* `ret_text` gets what uname(2) calls version. */
static int kernel_read(const struct machine *machine, struct kernel_version *ret_kernel,
		       char ret_text[static LINE_SIZE])
{
	char release[LINE_SIZE], signature[LINE_SIZE];

	line_read(machine, "proc/sys/kernel/osrelease", release, sizeof(release));
	line_read(machine, "proc/sys/kernel/version", ret_text, LINE_SIZE);
	line_read(machine, "proc/version_signature", signature, sizeof(signature));
	return kernel_version_read(release, ret_text, signature, ret_kernel);
}

static void job_slot_judge(const struct machine *machine, struct finding *finding)
{
	struct kernel_version kernel;
	char text[LINE_SIZE];
	const char *flaw;

	if (kernel_read(machine, &kernel, text)) {
		finding_add(finding, FINDING_UNKNOWN, "not known");
		return;
	}
	flaw = slot_flaw(&kernel, text);
	if (flaw)
		finding_add(finding, FINDING_UNFIT, "no: %u.%u.%u %s", kernel.major, kernel.minor,
			    kernel.patch, flaw);
	else
		finding_add(finding, FINDING_OK, "yes");
}

/*
 * Only a kernel that loses sockets' cgroups is meant. Its flaw cannot be tried: using net_cls once
 * breaks it until the next boot. So here the version decides, as for job-slot; what is broken
 * already is found by kernel-socket-cgroup.
 */
static void net_cls_judge(const struct machine *machine, struct finding *finding)
{
	_cleanup_fclose_ FILE *mounts = machine_file(machine, "proc/self/mounts");
	struct kernel_version kernel;
	struct mntent entry;
	char buffer[4096 + 256], text[LINE_SIZE];

	if (!mounts || kernel_read(machine, &kernel, text)) {
		finding_add(finding, FINDING_UNKNOWN, "not known");
		return;
	}
	if (!kernel_version_is_before(&kernel, 5, 15) ||
	    (kernel.major == 5 && kernel.minor == 10 && kernel.patch >= 262)) {
		finding_add(finding, FINDING_OK, "harmless on this kernel");
		return;
	}
	while (getmntent_r(mounts, &entry, buffer, sizeof(buffer))) {
		if (!strcmp(entry.mnt_type, "cgroup") &&
		    (hasmntopt(&entry, "net_cls") || hasmntopt(&entry, "net_prio")))
			finding_add(finding, FINDING_WARNING, "mounted at %s", entry.mnt_dir);
	}
	if (!finding->status)
		finding_add(finding, FINDING_OK, "not mounted");
}

const struct check base_checks[] = {
	{ "privileges", BASE_GROUP, "rights to load programs", privileges_judge,
	  "nothing can be loaded or attached, and other checks could not be made",
	  "run as root; in a container add CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN or use the host" },
	{ "cgroup2", BASE_GROUP, "cgroup v2", cgroup2_judge,
	  "a job is a cgroup of version 2: without one nothing can be guarded",
	  "mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified, or boot with "
	  "systemd.unified_cgroup_hierarchy=1" },
	{ "own-cgroup", BASE_GROUP, "a cgroup can be made below this one", own_cgroup_judge,
	  "`run` cannot make a job's cgroup",
	  "run as root with a writable cgroup2; in a container mount it read-write" },
	{ "bpffs", BASE_GROUP, "bpf file system for pins", bpffs_judge,
	  "without pins the guard would end with its process; as root buildfence mounts it by itself",
	  "mount -t bpf bpf /sys/fs/bpf, and run as root" },
	{ "exclusive-programs", BASE_GROUP, "others' programs that forbid ours", exclusive_judge,
	  "that cgroup has a program attached with flags 0: none can be attached below it",
	  "`bpftool cgroup show PATH` names the program; have its owner attach it with the multi flag "
	  "or a link" },
	{ "unprivileged-bpf", BASE_GROUP, "BPF for everyone", unprivileged_judge,
	  "any job may load programs of its own: no way past the guard, but a wide way into the kernel",
	  "sysctl kernel.unprivileged_bpf_disabled=1" },
	{ "lsm-list", BASE_GROUP, "bpf in the kernel's list of security modules (not used)",
	  lsm_list_judge, "", "" },
	{ "job-slot", BASE_GROUP, "programs are told which job they judge", job_slot_judge,
	  "bpf_get_local_storage() is flawed on this kernel, so the guard refuses to start",
	  SLOT_FLAW_FIX },
	{ "net-cls", BASE_GROUP, "net_cls and net_prio", net_cls_judge,
	  "this kernel may lose the cgroup of every new socket once they are used: jobs would not be "
	  "guarded",
	  "update the kernel, or boot with cgroup_no_v1=net_cls,net_prio" },
};
const size_t base_check_count = ARRAY_SIZE(base_checks);
