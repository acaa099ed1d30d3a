/* SPDX-License-Identifier: GPL-2.0 */
/* Where the daemon writes violations: one NDJSON file, each record whole and once. */
#ifndef BUILDFENCE_RECORDS_H
#define BUILDFENCE_RECORDS_H

#include <jansson.h>
#include <stdint.h>

#include "event/event.h"

#define RECORD_UID_SIZE	96	/* GUARD_UID_SIZE */

struct records;

/* A place in the file; with the file, since another one may have come to its path. */
struct records_place {
	uint64_t file;			/* its inode's number; 0: not known */
	uint64_t offset;
};

/* Called with each record as it was written: its line without the newline. */
typedef void (*record_fn)(uint32_t job, const char *line, size_t length, void *context);

/*
 * Opens the file for appending; it and its folder are made if need be, for root and its group
 * only. A line that a predecessor could not end is taken away. *ret_last_uid is the last record's
 * EventOriginalUid, or "". Returns 0 or -errno.
 */
int records_open(const char *path, record_fn publish, void *context,
		 char ret_last_uid[static RECORD_UID_SIZE], struct records **ret_records);
void records_close(struct records *records);

/* Opens the file again, after it was moved away. Returns 0 or -errno; then the old one stays. */
int records_reopen(struct records *records);

/* Returns 0 once the record is in the file, or -errno: it is not, and the caller tries again. */
int records_write(struct records *records, uint32_t job, const struct event *event);

/*
 * Opens the file for reading: at the place, or at its beginning when it is another file than the
 * place is of, or none is given (NULL). Returns a descriptor or -errno.
 */
int records_past_open(const struct records *records, const struct records_place *place);

/* The file's end now: where the records of a job begin that begins now. */
struct records_place records_end(const struct records *records);

/* {"file", "written", "attempts", "error"}: counts since the start; the standing error, or null. */
json_t *records_status(const struct records *records);

#endif
