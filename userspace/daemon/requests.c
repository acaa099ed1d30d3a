/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the daemon answers on its socket. Root may ask for anything, unless it is root within a
 * guarded cgroup, or may be: who is guarded shall not take its guard off. Everybody else may ask
 * whether the daemon runs, whether they are guarded, and for the records of the job they are in.
 */
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "config/config.h"
#include "control/server.h"
#include "daemon/daemon_internal.h"
#include "daemon/guarded.h"
#include "daemon/jobs.h"
#include "daemon/policies.h"
#include "daemon/records.h"
#include "guard/guard.h"
#include "policy/policy.h"
#include "policy/write.h"

#define JOB_NAME_MAX	200	/* of a job's name */
#define PATH_SHOWN	120	/* of one that is refused */

struct call {
	struct daemon *daemon;
	const struct control_peer *peer;
	const json_t *request;
	struct control_answer *answer;
	const struct job *peer_job;	/* that the peer is in, or NULL */
	bool privileged;
};

static const char *text_of(const struct call *call, const char *key)
{
	return json_string_value(json_object_get(call->request, key));
}

static json_t *text_or_null(const char *text)
{
	return text ? text_json(text) : json_null();
}

/* As in records: ISO 8601, UTC. */
static json_t *time_json(time_t seconds)
{
	struct tm parts;
	char text[32] = "";

	if (gmtime_r(&seconds, &parts))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
	return json_string(text);
}

/* --- attach, detach, reload ------------------------------------------------------------------- */

static void answer_attach(const struct call *call)
{
	const char *name = text_of(call, "job"), *cgroup = text_of(call, "cgroup");
	const char *policy = text_of(call, "policy");
	_cleanup_free_ char *why = NULL, *escaped = NULL;
	int error;

	if (!name || !*name || strlen(name) > JOB_NAME_MAX || !cgroup || *cgroup != '/') {
		control_answer_error(call->answer, "attach needs 'job', a name of at most %d "
				     "bytes, and 'cgroup', a path from cgroup2's root",
				     JOB_NAME_MAX);
		return;
	}
	/* Who is what is found by comparing paths. */
	if (!cgroup_path_is_plain(cgroup)) {
		escaped = escape_string(cgroup, PATH_SHOWN);
		control_answer_error(call->answer, "'%s' is not a path from cgroup2's root; write "
				     "it as in /system.slice/agent.service, without '.', '..' and "
				     "empty parts", escaped ? escaped : "?");
		return;
	}
	if (!policy)
		policy = call->daemon->config->policy;
	error = jobs_attach(call->daemon->jobs, JOB_ATTACHED, name, cgroup, policy, &why);
	if (error)
		control_answer_error(call->answer, "%s", why ? why : strerror(-error));
}

static void answer_detach(const struct call *call)
{
	const char *name = text_of(call, "job");
	_cleanup_free_ char *escaped = name ? escape_string(name, JOB_NAME_MAX) : NULL;
	int error = name ? jobs_detach(call->daemon->jobs, name) : -EINVAL;

	if (error == -ENOENT)
		control_answer_error(call->answer, "no job '%s'; see: buildfence jobs",
				     escaped ? escaped : "?");
	else if (error == -EPERM)
		control_answer_error(call->answer, "'%s' is an agent's worker: it is guarded until "
				     "it ends", escaped ? escaped : "?");
	else if (error)
		control_answer_error(call->answer, "detach needs 'job', a name");
}

static void answer_reload(const struct call *call)
{
	_cleanup_free_ char *why = NULL;
	int error = daemon_reload(call->daemon, &why);

	if (error)
		control_answer_error(call->answer, "%s", why && *why ? why : strerror(-error));
}

/* --- jobs ------------------------------------------------------------------------------------- */

static void job_add(struct job *job, void *context)
{
	json_t *list = context, *object;

	if (job->ended)
		return;
	object = json_object();
	json_object_set_new(object, "name", text_json(job->name));
	json_object_set_new(object, "number", json_integer(job->number));
	json_object_set_new(object, "origin", json_string(job_origin_name(job->origin)));
	json_object_set_new(object, "cgroup", text_json(job->cgroup));
	json_object_set_new(object, "policy", text_json(job->loaded->policy->name));
	json_object_set_new(object, "policy_source", text_json(job->policy_source));
	json_object_set_new(object, "policy_hash", text_json(job->loaded->policy->hash));
	json_object_set_new(object, "mode", json_string(mode_name(job->loaded->policy->mode)));
	json_object_set_new(object, "started", time_json(job->started));
	json_object_set_new(object, "agent", text_or_null(job->agent));
	json_object_set_new(object, "worker", json_integer(job->worker));
	json_object_set_new(object, "identity", job_identity_json(job));
	json_object_set_new(object, "refused", json_integer((json_int_t)job->refused));
	json_object_set_new(object, "processes", json_boolean(job->populated));
	json_array_append_new(list, object);
}

static void answer_jobs(const struct call *call)
{
	json_t *list = json_array();

	jobs_visit(call->daemon->jobs, job_add, list);
	json_object_set_new(call->answer->body, "jobs", list);
}

/* --- status ----------------------------------------------------------------------------------- */

static void policy_add(const struct loaded *loaded, void *context)
{
	json_t *list = context, *object;

	if (loaded->replaced)
		return;
	object = json_object();
	json_object_set_new(object, "name", text_json(loaded->policy->name));
	json_object_set_new(object, "source", text_json(loaded->source));
	json_object_set_new(object, "hash", text_json(loaded->policy->hash));
	json_object_set_new(object, "jobs", json_integer(loaded->references));
	json_array_append_new(list, object);
}

static void guarded_add(struct job *job, void *context)
{
	if (!job->ended)
		json_array_append_new(context, text_json(job->cgroup));
}

static json_t *shortages_json(const struct jobs *jobs)
{
	json_t *object = json_object();

	for (size_t i = 0; i < SHORTAGES; i++)
		json_object_set_new(object, shortages[i].key,
				    json_integer((json_int_t)jobs_shortages(jobs)[i]));
	return object;
}

static void details_add(const struct call *call)
{
	struct daemon *daemon = call->daemon;
	json_t *body = call->answer->body, *policies = json_array(), *guarded = json_array();

	policies_visit(daemon->policies, policy_add, policies);
	jobs_visit(daemon->jobs, guarded_add, guarded);
	json_object_set_new(body, "jobs", json_integer((json_int_t)jobs_count(daemon->jobs)));
	json_object_set_new(body, "jobs_max", json_integer(jobs_places(daemon->jobs)));
	json_object_set_new(body, "config", text_json(daemon->config->path));
	json_object_set_new(body, "policies", policies);
	json_object_set_new(body, "records", records_status(daemon->records));
	json_object_set_new(body, "guarded", guarded);
	json_object_set_new(body, "lost", shortages_json(daemon->jobs));
}

/* Does an entry of `guard` cover the cgroup, or one above it? */
static bool guard_covers(const struct config *config, const char *cgroup)
{
	_cleanup_free_ char *path = strdup(cgroup);
	char *slash;

	while (path && (slash = strrchr(path, '/'))) {
		for (size_t i = 0; i < config->guarded_count; i++) {
			if (config_guard_match(&config->guarded[i], path))
				return true;
		}
		*slash = '\0';
	}
	return false;
}

/* Is a cgroup guarded, or one above it? An agent's start may wait for this. */
static void guarded_answer(const struct call *call)
{
	const char *cgroup = text_of(call, "cgroup");

	if (cgroup && (!strcmp(cgroup, "self") || !call->privileged))
		cgroup = call->peer->cgroup;
	guarded_scan_again(call->daemon->guarded);
	json_object_set_new(call->answer->body, "cgroup", text_or_null(cgroup));
	json_object_set_new(call->answer->body, "guarded",
			    json_boolean(cgroup && job_by_cgroup(call->daemon->jobs, cgroup)));
	json_object_set_new(call->answer->body, "covered",
			    json_boolean(cgroup && guard_covers(call->daemon->config, cgroup)));
}

static void answer_status(const struct call *call)
{
	json_t *body = call->answer->body;

	json_object_set_new(body, "version", json_string(BUILDFENCE_VERSION));
	json_object_set_new(body, "pid", json_integer(getpid()));
	json_object_set_new(body, "started", time_json(call->daemon->started));
	if (call->privileged)
		details_add(call);
	if (json_object_get(call->request, "cgroup"))
		guarded_answer(call);
}

/* --- events ----------------------------------------------------------------------------------- */

/* The job whose records the peer may have, and asked for; NULL: there is none, it was told. */
static const struct job *events_job(const struct call *call)
{
	const char *name = text_of(call, "job");
	const struct job *job = call->peer_job;

	if (call->privileged)
		job = job_by_name(call->daemon->jobs, name);
	/* In the overflow job are several jobs, of different agents. */
	else if (job && (job_is_overflow(job) || (name && strcmp(job->name, name))))
		job = NULL;
	if (!job) {
		_cleanup_free_ char *escaped = name ? escape_string(name, JOB_NAME_MAX) : NULL;

		if (!call->privileged)
			control_answer_error(call->answer, "only root may read records of other "
					     "jobs; you are not in %s%s",
					     name ? "the job " : "a job of your own",
					     escaped ? escaped : "");
		else
			control_answer_error(call->answer, "no job '%s' runs; see: buildfence jobs",
					     escaped ? escaped : "?");
	}
	return job;
}

/* What stands in the lines of a job's records, or NULL. */
static char *job_mark(const struct job *job)
{
	_cleanup_free_ char *escaped = escape_string(job->name, 256);
	json_t *value = escaped ? json_string(escaped) : NULL;
	_cleanup_free_ char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) :
					    NULL;
	char *mark;

	json_decref(value);
	return text && asprintf(&mark, "\"JobName\":%s", text) >= 0 ? mark : NULL;
}

static void answer_events(const struct call *call)
{
	struct control_answer *answer = call->answer;
	const struct records_place *from = NULL;

	if (!call->privileged || text_of(call, "job")) {
		const struct job *job = events_job(call);

		if (!job)
			return;
		answer->past_only = job_mark(job);
		if (!answer->past_only) {
			control_answer_error(answer, "out of memory");
			return;
		}
		answer->job = job->number;
		from = &job->records_from;
	}
	answer->stream = true;
	answer->follow = json_is_true(json_object_get(call->request, "follow"));
	answer->past_fd = records_past_open(call->daemon->records, from);
}

/* --- all -------------------------------------------------------------------------------------- */

static const struct request_kind {
	const char *name;
	bool for_all;
	void (*answer)(const struct call *call);
} kinds[] = {
	{ "attach", false, answer_attach },
	{ "detach", false, answer_detach },
	{ "jobs", false, answer_jobs },
	{ "reload", false, answer_reload },
	{ "status", true, answer_status },
	{ "events", true, answer_events },
};

/*
 * Whose cgroup is not known may be in a job: its process connected and ended, and another one that
 * has the same connection waits for the answer.
 */
bool request_trust(const struct control_peer *peer, void *context)
{
	const struct daemon *daemon = context;

	return peer->cgroup && !job_by_cgroup(daemon->jobs, peer->cgroup);
}

void request_answer(const struct control_peer *peer, const json_t *request,
		    struct control_answer *ret_answer, void *context)
{
	struct daemon *daemon = context;
	struct call call = {
		.daemon = daemon,
		.peer = peer,
		.request = request,
		.answer = ret_answer,
		.peer_job = peer->cgroup ? job_by_cgroup(daemon->jobs, peer->cgroup) : NULL,
	};
	const char *name = text_of(&call, "request");
	_cleanup_free_ char *escaped = NULL;

	/* Once more: it may have become a job since it connected. */
	call.privileged = peer->trusted && !call.peer_job;
	for (size_t i = 0; name && i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].name, name))
			continue;
		if (!call.privileged && !kinds[i].for_all) {
			control_answer_error(ret_answer, "'%s' is for root only, and not from "
					     "within a guarded cgroup; whoever asks must wait for "
					     "the answer", name);
			return;
		}
		ret_answer->body = json_object();
		kinds[i].answer(&call);
		return;
	}
	escaped = name ? escape_string(name, 64) : NULL;
	control_answer_error(ret_answer, "no request '%s'; there are attach, detach, jobs, status, "
			     "events and reload", escaped ? escaped : "");
}
