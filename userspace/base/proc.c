/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A process may end between any two reads of ours.
 *
 * For what stands in a process's memory the kernel takes a lock of that memory, which a thread of
 * the process holds as long as it likes: in a page fault, say, on a file system that does not
 * answer. So a thread of ours reads. When it takes too long it is left behind, and ends when the
 * process does.
 */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/directory.h"

/* A reading takes some 50 us; who is slower on a busy machine is not read, no more. */
#define PATIENCE_NS	(NS_PER_S / 5)
/* Threads left behind at one time; with more of them, nothing is read. */
#define LEFT_MAX	16
#define PIECE		4096

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
	const char *file;
	size_t max;
	char *bytes;
	ssize_t length;		/* or -errno */
};

/* Of the one thread that asks. */
static struct reader *idle;
static struct reader *left[LEFT_MAX];

/* A descriptor, or -errno; a process that is gone is -ESRCH. */
static int file_open(pid_t pid, const char *file)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return fd;
}

ssize_t proc_read(pid_t pid, const char *file, char *ret_text, size_t size)
{
	_cleanup_close_ int fd = file_open(pid, file);
	ssize_t length;

	if (fd < 0)
		return fd;
	length = read(fd, ret_text, size - 1);
	if (length < 0)
		return -errno;
	ret_text[length] = '\0';
	return length;
}

int proc_start_parse(const char *stat, uint64_t *ret_ticks)
{
	/* The name, field 2, may hold spaces and parentheses: count from its last parenthesis. */
	const char *field = strrchr(stat, ')');

	for (int number = 2; field && number < 22; number++)
		field = strchr(field + 1, ' ');
	return field && sscanf(field, " %" SCNu64, ret_ticks) == 1 ? 0 : -EINVAL;
}

int proc_start(pid_t pid, uint64_t *ret_ticks)
{
	char stat[1024];
	ssize_t length = proc_read(pid, "stat", stat, sizeof(stat));

	return length < 0 ? (int)length : proc_start_parse(stat, ret_ticks);
}

/* The children of one thread: numbers, each with a space behind. */
static bool children_of_thread(const char *path, proc_child_fn call, void *context)
{
	_cleanup_fclose_ FILE *list = fopen(path, "re");
	int child;

	while (list && fscanf(list, "%d", &child) == 1) {
		if (call(child, context))
			return true;
	}
	return false;
}

int proc_children(pid_t pid, proc_child_fn call, void *context)
{
	_cleanup_directory_ DIR *threads = NULL;
	char path[64 + NAME_MAX];
	struct dirent *thread;
	int error;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	error = directory_open(AT_FDCWD, path, &threads);
	if (error)
		return error == -ENOENT ? -ESRCH : error;
	while ((thread = directory_next(threads))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/children", pid, thread->d_name);
		if (children_of_thread(path, call, context))
			break;
	}
	return 0;
}

/* --- the thread ------------------------------------------------------------------------------- */

void proc_memory_free(char *bytes, ssize_t length)
{
	if (bytes && length > 0)
		explicit_bzero(bytes, (size_t)length);
	free(bytes);
}

/* More place for bytes, of which nothing stays in memory that is given back. NULL: none left. */
static char *bytes_grow(char *bytes, size_t length, size_t size)
{
	char *grown = malloc(size);

	if (grown)
		memcpy(grown, bytes, length);
	proc_memory_free(bytes, (ssize_t)length);
	return grown;
}

/* Returns how many there were, 0 at the end, or -errno. */
static ssize_t piece_read(int fd, char *ret_piece)
{
	ssize_t length;

	do
		length = read(fd, ret_piece, PIECE);
	while (length < 0 && errno == EINTR);
	return length < 0 ? -errno : length;
}

static ssize_t memory_read(pid_t pid, const char *file, size_t max, char **ret_bytes)
{
	_cleanup_close_ int fd = file_open(pid, file);
	size_t total = 0, size = 2 * PIECE;
	ssize_t length = 0;
	char *bytes;

	if (fd < 0)
		return fd;
	bytes = malloc(size);
	while (bytes && total < max && (length = piece_read(fd, bytes + total)) > 0) {
		total += (size_t)length;
		if (size - total < PIECE)
			bytes = bytes_grow(bytes, total, size *= 2);
	}
	if (!bytes)
		return -ENOMEM;
	if (length < 0) {
		proc_memory_free(bytes, (ssize_t)total);
		return length;
	}
	*ret_bytes = bytes;
	return (ssize_t)total;
}

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
		reader->length = memory_read(reader->pid, reader->file, reader->max,
					     &reader->bytes);
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
	proc_memory_free(reader->bytes, reader->length);
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
static bool reader_ask(struct reader *reader, pid_t pid, const char *file, size_t max)
{
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + PATIENCE_NS;
	struct timespec end = { (time_t)(end_ns / NS_PER_S), (long)(end_ns % NS_PER_S) };
	bool answered;
	int error = 0;

	pthread_mutex_lock(&reader->lock);
	reader->pid = pid;
	reader->file = file;
	reader->max = max;
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

ssize_t proc_memory_read(pid_t pid, const char *file, size_t max, char **ret_bytes)
{
	int place = place_find(pid);

	*ret_bytes = NULL;
	if (place < 0)
		return -EBUSY;
	if (!idle)
		idle = reader_new();
	if (!idle)
		return -ENOMEM;
	if (!reader_ask(idle, pid, file, max)) {
		left[place] = TAKE_PTR(idle);
		return -ETIMEDOUT;
	}
	*ret_bytes = TAKE_PTR(idle->bytes);
	return idle->length;
}

void proc_memory_end(void)
{
	if (!idle)
		return;
	pthread_mutex_lock(&idle->lock);
	idle->state = READER_ENDING;
	pthread_cond_signal(&idle->changed);
	pthread_mutex_unlock(&idle->lock);
	reader_join(TAKE_PTR(idle));
}
