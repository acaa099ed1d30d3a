/* SPDX-License-Identifier: GPL-2.0 */
/* The end of a file of records: what its last writer, killed perhaps, wrote down for certain. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "event/sink.h"

/* Two records: the last whole one, and one cut off behind it. */
#define TAIL_BYTES	(2 * 8192)

static void uid_take(const char *line, size_t length, char *ret_uid, size_t size)
{
	json_t *record = json_loadb(line, length, 0, NULL);
	const char *uid = json_string_value(json_object_get(record, "EventOriginalUid"));

	if (uid)
		text_copy(ret_uid, size, uid);
	json_decref(record);
}

int sink_ndjson_last_uid(const char *path, char *ret_uid, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	char tail[TAIL_BYTES];
	struct stat status;
	ssize_t length;
	off_t start;
	char *end, *line;

	ret_uid[0] = '\0';
	if (fd < 0 || fstat(fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode) || !status.st_size)
		return 0;
	start = status.st_size > TAIL_BYTES ? status.st_size - TAIL_BYTES : 0;
	length = pread(fd, tail, sizeof(tail), start);
	if (length <= 0)
		return length < 0 ? -errno : 0;
	end = memrchr(tail, '\n', (size_t)length);
	/*
	 * More without a newline than any record has, as a power cut leaves zeros: not ours to cut,
	 * and no reason to guard nobody, nor is a full disk. What follows begins a line, if there
	 * is room for its end; one record may come twice.
	 */
	if (!end && start)
		return pwrite(fd, "\n", 1, status.st_size) == 1 || errno == ENOSPC ? 0 : -errno;
	if (!end)
		return ftruncate(fd, 0) ? -errno : 0;
	if (end + 1 < tail + length && ftruncate(fd, start + (end + 1 - tail)))
		return -errno;
	line = memrchr(tail, '\n', (size_t)(end - tail));
	line = line ? line + 1 : tail;
	uid_take(line, (size_t)(end - line), ret_uid, size);
	return 0;
}
