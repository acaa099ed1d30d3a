/* SPDX-License-Identifier: GPL-2.0 */
/* The daemon's configuration, from file to struct: see config.h. */
#include "config.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "config_read.h"
#include "control/protocol.h"
#include "policy/policy.h"

#define DEFAULT_POLICY		"azure-devops"
#define DEFAULT_RECORDS		"/var/log/buildfence/records.ndjson"
#define DEFAULT_STATE		"/run/buildfence"
#define DEFAULT_PINS		"daemon"
#define DEFAULT_JOBS		256
#define DEFAULT_POLICIES	32
#define DEFAULT_CLIENTS		64

static void agent_free(struct agent_kind *agent)
{
	for (size_t i = 0; i < agent->field_count; i++) {
		free(agent->fields[i].record);
		free(agent->fields[i].variable);
	}
	free(agent->fields);
	free(agent->name);
	free(agent->worker);
	free(agent->parent);
	free(agent->mute_child);
	free(agent->job);
	free(agent->agent);
	free(agent->pool);
	free(agent->project);
	free(agent->definition);
}

static void choice_free(struct policy_choice *choice)
{
	free(choice->agent);
	free(choice->pool);
	free(choice->project);
	free(choice->definition);
	free(choice->policy);
}

static void guarded_free(struct guarded_cgroup *guarded)
{
	free(guarded->pattern);
	free(guarded->policy);
	free(guarded->name);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->agent_count; i++)
		agent_free(&config->agents[i]);
	for (size_t i = 0; i < config->choice_count; i++)
		choice_free(&config->choices[i]);
	for (size_t i = 0; i < config->guarded_count; i++)
		guarded_free(&config->guarded[i]);
	free(config->agents);
	free(config->choices);
	free(config->guarded);
	free(config->path);
	free(config->policy);
	free(config->records);
	free(config->state);
	free(config->socket);
	free(config->pins);
	free(config->cgroup);
	free(config);
}

static void reading_clear(struct config_reading *reading)
{
	for (size_t i = 0; i < reading->use_count; i++) {
		free(reading->uses[i].policy);
		free(reading->uses[i].shown);
	}
	free(reading->uses);
	free(reading->folder);
}

static void default_keep(struct config_reading *reading, const char *text, char **ret_text)
{
	if (!*ret_text)
		config_text_keep(reading, text, ret_text);
}

static void socket_default(struct config_reading *reading)
{
	struct config *config = reading->config;

	if (config->socket || reading->no_memory)
		return;
	if (asprintf(&config->socket, "%s/socket", config->state) < 0) {
		config->socket = NULL;
		reading->no_memory = true;
		return;
	}
	if (reading->state && strlen(config->socket) > CONTROL_PATH_MAX)
		node_report(&reading->document, reading->state,
			    "the socket would be '%.120s', of %zu bytes, and its path has %d at most; shorten this path, or set 'socket'",
			    config->socket, strlen(config->socket), CONTROL_PATH_MAX);
}

/* What the file left out. Called after errors too, so that all of them are found in one go. */
static void defaults_fill(struct config_reading *reading)
{
	struct config *config = reading->config;

	if (!config->policy)
		config_policy_use(reading, DEFAULT_POLICY, &config->policy);
	default_keep(reading, DEFAULT_RECORDS, &config->records);
	default_keep(reading, DEFAULT_STATE, &config->state);
	default_keep(reading, DEFAULT_PINS, &config->pins);
	socket_default(reading);
	for (size_t i = 0; i < config->guarded_count; i++)
		default_keep(reading, config->policy, &config->guarded[i].policy);
}

void config_writers_warn(struct diagnostics *diag, const char *path)
{
	struct stat status;

	if (!stat(path, &status) && S_ISREG(status.st_mode) && status.st_mode & S_IWOTH)
		diagnostics_warning(diag, path, 0, 0,
				    "everyone on this machine can change this file; chmod o-w");
}

static void idle_warn(const struct config_reading *reading)
{
	if (!reading->config->agent_count && !reading->config->guarded_count)
		diagnostics_warning(reading->document.diag, reading->document.source, 0, 0,
				    "no agent is watched and no cgroup guarded; jobs come by 'buildfence attach' alone");
}

static int document_read(struct config_reading *reading, const char *bytes, size_t len)
{
	_cleanup_node_ struct node *document = NULL;
	int r = yaml_read(reading->document.source, bytes, len, reading->document.diag, &document);

	if (r)
		return r;
	config_schema_read(reading, document);
	defaults_fill(reading);
	if (reading->no_memory)
		return -ENOMEM;
	config_agents_finish(reading);
	config_writers_warn(reading->document.diag, reading->document.source);
	idle_warn(reading);
	config_policies_check(reading);
	return reading->no_memory ? -ENOMEM : 0;
}

/* The absolute path of the file's folder, where relative paths in it begin. */
static int folder_find(const char *path, char **ret_folder)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	*ret_folder = realpath(dirname(copy), NULL);
	return *ret_folder ? 0 : -errno;
}

static int file_load(struct config_reading *reading, const char *path)
{
	_cleanup_free_ char *bytes = NULL;
	size_t len = 0;
	int r = yaml_bytes_read(path, &bytes, &len);

	if (!r)
		r = folder_find(path, &reading->folder);
	if (!r) {
		config_text_keep(reading, path, &reading->config->path);
		return document_read(reading, bytes, len);
	}
	diagnostics_error(reading->document.diag, path, 0, 0, "cannot read the configuration: %s%s",
			  strerror(-r),
			  r == -ENOENT ? "; 'make install' puts one at " CONFIG_PATH : "");
	return r;
}

int config_load(const char *path, struct diagnostics *diag, struct config **ret_config)
{
	_cleanup_config_ struct config *config = calloc(1, sizeof(*config));
	struct config_reading reading = {
		.document = { .source = path, .diag = diag },
		.config = config,
	};
	unsigned int errors_before = diag->errors;
	int r;

	if (!config)
		return -ENOMEM;
	config->jobs_max = DEFAULT_JOBS;
	config->policies_max = DEFAULT_POLICIES;
	config->clients_max = DEFAULT_CLIENTS;
	r = file_load(&reading, path);
	reading_clear(&reading);
	if (r)
		return r;
	if (diag->errors != errors_before)
		return -EINVAL;
	*ret_config = TAKE_PTR(config);
	return 0;
}
