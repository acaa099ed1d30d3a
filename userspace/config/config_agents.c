/* SPDX-License-Identifier: GPL-2.0 */
/*
 * `agents:` of the configuration, and Azure's agent, which is built in: how a worker is known, and
 * which variables of its environment say what it works on.
 */
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "config_read.h"
#include "event/mask.h"
#include "policy/policy.h"

#define PROGRAM_MAX	255		/* NAME_MAX of linux/limits.h */
#define VARIABLE_MAX	128
#define RECORD_NAME_MAX	45		/* what a column of Azure Monitor's logs may have */
#define FIELDS_MAX	20		/* of 256 bytes: a record stays below 8 KiB */

/*
 * What a field may not be called: every record has these (event/sink_ndjson.c; a test compares),
 * or each table of Azure Monitor has them as columns of its own.
 */
static const char *const taken_names[] = {
	"TimeGenerated", "EventStartTime", "EventEndTime", "EventCount", "EventType", "EventSchema",
	"EventSchemaVersion", "EventVendor", "EventProduct", "EventProductVersion", "EventSeverity",
	"EventResult", "EventResultDetails", "EventMessage", "EventOriginalUid", "DvcAction",
	"DvcHostname", "NetworkDirection", "NetworkProtocol", "NetworkApplicationProtocol",
	"SrcIpAddr", "SrcPortNumber", "SrcProcessName", "SrcProcessId", "SrcUserId", "SrcUsername",
	"DstIpAddr", "DstPortNumber", "DstFQDN", "DstProcessName", "DstProcessId",
	"NetworkRuleName", "Reason", "Mode", "Hook", "PolicyName", "PolicyHash", "JobName",
	"CgroupPath", "ProcessCommandLine", "TenantId", "Type", "UniqueId", "Title", "Id",
};

static void program_read(struct config_reading *reading, const struct node *node, void *ret_text)
{
	const char *text = node_text(&reading->document, node, "a program's name");
	const char *slash = text ? strrchr(text, '/') : NULL;

	if (!text)
		return;
	if (slash)
		node_report(&reading->document, node,
			    "'%.60s' is a path; write the program's name alone%s%.60s", text,
			    slash[1] ? ": " : "", slash + 1);
	else if (!*text || strlen(text) > PROGRAM_MAX)
		node_report(&reading->document, node,
			    "'%.60s' is not the name of a program: 1 to %d characters",
			    text, PROGRAM_MAX);
	else
		config_text_keep(reading, text, ret_text);
}

static void identity_read(struct config_reading *reading, const struct node *node, void *ret_flag)
{
	const char *text = node_text(&reading->document, node, "'self' or 'child'");
	bool *in_child = ret_flag;

	if (text && strcmp(text, "self") && strcmp(text, "child"))
		node_report(&reading->document, node,
			    "identity is 'self' (the worker's own environment) or 'child' (its first child's), not '%.40s'",
			    text);
	*in_child = text && !strcmp(text, "child");
}

/* Letters, digits and '_', and no digit first. */
static bool is_identifier(const char *text)
{
	static const char letters[] =
		"_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

	return *text && (*text < '0' || *text > '9') &&
	       !text[strspn(text, letters)];
}

static void variable_read(struct config_reading *reading, const struct node *node, void *ret_text)
{
	const char *text = node_text(&reading->document, node, "an environment variable's name");
	size_t len = text ? strlen(text) : 0;

	if (!text)
		return;
	if (len > VARIABLE_MAX || !is_identifier(text)) {
		node_report(&reading->document, node,
			    "'%.60s' is not the name of an environment variable: letters, digits and '_' are%s",
			    text, *text == '$' ? "; leave the '$' out" : "");
		return;
	}
	if (name_is_secret(text, len))
		diagnostics_warning(reading->document.diag, reading->document.source, node->line,
				    node->column,
				    "'%.60s' sounds like a secret; what it holds will stand where records go",
				    text);
	config_text_keep(reading, text, ret_text);
}

static bool record_name_check(struct config_reading *reading, const struct node *key)
{
	const char *name = key->text;

	if (!is_identifier(name) || *name == '_' || strlen(name) > RECORD_NAME_MAX) {
		node_report(&reading->document, key,
			    "'%.60s' cannot be a record's field: a letter first, then letters, digits or '_', at most %d",
			    name, RECORD_NAME_MAX);
		return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(taken_names); i++) {
		if (strcasecmp(name, taken_names[i]))
			continue;
		node_report(&reading->document, key,
			    "every record has a field '%s' already; choose another name, as in 'Job%s'",
			    taken_names[i], taken_names[i]);
		return false;
	}
	return true;
}

/* Adds one field; both texts are copied. */
static void field_add(struct config_reading *reading, struct agent_kind *agent, const char *record,
		      const char *variable)
{
	struct agent_field *field = &agent->fields[agent->field_count++];

	config_text_keep(reading, record, &field->record);
	config_text_keep(reading, variable, &field->variable);
}

static void fields_read(struct config_reading *reading, const struct node *node, void *ret_agent)
{
	struct agent_kind *agent = ret_agent;

	if (node->kind == NODE_INVALID || node_is_null(node))
		return;
	if (node->kind != NODE_MAP || node->count > FIELDS_MAX) {
		node_report(&reading->document, node, node->kind != NODE_MAP ?
			    "'fields' is a mapping of a record's fields to variables, as in '{ ForgeJobId: FORGE_JOB_ID }'" :
			    "more than %d fields, which would make a record too long", FIELDS_MAX);
		return;
	}
	agent->fields = calloc(node->count + 1, sizeof(*agent->fields));
	if (!agent->fields) {
		reading->no_memory = true;
		return;
	}
	for (size_t i = 0; i < node->count; i++) {
		_cleanup_free_ char *variable = NULL;

		variable_read(reading, node->items[i], &variable);
		if (record_name_check(reading, node->keys[i]) && variable)
			field_add(reading, agent, node->keys[i]->text, variable);
	}
}

static void agent_read(struct config_reading *reading, const struct node *node,
		       struct agent_kind *agent)
{
	static const struct config_key keys[] = {
		{ "name", config_word_read, offsetof(struct agent_kind, name) },
		{ "worker", program_read, offsetof(struct agent_kind, worker) },
		{ "parent", program_read, offsetof(struct agent_kind, parent) },
		{ "identity", identity_read, offsetof(struct agent_kind, identity_in_child) },
		{ "job", variable_read, offsetof(struct agent_kind, job) },
		{ "agent", variable_read, offsetof(struct agent_kind, agent) },
		{ "pool", variable_read, offsetof(struct agent_kind, pool) },
		{ "project", variable_read, offsetof(struct agent_kind, project) },
		{ "definition", variable_read, offsetof(struct agent_kind, definition) },
		{ "fields", fields_read, 0 },
	};
	static const char *const required[] = { "name", "worker", "parent" };
	unsigned int errors = reading->document.diag->errors;

	if (node->kind == NODE_INVALID)
		return;
	if (node->kind != NODE_MAP) {
		node_report(&reading->document, node,
			    "expected a mapping, as in '{ name: forge, worker: forge-worker, parent: forge-runner }', but here is %s",
			    node_kind_name(node));
		return;
	}
	config_map_read(reading, node, keys, ARRAY_SIZE(keys), "an agent", agent);
	for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
		if (reading->document.diag->errors == errors && !node_get(node, required[i]))
			node_report(&reading->document, node,
				    "an agent without '%s'; it needs name, worker and parent",
				    required[i]);
	}
}

void config_agents_read(struct config_reading *reading, const struct node *node, void *unused)
{
	struct config *config = reading->config;

	(void)unused;
	config->agents = config_list_read(reading, node, CONFIG_AGENTS_MAX - 1,
					  sizeof(*config->agents),
					  "agents: [ { name: forge, worker: forge-worker, parent: forge-runner } ]",
					  &config->agent_count);
	reading->agents = config->agents ? node : NULL;
	for (size_t i = 0; i < config->agent_count; i++)
		agent_read(reading, node->items[i], &config->agents[i]);
}

/* Two that share a name, or a worker: which of them a job belongs to could not be said. */
static void pair_check(struct config_reading *reading, const struct node *node,
		       const struct agent_kind *agent, const struct agent_kind *earlier,
		       const char *where)
{
	if (!agent->name || !earlier->name)
		return;
	if (!strcasecmp(agent->name, earlier->name))
		node_report(&reading->document, node,
			    "two agents have the name '%s': this one, and %s", agent->name, where);
	else if (agent->worker && earlier->worker && agent->parent && earlier->parent &&
		 !strcmp(agent->worker, earlier->worker) && !strcmp(agent->parent, earlier->parent))
		node_report(&reading->document, node,
			    "agents '%s' and '%s' have the same worker and parent; leave one out",
			    agent->name, earlier->name);
}

static void agent_copy(struct config_reading *reading, const struct agent_kind *from,
		       struct agent_kind *to)
{
	*to = (struct agent_kind){
		.identity_in_child = from->identity_in_child,
		.is_azure = from->is_azure,
		.fields = calloc(from->field_count, sizeof(*to->fields)),
	};
	config_text_keep(reading, from->name, &to->name);
	config_text_keep(reading, from->worker, &to->worker);
	config_text_keep(reading, from->parent, &to->parent);
	config_text_keep(reading, from->mute_child, &to->mute_child);
	config_text_keep(reading, from->job, &to->job);
	config_text_keep(reading, from->agent, &to->agent);
	config_text_keep(reading, from->project, &to->project);
	config_text_keep(reading, from->definition, &to->definition);
	for (size_t i = 0; to->fields && i < from->field_count; i++)
		field_add(reading, to, from->fields[i].record, from->fields[i].variable);
	if (!to->fields)
		reading->no_memory = true;
}

void config_agents_finish(struct config_reading *reading)
{
	struct config *config = reading->config;
	const struct node *list = reading->agents;
	struct agent_kind *grown;

	for (size_t i = 0; i < config->agent_count; i++) {
		if (!reading->azure_off)
			pair_check(reading, list->items[i], &config->agents[i], &agent_azure,
				   "Azure's, which is built in ('azure: off' turns it off)");
		for (size_t j = 0; j < i; j++) {
			char where[32];

			snprintf(where, sizeof(where), "one in line %u", list->items[j]->line);
			pair_check(reading, list->items[i], &config->agents[i], &config->agents[j],
				   where);
		}
	}
	if (reading->azure_off)
		return;
	grown = reallocarray(config->agents, config->agent_count + 1, sizeof(*grown));
	if (!grown) {
		reading->no_memory = true;
		return;
	}
	config->agents = grown;
	memmove(grown + 1, grown, config->agent_count++ * sizeof(*grown));
	agent_copy(reading, &agent_azure, grown);
}
