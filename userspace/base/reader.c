/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For what stands in a process's memory the kernel takes a lock of that memory, which a thread of
 * the process holds as long as it likes: in a page fault, say, on a file system that does not
 * answer. A file system of its own may not answer either. So a thread of ours reads. When it takes
 * too long it is left behind, and ends when it is answered or the process is gone.
 */
#include "base/reader.h"

#include <errno.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* Who answers so fast was not waited for: it is a process's common lot. */
#define QUICK_NS	NS_PER_MS
#define PLACES_MAX	16

/*
 * What a use may have of the one thread that asks, so that many processes together, each of them
 * slow, keep it from nothing: `at_once_ns` of waiting, which come back in `regain` times as long.
 * And threads left behind at one time; with more of them, nothing is read.
 */
struct share {
	uint64_t patience_ns;		/* for one answer; who is slower is not read, no more */
	uint64_t at_once_ns;
	unsigned int regain;
	unsigned int places;
};

static const struct share shares[READER_USES] = {
	[READER_RECORDS] = { NS_PER_S / 5, 2 * NS_PER_S / 5, 4, 16 },
	/* Once at start, and where reports were lost: whom it misses gets no guard of its own. */
	[READER_SEARCH] = { NS_PER_S / 5, 5 * NS_PER_S, 4, 16 },
	/* It may have to come from a disk that a build keeps busy. */
	[READER_FILES] = { NS_PER_S, NS_PER_S, 10, 4 },
	[READER_IDENTITY] = { NS_PER_S / 5, NS_PER_S, 4, 16 },
};

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
	reader_fn read;
	pid_t pid;
	const char *what;
	size_t max;
	char *bytes;
	ssize_t length;		/* or -errno */
	uint64_t took_ns;
};

/* What a use has of its share. */
struct account {
	struct reader *left[PLACES_MAX];
	uint64_t waited_ns;	/* and not regained */
	uint64_t seen_ns;	/* when that was so */
};

/* Of the one thread that asks. */
static struct reader *idle;
static struct account accounts[READER_USES];

void answer_free(char *bytes, ssize_t length)
{
	if (bytes && length > 0)
		explicit_bzero(bytes, (size_t)length);
	free(bytes);
}

/* --- the thread ------------------------------------------------------------------------------- */

/*
 * Reads, and notes how long that took. Who makes us wait has us sleep; without that only our own
 * work counts, and not that a machine is busy with others.
 */
static void reader_read(struct reader *reader)
{
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC), cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct rusage before, after;

	getrusage(RUSAGE_THREAD, &before);
	reader->length = reader->read(reader->pid, reader->what, reader->max, &reader->bytes);
	getrusage(RUSAGE_THREAD, &after);
	reader->took_ns = after.ru_nvcsw != before.ru_nvcsw ?
			  clock_ns(CLOCK_MONOTONIC) - begin_ns :
			  clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
}

static void *reader_run(void *argument)
{
	struct reader *reader = argument;

	/*
	 * Nobody can kill a thread that waits for the answer of a file system in FUSE. What it
	 * holds stays held when the program is dead: of the daemon's, the lock that the next one
	 * needs, and the program that stops workers. So it holds nothing.
	 */
	syscall(SYS_close_range, 0, ~0U, CLOSE_RANGE_UNSHARE);
	pthread_mutex_lock(&reader->lock);
	while (reader->state == READER_IDLE || reader->state == READER_ASKED) {
		if (reader->state == READER_IDLE) {
			pthread_cond_wait(&reader->changed, &reader->lock);
			continue;
		}
		pthread_mutex_unlock(&reader->lock);
		reader_read(reader);
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
	answer_free(reader->bytes, reader->length);
	free(reader);
}

/* --- who asks --------------------------------------------------------------------------------- */

static bool reader_has_ended(struct reader *reader)
{
	bool ended;

	pthread_mutex_lock(&reader->lock);
	ended = reader->state == READER_ENDING;
	pthread_mutex_unlock(&reader->lock);
	return ended;
}

/* Is a thread that was left behind still at this process? Takes leave of those that are not. */
static bool process_is_read(pid_t pid)
{
	bool is = false;

	for (size_t use = 0; use < READER_USES; use++) {
		for (size_t i = 0; i < PLACES_MAX; i++) {
			struct reader **left = &accounts[use].left[i];

			if (*left && reader_has_ended(*left))
				reader_join(TAKE_PTR(*left));
			is |= *left && (*left)->pid == pid;
		}
	}
	return is;
}

/* A place for a thread that is left, or NULL: all are taken. */
static struct reader **place_find(enum reader_use use)
{
	for (size_t i = 0; i < shares[use].places; i++) {
		if (!accounts[use].left[i])
			return &accounts[use].left[i];
	}
	return NULL;
}

/* How long this use may wait now; 0: it has waited enough. */
static uint64_t patience_find(enum reader_use use, uint64_t now_ns)
{
	const struct share *share = &shares[use];
	struct account *account = &accounts[use];
	uint64_t regained_ns = (now_ns - account->seen_ns) / share->regain, left_ns;

	account->waited_ns -= regained_ns < account->waited_ns ? regained_ns : account->waited_ns;
	account->seen_ns = now_ns;
	left_ns = account->waited_ns < share->at_once_ns ? share->at_once_ns - account->waited_ns :
							   0;
	if (left_ns < QUICK_NS)
		return 0;
	return left_ns < share->patience_ns ? left_ns : share->patience_ns;
}

static void wait_note(enum reader_use use, uint64_t waited_ns)
{
	if (waited_ns > QUICK_NS)
		accounts[use].waited_ns += waited_ns;
}

/* Waits for the answer. False: the reader does not come back in time. */
static bool answer_wait(struct reader *reader, uint64_t end_ns)
{
	struct timespec end = { (time_t)(end_ns / NS_PER_S), (long)(end_ns % NS_PER_S) };
	bool answered;
	int error = 0;

	pthread_mutex_lock(&reader->lock);
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

ssize_t reader_ask(enum reader_use use, reader_fn read, pid_t pid, const char *what, size_t max,
		   char **ret_bytes)
{
	uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
	uint64_t patience_ns = patience_find(use, begin_ns);
	bool busy = process_is_read(pid), answered;
	struct reader **place = place_find(use);

	*ret_bytes = NULL;
	if (busy || !place || !patience_ns)
		return -EBUSY;
	if (!idle)
		idle = reader_new();
	if (!idle)
		return -ENOMEM;
	idle->read = read;
	idle->pid = pid;
	idle->what = what;
	idle->max = max;
	answered = answer_wait(idle, begin_ns + patience_ns);
	wait_note(use, answered ? idle->took_ns : clock_ns(CLOCK_MONOTONIC) - begin_ns);
	if (!answered) {
		*place = TAKE_PTR(idle);
		return -ETIMEDOUT;
	}
	*ret_bytes = TAKE_PTR(idle->bytes);
	return idle->length;
}

void reader_end(void)
{
	if (!idle)
		return;
	pthread_mutex_lock(&idle->lock);
	idle->state = READER_ENDING;
	pthread_cond_signal(&idle->changed);
	pthread_mutex_unlock(&idle->lock);
	reader_join(TAKE_PTR(idle));
}
