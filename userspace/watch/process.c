/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading /proc. Every process may end between two reads, and its names are its owner's to choose:
 * who relies on them says why.
 */
#include "watch/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/directory.h"
#include "base/proc.h"

#define DELETED		" (deleted)"
/* Of the command line; the name stands at its beginning. */
#define ARGUMENTS_MAX	4096

int process_parse(const char *stat, struct process *ret_process)
{
	/* The name may hold spaces and parentheses: it ends at the last one. */
	const char *name = strchr(stat, '('), *end = strrchr(stat, ')');
	struct process process = {};
	size_t length;

	if (!name || !end || end < name || sscanf(stat, "%d", &process.pid) != 1 ||
	    sscanf(end + 1, " %c %d", &process.state, &process.parent) != 2)
		return -EINVAL;
	if (proc_start_parse(stat, &process.start_ticks))
		return -EINVAL;
	length = (size_t)(end - name) - 1;
	memcpy(process.comm, name + 1, length < PROCESS_COMM ? length : PROCESS_COMM - 1);
	*ret_process = process;
	return 0;
}

int process_look(pid_t pid, struct process *ret_process)
{
	char stat[1024];
	ssize_t length = proc_read(pid, "stat", stat, sizeof(stat));

	return length < 0 ? (int)length : process_parse(stat, ret_process);
}

void process_continue(pid_t pid, uint64_t start_ticks)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct process process;

	/* The descriptor stays this process's, whoever has its number then. */
	if (fd >= 0 && !process_look(pid, &process) && process.start_ticks == start_ticks)
		syscall(SYS_pidfd_send_signal, fd, SIGCONT, NULL, 0);
}

bool process_comm_is(const char comm[static PROCESS_COMM], const char *name)
{
	return !strncmp(comm, name, PROCESS_COMM - 1);
}

/* The last part of a path of `length` bytes. */
static bool path_ends_as(const char *path, size_t length, const char *name)
{
	const char *slash = memrchr(path, '/', length);
	const char *last = slash ? slash + 1 : path;
	size_t rest = (size_t)(path + length - last);

	return rest == strlen(name) && !memcmp(last, name, rest);
}

bool process_arguments_name(const char *arguments, size_t length, const char *name)
{
	bool first = true;

	while (length) {
		size_t argument = strnlen(arguments, length);
		bool whole = argument < length;

		if (whole && path_ends_as(arguments, argument, name))
			return true;
		if (!whole || (!first && *arguments != '-'))
			return false;
		first = false;
		arguments += argument + 1;
		length -= argument + 1;
	}
	return false;
}

static bool program_is(pid_t pid, const char *name)
{
	size_t mark = strlen(DELETED), length;
	char path[64], target[4096];
	ssize_t read;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	read = readlink(path, target, sizeof(target));
	if (read < 0)
		return false;
	length = (size_t)read;
	/* The agent updates itself while it runs. */
	if (length > mark && !memcmp(target + length - mark, DELETED, mark))
		length -= mark;
	return path_ends_as(target, length, name);
}

bool process_is(const struct process *process, const char *name)
{
	ssize_t length;
	char *arguments;
	bool is;

	if (process_comm_is(process->comm, name) || program_is(process->pid, name))
		return true;
	length = proc_memory_read(READER_SEARCH, process->pid, "cmdline", ARGUMENTS_MAX,
				  &arguments);
	is = length > 0 && process_arguments_name(arguments, (size_t)length, name);
	answer_free(arguments, length);
	return is;
}

struct children {
	process_fn call;
	void *context;
};

static bool child_look(pid_t pid, void *context)
{
	struct children *children = context;
	struct process child;

	return !process_look(pid, &child) && children->call(&child, children->context);
}

int process_children(pid_t pid, process_fn call, void *context)
{
	struct children children = { .call = call, .context = context };

	return proc_children(pid, child_look, &children);
}

int process_all(process_fn call, void *context)
{
	_cleanup_directory_ DIR *processes = NULL;
	struct dirent *entry;
	struct process process;
	int error = directory_open(AT_FDCWD, "/proc", &processes);

	if (error)
		return error;
	while ((entry = directory_next(processes))) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);

		if (pid <= 0 || *end || process_look((pid_t)pid, &process))
			continue;
		if (call(&process, context))
			break;
	}
	return 0;
}
