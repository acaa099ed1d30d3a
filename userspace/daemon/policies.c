/* SPDX-License-Identifier: GPL-2.0 */
/* Loading, replacing and giving back policies. Their descriptions on disk: description.c. */
#include "daemon/policies.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "daemon/description.h"
#include "daemon/resolvers.h"
#include "guard/guard.h"
#include "policy/compile.h"
#include "policy/load.h"

/* A packet is judged within microseconds; the drain of records needs two turns of a second. */
#define RETIRE_MS	3000

struct retired {
	uint32_t number;
	int64_t since_ms;		/* CLOCK_MONOTONIC */
};

struct policies {
	struct guard *guard;
	int folder_fd;
	struct loaded **items;
	size_t count;
	struct retired *retired;
	size_t retired_count;
	struct resolvers resolvers;
};

/* --- one policy ------------------------------------------------------------------------------- */

static void loaded_free(struct loaded *loaded)
{
	if (!loaded)
		return;
	policy_free(loaded->policy);
	free(loaded->source);
	free(loaded);
}

/* Is the number in use by any policy, or waiting to be given back? */
static bool number_is_used(const struct policies *policies, uint32_t number)
{
	for (size_t i = 0; i < policies->count; i++) {
		if (policies->items[i]->number == number)
			return true;
	}
	return false;
}

static void number_unretire(struct policies *policies, uint32_t number)
{
	for (size_t i = 0; i < policies->retired_count; i++) {
		if (policies->retired[i].number == number)
			policies->retired[i--] = policies->retired[--policies->retired_count];
	}
}

static void number_retire(struct policies *policies, uint32_t number)
{
	struct retired *grown;

	if (!number || number_is_used(policies, number))
		return;
	grown = reallocarray(policies->retired, policies->retired_count + 1, sizeof(*grown));
	if (!grown)
		return;		/* The number stays taken until the next start. */
	policies->retired = grown;
	grown[policies->retired_count++] = (struct retired){ number, clock_ms(CLOCK_MONOTONIC) };
}

/* Finds the image in the kernel, or puts it there. */
static int number_get(struct policies *policies, const struct policy *policy,
		      const struct image *image, uint32_t *ret_number)
{
	uint32_t number;
	int error = guard_policy_find(policies->guard, image, &number);

	if (error == -ENOENT)
		error = guard_policy_add(policies->guard, image, &number);
	if (!error)
		error = description_write(policies->folder_fd, number, policy);
	if (error)
		return error;
	number_unretire(policies, number);
	*ret_number = number;
	return 0;
}

static int item_add(struct policies *policies, struct loaded *loaded)
{
	struct loaded **grown = reallocarray(policies->items, policies->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	policies->items = grown;
	grown[policies->count++] = loaded;
	return 0;
}

static void item_remove(struct policies *policies, struct loaded *loaded)
{
	for (size_t i = 0; i < policies->count; i++) {
		if (policies->items[i] == loaded)
			policies->items[i--] = policies->items[--policies->count];
	}
}

struct loaded *policies_find(const struct policies *policies, const char *source)
{
	for (size_t i = 0; i < policies->count; i++) {
		if (!policies->items[i]->replaced && !strcmp(policies->items[i]->source, source))
			return policies->items[i];
	}
	return NULL;
}

/* Reads a source and puts it into the kernel. The result is in no list yet. */
static int loaded_make(struct policies *policies, const char *source, struct diagnostics *diag,
		       struct loaded **ret_loaded)
{
	_cleanup_image_ struct image *image = NULL;
	const char *storage[2];
	struct policy_request request;
	struct loaded *loaded = calloc(1, sizeof(*loaded));
	int error;

	if (!loaded)
		return -ENOMEM;
	config_policy_request(source, &request, storage);
	loaded->compiled = time(NULL);
	loaded->source = strdup(source);
	error = loaded->source ? policy_load(&request, diag, &loaded->policy) : -ENOMEM;
	if (!error)
		error = policy_compile(loaded->policy, &policies->resolvers.dns, loaded->compiled,
				       diag, &image);
	if (!error) {
		error = number_get(policies, loaded->policy, image, &loaded->number);
		if (error)
			diagnostics_error(diag, source, 0, 0,
					  "cannot give the policy to the kernel: %s%s",
					  strerror(-error), error == -ENOSPC ?
					  " (raise limits: policies in the configuration)" : "");
	}
	if (error)
		loaded_free(loaded);
	else
		*ret_loaded = loaded;
	return error;
}

/* --- all of them ------------------------------------------------------------------------------ */

int policies_new(struct guard *guard, int folder_fd, struct policies **ret_policies)
{
	struct policies *policies = calloc(1, sizeof(*policies));

	if (!policies)
		return -ENOMEM;
	policies->guard = guard;
	policies->folder_fd = folder_fd;
	resolvers_read(&policies->resolvers);
	*ret_policies = policies;
	return 0;
}

void policies_free(struct policies *policies)
{
	if (!policies)
		return;
	for (size_t i = 0; i < policies->count; i++)
		loaded_free(policies->items[i]);
	free(policies->items);
	free(policies->retired);
	free(policies);
}

int policies_get(struct policies *policies, const char *source, struct diagnostics *diag,
		 struct loaded **ret_loaded)
{
	struct loaded *loaded = policies_find(policies, source);
	int error = 0;

	if (!loaded) {
		error = loaded_make(policies, source, diag, &loaded);
		if (!error && item_add(policies, loaded)) {
			loaded_free(loaded);
			error = -ENOMEM;
		}
		if (error)
			return error;
	}
	policies_hold(loaded);
	*ret_loaded = loaded;
	return 0;
}

int policies_adopt(struct policies *policies, const char *source, uint32_t number,
		   struct loaded **ret_loaded)
{
	struct loaded *loaded;
	int error;

	for (size_t i = 0; i < policies->count; i++) {
		loaded = policies->items[i];
		if (loaded->number != number || strcmp(loaded->source, source))
			continue;
		policies_hold(loaded);
		*ret_loaded = loaded;
		return 0;
	}
	loaded = calloc(1, sizeof(*loaded));
	if (!loaded)
		return -ENOMEM;
	loaded->number = number;
	loaded->replaced = true;
	loaded->source = strdup(source);
	error = loaded->source ? description_read(policies->folder_fd, number, &loaded->policy) :
				 -ENOMEM;
	if (!error)
		error = item_add(policies, loaded);
	if (error) {
		loaded_free(loaded);
		return error;
	}
	policies_hold(loaded);
	*ret_loaded = loaded;
	return 0;
}

void policies_hold(struct loaded *loaded)
{
	loaded->references++;
}

void policies_put(struct policies *policies, struct loaded *loaded)
{
	if (!loaded || --loaded->references || (loaded->named && !loaded->replaced))
		return;
	item_remove(policies, loaded);
	number_retire(policies, loaded->number);
	loaded_free(loaded);
}

static void orphan_retire(uint32_t number, const uint8_t hash[static IMAGE_HASH_LEN], void *context)
{
	(void)hash;
	number_retire(context, number);
}

void policies_orphans_retire(struct policies *policies)
{
	guard_policies_found(policies->guard, orphan_retire, policies);
}

void policies_visit(const struct policies *policies, loaded_fn call, void *context)
{
	for (size_t i = 0; i < policies->count; i++)
		call(policies->items[i], context);
}

/* --- replacing -------------------------------------------------------------------------------- */

/* A source's policy now, and what it shall be. */
struct change {
	struct loaded *from;		/* NULL: new */
	struct loaded *to;
};

static bool source_is_named(const char *const *sources, const char *const *end, const char *source)
{
	for (; sources && sources != end && *sources; sources++) {
		if (!strcmp(*sources, source))
			return true;
	}
	return false;
}

/* Is it the same to the last byte, also for the kernel? */
static bool change_is_none(const struct change *change)
{
	return change->from && change->from->number == change->to->number &&
	       !strcmp(change->from->policy->hash, change->to->policy->hash);
}

/* Reads what is in use or named, each source once. */
static int changes_read(struct policies *policies, const char *const *sources,
			struct diagnostics *diag, struct change *changes, size_t *ret_count)
{
	int first_error = 0;

	for (size_t i = 0; i < policies->count; i++) {
		struct loaded *item = policies->items[i];
		int error;

		if (item->replaced ||
		    (!item->references && !source_is_named(sources, NULL, item->source)))
			continue;
		error = loaded_make(policies, item->source, diag, &changes[*ret_count].to);
		if (!error)
			changes[(*ret_count)++].from = item;
		else if (!first_error)
			first_error = error;
	}
	for (const char *const *source = sources; source && *source; source++) {
		int error;

		/* Many entries may name one policy: the first one counts. */
		if (policies_find(policies, *source) || source_is_named(sources, source, *source))
			continue;
		error = loaded_make(policies, *source, diag, &changes[*ret_count].to);
		if (!error)
			++*ret_count;
		else if (!first_error)
			first_error = error;
	}
	return first_error;
}

static void change_drop(struct policies *policies, struct change *change)
{
	number_retire(policies, change->to->number);
	loaded_free(change->to);
}

/* Whatever still has the old one then, also for lack of memory, keeps its number from others. */
static void loaded_replace(struct policies *policies, struct loaded *from, struct loaded *to,
			   policy_moved_fn moved, void *context)
{
	from->replaced = true;
	policies_hold(from);
	policies_hold(to);
	moved(from, to, context);
	policies_put(policies, from);
	policies_put(policies, to);
}

static void change_make(struct policies *policies, struct change *change, policy_moved_fn moved,
			void *context)
{
	if (change_is_none(change) || item_add(policies, change->to)) {
		change_drop(policies, change);
		return;
	}
	change->to->named = true;	/* named_note() knows better */
	if (change->from)
		loaded_replace(policies, change->from, change->to, moved, context);
}

/* Which sources the configuration names now; one that no job uses either goes. */
static void named_note(struct policies *policies, const char *const *sources)
{
	for (size_t i = policies->count; i-- > 0;) {
		struct loaded *item = policies->items[i];

		item->named = source_is_named(sources, NULL, item->source);
		policies_hold(item);
		policies_put(policies, item);
	}
}

/* A reload that is refused, or a policy that cannot be compiled now, loses nothing of it. */
static void resolvers_look(struct policies *policies)
{
	bool changed = resolvers_read(&policies->resolvers);

	for (size_t i = 0; i < policies->count; i++)
		policies->items[i]->stale |= changed;
}

int policies_reload(struct policies *policies, const char *const *sources,
		    struct diagnostics *diag, policy_moved_fn moved, void *context)
{
	_cleanup_free_ struct change *changes = NULL;
	size_t count = policies->count;
	int error;

	for (const char *const *source = sources; source && *source; source++)
		count++;
	changes = calloc(count + 1, sizeof(*changes));
	if (!changes)
		return -ENOMEM;
	count = 0;
	resolvers_look(policies);
	error = changes_read(policies, sources, diag, changes, &count);
	for (size_t i = 0; i < count; i++) {
		if (error)
			change_drop(policies, &changes[i]);
		else
			change_make(policies, &changes[i], moved, context);
	}
	if (!error)
		named_note(policies, sources);
	return error;
}

/*
 * The same policy with another number. What is left of `from` names the rules of the old one, for
 * jobs that have it still. Returns 0 or -ENOMEM, and nothing has changed.
 */
static int successor_make(struct policies *policies, struct loaded *from, uint32_t number,
			  time_t compiled, struct loaded **ret_to)
{
	struct loaded *to = calloc(1, sizeof(*to));
	struct policy *names = NULL;
	int error = -ENOMEM;

	if (to)
		*to = (struct loaded){ .source = strdup(from->source), .number = number,
				       .compiled = compiled, .named = from->named };
	if (to && to->source)
		error = description_read(policies->folder_fd, from->number, &names);
	if (!error)
		error = item_add(policies, to);
	if (error) {
		policy_free(names);
		loaded_free(to);
		return error;
	}
	to->policy = from->policy;
	from->policy = names;
	*ret_to = to;
	return 0;
}

/* Compiles a policy again, as time and resolv.conf are now. Its old image is given back. */
static void loaded_refresh(struct policies *policies, struct loaded *loaded,
			   policy_moved_fn moved, void *context)
{
	_cleanup_image_ struct image *image = NULL;
	struct diagnostics diag = { .out = loaded->complained ? NULL : stderr };
	struct loaded *to = NULL;
	uint32_t number = 0;
	time_t now = time(NULL);
	int error = policy_compile(loaded->policy, &policies->resolvers.dns, now, &diag, &image);

	if (!error)
		error = number_get(policies, loaded->policy, image, &number);
	if (!error && number != loaded->number)
		error = successor_make(policies, loaded, number, now, &to);
	if (error && !loaded->complained)
		log_error("%s: cannot compile the policy again: %s; it stays as it was until then",
			  loaded->source, strerror(-error));
	loaded->complained = error;
	if (error) {
		number_retire(policies, number);
		return;
	}
	loaded->compiled = now;
	loaded->stale = false;
	if (to)
		loaded_replace(policies, loaded, to, moved, context);
}

/* Has a rule's last day passed since the policy was compiled? */
static bool rule_ended(const struct loaded *loaded, time_t now)
{
	for (size_t i = 0; i < loaded->policy->rule_count; i++) {
		time_t expires = loaded->policy->rules[i].expires;

		if (expires > loaded->compiled && expires <= now)
			return true;
	}
	return false;
}

static void retired_give_back(struct policies *policies)
{
	int64_t now_ms = clock_ms(CLOCK_MONOTONIC);

	for (size_t i = 0; i < policies->retired_count; i++) {
		struct retired *retired = &policies->retired[i];

		if (now_ms - retired->since_ms < RETIRE_MS)
			continue;
		guard_policy_remove(policies->guard, retired->number);
		description_remove(policies->folder_fd, retired->number);
		*retired = policies->retired[--policies->retired_count];
		i--;
	}
}

void policies_tick(struct policies *policies, policy_moved_fn moved, void *context)
{
	resolvers_look(policies);
	retired_give_back(policies);
	/* From the end: an old policy that goes meanwhile has its place taken by the last. */
	for (size_t i = policies->count; i-- > 0;) {
		struct loaded *item = i < policies->count ? policies->items[i] : NULL;

		if (item && !item->replaced && (item->stale || rule_ended(item, time(NULL))))
			loaded_refresh(policies, item, moved, context);
	}
}
