/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Makes one policy of a file, its presets, and what the command line adds. What the documents may
 * say is schema.c's business.
 */
#include <endian.h>
#include <errno.h>
#include <sha2.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "load.h"
#include "preset.h"
#include "read.h"

#define DEFAULT_PRESET		"azure-devops"
#define DEFAULT_MIN_TTL_S	600
#define PRESETS_READ_MAX	64

struct loading {
	struct reading reading;
	SHA2_CTX hash;
	/* Their names come from the caller or a document, and live as long. */
	const char *presets[PRESETS_READ_MAX];
	size_t preset_count;
};

/* Lengths keep two inputs apart that only differ in where one text ends and the next begins. */
static void hash_add(SHA2_CTX *hash, const char *what, const char *bytes, size_t len)
{
	uint64_t len_hashed = htole64(len);

	SHA256Update(hash, (const uint8_t *)what, strlen(what) + 1);
	SHA256Update(hash, (const uint8_t *)&len_hashed, sizeof(len_hashed));
	SHA256Update(hash, (const uint8_t *)bytes, len);
}

/* Reads one document into the policy. -EINVAL was reported. */
static int document_read(struct loading *loading, const char *source, bool is_preset,
			 const char *bytes, size_t len, struct node **ret_document)
{
	struct reading *reading = &loading->reading;
	int r;

	hash_add(&loading->hash, is_preset ? "preset" : "file", bytes, len);
	r = yaml_read(source, bytes, len, reading->document.diag, ret_document);
	if (r)
		return r;
	reading->document.source = source;
	reading->is_preset = is_preset;
	return schema_read(reading, *ret_document);
}

static int preset_read_file(struct loading *loading, const char *name, const char *policy_file,
			    const struct node *position)
{
	_cleanup_free_ char *path = path_beside(name, policy_file), *bytes = NULL;
	_cleanup_node_ struct node *document = NULL;
	size_t len = 0;
	int r;

	if (!path)
		return -ENOMEM;
	r = yaml_bytes_read(path, &bytes, &len);
	if (!r)
		return document_read(loading, path, true, bytes, len, &document);
	diagnostics_error(loading->reading.document.diag, policy_file ? policy_file : "--preset",
			  position ? position->line : 0, position ? position->column : 0,
			  "cannot read preset '%s': %s", path, strerror(-r));
	return r == -ENOMEM ? r : 0;
}

static int preset_read_builtin(struct loading *loading, const struct preset *preset)
{
	_cleanup_node_ struct node *document = NULL;
	_cleanup_free_ char *source = NULL;

	if (asprintf(&source, "preset %s", preset->name) < 0)
		return -ENOMEM;
	return document_read(loading, source, true, preset->text, preset->len, &document);
}

void preset_report_unknown(const struct document *document, const struct node *position,
			   const char *name)
{
	const char *nearest = preset_nearest(name);
	_cleanup_text_ struct text known = {};
	size_t count;
	const struct preset *presets = preset_list(&count);

	for (size_t i = 0; i < count && !nearest; i++)
		text_printf(&known, "%s%s", i ? ", " : "; built in are ", presets[i].name);
	diagnostics_error(document->diag, document->source, position ? position->line : 0,
			  position ? position->column : 0,
			  nearest ? "unknown preset '%.60s'; did you mean '%s'?" :
			  "unknown preset '%.60s'%s (a file's name has a slash or ends in .yaml)",
			  name, nearest ? nearest : known.bytes ? known.bytes : "");
}

/* `position` is NULL for a preset of the command line, which `policy_file` NULL says too. */
static int preset_read(struct loading *loading, const char *name, const char *policy_file,
		       const struct node *position)
{
	const struct document names = {
		.source = policy_file ? policy_file : "--preset",
		.diag = loading->reading.document.diag,
	};
	const struct preset *preset;
	int r = 0;

	for (size_t i = 0; i < loading->preset_count; i++) {
		if (!strcmp(loading->presets[i], name))
			return 0;
	}
	if (loading->preset_count == PRESETS_READ_MAX) {
		diagnostics_error(names.diag, names.source, 0, 0, "more than %d presets",
				  PRESETS_READ_MAX);
		return 0;
	}
	loading->presets[loading->preset_count++] = name;
	preset = preset_find(name);
	if (preset_is_file(name))
		r = preset_read_file(loading, name, policy_file, position);
	else if (preset)
		r = preset_read_builtin(loading, preset);
	else
		preset_report_unknown(&names, position, name);
	return r == -ENOMEM ? r : 0;
}

/* `presets:` of the policy's file. */
static int presets_read_listed(struct loading *loading, const char *file, const struct node *list)
{
	struct reading *reading = &loading->reading;

	if (!list || list->kind == NODE_INVALID || node_is_null(list))
		return 0;
	if (list->kind != NODE_LIST) {
		node_report(&reading->document, list,
			    "presets are a list, as in 'presets: [azure-devops]'");
		return 0;
	}
	for (size_t i = 0; i < list->count; i++) {
		const char *name;
		int r;

		/* The preset before it was a document of its own. */
		reading->document.source = file;
		reading->is_preset = false;
		name = node_text(&reading->document, list->items[i], "a preset's name");
		r = name ? preset_read(loading, name, file, list->items[i]) : 0;
		if (r)
			return r;
	}
	return 0;
}

static int additions_read(struct loading *loading, const struct policy_request *request)
{
	struct reading *reading = &loading->reading;
	int r = 0;

	for (size_t i = 0; !r && request->presets && request->presets[i]; i++)
		r = preset_read(loading, request->presets[i], NULL, NULL);
	reading->document.source = "--allow";
	reading->is_preset = false;
	for (size_t i = 0; !r && request->allow && request->allow[i]; i++) {
		hash_add(&loading->hash, "allow", request->allow[i], strlen(request->allow[i]));
		r = entry_add_text(reading, request->allow[i]);
	}
	return r;
}

/* A word under `values` that no entry asked for is a typing error, and skips what `if` guards. */
static void values_warn(const struct reading *reading, const char *file)
{
	for (size_t i = 0; reading->values.map && i < reading->values.map->count; i++) {
		const struct node *key = reading->values.map->keys[i];

		if (!reading->values.used[i])
			diagnostics_warning(reading->document.diag, file, key->line, key->column,
					    "no entry has a placeholder {%.60s}", key->text);
	}
}

/* Options that stand in place of what the file says. */
static void options_read(struct loading *loading, const struct policy_request *request)
{
	struct reading *reading = &loading->reading;

	reading->values.organization = request->organization;
	if (request->organization) {
		hash_add(&loading->hash, "organization", request->organization,
			 strlen(request->organization));
		if (!value_is_valid(request->organization))
			diagnostics_error(reading->document.diag, "--organization", 0, 0,
					  "'%.60s' is not an organization's name: letters, digits, '-', '_' and '.' are",
					  request->organization);
	}
	if (request->mode)
		hash_add(&loading->hash, "mode", request->mode, strlen(request->mode));
}

static void mode_override(struct reading *reading, const char *mode)
{
	if (mode && !mode_parse(mode, &reading->policy->mode))
		diagnostics_error(reading->document.diag,
				  "--mode", 0, 0, "mode is 'enforce' or 'audit', not '%.40s'",
				  mode);
}

static bool has_any(const char *const *words)
{
	return words && *words;
}

/* Reads file, presets and additions, in this order; rules of the file come first. */
static int sources_read(struct loading *loading, const struct policy_request *request)
{
	struct reading *reading = &loading->reading;
	_cleanup_node_ struct node *document = NULL;
	_cleanup_free_ char *bytes = NULL;
	size_t len = 0;
	int r;

	options_read(loading, request);
	if (request->file) {
		r = yaml_bytes_read(request->file, &bytes, &len);
		if (r) {
			diagnostics_error(reading->document.diag, request->file, 0, 0,
					  "cannot read the policy: %s",
					  strerror(-r));
			return r;
		}
		r = document_read(loading, request->file, false, bytes, len, &document);
		if (!r)
			r = presets_read_listed(loading, request->file, node_get(document,
										 "presets"));
	} else if (!has_any(request->presets) && !has_any(request->allow)) {
		r = preset_read(loading, DEFAULT_PRESET, NULL, NULL);
	} else {
		r = 0;
	}
	if (r)
		return r;
	r = additions_read(loading, request);
	mode_override(reading, request->mode);
	values_warn(reading, request->file ? request->file : "");
	return r;
}

/* The file's base name without its suffix; else the presets' names. */
static char *policy_name(const struct loading *loading, const char *file)
{
	_cleanup_text_ struct text name = {};
	const char *base, *dot;

	if (file) {
		base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
		dot = strrchr(base, '.');
		return dot && dot > base ? strndup(base, (size_t)(dot - base)) : strdup(base);
	}
	for (size_t i = 0; i < loading->preset_count; i++)
		text_printf(&name, "%s%s", i ? "+" : "", loading->presets[i]);
	if (!loading->preset_count)
		text_printf(&name, "command-line");
	return text_take(&name);
}

static void nothing_allowed_warn(const struct policy *policy, struct diagnostics *diag,
				 const char *source)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		if (policy->rules[i].list == LIST_ALLOW)
			return;
	}
	diagnostics_warning(diag, source, 0, 0,
			    "this policy allows nothing: no entry under 'allow', and no preset that has one");
}

int policy_load(const struct policy_request *request, struct diagnostics *diag,
		struct policy **ret_policy)
{
	_cleanup_policy_ struct policy *policy = calloc(1, sizeof(*policy));
	struct loading loading = { .reading = { .policy = policy, .document.diag = diag } };
	unsigned int errors_before = diag->errors;
	int r;

	if (!policy)
		return -ENOMEM;
	policy->loopback_allowed = true;
	policy->private_answers_allowed = true;
	policy->min_ttl_s = DEFAULT_MIN_TTL_S;
	policy->resolvers_auto = true;
	SHA256Init(&loading.hash);
	r = sources_read(&loading, request);
	if (r == -ENOMEM)
		diagnostics_error(diag, request->file ? request->file : "policy", 0, 0,
				  "out of memory");
	if (r)
		return r;
	if (diag->errors != errors_before)
		return -EINVAL;
	policy->name = policy_name(&loading, request->file);
	if (!policy->name)
		return -ENOMEM;
	SHA256End(&loading.hash, policy->hash);
	nothing_allowed_warn(policy, diag, request->file ? request->file : policy->name);
	*ret_policy = TAKE_PTR(policy);
	return 0;
}
