/* SPDX-License-Identifier: GPL-2.0 */
/* The policies that a configuration names: each must load and compile before anything starts. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "config_read.h"
#include "policy/compile.h"
#include "policy/load.h"
#include "policy/preset.h"
#include "policy/read.h"

/* Remembers a policy, once. Takes over `shown`. */
static void use_add(struct config_reading *reading, const char *policy, char *shown,
		    const struct node *position)
{
	struct policy_use *grown;

	for (size_t i = 0; i < reading->use_count && !reading->no_memory; i++) {
		if (!strcmp(reading->uses[i].policy, policy)) {
			free(shown);
			return;
		}
	}
	grown = reallocarray(reading->uses, reading->use_count + 1, sizeof(*grown));
	if (grown)
		reading->uses = grown;
	else
		reading->no_memory = true;
	if (!grown) {
		free(shown);
		return;
	}
	grown[reading->use_count] = (struct policy_use){ .shown = shown, .position = position };
	config_text_keep(reading, policy, &grown[reading->use_count++].policy);
}

/* A preset's name, or a file's path, which is kept absolute. */
void config_policy_read(struct config_reading *reading, const struct node *node, void *ret_text)
{
	const char *text = node_text(&reading->document, node, "a preset's name or a file");
	char **policy = ret_text, *shown;

	if (!text)
		return;
	if (!preset_is_file(text) && !preset_find(text)) {
		preset_report_unknown(&reading->document, node, text);
		return;
	}
	if (preset_is_file(text))
		config_path_read(reading, node, policy);
	else
		config_text_keep(reading, text, policy);
	if (!*policy)
		return;
	shown = preset_is_file(text) ? path_beside(text, reading->document.source) : strdup(text);
	if (shown)
		use_add(reading, *policy, shown, node);
	else
		reading->no_memory = true;
}

void config_policy_use(struct config_reading *reading, const char *preset, char **ret_policy)
{
	char *shown = strdup(preset);

	config_text_keep(reading, preset, ret_policy);
	if (shown)
		use_add(reading, preset, shown, NULL);
	else
		reading->no_memory = true;
}

void config_policy_request(const char *policy, struct policy_request *ret_request,
			   const char *storage[2])
{
	bool is_file = *policy == '/';

	storage[0] = is_file ? NULL : policy;
	storage[1] = NULL;
	*ret_request = (struct policy_request){
		.file = is_file ? policy : NULL,
		.presets = is_file ? NULL : storage,
	};
}

static void use_check(const struct config_reading *reading, const struct policy_use *use)
{
	const struct document *document = &reading->document;
	unsigned int errors = document->diag->errors;
	_cleanup_policy_ struct policy *policy = NULL;
	_cleanup_image_ struct image *image = NULL;
	struct policy_request request;
	const char *storage[2];
	int r;

	config_policy_request(use->policy, &request, storage);
	if (request.file)
		request.file = use->shown;
	if (request.file)
		config_writers_warn(document->diag, request.file);
	r = policy_load(&request, document->diag, &policy);
	if (!r)
		r = policy_compile(policy, NULL, time(NULL), document->diag, &image);
	if (!r)
		return;
	errors = document->diag->errors - errors;
	if (errors)
		diagnostics_error(document->diag, document->source,
				  use->position->line, use->position->column,
				  "policy '%.200s', named here, is refused for the error%s above",
				  use->shown, errors == 1 ? "" : "s");
	else
		diagnostics_error(document->diag, use->shown, 0, 0, "%s", strerror(-r));
}

static void count_check(const struct config_reading *reading)
{
	const struct node *limit = node_get(reading->limits, "policies");

	if (reading->use_count <= reading->config->policies_max)
		return;
	diagnostics_error(reading->document.diag, reading->document.source,
			  limit ? limit->line : 0, limit ? limit->column : 0,
			  "%zu policies are named here, and the limit is %u; write 'limits: { policies: %zu }'",
			  reading->use_count, reading->config->policies_max, reading->use_count);
}

void config_policies_check(struct config_reading *reading)
{
	/* The default is built in, and the tests load every preset: what nothing names is fine. */
	for (size_t i = 0; i < reading->use_count; i++) {
		if (reading->uses[i].position)
			use_check(reading, &reading->uses[i]);
	}
	count_check(reading);
}
