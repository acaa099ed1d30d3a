/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A stream of environment entries, of which a few are kept. An entry is gathered only as far as
 * the longest variable and its cut value go, so that its size does not matter.
 */
#include "watch/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/proc.h"
#include "config/config.h"

/*
 * The kernel takes 6 MiB of arguments and environment at most (3/4 of 8 MiB, fs/exec.c). Less would
 * let a pipeline's own variables, which are as large as it likes, push the named ones out of sight.
 */
#define ENVIRON_MAX	(8U << 20)
#define SETTLE_TRIES	10

/* The variables a kind names beside those of its fields. */
enum named {
	NAMED_JOB = 0,
	NAMED_AGENT,
	NAMED_POOL,
	NAMED_PROJECT,
	NAMED_DEFINITION,
	NAMED_COUNT,
};

struct identity_reader {
	const struct agent_kind *kind;
	char **values;			/* by variable_name()'s index; NULL: not seen */
	size_t count;
	bool failed;			/* memory ran out */
	size_t filled;
	size_t size;
	char entry[];
};

static const char *variable_name(const struct agent_kind *kind, size_t index)
{
	switch (index) {
	case NAMED_JOB:
		return kind->job;
	case NAMED_AGENT:
		return kind->agent;
	case NAMED_POOL:
		return kind->pool;
	case NAMED_PROJECT:
		return kind->project;
	case NAMED_DEFINITION:
		return kind->definition;
	default:
		return kind->fields[index - NAMED_COUNT].variable;
	}
}

int identity_reader_new(const struct agent_kind *kind, struct identity_reader **ret_reader)
{
	size_t count = NAMED_COUNT + kind->field_count, longest = 0;
	_cleanup_free_ struct identity_reader *reader = NULL;

	for (size_t i = 0; i < count; i++) {
		const char *name = variable_name(kind, i);
		size_t length = name ? strlen(name) : 0;

		longest = length > longest ? length : longest;
	}
	longest += strlen("=") + IDENTITY_VALUE_MAX;
	reader = calloc(1, sizeof(*reader) + longest);
	if (!reader)
		return -ENOMEM;
	/* One more than needed: clang-tidy does not see that there is always one. */
	reader->values = calloc(count + 1, sizeof(*reader->values));
	if (!reader->values)
		return -ENOMEM;
	reader->kind = kind;
	reader->count = count;
	reader->size = longest;
	*ret_reader = TAKE_PTR(reader);
	return 0;
}

static void reader_free(struct identity_reader *reader)
{
	for (size_t i = 0; i < reader->count; i++)
		free(reader->values[i]);
	free(reader->values);
	explicit_bzero(reader->entry, reader->size);
	free(reader);
}

/* An entry came to its end: is it one of ours? */
static void entry_judge(struct identity_reader *reader)
{
	for (size_t i = 0; i < reader->count; i++) {
		const char *name = variable_name(reader->kind, i);
		size_t length = name ? strlen(name) : 0, value;

		if (!length || reader->values[i] || reader->filled <= length ||
		    reader->entry[length] != '=' || memcmp(reader->entry, name, length))
			continue;
		value = reader->filled - length - 1;
		if (value > IDENTITY_VALUE_MAX)
			value = IDENTITY_VALUE_MAX;
		reader->values[i] = strndup(reader->entry + length + 1, value);
		reader->failed |= !reader->values[i];
	}
}

void identity_take(struct identity_reader *reader, const char *bytes, size_t length)
{
	while (length) {
		const char *end = memchr(bytes, '\0', length);
		size_t piece = end ? (size_t)(end - bytes) : length;
		size_t room = reader->size - reader->filled;

		memcpy(reader->entry + reader->filled, bytes, piece < room ? piece : room);
		reader->filled += piece < room ? piece : room;
		if (!end)
			return;
		entry_judge(reader);
		reader->filled = 0;
		bytes += piece + 1;
		length -= piece + 1;
	}
}

static bool is_set(const char *value)
{
	return value && *value;
}

static bool record_is_there(const struct identity *identity, const char *record)
{
	size_t length = strlen(record);

	for (char **pair = identity->pairs; *pair; pair++) {
		if (!strncmp(*pair, record, length) && (*pair)[length] == '=')
			return true;
	}
	return false;
}

static int pairs_make(const struct identity_reader *reader, struct identity *identity)
{
	const struct agent_kind *kind = reader->kind;
	size_t count = 0;

	identity->pairs = calloc(kind->field_count + 1, sizeof(*identity->pairs));
	if (!identity->pairs)
		return -ENOMEM;
	for (size_t i = 0; i < kind->field_count; i++) {
		const char *record = kind->fields[i].record;
		const char *value = reader->values[NAMED_COUNT + i];

		if (!is_set(value) || record_is_there(identity, record))
			continue;
		if (asprintf(&identity->pairs[count], "%s=%s", record, value) < 0) {
			identity->pairs[count] = NULL;
			return -ENOMEM;
		}
		count++;
	}
	return 0;
}

static int value_copy(const char *value, char **ret_copy)
{
	*ret_copy = is_set(value) ? strdup(value) : NULL;
	return is_set(value) && !*ret_copy ? -ENOMEM : 0;
}

/* The definition's variable, or another one of the same record field. */
static const char *definition_of(const struct identity_reader *reader)
{
	const struct agent_kind *kind = reader->kind;
	const char *record = NULL;

	if (!kind->definition || is_set(reader->values[NAMED_DEFINITION]))
		return reader->values[NAMED_DEFINITION];
	for (size_t i = 0; i < kind->field_count; i++) {
		if (!strcmp(kind->fields[i].variable, kind->definition))
			record = kind->fields[i].record;
	}
	for (size_t i = 0; record && i < kind->field_count; i++) {
		const char *value = reader->values[NAMED_COUNT + i];

		if (is_set(value) && !strcmp(kind->fields[i].record, record))
			return value;
	}
	return NULL;
}

static int identity_make(const struct identity_reader *reader, struct identity **ret_identity)
{
	_cleanup_identity_ struct identity *identity = NULL;
	int error;

	if (reader->failed)
		return -ENOMEM;
	/* Its own environment is all there is; but one child more may come. */
	if (reader->kind->identity_in_child && reader->kind->job &&
	    !is_set(reader->values[NAMED_JOB]))
		return -ENODATA;
	identity = calloc(1, sizeof(*identity));
	if (!identity)
		return -ENOMEM;
	error = pairs_make(reader, identity);
	if (!error)
		error = value_copy(reader->values[NAMED_JOB], &identity->job);
	if (!error)
		error = value_copy(reader->values[NAMED_AGENT], &identity->agent);
	if (!error)
		error = value_copy(reader->values[NAMED_POOL], &identity->pool);
	if (!error)
		error = value_copy(reader->values[NAMED_PROJECT], &identity->project);
	if (!error)
		error = value_copy(definition_of(reader), &identity->definition);
	if (!error)
		*ret_identity = TAKE_PTR(identity);
	return error;
}

int identity_finish(struct identity_reader *reader, struct identity **ret_identity)
{
	int error = identity_make(reader, ret_identity);

	reader_free(reader);
	return error;
}

/* Returns how many bytes there were, -ESRCH, or another -errno. */
static ssize_t environ_read(pid_t pid, struct identity_reader *reader)
{
	char *bytes;
	ssize_t length = proc_memory_read(READER_IDENTITY, pid, "environ", ENVIRON_MAX, &bytes);

	if (length > 0)
		identity_take(reader, bytes, (size_t)length);
	answer_free(bytes, length);
	return length;
}

/*
 * In the middle of an exec (a script's interpreter, say) a process has no environment for a moment.
 * One that really has none costs these few milliseconds.
 */
static int environ_settled_read(pid_t pid, struct identity_reader *reader)
{
	ssize_t length = environ_read(pid, reader);

	for (int tries = 1; !length && tries < SETTLE_TRIES; tries++) {
		usleep(1000);
		length = environ_read(pid, reader);
	}
	return length < 0 ? (int)length : 0;
}

int identity_read(pid_t pid, uint64_t start_ticks, const struct agent_kind *kind,
		  struct identity **ret_identity)
{
	_cleanup_identity_ struct identity *identity = NULL;
	struct identity_reader *reader;
	uint64_t start = 0;
	int error, started;

	error = identity_reader_new(kind, &reader);
	if (error)
		return error;
	error = environ_settled_read(pid, reader);
	started = proc_start(pid, &start);
	if (started || start != start_ticks)
		error = -ESRCH;
	if (error) {
		reader_free(reader);
		return error;
	}
	error = identity_finish(reader, &identity);
	if (!error)
		*ret_identity = TAKE_PTR(identity);
	return error;
}

void identity_free(struct identity *identity)
{
	if (!identity)
		return;
	for (char **pair = identity->pairs; pair && *pair; pair++)
		free(*pair);
	free(identity->pairs);
	free(identity->job);
	free(identity->agent);
	free(identity->pool);
	free(identity->project);
	free(identity->definition);
	free(identity);
}
