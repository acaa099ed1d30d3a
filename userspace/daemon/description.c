/* SPDX-License-Identifier: GPL-2.0 */
/* Descriptions of loaded policies on disk. Only root can write the folder. */
#include "daemon/description.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/store.h"
#include "policy/policy.h"
#include "policy/read.h"
#include "policy/write.h"

#define NAME_SIZE	24

static void file_name(uint32_t number, char ret_name[static NAME_SIZE])
{
	snprintf(ret_name, NAME_SIZE, "%u.json", number);
}

int description_write(int folder_fd, uint32_t number, const struct policy *policy)
{
	_cleanup_json_ json_t *object = json_object();
	json_t *labels = json_array();
	char name[NAME_SIZE];

	for (size_t i = 0; i < policy->rule_count; i++)
		json_array_append_new(labels, text_json(policy->rules[i].label));
	json_object_set_new(object, "name", text_json(policy->name));
	json_object_set_new(object, "hash", text_json(policy->hash));
	json_object_set_new(object, "mode", json_string(mode_name(policy->mode)));
	if (json_object_set_new(object, "labels", labels))
		return -ENOMEM;
	file_name(number, name);
	return store_write(folder_fd, name, object);
}

static int labels_read(const json_t *labels, struct policy *policy)
{
	const json_t *label;
	size_t i;

	policy->rules = calloc(json_array_size(labels) + 1, sizeof(*policy->rules));
	if (!policy->rules)
		return -ENOMEM;
	json_array_foreach(labels, i, label) {
		struct rule *rule = &policy->rules[i];

		rule->id = (uint32_t)i + 1;
		rule->label = strdup(json_is_string(label) ? json_string_value(label) : "");
		rule->text = strdup("");
		rule->source = strdup("");
		policy->rule_count++;
		if (!rule->label || !rule->text || !rule->source)
			return -ENOMEM;
	}
	return 0;
}

int description_read(int folder_fd, uint32_t number, struct policy **ret_policy)
{
	_cleanup_json_ json_t *object = NULL;
	_cleanup_policy_ struct policy *policy = calloc(1, sizeof(*policy));
	const char *name = "unknown", *hash = "", *mode = "enforce";
	char file[NAME_SIZE];
	int error;

	if (!policy)
		return -ENOMEM;
	file_name(number, file);
	if (!store_read(folder_fd, file, &object))
		json_unpack(object, "{s:s, s:s, s:s}", "name", &name, "hash", &hash, "mode", &mode);
	policy->name = strdup(name);
	snprintf(policy->hash, sizeof(policy->hash), "%s", hash);
	mode_parse(mode, &policy->mode);
	error = policy->name ? labels_read(json_object_get(object, "labels"), policy) : -ENOMEM;
	if (!error)
		*ret_policy = TAKE_PTR(policy);
	return error;
}

void description_remove(int folder_fd, uint32_t number)
{
	char name[NAME_SIZE];

	file_name(number, name);
	unlinkat(folder_fd, name, 0);
}
