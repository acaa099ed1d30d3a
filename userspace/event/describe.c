/* SPDX-License-Identifier: GPL-2.0 */
/*
 * It is read after the attempt, so everything is checked to belong to the process that made it.
 *
 * For the command line the kernel takes a lock of the process's memory, which a thread of it holds
 * as long as it likes: in a page fault, say, on a file system that does not answer. So a thread of
 * ours reads. When it takes too long it is left behind, and ends when the process does.
 */
#include "event/describe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/directory.h"
#include "base/escape.h"
#include "base/owner.h"
#include "event/mask.h"

#define THREADS_READ	256

/* A reading takes some 50 us; who is slower on a busy machine loses a command line, no more. */
#define PATIENCE_NS	(NS_PER_S / 5)
/* Threads left behind at one time; with more of them, nothing is read. */
#define LEFT_MAX	16

enum reader_state {
	READER_IDLE,
	READER_ASKED,		/* it reads */
	READER_LEFT,		/* it reads, but nobody wants to know any more */
	READER_ENDING,		/* it is to end, or has */
};

/* A thread, what it was asked, and its answer. All of it changes under the lock. */
struct reader {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum reader_state state;
	pid_t pid;
	char comm[COMM_LEN];
	uint64_t time_ns;
	char *path, *command_line;
};

/* Of the one thread that asks. */
static struct reader *idle;
static struct reader *left[LEFT_MAX];

/* Reads at most size - 1 bytes and ends them with NUL. Returns their number or -errno. */
static ssize_t proc_read(pid_t pid, const char *name, char *ret_bytes, size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[300];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = read(fd, ret_bytes, size - 1);
	if (length < 0)
		return -errno;
	ret_bytes[length] = '\0';
	return length;
}

/* Does a thread of the process have this name? The kernel gave the name of the one that tried. */
static bool thread_is_named(pid_t pid, const char comm[static COMM_LEN])
{
	_cleanup_directory_ DIR *directory = NULL;
	struct dirent *entry;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	if (directory_open(AT_FDCWD, path, &directory))
		return false;
	for (int i = 0; i < THREADS_READ && (entry = directory_next(directory)); i++) {
		char name[300], thread[COMM_LEN + 1];
		ssize_t length;

		snprintf(name, sizeof(name), "task/%s/comm", entry->d_name);
		length = proc_read(pid, name, thread, sizeof(thread));
		if (length <= 0)
			continue;
		thread[length - 1] = '\0';
		if (!strncmp(thread, comm, COMM_LEN))
			return true;
	}
	return false;
}

static void describe(pid_t pid, const char comm[static COMM_LEN], uint64_t time_ns,
		     char **ret_path, char **ret_command_line)
{
	_cleanup_free_ char *path = NULL, *masked = NULL;
	char link[64], target[4096], arguments[4096];
	uint64_t start, start_after;
	ssize_t length;

	*ret_path = NULL;
	*ret_command_line = NULL;
	if (process_start(pid, &start) ||
	    start * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK)) > time_ns ||
	    !thread_is_named(pid, comm))
		return;
	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	length = readlink(link, target, sizeof(target) - 1);
	if (length > 0) {
		target[length] = '\0';
		path = escape_string(target, PROCESS_SIZE);
	}
	length = proc_read(pid, "cmdline", arguments, sizeof(arguments));
	if (length > 0)
		masked = command_line_mask(arguments, (size_t)length);
	/* The number may have been given to another process while we read. */
	if (process_start(pid, &start_after) || start_after != start)
		return;
	*ret_path = TAKE_PTR(path);
	if (masked)
		*ret_command_line = escape_string(masked, COMMAND_LINE_SIZE);
}

/* --- the thread ------------------------------------------------------------------------------- */

static void *reader_run(void *argument)
{
	struct reader *reader = argument;

	pthread_mutex_lock(&reader->lock);
	while (reader->state == READER_IDLE || reader->state == READER_ASKED) {
		if (reader->state == READER_IDLE) {
			pthread_cond_wait(&reader->changed, &reader->lock);
			continue;
		}
		pthread_mutex_unlock(&reader->lock);
		describe(reader->pid, reader->comm, reader->time_ns, &reader->path,
			 &reader->command_line);
		pthread_mutex_lock(&reader->lock);
		if (reader->state == READER_ASKED)
			reader->state = READER_IDLE;
		pthread_cond_signal(&reader->changed);
	}
	reader->state = READER_ENDING;
	pthread_mutex_unlock(&reader->lock);
	return NULL;
}

static struct reader *reader_new(void)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	pthread_condattr_t attributes;
	sigset_t all, before;
	int error;

	if (!reader)
		return NULL;
	pthread_mutex_init(&reader->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&reader->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	/* Signals are for the thread that asks. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	error = pthread_create(&reader->thread, NULL, reader_run, reader);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!error)
		return reader;
	pthread_cond_destroy(&reader->changed);
	pthread_mutex_destroy(&reader->lock);
	free(reader);
	return NULL;
}

/* Of a thread that ends by itself. */
static void reader_join(struct reader *reader)
{
	pthread_join(reader->thread, NULL);
	pthread_cond_destroy(&reader->changed);
	pthread_mutex_destroy(&reader->lock);
	free(reader->path);
	free(reader->command_line);
	free(reader);
}

/* --- who asks --------------------------------------------------------------------------------- */

/* A place for a thread that is left, or -1: all are taken, or one of them reads this process. */
static int place_find(pid_t pid)
{
	int place = -1;

	for (int i = 0; i < LEFT_MAX; i++) {
		bool ended = false;

		if (left[i]) {
			pthread_mutex_lock(&left[i]->lock);
			ended = left[i]->state == READER_ENDING;
			pthread_mutex_unlock(&left[i]->lock);
		}
		if (ended) {
			reader_join(left[i]);
			left[i] = NULL;
		}
		if (left[i] && left[i]->pid == pid)
			return -1;
		if (!left[i])
			place = i;
	}
	return place;
}

/* Waits for the answer. False: the reader does not come back in time. */
static bool reader_ask(struct reader *reader, pid_t pid, const char comm[static COMM_LEN],
		       uint64_t time_ns)
{
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
	struct timespec end = { (time_t)(end_ns / NS_PER_S), (long)(end_ns % NS_PER_S) };
	bool answered;
	int error = 0;

	pthread_mutex_lock(&reader->lock);
	reader->pid = pid;
	memcpy(reader->comm, comm, COMM_LEN);
	reader->time_ns = time_ns;
	reader->state = READER_ASKED;
	pthread_cond_signal(&reader->changed);
	while (reader->state == READER_ASKED && !error)
		error = pthread_cond_timedwait(&reader->changed, &reader->lock, &end);
	answered = reader->state == READER_IDLE;
	if (!answered)
		reader->state = READER_LEFT;
	pthread_mutex_unlock(&reader->lock);
	return answered;
}

void process_describe(pid_t pid, const char comm[static COMM_LEN], uint64_t time_ns,
		      char **ret_path, char **ret_command_line)
{
	int place = place_find(pid);

	*ret_path = NULL;
	*ret_command_line = NULL;
	if (place < 0)
		return;
	if (!idle)
		idle = reader_new();
	if (!idle)
		return;
	if (reader_ask(idle, pid, comm, time_ns)) {
		*ret_path = TAKE_PTR(idle->path);
		*ret_command_line = TAKE_PTR(idle->command_line);
	} else {
		left[place] = TAKE_PTR(idle);
	}
}

void process_describe_end(void)
{
	if (!idle)
		return;
	pthread_mutex_lock(&idle->lock);
	idle->state = READER_ENDING;
	pthread_cond_signal(&idle->changed);
	pthread_mutex_unlock(&idle->lock);
	reader_join(TAKE_PTR(idle));
}
