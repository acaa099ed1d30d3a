/* SPDX-License-Identifier: GPL-2.0 */
/* Running the checks, and the machine that they look at. The checks are in tables, by subject. */
#include "doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "job/cgroup.h"

int machine_open(const char *root, struct machine *ret_machine)
{
	*ret_machine = (struct machine){
		.root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.live = !strcmp(root, "/"),
	};
	if (ret_machine->root_fd < 0)
		return -errno;
	ret_machine->cgroup_error = cgroup_make("doctor", false, &ret_machine->cgroup);
	return 0;
}

void machine_close(struct machine *machine)
{
	close_fd(&machine->root_fd);
	if (!machine->cgroup)
		return;
	/* A process that ended may count as there for a moment longer. */
	cgroup_kill(machine->cgroup->fd, 2000);
	cgroup_remove(machine->cgroup->parent_fd, machine->cgroup->name);
	cgroup_free(machine->cgroup);
}

int machine_fd(const struct machine *machine, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC), .resolve = RESOLVE_IN_ROOT,
	};
	long fd;

	/* Containers may forbid openat2(); "/" needs no confinement. */
	if (machine->live)
		fd = openat(machine->root_fd, path, flags | O_CLOEXEC);
	else
		fd = syscall(SYS_openat2, machine->root_fd, path, &how, sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

FILE *machine_file(const struct machine *machine, const char *path)
{
	int fd = machine_fd(machine, path, O_RDONLY);
	FILE *file;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	file = fdopen(fd, "r");
	if (!file)
		close(fd);
	return file;
}

void finding_add(struct finding *finding, enum finding_status status, const char *format, ...)
{
	_cleanup_free_ char *part = NULL;
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vasprintf(&part, format, arguments);
	va_end(arguments);
	if (status > finding->status)
		finding->status = status;
	if (len < 0) {
		part = NULL;
		finding->found.failed = true;
		return;
	}
	text_printf(&finding->found, "%s%s", finding->found.len ? ", " : "", part);
}

void doctor_run(const struct machine *machine, finding_fn take, void *context)
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

	kernel_run(machine, take, context);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		for (size_t j = 0; j < tables[i].count; j++) {
			struct finding finding = {};

			tables[i].checks[j].judge(machine, &finding);
			take(&tables[i].checks[j], &finding, context);
			text_free(&finding.found);
		}
	}
}
