/* SPDX-License-Identifier: GPL-2.0 */
/* A job's memory: which policies its records may speak of, and its record on disk. */
#include "daemon/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/policies.h"
#include "daemon/store.h"
#include "policy/write.h"

/* Two turns of the drain, and one to spare. */
#define PAST_TICKS	4
#define IDENTITY_MAX	64
#define NAME_SIZE	24

static const char *const origin_names[] = { "worker", "attached", "guarded" };

const char *job_origin_name(enum job_origin origin)
{
	return origin_names[origin];
}

struct job *job_new(enum job_origin origin)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->origin = origin;
	job->events_fd = -1;
	job->started = time(NULL);
	return job;
}

void strings_free(char **strings)
{
	for (size_t i = 0; strings && strings[i]; i++)
		free(strings[i]);
	free(strings);
}

void job_free(struct policies *policies, struct job *job)
{
	if (!job)
		return;
	policies_put(policies, job->loaded);
	for (size_t i = 0; i < PAST_POLICIES; i++)
		policies_put(policies, job->past[i].loaded);
	close_fd(&job->events_fd);
	strings_free(job->identity);
	free(job->name);
	free(job->cgroup);
	free(job->policy_source);
	free(job->agent);
	free(job->pool);
	free(job->kind);
	free(job->from);
	free(job);
}

void job_policy_note(struct policies *policies, struct job *job, struct loaded *loaded,
		     uint32_t generation)
{
	struct past_policy *oldest = &job->past[0];

	for (size_t i = 1; i < PAST_POLICIES; i++) {
		if (!job->past[i].loaded || (oldest->loaded && job->past[i].ticks < oldest->ticks))
			oldest = &job->past[i];
	}
	if (job->loaded) {
		policies_put(policies, oldest->loaded);
		*oldest = (struct past_policy){ job->loaded, job->generation, PAST_TICKS };
	}
	job->loaded = loaded;
	job->generation = generation;
}

void job_tick(struct policies *policies, struct job *job)
{
	for (size_t i = 0; i < PAST_POLICIES; i++) {
		struct past_policy *past = &job->past[i];

		if (!past->loaded || --past->ticks)
			continue;
		policies_put(policies, past->loaded);
		past->loaded = NULL;
	}
}

struct event_job job_event(const struct job *job, uint32_t generation, bool *ret_known)
{
	const struct loaded *loaded = job->loaded;
	bool known = generation == job->generation;

	for (size_t i = 0; !known && i < PAST_POLICIES; i++) {
		if (job->past[i].loaded && job->past[i].generation == generation) {
			loaded = job->past[i].loaded;
			known = true;
		}
	}
	*ret_known = known;
	return (struct event_job){
		.name = job->name,
		.cgroup_path = job->cgroup,
		.policy = loaded->policy,
		.mode = loaded->policy->mode,
		.identity = (const char *const *)job->identity,
	};
}

json_t *job_identity_json(const struct job *job)
{
	json_t *object = json_object();

	for (char **pair = job->identity; pair && *pair; pair++) {
		_cleanup_free_ char *key = strndup(*pair, strcspn(*pair, "="));

		if (key && (*pair)[strlen(key)])
			json_object_set_new(object, key, text_json(*pair + strlen(key) + 1));
	}
	return object;
}

static json_t *text_or_null(const char *text)
{
	return text ? text_json(text) : json_null();
}

static void file_name(uint32_t number, char ret_name[static NAME_SIZE])
{
	snprintf(ret_name, NAME_SIZE, "%u.json", number);
}

int job_record_write(int folder_fd, const struct job *job)
{
	_cleanup_json_ json_t *object = json_object();
	char name[NAME_SIZE];

	json_object_set_new(object, "number", json_integer(job->number));
	json_object_set_new(object, "origin", json_string(job_origin_name(job->origin)));
	json_object_set_new(object, "name", text_or_null(job->name));
	json_object_set_new(object, "cgroup", text_or_null(job->cgroup));
	json_object_set_new(object, "cgroup_id", json_integer((json_int_t)job->cgroup_id));
	json_object_set_new(object, "policy", text_or_null(job->policy_source));
	json_object_set_new(object, "agent", text_or_null(job->agent));
	json_object_set_new(object, "pool", text_or_null(job->pool));
	json_object_set_new(object, "kind", text_or_null(job->kind));
	json_object_set_new(object, "from", text_or_null(job->from));
	json_object_set_new(object, "worker", json_integer(job->worker));
	json_object_set_new(object, "worker_start", json_integer((json_int_t)job->worker_start));
	json_object_set_new(object, "started", json_integer(job->started));
	json_object_set_new(object, "records_file",
			    json_integer((json_int_t)job->records_from.file));
	json_object_set_new(object, "records_from",
			    json_integer((json_int_t)job->records_from.offset));
	json_object_set_new(object, "refused", json_integer((json_int_t)job->refused));
	if (json_object_set_new(object, "identity", job_identity_json(job)))
		return -ENOMEM;
	file_name(job->number, name);
	return store_write(folder_fd, name, object);
}

void job_record_remove(int folder_fd, uint32_t number)
{
	char name[NAME_SIZE];

	file_name(number, name);
	unlinkat(folder_fd, name, 0);
}

static char *text_get(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? strdup(text) : NULL;
}

static json_int_t number_get(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static char **identity_read(json_t *object)
{
	char **pairs = calloc(IDENTITY_MAX + 1, sizeof(*pairs));
	size_t count = 0;
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) {
		if (!pairs || count == IDENTITY_MAX || !json_is_string(value))
			break;
		if (asprintf(&pairs[count], "%s=%s", key, json_string_value(value)) < 0)
			pairs[count] = NULL;
		else
			count++;
	}
	if (count)
		return pairs;
	free(pairs);
	return NULL;
}

int job_record_read(int folder_fd, const char *name, struct job **ret_job)
{
	_cleanup_json_ json_t *object = NULL;
	const char *origin;
	struct job *job;
	int error = store_read(folder_fd, name, &object);

	if (error)
		return error;
	job = job_new(JOB_WORKER);
	if (!job)
		return -ENOMEM;
	origin = json_string_value(json_object_get(object, "origin"));
	for (size_t i = 0; origin && i < ARRAY_SIZE(origin_names); i++) {
		if (!strcmp(origin, origin_names[i]))
			job->origin = (enum job_origin)i;
	}
	job->number = (uint32_t)number_get(object, "number");
	job->name = text_get(object, "name");
	job->cgroup = text_get(object, "cgroup");
	job->cgroup_id = (uint64_t)number_get(object, "cgroup_id");
	job->policy_source = text_get(object, "policy");
	job->agent = text_get(object, "agent");
	job->pool = text_get(object, "pool");
	job->kind = text_get(object, "kind");
	job->from = text_get(object, "from");
	job->worker = (pid_t)number_get(object, "worker");
	job->worker_start = (uint64_t)number_get(object, "worker_start");
	job->started = number_get(object, "started");
	job->records_from.file = (uint64_t)number_get(object, "records_file");
	job->records_from.offset = (uint64_t)number_get(object, "records_from");
	job->refused = (uint64_t)number_get(object, "refused");
	job->identity = identity_read(json_object_get(object, "identity"));
	if (!job->number || !job->name || !job->cgroup || !job->policy_source) {
		job_free(NULL, job);
		return -EBADMSG;
	}
	*ret_job = job;
	return 0;
}
