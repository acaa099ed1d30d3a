/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stands in for Agent.Worker: gets a job from the listener over a pipe, and runs Agent.PluginHost,
 * then each step with bash, with the variables of a real job in their environment. With
 * FIRST_CONNECT=ADDRESS:PORT (IPv4) in its own environment, it tries to connect there before it
 * does anything else: before its C library, in its first system calls. See install.
 *
 *   bin/Agent.Worker spawnclient FD FD
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEPS_MAX	32
#define MESSAGE_MAX	(1 << 20)
/* What a real worker ends with. */
#define SUCCEEDED	100
#define FAILED		102

/* 1: not asked to; 0 or -errno of connect(); -EINPROGRESS: under way, so it was let out. */
static long first_result = 1;

/* --- before the C library: no relocations, no thread's memory; nothing of it may be called ---- */

#if defined(__x86_64__)
__asm__(".globl first_instruction\n"
	"first_instruction:\n"
	"	mov %rsp, %rdi\n"
	"	push %rdx\n"
	"	sub $8, %rsp\n"
	"	call first_connect\n"
	"	add $8, %rsp\n"
	"	pop %rdx\n"
	"	jmp _start\n");

static long raw_call(long number, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
__asm__(".globl first_instruction\n"
	"first_instruction:\n"
	"	mov x19, x0\n"
	"	mov x0, sp\n"
	"	bl first_connect\n"
	"	mov x0, x19\n"
	"	b _start\n");

static long raw_call(long number, long a, long b, long c)
{
	register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b,
		      x2 __asm__("x2") = c;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return x0;
}
#else
#error "no entry for this architecture"
#endif

/* Five numbers: four of the address, and the port. */
static void target_parse(const char *text, uint32_t ret_numbers[5])
{
	int number = 0;

	for (; *text && number < 5; text++) {
		if (*text >= '0' && *text <= '9')
			ret_numbers[number] = ret_numbers[number] * 10 + (uint32_t)(*text - '0');
		else
			number++;
	}
}

void first_connect(const long *stack);

void first_connect(const long *stack)
{
	static const char name[] = "FIRST_CONNECT=";
	static struct sockaddr_in address;
	static uint32_t numbers[5];
	const char *const *environment = (const char *const *)stack + stack[0] + 2;
	const char *found = NULL;
	long fd;

	for (; *environment && !found; environment++) {
		unsigned long at = 0;

		while (name[at] && (*environment)[at] == name[at])
			at++;
		found = name[at] ? NULL : *environment + at;
	}
	if (!found)
		return;
	target_parse(found, numbers);
	address.sin_family = AF_INET;
	address.sin_port = __builtin_bswap16((uint16_t)numbers[4]);
	address.sin_addr.s_addr = __builtin_bswap32(numbers[0] << 24 | numbers[1] << 16 |
						    numbers[2] << 8 | numbers[3]);
	fd = raw_call(SYS_socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	first_result = fd < 0 ? fd : raw_call(SYS_connect, fd, (long)&address, sizeof(address));
}

/* --- with it --------------------------------------------------------------------------------- */

struct job {
	char name[128];
	char *steps[STEPS_MAX + 1];
	unsigned int step_count;
};

static volatile sig_atomic_t cancelled;

static void cancel(int signal)
{
	(void)signal;
	cancelled = 1;
}

/* What a real job has; a job's file may say otherwise. "%s" becomes the job's name. */
static const char *const variables[][2] = {
	{ "SYSTEM", "build" },
	{ "SYSTEM_JOBID", "12f1170f-54f2-53f3-20dd-22fc7dff55f9" },
	{ "SYSTEM_PLANID", "6a8ca9d2-9f0b-4a1e-8e1c-0a4f3f6f2b1d" },
	{ "SYSTEM_DEFINITIONID", "17" },
	{ "SYSTEM_DEFINITIONNAME", "pipeline of %s" },
	{ "SYSTEM_TEAMPROJECT", "Fabrikam" },
	{ "SYSTEM_TEAMPROJECTID", "0b3a7a0e-3d9f-4f8e-9a50-1f6a3f5c2d11" },
	{ "SYSTEM_COLLECTIONURI", "https://dev.azure.com/contoso/" },
	{ "SYSTEM_STAGENAME", "__default" },
	{ "SYSTEM_JOBNAME", "%s" },
	{ "SYSTEM_JOBATTEMPT", "1" },
	{ "BUILD_BUILDID", "4711" },
	{ "BUILD_BUILDNUMBER", "20260801.3" },
	{ "BUILD_DEFINITIONNAME", "pipeline of %s" },
	{ "BUILD_REPOSITORY_URI", "https://dev.azure.com/contoso/Fabrikam/_git/shop" },
	{ "BUILD_SOURCEBRANCH", "refs/heads/main" },
	{ "BUILD_SOURCEVERSION", "8d6f3c1f5a9e4b7c8d6f3c1f5a9e4b7c8d6f3c1f" },
	{ "AGENT_ID", "7" },
	{ "AGENT_NAME", "%a" },
	{ "AGENT_JOBNAME", "%s" },
	{ "TASK_DISPLAYNAME", "Bash Script" },
	/* Whoever finds these in a record, a log or the daemon's answers has found a leak. */
	{ "SYSTEM_ACCESSTOKEN", "standin-secret-token-of-%s" },
	{ "DEPLOY_PASSWORD", "standin-secret-password-of-%s" },
};

static void variables_set(const struct job *job)
{
	const char *agent = getenv("STANDIN_AGENT_NAME");
	char value[256];

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		const char *form = variables[i][1], *mark = strchr(form, '%');

		if (!mark)
			snprintf(value, sizeof(value), "%s", form);
		else
			snprintf(value, sizeof(value), "%.*s%s", (int)(mark - form), form,
				 mark[1] == 'a' ? (agent ? agent : "build-7") : job->name);
		setenv(variables[i][0], value, 1);
	}
}

static void line_take(struct job *job, char *line)
{
	char *value = strchr(line, '=');

	if (!value || *line == '#')
		return;
	*value++ = '\0';
	if (!strcmp(line, "name"))
		return;
	if (!strcmp(line, "step") && job->step_count < STEPS_MAX)
		job->steps[job->step_count++] = value;
	else if (strcmp(line, "first"))
		setenv(line, value, 1);
}

/* A variable without a value is not there at all: "SYSTEM_JOBID=" makes a job without one. */
static void empties_unset(void)
{
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		const char *value = getenv(variables[i][0]);

		if (value && !*value)
			unsetenv(variables[i][0]);
	}
}

static bool job_read(int fd, struct job *job)
{
	static char message[MESSAGE_MAX];
	size_t length = 0;
	ssize_t piece;

	while ((piece = read(fd, message + length, sizeof(message) - 1 - length)) > 0)
		length += (size_t)piece;
	if (sscanf(message, "name=%127[^\n]", job->name) != 1)
		return false;
	unsetenv("FIRST_CONNECT");
	variables_set(job);
	for (char *line = strtok(message, "\n"); line; line = strtok(NULL, "\n"))
		line_take(job, line);
	empties_unset();
	return true;
}

/*
 * The environment of a plugin: nothing of the job, only the step's own `env:`, which may give the
 * same names. In a job's file that is PLUGIN_NAME=VALUE.
 */
static void plugin_environment(void)
{
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		char name[64];
		const char *value;

		snprintf(name, sizeof(name), "PLUGIN_%s", variables[i][0]);
		value = getenv(name);
		if (value)
			setenv(variables[i][0], value, 1);
		else
			unsetenv(variables[i][0]);
	}
}

/* Runs a program like every child of a worker: output to the job's log, in the sources' folder. */
static int child_run(char *const *argv, void (*environment)(void))
{
	int status = 0;
	pid_t child = fork();

	if (!child) {
		signal(SIGINT, SIG_DFL);
		if (environment)
			environment();
		execv(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
		if (cancelled)
			kill(child, SIGTERM);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void log_open(const struct job *job)
{
	char path[256];
	int fd;

	mkdir("../_work/1", 0755);
	mkdir("../_work/1/s", 0755);
	snprintf(path, sizeof(path), "../_diag/%s.log", job->name);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	if (first_result <= 0)
		printf("first connect: %s\n", first_result ? strerror((int)-first_result) : "done");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char host[4096], *plugin[] = { host, "task", NULL };
	struct sigaction action = { .sa_handler = cancel };
	struct job job = {};
	int result = SUCCEEDED;

	if (argc != 4 || strcmp(argv[1], "spawnclient") || !job_read(atoi(argv[2]), &job)) {
		fprintf(stderr, "usage: Agent.Worker spawnclient FD FD, with a job in the first\n");
		return FAILED;
	}
	close(atoi(argv[2]));
	fcntl(atoi(argv[3]), F_SETFD, FD_CLOEXEC);
	sigaction(SIGINT, &action, NULL);
	log_open(&job);
	if (!getcwd(host, sizeof(host) - strlen("/Agent.PluginHost")) || chdir("../_work/1/s"))
		return FAILED;
	strcat(host, "/Agent.PluginHost");
	if (child_run(plugin, plugin_environment))
		result = FAILED;
	for (unsigned int i = 0; result == SUCCEEDED && !cancelled && i < job.step_count; i++) {
		char *step[] = { "/bin/bash", "--noprofile", "--norc", job.steps[i], NULL };

		if (child_run(step, NULL))
			result = FAILED;
	}
	return cancelled ? FAILED : result;
}
