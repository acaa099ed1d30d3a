/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Families of sockets that pass no hook of a cgroup: which are there, and which any socket() would
 * load. What keeps them out is modprobe/buildfence.conf, which `make install` puts in place.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/directory.h"
#include "doctor/doctor.h"

#define SPACES		" \t\r\n"
#define WORD_SIZE	128

/* A module, and the name that its sockets have in /proc/net/protocols, also when it is built in. */
static const struct family {
	const char *module;
	const char *protocol;
} families[] = {
	{ "l2tp_ppp", "PPPOL2TP" },
	{ "pppoe", "PPPOE" },
	{ "pptp", "PPTP" },
	{ "rds", "RDS" },
	{ "rxrpc", "RXRPC" },
	{ "tipc", "TIPC" },
	{ "kcm", "KCM" },
	{ "smc", "SMC" },
	{ "ax25", "AX25" },
	{ "appletalk", "DDP" },
	{ "netrom", "NETROM" },
	{ "atm", "VCC" },
	{ "x25", "X25" },
	{ "rose", "ROSE" },
	{ "decnet", "NSP" },
	{ "llc2", "LLC" },
	{ "af_iucv", "AF_IUCV" },
	{ "mISDN_core", "misdn" },
	{ "phonet", "PHONET" },
	{ "ieee802154_socket", "IEEE-802.15.4-MAC" },
	{ "caif_socket", "CAIF" },
	{ "nfc", "NFC_RAW" },
	{ "qrtr", "QIPCRTR" },
	{ "mctp", "MCTP" },
};

/* What was found of each family. */
struct seen {
	bool open;
	bool loadable;
};

/* modprobe makes no difference between '-' and '_'. */
static bool name_matches(const char *pattern, const char *name)
{
	char texts[2][WORD_SIZE];

	snprintf(texts[0], sizeof(texts[0]), "%s", pattern);
	snprintf(texts[1], sizeof(texts[1]), "%s", name);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		for (char *byte = texts[i]; (byte = strchr(byte, '_')); byte++)
			*byte = '-';
	}
	return !fnmatch(texts[0], texts[1], 0);
}

/* `install MODULE /bin/false` and `/bin/true` are how hardening guides put it. */
static bool command_does_nothing(const char *command)
{
	const char *name = strrchr(command, '/');

	name = name ? name + 1 : command;
	return !strcmp(name, "false") || !strcmp(name, "true");
}

/* Does a line of modprobe.d(5) keep this alias from loading this module? */
static bool line_turns_off(char *line, const char *alias, const char *module)
{
	char *rest = line;
	const char *word = strtok_r(rest, SPACES, &rest), *name = strtok_r(rest, SPACES, &rest);
	const char *value = strtok_r(rest, SPACES, &rest);

	if (!name)
		return false;
	if (!strcmp(word, "blacklist"))
		return name_matches(name, module);
	if (!value)
		return false;
	if (!strcmp(word, "alias"))
		return !strcmp(value, "off") && name_matches(name, alias);
	return !strcmp(word, "install") && command_does_nothing(value) &&
	       name_matches(name, module);
}

static bool file_turns_off(const struct machine *machine, const char *path, const char *alias,
			   const char *module)
{
	_cleanup_fclose_ FILE *file = machine_file(machine, path);
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	while (file && getline(&line, &size, file) >= 0) {
		if (line_turns_off(line, alias, module))
			return true;
	}
	return false;
}

/* A file that another of the same name hides is read all the same. */
static bool is_turned_off(const struct machine *machine, const char *alias, const char *module)
{
	static const char *const folders[] = {
		"etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d",
		"usr/lib/modprobe.d", "lib/modprobe.d",
	};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		_cleanup_close_ int fd = machine_fd(machine, folders[i], O_RDONLY | O_DIRECTORY);
		_cleanup_directory_ DIR *directory = NULL;
		struct dirent *entry;

		if (fd < 0 || directory_open(fd, ".", &directory))
			continue;
		while ((entry = directory_next(directory))) {
			const char *end = strrchr(entry->d_name, '.');
			char path[300];

			snprintf(path, sizeof(path), "%s/%s", folders[i], entry->d_name);
			if (end && !strcmp(end, ".conf") &&
			    file_turns_off(machine, path, alias, module))
				return true;
		}
	}
	return false;
}

static int protocols_read(const struct machine *machine, struct seen *seen)
{
	_cleanup_fclose_ FILE *file = machine_file(machine, "proc/net/protocols");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	if (!file)
		return -errno;
	while (getline(&line, &size, file) >= 0) {
		line[strcspn(line, SPACES)] = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(families); i++)
			seen[i].open |= !strcmp(line, families[i].protocol);
	}
	return 0;
}

/* Lines "alias NAME MODULE", as depmod(8) wrote them for this kernel. Returns 0 or -errno. */
static int aliases_read(const struct machine *machine, struct seen *seen)
{
	_cleanup_fclose_ FILE *release_file = machine_file(machine, "proc/sys/kernel/osrelease");
	_cleanup_fclose_ FILE *file = NULL;
	_cleanup_free_ char *line = NULL;
	char path[256], release[WORD_SIZE], alias[WORD_SIZE], module[WORD_SIZE];
	size_t size = 0;

	if (!release_file || fscanf(release_file, "%127s", release) != 1)
		return -ENOENT;
	snprintf(path, sizeof(path), "lib/modules/%s/modules.alias", release);
	file = machine_file(machine, path);
	if (!file)
		return -errno;
	while (getline(&line, &size, file) >= 0) {
		if (sscanf(line, "alias %127s %127s", alias, module) != 2)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
			if (!seen[i].open && !seen[i].loadable &&
			    !strcmp(module, families[i].module))
				seen[i].loadable = !is_turned_off(machine, alias, module);
		}
	}
	return 0;
}

static void families_judge(const struct machine *machine, struct finding *finding)
{
	/* Without it the kernel loads no modules. */
	_cleanup_close_ int modules_fd = machine_fd(machine, "proc/modules", O_PATH);
	struct seen seen[ARRAY_SIZE(families)] = {};
	const char *title = "loaded on demand: ";
	int error = protocols_read(machine, seen);

	if (!error && modules_fd >= 0)
		error = aliases_read(machine, seen);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (seen[i].open)
			finding_add(finding, FINDING_WARNING, "%s is there", families[i].protocol);
	}
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (!seen[i].loadable)
			continue;
		finding_add(finding, FINDING_WARNING, "%s%s", title, families[i].module);
		title = "";
	}
	if (error && !finding->status)
		finding_add(finding, FINDING_UNKNOWN,
			    "not known: no /proc, or no /lib/modules of it");
	else if (!finding->status)
		finding_add(finding, FINDING_OK, "none");
}

const struct check family_checks[] = {
	{ "socket-families", "System", "sockets that pass no hook", families_judge,
	  "what a job sends by them is not judged: by L2TP and RDS it reaches any address",
	  "`make install` puts /etc/modprobe.d/buildfence.conf in place, which ends loading on demand; "
	  "unload what is there (rmmod), or boot a kernel without it" },
};
const size_t family_check_count = ARRAY_SIZE(family_checks);
