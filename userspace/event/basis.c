/* SPDX-License-Identifier: GPL-2.0 */
/* See basis.h. A name alone proves nothing, since a file may have any: the hash does. */
#include "basis.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "policy/preset.h"

#define NAME_SHOWN_MAX	256
#define NAMES_MAX	64
#define OPTIONS		"--policy, --preset, --allow and --organization"

/* With each --mode, and without: it is part of the hash. */
struct hashes {
	char texts[3][sizeof(((struct policy *)0)->hash)];
};

int bases_note(struct bases *bases, const char *name, const char *hash)
{
	struct basis *grown, *basis;

	for (size_t i = bases->count; i > 0; i--) {
		basis = &bases->items[i - 1];
		if (!strcmp(basis->hash, hash) && !strcmp(basis->name, name))
			return 0;
	}
	grown = reallocarray(bases->items, bases->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	bases->items = grown;
	basis = &grown[bases->count++];
	*basis = (struct basis){ .name = strdup(name), .hash = strdup(hash) };
	return basis->name && basis->hash ? 0 : -ENOMEM;
}

/* Adds a built-in preset, once. */
static int preset_add(struct bases *bases, const char *name)
{
	const char **grown;

	for (size_t i = 0; i < bases->preset_count; i++) {
		if (!strcmp(bases->presets[i], name))
			return 0;
	}
	grown = reallocarray(bases->presets, bases->preset_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	bases->presets = grown;
	grown[bases->preset_count++] = preset_find(name)->name;
	return 0;
}

/* What cannot be loaded has no hash, and no record can have an empty one. */
static struct hashes hashes_of(const struct policy_request *request)
{
	static const char *const modes[] = { NULL, "audit", "enforce" };
	struct hashes hashes = {};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		_cleanup_policy_ struct policy *policy = NULL;
		struct policy_request with_mode = *request;
		struct diagnostics quiet = {};

		with_mode.mode = modes[i];
		if (!policy_load(&with_mode, &quiet, &policy))
			memcpy(hashes.texts[i], policy->hash, sizeof(policy->hash));
	}
	return hashes;
}

static bool hash_is_one_of(const char *hash, const struct hashes *hashes)
{
	for (size_t i = 0; i < ARRAY_SIZE(hashes->texts); i++) {
		if (*hash && !strcmp(hashes->texts[i], hash))
			return true;
	}
	return false;
}

/*
 * The presets that a policy's name is made of ("azure-devops+github"): how many, or 0 if it is no
 * such name. Pointers into `copy`, which is cut, go to ret_names, with a NULL behind them.
 */
static size_t name_split(char *copy, const char *ret_names[static NAMES_MAX])
{
	size_t count = 0;
	char *word;

	while ((word = strsep(&copy, "+"))) {
		if (!preset_find(word) || count == NAMES_MAX - 1)
			return 0;
		ret_names[count++] = word;
	}
	ret_names[count] = NULL;
	return count;
}

/* A policy of built-in presets and nothing else is known by its name and hash. */
static int basis_find_presets(struct bases *bases, struct basis *basis)
{
	_cleanup_free_ char *copy = strdup(basis->name);
	const char *names[NAMES_MAX] = {};
	const struct policy_request request = { .presets = names };
	struct hashes hashes;
	size_t count;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	count = name_split(copy, names);
	if (!count)
		return 0;
	hashes = hashes_of(&request);
	if (!hash_is_one_of(basis->hash, &hashes)) {
		if (basis->state == BASIS_UNKNOWN)
			basis->state = BASIS_NOT_ALONE;
		return 0;
	}
	basis->state = BASIS_KNOWN;
	for (size_t i = 0; !r && i < count; i++)
		r = preset_add(bases, names[i]);
	return r;
}

static bool is_empty(const struct policy_request *request)
{
	return !request->file && !(request->presets && *request->presets) &&
	       !(request->allow && *request->allow) && !request->organization;
}

/* Is it built-in presets and nothing else, so that their names can stand for it? */
static bool is_presets_alone(const struct policy_request *request)
{
	if (request->file || (request->allow && *request->allow) || request->organization)
		return false;
	for (size_t i = 0; request->presets[i]; i++) {
		if (!preset_find(request->presets[i]))
			return false;
	}
	return true;
}

/* What the command line names counts in any case, even if no record is of it. */
static int request_take(struct bases *bases, const struct policy_request *request,
			struct diagnostics *diag)
{
	_cleanup_policy_ struct policy *policy = NULL;
	struct hashes hashes;
	int r = policy_load(request, diag, &policy);

	if (r)
		return r;
	bases->given = true;
	hashes = hashes_of(request);
	for (size_t i = 0; i < bases->count; i++) {
		struct basis *basis = &bases->items[i];

		if (hash_is_one_of(basis->hash, &hashes))
			basis->state = BASIS_KNOWN;
		else if (!strcmp(basis->name, policy->name))
			basis->state = BASIS_CHANGED;
	}
	if (!is_presets_alone(request)) {
		bases->rules = TAKE_PTR(policy);
		return 0;
	}
	for (size_t i = 0; !r && request->presets[i]; i++)
		r = preset_add(bases, request->presets[i]);
	return r;
}

/* Of policies of one name, as after each change of a file, the first speaks for all. */
static bool is_gap(const struct bases *bases, size_t n)
{
	const struct basis *basis = &bases->items[n];

	for (size_t i = 0; i < n; i++) {
		if (bases->items[i].state == basis->state &&
		    !strcmp(bases->items[i].name, basis->name))
			return false;
	}
	return basis->state != BASIS_KNOWN;
}

static void gap_warn(const struct basis *basis, const char *source, struct diagnostics *diag)
{
	static const char *const explanations[] = {
		[BASIS_UNKNOWN] = "",
		[BASIS_NOT_ALONE] = ": it is not the preset alone, as this version has it",
		[BASIS_CHANGED] = ", but for what it still allows: it has changed since",
	};

	diagnostics_warning(diag, source, 0, 0,
			    "what the run's policy '%.200s' allowed left no record, and is not printed%s%s",
			    *basis->name ? basis->name : "(without a name)",
			    explanations[basis->state], basis->state == BASIS_CHANGED ? "" :
			    "; name it as the run did, by " OPTIONS);
}

int bases_resolve(struct bases *bases, const struct policy_request *request, const char *source,
		  struct diagnostics *diag)
{
	int r = is_empty(request) ? 0 : request_take(bases, request, diag);

	for (size_t i = 0; !r && i < bases->count; i++) {
		if (bases->items[i].state != BASIS_KNOWN)
			r = basis_find_presets(bases, &bases->items[i]);
	}
	if (!r && !bases->count && !bases->given)
		diagnostics_warning(diag, source, 0, 0,
				    "no record says which policy the run had, and what it allowed is not printed: name it as the run did, by " OPTIONS);
	for (size_t i = 0; !r && i < bases->count; i++) {
		if (is_gap(bases, i))
			gap_warn(&bases->items[i], source, diag);
	}
	return r;
}

void bases_write_gaps(const struct bases *bases, FILE *out)
{
	bool headed = false;

	if (!bases->count && !bases->given)
		fputs("#\n"
		      "# NOT WHOLE: no record says which policy the run had, and what that allowed is not in here.\n"
		      "# Name it as the run did, by " OPTIONS ".\n", out);
	for (size_t i = 0; i < bases->count; i++) {
		_cleanup_free_ char *name = escape_string(bases->items[i].name, NAME_SHOWN_MAX);

		if (!is_gap(bases, i))
			continue;
		if (!headed)
			fputs("#\n"
			      "# NOT WHOLE: what these policies allowed left no record and is not in here. Add the\n"
			      "# entries below to them, or name them as the run did, by\n"
			      "# " OPTIONS ":\n", out);
		headed = true;
		fprintf(out, "#   %s%s\n", name && *name ? name : "(without a name)",
			bases->items[i].state == BASIS_CHANGED ? ", as it was then" : "");
	}
}

void bases_write_presets(const struct bases *bases, FILE *out)
{
	for (size_t i = 0; i < bases->preset_count; i++)
		fprintf(out, "%s%s", i ? ", " : "presets: [", bases->presets[i]);
	if (bases->preset_count)
		fputs("]  # as the run had; what they allow left no record\n", out);
}

void bases_clear(struct bases *bases)
{
	for (size_t i = 0; i < bases->count; i++) {
		free(bases->items[i].name);
		free(bases->items[i].hash);
	}
	free(bases->items);
	free(bases->presets);
	policy_free(bases->rules);
	*bases = (struct bases){};
}
