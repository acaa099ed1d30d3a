/* SPDX-License-Identifier: GPL-2.0 */
/* The records' file, and what went wrong with it. */
#include "daemon/records.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/store.h"
#include "event/sink.h"
#include "policy/write.h"

/* They hold command lines and names of all jobs: not for a job, nor for everybody. */
#define RECORDS_MODE	0640
#define FOLDER_MODE	0750

struct records {
	char *path;
	struct sink *sink;
	record_fn publish;
	void *context;
	int error;			/* of the last write, or 0 */
	uint64_t written;
	uint64_t attempts;
};

static int folder_make(const char *path)
{
	_cleanup_free_ char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (!folder)
		return -ENOMEM;
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	return mkdir(folder, FOLDER_MODE) && errno != EEXIST ? -errno : 0;
}

int records_open(const char *path, record_fn publish, void *context,
		 char ret_last_uid[static RECORD_UID_SIZE], struct records **ret_records)
{
	struct records *records = calloc(1, sizeof(*records));
	int error;

	if (!records)
		return -ENOMEM;
	records->publish = publish;
	records->context = context;
	records->path = strdup(path);
	error = records->path ? folder_make(path) : -ENOMEM;
	if (!error)
		error = sink_ndjson_open(path, RECORDS_MODE, &records->sink);
	if (!error)
		error = sink_ndjson_last_uid(path, ret_last_uid, RECORD_UID_SIZE);
	if (error)
		records_close(records);
	else
		*ret_records = records;
	return error;
}

void records_close(struct records *records)
{
	if (!records)
		return;
	sink_close(records->sink);
	free(records->path);
	free(records);
}

int records_reopen(struct records *records)
{
	struct sink *sink;
	int error = sink_ndjson_open(records->path, RECORDS_MODE, &sink);

	if (error)
		return error;
	sink_close(records->sink);
	records->sink = sink;
	return 0;
}

/* Says once that writing fails, and once that it goes on. */
static void error_note(struct records *records, int error)
{
	if (error && !records->error)
		log_error("cannot write to %s: %s; violations wait in the kernel, counted",
			  records->path, strerror(-error));
	else if (!error && records->error)
		log_info("%s can be written again", records->path);
	records->error = error;
}

int records_write(struct records *records, uint32_t job, const struct event *event)
{
	_cleanup_free_ char *line = ndjson_record(event);
	int error = line ? sink_ndjson_line(records->sink, line) : -ENOMEM;

	error_note(records, error);
	if (error)
		return error;
	records->written++;
	records->attempts += event->count;
	records->publish(job, line, strlen(line), records->context);
	return 0;
}

int records_past_open(const struct records *records, const struct records_place *place)
{
	int fd = open(records->path, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return -errno;
	if (place && !fstat(fd, &status) && (!place->file || place->file == status.st_ino) &&
	    status.st_size >= (off_t)place->offset)
		lseek(fd, (off_t)place->offset, SEEK_SET);
	return fd;
}

struct records_place records_end(const struct records *records)
{
	struct stat status;

	if (stat(records->path, &status))
		return (struct records_place){};
	return (struct records_place){
		.file = status.st_ino, .offset = (uint64_t)status.st_size,
	};
}

json_t *records_status(const struct records *records)
{
	json_t *status = json_object();

	json_object_set_new(status, "file", text_json(records->path));
	json_object_set_new(status, "written", json_integer((json_int_t)records->written));
	json_object_set_new(status, "attempts", json_integer((json_int_t)records->attempts));
	json_object_set_new(status, "error",
			    records->error ? json_string(strerror(-records->error)) : json_null());
	return status;
}
