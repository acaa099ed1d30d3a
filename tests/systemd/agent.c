/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A stand-in for Azure Pipelines' agent: its programs, each under its own name, its tree of
 * processes, its environments. One program that is told by its name what to do:
 *
 *   node AgentService.js		starts bin/Agent.Listener run, and passes SIGINT on
 *   Agent.Listener run			takes jobs from the folder `queue`: NAME.job to NAME.taken
 *   Agent.Worker spawnclient IN OUT	one a job, which it reads from IN
 *   Agent.PluginHost task		its first direct child, as for a checkout
 *   node HANDLER.js			runs the job's step, a shell script
 *
 * A job is a file of NAME=VALUE lines, the environment of its steps; STEP names the script. Results
 * stand in NAME.log and, once the job is over, its status in NAME.done. What the worker's first
 * instruction met stands there too: a forbidden connection, before anything else is done.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOB_BYTES	8192

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static pid_t start(char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		execv(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	return pid;
}

static int status_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 127;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* What AgentService.js does, and what a task's handler does. */
static int node(char *script)
{
	char *listener[] = { "bin/Agent.Listener", "run", "--startuptype", "service", NULL };
	char *step[] = { "/bin/bash", "-e", getenv("STEP"), NULL };
	pid_t pid;

	if (!strstr(script, "AgentService.js"))
		return status_of(start(step));
	pid = start(listener);
	while (!stop && waitpid(pid, NULL, WNOHANG) == 0)
		usleep(50000);
	kill(pid, SIGINT);
	return status_of(pid);
}

/* As JobDispatcher: a worker that gets its job through a pipe. */
static void dispatch(const char *name)
{
	char in[16], out[16], path[600], taken[600], text[JOB_BYTES];
	int down[2], up[2], file;
	ssize_t length;
	char *worker[] = { "bin/Agent.Worker", "spawnclient", in, out, NULL };

	snprintf(path, sizeof(path), "queue/%s", name);
	snprintf(taken, sizeof(taken), "queue/%.*s.taken", (int)strlen(name) - 4, name);
	if (rename(path, taken) || pipe(down) || pipe(up))
		return;
	snprintf(in, sizeof(in), "%d", down[0]);
	snprintf(out, sizeof(out), "%d", up[1]);
	fcntl(down[1], F_SETFD, FD_CLOEXEC);
	fcntl(up[0], F_SETFD, FD_CLOEXEC);
	start(worker);
	file = open(taken, O_RDONLY | O_CLOEXEC);
	length = read(file, text, sizeof(text));
	dprintf(down[1], "%.*s\n", (int)strlen(name) - 4, name);
	if (write(down[1], text, length > 0 ? length : 0) != length)
		perror(taken);
	close(file);
	close(down[0]);
	close(down[1]);
	close(up[0]);
	close(up[1]);
}

static int listener(void)
{
	while (!stop) {
		DIR *queue = opendir("queue");
		struct dirent *entry;

		while (queue && (entry = readdir(queue)))
			if (strlen(entry->d_name) > 4 &&
			    !strcmp(entry->d_name + strlen(entry->d_name) - 4, ".job"))
				dispatch(entry->d_name);
		if (queue)
			closedir(queue);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		usleep(50000);
	}
	return 0;
}

static int first_instruction(void)
{
	struct sockaddr_in evil = { .sin_family = AF_INET, .sin_port = htons(80) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	inet_pton(AF_INET, "203.0.113.66", &evil.sin_addr);
	return connect(fd, (struct sockaddr *)&evil, sizeof(evil)) ? errno : 0;
}

/* Appends a line to queue/NAME.SUFFIX. */
static void result(const char *name, const char *suffix, const char *text, int number)
{
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "queue/%s.%s", name, suffix);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	dprintf(fd, "%s%d\n", text, number);
	close(fd);
}

static int worker(int in)
{
	int met = first_instruction();
	char *plugin[] = { "bin/Agent.PluginHost", "task", NULL };
	char *handler[] = { "externals/node20_1/bin/node", "handler.js", NULL };
	static char text[JOB_BYTES];
	char log[600], *name, *line, *rest;
	size_t length = 0;
	ssize_t got;
	int status;

	while (length < sizeof(text) - 1 &&
	       (got = read(in, text + length, sizeof(text) - 1 - length)) > 0)
		length += got;
	/* .NET's own start takes longer than this. */
	usleep(500000);
	name = strtok_r(text, "\n", &rest);
	result(name, "log", "first instruction: error ", met);
	while ((line = strtok_r(NULL, "\n", &rest)))
		putenv(line);
	snprintf(log, sizeof(log), "queue/%s.log", name);
	if (!freopen(log, "a", stdout) || !freopen(log, "a", stderr))
		return 1;
	status = status_of(start(plugin));
	if (status == 0)
		status = status_of(start(handler));
	result(name, "done", "", status);
	return 0;
}

int main(int argc, char **argv)
{
	const char *name = basename(strdup(argv[0]));

	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	if (!strcmp(name, "Agent.Worker") && argc > 2)
		return worker(atoi(argv[2]));
	if (!strcmp(name, "Agent.Listener"))
		return listener();
	if (!strcmp(name, "Agent.PluginHost"))
		return 0;
	if (!strcmp(name, "node") && argc > 1)
		return node(argv[1]);
	return 2;
}
