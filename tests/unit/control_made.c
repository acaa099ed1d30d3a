/* SPDX-License-Identifier: GPL-2.0 */
/* The daemon that the tests of control/ talk to: see control_made.h. */
#include "control_made.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "control/server.h"

static struct control *server;
static unsigned int streams;

/* The address sanitizer keeps freed memory for a while: there it says nothing, and is 0. */
static long resident(void)
{
#ifdef __SANITIZE_ADDRESS__
	return 0;
#else
	_cleanup_fclose_ FILE *file = fopen("/proc/self/statm", "re");
	long pages = 0;

	if (!file || fscanf(file, "%*d %ld", &pages) != 1)
		return -1;
	return pages * sysconf(_SC_PAGESIZE);
#endif
}

static void lines_publish(const json_t *request, int job)
{
	int count = 0, size = 64;
	char line[8192];

	json_unpack((json_t *)request, "{s:i, s?i}", "count", &count, "size", &size);
	for (int i = 0; i < count; i++) {
		memset(line, '.', sizeof(line));
		line[snprintf(line, sizeof(line), "%d of job %d", i, job)] = ' ';
		control_publish(server, (uint32_t)job, line, (size_t)size);
	}
}

static void past_give(const json_t *request, struct control_answer *answer)
{
	const char *file = "", *only = NULL;
	int follow = 0;

	json_unpack((json_t *)request, "{s:s, s?s, s?b}", "file", &file, "only", &only, "follow",
		    &follow);
	answer->past_fd = open(file, O_RDONLY | O_CLOEXEC);
	answer->past_only = only ? strdup(only) : NULL;
	answer->follow = follow;
	answer->stream = true;
}

static void answer_give(const struct control_peer *peer, const json_t *request,
			struct control_answer *answer, void *context)
{
	const char *word = json_string_value(json_object_get(request, "request"));
	int job = (int)json_integer_value(json_object_get(request, "job"));
	int size = (int)json_integer_value(json_object_get(request, "size"));

	(void)context;
	if (!word || !strcmp(word, "silent"))
		return;
	answer->body = json_object();
	if (!strcmp(word, "echo")) {
		json_decref(answer->body);
		answer->body = json_pack("{s:O, s:i, s:i, s:s?}", "request", request, "uid",
					 peer->uid, "pid", peer->pid, "cgroup", peer->cgroup);
	} else if (!strcmp(word, "long")) {
		_cleanup_free_ char *text = malloc((size_t)size + 1);

		memset(text, 'x', (size_t)size);
		text[size] = '\0';
		json_object_set_new(answer->body, "text", json_string(text));
	} else if (!strcmp(word, "events")) {
		answer->stream = answer->follow = true;
		answer->job = (uint32_t)job;
	} else if (!strcmp(word, "past")) {
		past_give(request, answer);
	} else if (!strcmp(word, "publish")) {
		lines_publish(request, job);
	} else if (!strcmp(word, "end")) {
		control_job_end(server, (uint32_t)job);
	} else if (!strcmp(word, "jobs") || !strcmp(word, "status")) {
		json_decref(answer->body);
		answer->body = json_loads(getenv("MADE_ANSWER"), 0, NULL);
	} else if (!strcmp(word, "memory")) {
		json_object_set_new(answer->body, "resident", json_integer(resident()));
		json_object_set_new(answer->body, "clients", json_integer(control_clients(server)));
		json_object_set_new(answer->body, "streams", json_integer(streams));
	} else {
		control_answer_error(answer, "unknown request '%s'", word);
	}
	streams += answer->stream;
}

static void signal_take(const struct signalfd_siginfo *signal, void *context)
{
	(void)signal;
	loop_stop(context);
}

static void daemon_run(const struct made *made, unsigned int clients_max, int ready_fd)
{
	struct loop *loop;
	sigset_t signals;
	int status = 1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (!loop_new(&loop) && !loop_signals_add(loop, &signals, signal_take, loop) &&
	    !control_open(made->path, clients_max, loop, answer_give, NULL, &server) &&
	    write(ready_fd, "+", 1) == 1)
		status = loop_run(loop) ? 1 : 0;
	control_close(server);
	loop_free(loop);
	_exit(status);
}

void made_start(struct made *made, unsigned int clients_max)
{
	int ready[2];
	char byte;

	if (!made->folder[0]) {
		snprintf(made->folder, sizeof(made->folder), "/tmp/control.XXXXXX");
		cr_assert(mkdtemp(made->folder));
		cr_assert_eq(chmod(made->folder, 0755), 0);
		snprintf(made->path, sizeof(made->path), "%s/socket", made->folder);
	}
	cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
	made->daemon = fork();
	cr_assert(made->daemon >= 0);
	if (!made->daemon)
		daemon_run(made, clients_max, ready[1]);
	close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1, "the server did not start");
	close(ready[0]);
}

void made_stop(struct made *made)
{
	char command[128];
	int status;

	kill(made->daemon, SIGTERM);
	cr_assert_eq(waitpid(made->daemon, &status, 0), made->daemon);
	cr_expect_eq(status, 0, "the server ended with status %#x", status);
	cr_expect_neq(access(made->path, F_OK), 0, "the socket stayed");
	snprintf(command, sizeof(command), "rm -rf '%s'", made->folder);
	cr_assert_eq(system(command), 0);
}

int made_connect(const struct made *made, uid_t uid)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = 8 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", made->path);
	if (uid)
		cr_assert_eq(seteuid(uid), 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0, "%s",
		     strerror(errno));
	if (uid)
		cr_assert_eq(seteuid(0), 0);
	return fd;
}

/* What the other end has closed cannot be sent, and its answer is what counts. */
void made_send(int fd, const char *bytes, size_t length)
{
	while (length) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
			return;
		cr_assert(sent > 0, "%s", strerror(errno));
		bytes += sent;
		length -= (size_t)sent;
	}
}

void made_line(int fd, char *line, size_t size)
{
	size_t length = 0;

	while (length + 1 < size) {
		ssize_t n = recv(fd, line + length, 1, 0);

		cr_assert(n >= 0 || errno == ECONNRESET, "no line came: %s", strerror(errno));
		if (n <= 0 || line[length] == '\n')
			break;
		length++;
	}
	line[length] = '\0';
}

int made_ask(const struct made *made, uid_t uid, const char *request)
{
	int fd = made_connect(made, uid);

	made_send(fd, request, strlen(request));
	made_send(fd, "\n", 1);
	return fd;
}

void made_call(const struct made *made, const char *request, char *line, size_t size)
{
	_cleanup_close_ int fd = made_ask(made, 0, request);

	made_line(fd, line, size);
}

void made_wait(const struct made *made, const char *wanted)
{
	char line[256] = "";

	for (int i = 0; i < 8000 && !strstr(line, wanted); i++) {
		if (i)
			usleep(1000);
		made_call(made, "{\"request\":\"memory\"}", line, sizeof(line));
	}
	cr_assert(strstr(line, wanted), "'%s' is not in '%s'", wanted, line);
}
