/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names folded into wildcards: only when asked, and only as far as one owner reaches. The public
 * suffix list says where that is, its private section included (github.io, azurewebsites.net), and
 * policy/tenants.h what it lacks.
 */
#include <errno.h>
#include <libpsl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "need.h"
#include "policy/tenants.h"

static void psl_release(psl_ctx_t **psl)
{
	psl_free(*psl);
}

static unsigned int label_count(const char *name)
{
	unsigned int count = 1;

	for (; *name; name++)
		count += *name == '.';
	return count;
}

/* The last `labels` labels of a name that has at least so many. */
static const char *name_tail(const char *name, unsigned int labels)
{
	for (unsigned int skip = label_count(name) - labels; skip; skip--)
		name = strchr(name, '.') + 1;
	return name;
}

/*
 * Orders by protocol, port, and the name from its end, so that the names below one parent stand
 * together.
 */
static int need_order(const void *a, const void *b)
{
	const struct target *x = &(*(struct need *const *)a)->target;
	const struct target *y = &(*(struct need *const *)b)->target;
	size_t i = strlen(x->name), j = strlen(y->name);

	if (x->protocol != y->protocol)
		return x->protocol < y->protocol ? -1 : 1;
	if (x->port_low != y->port_low)
		return x->port_low < y->port_low ? -1 : 1;
	while (i && j && x->name[i - 1] == y->name[j - 1]) {
		i--;
		j--;
	}
	if (i && j)
		return (unsigned char)x->name[i - 1] - (unsigned char)y->name[j - 1];
	/* A name's end counts as a dot, and a parent stands before the names below it. */
	if (i && x->name[i - 1] != '.')
		return (unsigned char)x->name[i - 1] - '.';
	if (j && y->name[j - 1] != '.')
		return '.' - (unsigned char)y->name[j - 1];
	return (i > j) - (i < j);
}

static bool same_parent(const struct need *a, const struct need *b, unsigned int labels)
{
	return a->target.protocol == b->target.protocol &&
	       a->target.port_low == b->target.port_low &&
	       label_count(b->target.name) >= labels &&
	       !strcmp(name_tail(a->target.name, labels), name_tail(b->target.name, labels));
}

/* Is this one of the names that a wildcard below a parent with so many labels would replace? */
static bool is_below(const struct need *need, unsigned int labels)
{
	return need->target.match == NAME_EXACT && label_count(need->target.name) > labels;
}

/* Does the name belong to the owner of its parent with so many labels? */
static bool same_owner(const psl_ctx_t *psl, const struct need *need, unsigned int labels)
{
	const char *domain = psl_registrable_domain(psl, need->target.name);

	return domain && label_count(domain) <= labels;
}

/* Would a wildcard below this parent cover names of strangers? */
static bool is_shared(const psl_ctx_t *psl, const char *parent)
{
	struct target below = { .match = NAME_BELOW };
	const char *owner;

	text_copy(below.name, sizeof(below.name), parent);
	return tenant_domain_find(&below, psl, &owner) || shared_service_find(&below);
}

static void need_widen(struct need *need, unsigned int labels)
{
	char parent[NAME_LEN];

	text_copy(parent, sizeof(parent), name_tail(need->target.name, labels));
	memcpy(need->target.name, parent, sizeof(parent));
	need->target.match = NAME_BELOW;
}

/* Folds names[0..count), which share the parent with so many labels, if enough are different. */
static void fold_parent(const psl_ctx_t *psl, struct need **names, size_t count,
			unsigned int labels, unsigned int least)
{
	const char *before = "";
	unsigned int different = 0;

	for (size_t i = 0; i < count; i++) {
		if (!is_below(names[i], labels))
			continue;
		if (!same_owner(psl, names[i], labels))
			return;
		different += strcmp(before, names[i]->target.name) != 0;
		before = names[i]->target.name;
	}
	if (different < least || is_shared(psl, name_tail(names[0]->target.name, labels)))
		return;
	for (size_t i = 0; i < count; i++) {
		if (is_below(names[i], labels))
			need_widen(names[i], labels);
	}
}

/* One pass over the sorted names, for all parents with the same number of labels. */
static void fold_level(const psl_ctx_t *psl, struct need **names, size_t count,
		       unsigned int labels, unsigned int least)
{
	for (size_t first = 0, next; first < count; first = next) {
		next = first + 1;
		if (label_count(names[first]->target.name) < labels)
			continue;
		while (next < count && same_parent(names[first], names[next], labels))
			next++;
		fold_parent(psl, names + first, next - first, labels, least);
	}
}

int needs_fold(struct needs *needs, unsigned int least)
{
	_cleanup_(psl_release) psl_ctx_t *psl = psl_latest(NULL);
	_cleanup_free_ struct need **names = calloc(needs->count + 1, sizeof(*names));
	unsigned int deepest = 0;
	size_t count = 0;

	if (!psl)
		return -ENOENT;
	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < needs->count; i++) {
		struct need *need = &needs->items[i];

		if (need->kind != NEED_ALLOW || need->target.kind != TARGET_NAME)
			continue;
		names[count++] = need;
		if (label_count(need->target.name) > deepest)
			deepest = label_count(need->target.name);
	}
	qsort(names, count, sizeof(*names), need_order);
	for (unsigned int labels = deepest; labels > 1; labels--)
		fold_level(psl, names, count, labels - 1, least);
	return 0;
}
