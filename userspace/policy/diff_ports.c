/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What changes for one region, port by port: the port range is cut wherever a rule begins or ends,
 * and neighbours with the same change are joined again.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "diff_internal.h"

/* Protocols without ports have port 0 alone; any number but TCP's and UDP's stands for them. */
#define PORTLESS	IPPROTO_NONE

struct segment {
	uint32_t low;
	uint32_t high;
	enum diff_kind kind;
	const struct rule *rule;
	const struct rule *denied_by;
};

struct segments {
	struct segment *list;
	size_t count;
};

/* The first ports of ranges in which nothing differs, for a region and those around it. */
struct cuts {
	uint32_t *list;
	size_t count;
};

/* The rule of a run that decides: the first DENY or ALLOW that matches. NULL: none does. */
static const struct port_rule *run_find(const struct image *image, const struct rule_run *run,
					uint8_t protocol, uint32_t port)
{
	for (size_t i = run->first; i < (size_t)run->first + run->count; i++) {
		const struct port_rule *rule = &image->port_rules[i];

		if (rule->action > ACTION_ALLOW)
			return NULL;
		if ((!rule->protocol || rule->protocol == protocol) && rule->port_low <= port &&
		    port <= rule->port_high)
			return rule;
	}
	return NULL;
}

static bool is_allow(const struct port_rule *rule)
{
	return rule && rule->action == ACTION_ALLOW;
}

/* Compares both policies for one port; what decided in each is left in ret_found. */
static enum diff_kind port_change(const struct differ *differ, const struct region *region,
				  uint8_t protocol, uint32_t port,
				  const struct port_rule *ret_found[2])
{
	for (size_t i = 0; i < 2; i++)
		ret_found[i] = run_find(differ->images[i], &region->runs[i], protocol, port);
	if (is_allow(ret_found[0]) == is_allow(ret_found[1]))
		return DIFF_NONE;
	return is_allow(ret_found[1]) ? DIFF_OPENED : DIFF_CLOSED;
}

static const struct rule *rule_of(const struct policy *policy, const struct port_rule *found)
{
	return found && found->rule ? &policy->rules[found->rule - 1] : NULL;
}

/*
 * What a reader takes a port's change to be, after the lines for this region and those around it.
 * Where a wider change leads to what is so already, nothing is said, and that stands.
 */
static enum diff_kind port_said(const struct differ *differ, const struct region *region,
				uint8_t protocol, uint32_t port)
{
	const struct port_rule *found[2];
	enum diff_kind kind, wider;

	if (!region)
		return DIFF_NONE;
	wider = port_said(differ, region->around, protocol, port);
	kind = port_change(differ, region, protocol, port, found);
	if (kind == DIFF_NONE && wider != DIFF_NONE &&
	    is_allow(found[1]) == (wider == DIFF_OPENED))
		return wider;
	return kind;
}

/* What to say about one port of a region; DIFF_NONE: nothing. */
static struct segment port_diff(const struct differ *differ, const struct region *region,
				uint8_t protocol, uint32_t port)
{
	const struct port_rule *found[2];
	struct segment segment = {};
	enum diff_kind kind = port_said(differ, region, protocol, port);

	if (kind == port_said(differ, region->around, protocol, port))
		return segment;
	if (kind == DIFF_NONE) {
		segment.kind = DIFF_EXCEPT;
		return segment;
	}
	port_change(differ, region, protocol, port, found);
	/* Loopback or metadata on both sides: the settings say so. */
	if (found[0] && found[1] && !found[0]->rule && !found[1]->rule)
		return segment;
	segment.rule = rule_of(differ->policies[kind == DIFF_OPENED],
			       found[kind == DIFF_OPENED]);
	segment.kind = kind;
	if (kind == DIFF_CLOSED)
		segment.denied_by = rule_of(differ->policies[1], found[1]);
	return segment;
}

static int cut_compare(const void *left, const void *right)
{
	const uint32_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

static int cuts_collect(const struct differ *differ, const struct region *region,
			struct cuts *ret_cuts)
{
	size_t count = 1;
	uint32_t *cuts;

	for (const struct region *r = region; r; r = r->around)
		count += 2U * (r->runs[0].count + r->runs[1].count);
	cuts = calloc(count, sizeof(*cuts));
	if (!cuts)
		return -ENOMEM;
	count = 1;			/* port 0 */
	for (const struct region *r = region; r; r = r->around) {
		for (size_t side = 0; side < 2; side++) {
			const struct port_rule *rules = differ->images[side]->port_rules;

			for (size_t i = 0; i < r->runs[side].count; i++) {
				cuts[count++] = rules[r->runs[side].first + i].port_low;
				cuts[count++] = rules[r->runs[side].first + i].port_high + 1U;
			}
		}
	}
	qsort(cuts, count, sizeof(*cuts), cut_compare);
	*ret_cuts = (struct cuts){ cuts, count };
	return 0;
}

static void cuts_free(struct cuts *cuts)
{
	free(cuts->list);
}

static void segments_free(struct segments *segments)
{
	free(segments->list);
}

static bool segment_same(const struct segment *a, const struct segment *b)
{
	return a->kind == b->kind && a->rule == b->rule && a->denied_by == b->denied_by;
}

static int segments_collect(const struct differ *differ, const struct region *region,
			    uint8_t protocol, const struct cuts *cuts,
			    struct segments *ret_segments)
{
	uint32_t end = protocol == PORTLESS ? 1 : UINT16_MAX + 1U;
	struct segment *list = calloc(cuts->count, sizeof(*list)), *last = NULL;
	size_t count = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < cuts->count && cuts->list[i] < end; i++) {
		bool is_last = i + 1 == cuts->count || cuts->list[i + 1] >= end;
		struct segment segment;

		if (!is_last && cuts->list[i + 1] == cuts->list[i])
			continue;
		segment = port_diff(differ, region, protocol, cuts->list[i]);
		segment.low = cuts->list[i];
		segment.high = (is_last ? end : cuts->list[i + 1]) - 1;
		if (segment.kind == DIFF_NONE)
			continue;
		if (last && last->high + 1 == segment.low && segment_same(last, &segment)) {
			last->high = segment.high;
			continue;
		}
		last = &list[count++];
		*last = segment;
	}
	*ret_segments = (struct segments){ list, count };
	return 0;
}

static struct segment *segment_find(struct segments *segments, const struct segment *wanted)
{
	for (size_t i = 0; i < segments->count; i++) {
		if (segments->list[i].low == wanted->low &&
		    segments->list[i].high == wanted->high &&
		    segment_same(&segments->list[i], wanted))
			return &segments->list[i];
	}
	return NULL;
}

static void segment_take(const struct differ *differ, const struct segment *segment,
			 uint8_t protocol, enum flow_direction direction, const struct target *host)
{
	struct diff_change change = {
		.kind = segment->kind,
		.direction = direction,
		.target = *host,
		.portless = protocol == PORTLESS,
		.rule = segment->rule,
		.denied_by = segment->denied_by,
	};

	change.target.protocol = protocol;
	change.target.port_low = (uint16_t)segment->low;
	change.target.port_high = (uint16_t)segment->high;
	differ->take(&change, differ->context);
}

/* What is the same for every protocol is one change. */
static void segments_take(const struct differ *differ, struct segments *tcp, struct segments *udp,
			  struct segments *portless, enum flow_direction direction,
			  const struct target *host)
{
	for (size_t i = 0; i < tcp->count; i++) {
		const struct segment *segment = &tcp->list[i];
		struct segment *twin = segment_find(udp, segment);
		bool any = twin && (segment->low || (portless->count &&
						     segment_same(segment, &portless->list[0])));

		segment_take(differ, segment, any ? 0 : IPPROTO_TCP, direction, host);
		if (any)
			twin->kind = DIFF_NONE;
		if (any && !segment->low)
			portless->count = 0;
	}
	for (size_t i = 0; i < udp->count; i++) {
		if (udp->list[i].kind != DIFF_NONE)
			segment_take(differ, &udp->list[i], IPPROTO_UDP, direction, host);
	}
	for (size_t i = 0; i < portless->count; i++)
		segment_take(differ, &portless->list[i], PORTLESS, direction, host);
}

int region_diff(const struct differ *differ, const struct region *region,
		enum flow_direction direction, const struct target *host)
{
	_cleanup_(segments_free) struct segments tcp = {}, udp = {}, portless = {};
	_cleanup_(cuts_free) struct cuts cuts = {};
	int r = cuts_collect(differ, region, &cuts);

	if (!r)
		r = segments_collect(differ, region, IPPROTO_TCP, &cuts, &tcp);
	if (!r)
		r = segments_collect(differ, region, IPPROTO_UDP, &cuts, &udp);
	if (!r)
		r = segments_collect(differ, region, PORTLESS, &cuts, &portless);
	if (!r)
		segments_take(differ, &tcp, &udp, &portless, direction, host);
	return r;
}
