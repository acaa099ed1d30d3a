/* SPDX-License-Identifier: GPL-2.0 */
/*
 * features OBJECT CGROUP: which programs of features.bpf.o this kernel takes, a line for each:
 *
 *   seen kernel-packet-comm no
 *
 * A program for LSM must also be called: it is attached to the cgroup, which a process enters.
 * Shares no code with the guard's own probes, since it is what they are compared with.
 */
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

/* Is a socket refused to a process that enters the cgroup? */
static int is_called(const struct bpf_program *program, const char *cgroup)
{
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY);
	struct bpf_link *link = bpf_program__attach_cgroup(program, fd);
	int status = -1;
	pid_t pid;

	if (!link)
		return 0;
	pid = fork();
	if (!pid) {
		int procs = openat(fd, "cgroup.procs", O_WRONLY);

		if (procs < 0 || write(procs, "0", 1) != 1)
			_exit(2);
		_exit(socket(AF_UNIX, SOCK_DGRAM, 0) < 0 ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	bpf_link__destroy(link);
	close(fd);
	return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

/* Loads the index-th program alone. Returns 0 when there is none. */
static int feature_see(const char *path, const char *cgroup, int index)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program, *chosen = NULL;
	int i = 0, has;

	if (!object)
		exit(1);
	bpf_object__for_each_program(program, object) {
		bpf_program__set_autoload(program, i == index);
		if (i++ == index)
			chosen = program;
	}
	if (chosen) {
		has = !bpf_object__load(object);
		if (has && bpf_program__type(chosen) == BPF_PROG_TYPE_LSM)
			has = is_called(chosen, cgroup);
		printf("seen ");
		for (const char *c = bpf_program__name(chosen); *c; c++)
			putchar(*c == '_' ? '-' : *c);
		printf(" %s\n", has ? "yes" : "no");
	}
	bpf_object__close(object);
	return chosen != NULL;
}

int main(int argc, char **argv)
{
	int i = 0;

	if (argc != 3)
		return 64;
	libbpf_set_print(quiet);
	while (feature_see(argv[1], argv[2], i))
		i++;
	return 0;
}
