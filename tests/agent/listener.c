/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stands in for Agent.Listener: takes jobs from a folder and starts a worker for each, from a
 * thread of its own, as .NET does. The agent's folder is the current one. See install for the form
 * of jobs.
 *
 *   bin/Agent.Listener run [--once] [--parallel N] [--startuptype KIND]
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX	1024

struct job {
	pthread_t thread;
	char name[128];
	volatile pid_t worker;
	volatile bool done;
	bool used;
};

static struct job jobs[JOBS_MAX];
static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

/* The job's file, behind a line with its name. Memory to free, or NULL. */
static char *message_read(const struct job *job)
{
	char path[256], *text = calloc(1, 1 << 20);
	FILE *file;
	int length;

	snprintf(path, sizeof(path), "jobs/%s.running", job->name);
	file = fopen(path, "re");
	if (!file || !text) {
		free(text);
		return NULL;
	}
	length = snprintf(text, 256, "name=%s\n", job->name);
	if (fread(text + length, 1, (1 << 20) - 512, file) == 0)
		fprintf(stderr, "%s: empty\n", path);
	fclose(file);
	return text;
}

/* What the worker must know before it can read anything: it is in its environment. */
static void first_set(const char *message)
{
	const char *first = strstr(message, "\nfirst=");
	char target[64];

	if (!first || sscanf(first, "\nfirst=%63[^\n]", target) != 1)
		unsetenv("FIRST_CONNECT");
	else
		setenv("FIRST_CONNECT", target, 1);
}

static void worker_exec(const int to[2], const int from[2], const char *message)
{
	char in[16], out[16];

	snprintf(in, sizeof(in), "%d", to[0]);
	snprintf(out, sizeof(out), "%d", from[1]);
	fcntl(to[0], F_SETFD, 0);
	fcntl(from[1], F_SETFD, 0);
	signal(SIGPIPE, SIG_DFL);
	first_set(message);
	if (!chdir("bin"))
		execl("./Agent.Worker", "./Agent.Worker", "spawnclient", in, out, NULL);
	perror("bin/Agent.Worker");
	_exit(127);
}

static int worker_run(struct job *job)
{
	char *message = message_read(job), byte;
	int to[2], from[2], status = 0;
	size_t length, at = 0;
	ssize_t piece;

	if (!message || pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC)) {
		free(message);
		return -1;
	}
	job->worker = fork();
	if (!job->worker)
		worker_exec(to, from, message);
	close(to[0]);
	close(from[1]);
	for (length = strlen(message); at < length; at += (size_t)piece) {
		piece = write(to[1], message + at, length - at);
		if (piece <= 0)
			break;
	}
	close(to[1]);
	while (read(from[0], &byte, 1) > 0)
		;
	close(from[0]);
	free(message);
	while (waitpid(job->worker, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void *job_run(void *argument)
{
	struct job *job = argument;
	char made[256], path[256];
	FILE *file;
	int status;

	prctl(PR_SET_NAME, ".NET TP Worker");
	status = worker_run(job);
	snprintf(made, sizeof(made), "jobs/.%s", job->name);
	snprintf(path, sizeof(path), "jobs/%s.done", job->name);
	file = fopen(made, "we");
	if (file) {
		fprintf(file, "%d\n", status);
		fclose(file);
		rename(made, path);
	}
	snprintf(path, sizeof(path), "jobs/%s.running", job->name);
	unlink(path);
	job->done = true;
	return NULL;
}

static void job_start(struct job *job, const char *file)
{
	char from[300], to[300];

	snprintf(job->name, sizeof(job->name), "%.*s", (int)(strlen(file) - strlen(".job")), file);
	snprintf(from, sizeof(from), "jobs/%s", file);
	snprintf(to, sizeof(to), "jobs/%s.running", job->name);
	if (rename(from, to))
		return;
	job->worker = 0;
	job->done = false;
	job->used = !pthread_create(&job->thread, NULL, job_run, job);
}

static struct job *job_free(unsigned int parallel)
{
	for (unsigned int i = 0; i < parallel; i++) {
		if (!jobs[i].used)
			return &jobs[i];
	}
	return NULL;
}

/* Starts what waits; with `once`, one. Returns how many. */
static unsigned int jobs_take(unsigned int parallel, bool once)
{
	DIR *folder = opendir("jobs");
	unsigned int started = 0;
	struct dirent *entry;
	struct job *job;

	while (folder && (entry = readdir(folder)) && !(once && started)) {
		size_t length = strlen(entry->d_name);

		if (entry->d_name[0] == '.' || length < 5 || length > 100 ||
		    strcmp(entry->d_name + length - 4, ".job"))
			continue;
		job = job_free(parallel);
		if (!job)
			break;
		job_start(job, entry->d_name);
		started += job->used;
	}
	if (folder)
		closedir(folder);
	return started;
}

/* Joins those that have ended; returns how many still run. */
static unsigned int jobs_join(void)
{
	unsigned int running = 0;

	for (unsigned int i = 0; i < JOBS_MAX; i++) {
		if (jobs[i].used && jobs[i].done) {
			pthread_join(jobs[i].thread, NULL);
			jobs[i].used = false;
		}
		running += jobs[i].used;
	}
	return running;
}

int main(int argc, char **argv)
{
	const char *environment = getenv("STANDIN_PARALLEL");
	struct sigaction action = { .sa_handler = stop };
	unsigned int parallel = environment ? (unsigned int)atoi(environment) : 1, taken = 0;
	bool once = false;

	for (int i = 1; i < argc; i++) {
		once |= !strcmp(argv[i], "--once");
		if (!strcmp(argv[i], "--parallel") && argv[i + 1])
			parallel = (unsigned int)atoi(argv[++i]);
	}
	parallel = parallel < 1 ? 1 : parallel > JOBS_MAX ? JOBS_MAX : parallel;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	puts("Listening for Jobs");
	fflush(stdout);
	while (!stopped && !(once && taken)) {
		taken += jobs_take(parallel, once);
		jobs_join();
		usleep(20000);
	}
	while (jobs_join()) {
		for (unsigned int i = 0; stopped && i < JOBS_MAX; i++) {
			if (jobs[i].used && jobs[i].worker > 0 && !jobs[i].done)
				kill(jobs[i].worker, SIGINT);
		}
		usleep(20000);
	}
	return 0;
}
