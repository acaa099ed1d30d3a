/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Comparing policies by their compiled images: both lists of keys are sorted, so one pass over both
 * visits every region in which each policy treats all hosts alike. What changes in a region is
 * diff_ports.c's part.
 */
#include "diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "diff_internal.h"
#include "target.h"

#define DIRECTION_BITS	8

/* A key of either policy, with what it means for the keys below it. */
struct level {
	const uint8_t *key;
	uint32_t bits;
	struct region below;
};

/* The keys that cover the present one; each is longer than the one before it. */
struct levels {
	struct level list[8 * NAME_LEN + 1];
	size_t depth;
};

static bool level_covers(const struct level *level, const uint8_t *key, uint32_t bits)
{
	uint32_t bytes = level->bits / 8;
	uint8_t mask = (uint8_t)(0xff00 >> level->bits % 8);

	return level->bits < bits && !memcmp(level->key, key, bytes) &&
	       (!mask || !((level->key[bytes] ^ key[bytes]) & mask));
}

/* Leaves what does not cover a key, and returns the region around it, or NULL. */
static const struct region *levels_leave(struct levels *levels, const uint8_t *key, uint32_t bits)
{
	while (levels->depth && !level_covers(&levels->list[levels->depth - 1], key, bits))
		levels->depth--;
	return levels->depth ? &levels->list[levels->depth - 1].below : NULL;
}

static void levels_enter(struct levels *levels, const uint8_t *key, uint32_t bits,
			 const struct region *below)
{
	levels->list[levels->depth++] = (struct level){ key, bits, *below };
}

static int name_key_compare(const struct name_key *a, const struct name_key *b)
{
	int order = memcmp(a->name, b->name, NAME_LEN);

	return order ? order :
	       (a->prefix_bits > b->prefix_bits) - (a->prefix_bits < b->prefix_bits);
}

static int prefix_key_compare(const struct prefix_key *a, const struct prefix_key *b)
{
	int order = memcmp(&a->direction, &b->direction, 1 + ADDR_LEN);

	return order ? order :
	       (a->prefix_bits > b->prefix_bits) - (a->prefix_bits < b->prefix_bits);
}

/* The next key of both lists: each side that has it gets an entry, the other NULL. */
static bool names_next(const struct differ *differ, size_t at[2], const struct name_entry *ret[2])
{
	int order = 0;

	for (size_t i = 0; i < 2; i++)
		ret[i] = at[i] < differ->images[i]->name_count ?
			 &differ->images[i]->names[at[i]] : NULL;
	if (ret[0] && ret[1])
		order = name_key_compare(&ret[0]->key, &ret[1]->key);
	if (order)
		ret[order < 0] = NULL;
	at[0] += ret[0] != NULL;
	at[1] += ret[1] != NULL;
	return ret[0] || ret[1];
}

static bool prefixes_next(const struct differ *differ, size_t at[2],
			  const struct prefix_entry *ret[2])
{
	int order = 0;

	for (size_t i = 0; i < 2; i++)
		ret[i] = at[i] < differ->images[i]->prefix_count ?
			 &differ->images[i]->prefixes[at[i]] : NULL;
	if (ret[0] && ret[1])
		order = prefix_key_compare(&ret[0]->key, &ret[1]->key);
	if (order)
		ret[order < 0] = NULL;
	at[0] += ret[0] != NULL;
	at[1] += ret[1] != NULL;
	return ret[0] || ret[1];
}

/*
 * The name of a key, forward again. Returns whether the key ends a label: the name itself has it.
 */
static bool key_name(const struct name_key *key, struct target *ret_host)
{
	size_t len = key->prefix_bits / 8;
	bool whole = len && key->name[len - 1] == '.';

	*ret_host = (struct target){ .match = whole ? NAME_BELOW : NAME_SUFFIX };
	len -= whole;
	for (size_t i = 0; i < len; i++)
		ret_host->name[i] = (char)key->name[len - 1 - i];
	return whole;
}

static int names_diff(const struct differ *differ, struct levels *levels)
{
	const struct name_entry *entries[2];
	size_t at[2] = {};
	int r = 0;

	levels->depth = 0;
	while (!r && names_next(differ, at, entries)) {
		const struct name_key *key = entries[0] ? &entries[0]->key : &entries[1]->key;
		const struct region *around = levels_leave(levels, key->name, key->prefix_bits);
		struct region exact = { .around = around }, below = { .around = around };
		struct target host;

		for (size_t i = 0; i < 2; i++) {
			if (entries[i]) {
				exact.runs[i] = entries[i]->rule.exact;
				below.runs[i] = entries[i]->rule.below;
			} else if (around) {
				exact.runs[i] = below.runs[i] = around->runs[i];
			}
		}
		if (key_name(key, &host)) {
			struct target itself = host;

			itself.match = NAME_EXACT;
			r = region_diff(differ, &exact, DIRECTION_OUT, &itself);
		}
		if (!r)
			r = region_diff(differ, &below, DIRECTION_OUT, &host);
		levels_enter(levels, key->name, key->prefix_bits, &below);
	}
	return r;
}

static int prefixes_diff(const struct differ *differ, struct levels *levels)
{
	const struct prefix_entry *entries[2];
	size_t at[2] = {};
	int r = 0;

	levels->depth = 0;
	while (!r && prefixes_next(differ, at, entries)) {
		const struct prefix_key *key = entries[0] ? &entries[0]->key : &entries[1]->key;
		const struct region *around =
			levels_leave(levels, &key->direction, key->prefix_bits);
		struct target host = { .kind = TARGET_PREFIX };
		struct region region = { .around = around };

		for (size_t i = 0; i < 2; i++) {
			if (entries[i])
				region.runs[i] = entries[i]->rule.run;
			else if (around)
				region.runs[i] = around->runs[i];
		}
		memcpy(host.addr, key->addr, ADDR_LEN);
		host.prefix_bits = (uint8_t)(key->prefix_bits - DIRECTION_BITS);
		r = region_diff(differ, &region, key->direction, &host);
		levels_enter(levels, &key->direction, key->prefix_bits, &region);
	}
	return r;
}

int policy_diff(const struct policy *a, const struct policy *b, time_t now,
		struct diagnostics *diag,
		void (*take)(const struct diff_change *change, void *context), void *context)
{
	_cleanup_free_ struct levels *levels = malloc(sizeof(*levels));
	_cleanup_image_ struct image *image_a = NULL, *image_b = NULL;
	struct differ differ = { .policies = { a, b }, .take = take, .context = context };
	int r;

	if (!levels)
		return -ENOMEM;
	r = policy_compile(a, NULL, now, diag, &image_a);
	if (!r)
		r = policy_compile(b, NULL, now, diag, &image_b);
	if (r)
		return r;
	differ.images[0] = image_a;
	differ.images[1] = image_b;
	r = names_diff(&differ, levels);
	if (!r)
		r = prefixes_diff(&differ, levels);
	return r;
}

static void resolvers_format(const struct policy *policy, char ret[static DIFF_SETTING_LEN])
{
	_cleanup_text_ struct text text = {};

	if (policy->resolvers_auto)
		text_printf(&text, "auto");
	for (unsigned int i = 0; !policy->resolvers_auto && i < policy->resolver_count; i++) {
		struct target resolver = { .kind = TARGET_PREFIX, .prefix_bits = 8 * ADDR_LEN };
		char host[TARGET_TEXT_LEN];

		memcpy(resolver.addr, policy->resolvers[i], ADDR_LEN);
		target_format_host(&resolver, host);
		text_printf(&text, "%s%s", i ? ", " : "", host);
	}
	text_copy(ret, DIFF_SETTING_LEN, text.bytes ? text.bytes : "none");
}

static void permission_diff(const char *name, bool a, bool b,
			    void (*take)(const struct diff_setting *setting, void *context),
			    void *context)
{
	struct diff_setting setting = { .name = name };

	text_copy(setting.a, sizeof(setting.a), a ? "allow" : "deny");
	text_copy(setting.b, sizeof(setting.b), b ? "allow" : "deny");
	if (a != b)
		take(&setting, context);
}

void policy_diff_settings(const struct policy *a, const struct policy *b,
			  void (*take)(const struct diff_setting *setting, void *context),
			  void *context)
{
	struct diff_setting setting = { .name = "mode" };

	text_copy(setting.a, sizeof(setting.a), mode_name(a->mode));
	text_copy(setting.b, sizeof(setting.b), mode_name(b->mode));
	if (a->mode != b->mode)
		take(&setting, context);
	permission_diff("metadata", a->metadata_allowed, b->metadata_allowed, take, context);
	permission_diff("loopback", a->loopback_allowed, b->loopback_allowed, take, context);
	permission_diff("private_answers", a->private_answers_allowed, b->private_answers_allowed,
			take, context);
	setting.name = "min_ttl";
	snprintf(setting.a, sizeof(setting.a), "%us", a->min_ttl_s);
	snprintf(setting.b, sizeof(setting.b), "%us", b->min_ttl_s);
	if (a->min_ttl_s != b->min_ttl_s)
		take(&setting, context);
	setting.name = "dns servers";
	resolvers_format(a, setting.a);
	resolvers_format(b, setting.b);
	if (strcmp(setting.a, setting.b))
		take(&setting, context);
}
