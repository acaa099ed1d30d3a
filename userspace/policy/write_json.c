/* SPDX-License-Identifier: GPL-2.0 */
/* Policies as JSON: see write.h. */
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/text.h"
#include "target.h"
#include "write.h"

#define TEXT_MAX	4096

static void json_cleanup(json_t **json)
{
	json_decref(*json);
}
#define _cleanup_json_ _cleanup_(json_cleanup)

json_t *text_json(const char *text)
{
	_cleanup_free_ char *escaped = NULL;
	json_t *json = json_string(text);

	if (json)
		return json;
	escaped = escape_string(text, TEXT_MAX);
	return escaped ? json_string(escaped) : NULL;
}

int json_write(const json_t *json, size_t layout, FILE *out)
{
	_cleanup_free_ char *whole = json_dumps(json, layout | JSON_ENSURE_ASCII);
	_cleanup_text_ struct text fit = {};
	char last = 0;

	if (whole)
		escape_json(whole, strlen(whole), &last, &fit);
	if (!whole || fit.failed)
		return -ENOMEM;
	fprintf(out, "%s\n", fit.bytes);
	return 0;
}

/* Frees `json` and returns NULL when one of its members is missing: memory ran out. */
static json_t *object_check(json_t *json, size_t members)
{
	if (json && json_object_size(json) == members)
		return json;
	json_decref(json);
	return NULL;
}

static json_t *rule_json(const struct rule *rule)
{
	const struct target *target = &rule->target;
	char text[TARGET_TEXT_LEN], host[TARGET_TEXT_LEN], day[DAY_TEXT_LEN];
	json_t *json = json_object();

	target_format(target, rule->list, text);
	target_format_host(target, host);
	json_object_set_new(json, "id", json_integer(rule->id));
	json_object_set_new(json, "list", json_string(rule_list_name(rule->list)));
	json_object_set_new(json, "target", json_string(text));
	json_object_set_new(json, "host", json_string(host));
	json_object_set_new(json, "protocol",
			    json_string(target->protocol == IPPROTO_TCP ? "tcp" :
					target->protocol == IPPROTO_UDP ? "udp" : "any"));
	json_object_set_new(json, "port_low", json_integer(target->port_low));
	json_object_set_new(json, "port_high", json_integer(target->port_high));
	json_object_set_new(json, "name", text_json(rule->label));
	json_object_set_new(json, "reason", rule->reason ? text_json(rule->reason) : json_null());
	if (rule->expires)
		expires_format(rule->expires, day);
	json_object_set_new(json, "expires", rule->expires ? json_string(day) : json_null());
	json_object_set_new(json, "source", text_json(rule->source));
	json_object_set_new(json, "line", json_integer(rule->line));
	json_object_set_new(json, "column", json_integer(rule->column));
	return object_check(json, 13);
}

static json_t *resolvers_json(const struct policy *policy)
{
	json_t *json = json_array();
	char addr[TARGET_TEXT_LEN];

	if (policy->resolvers_auto) {
		json_decref(json);
		return json_string("auto");
	}
	for (unsigned int i = 0; i < policy->resolver_count; i++) {
		struct target resolver = { .kind = TARGET_PREFIX, .prefix_bits = 128 };

		memcpy(resolver.addr, policy->resolvers[i], ADDR_LEN);
		target_format_host(&resolver, addr);
		if (json_array_append_new(json, json_string(addr))) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

static json_t *permission_json(bool allowed)
{
	return json_string(allowed ? "allow" : "deny");
}

int policy_write_json(const struct policy *policy, FILE *out)
{
	_cleanup_json_ json_t *json = json_object();
	json_t *rules = json_array();

	for (size_t i = 0; i < policy->rule_count; i++) {
		if (json_array_append_new(rules, rule_json(&policy->rules[i]))) {
			json_decref(rules);
			return -ENOMEM;
		}
	}
	json_object_set_new(json, "name", text_json(policy->name));
	json_object_set_new(json, "hash", json_string(policy->hash));
	json_object_set_new(json,
			    "mode", json_string(mode_name(policy->mode)));
	json_object_set_new(json, "metadata", permission_json(policy->metadata_allowed));
	json_object_set_new(json, "loopback", permission_json(policy->loopback_allowed));
	json_object_set_new(json,
			    "private_answers", permission_json(policy->private_answers_allowed));
	json_object_set_new(json, "min_ttl_s", json_integer(policy->min_ttl_s));
	json_object_set_new(json, "dns_servers", resolvers_json(policy));
	json_object_set_new(json, "rules", rules);
	if (json_object_size(json) != 9)
		return -ENOMEM;
	return json_write(json, JSON_INDENT(2), out);
}
