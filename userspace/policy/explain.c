/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Verdicts from the rules as written. Slow and plain on purpose, and with nothing from the
 * compiler: what this file says is what the kernel must do. Rules that nearly matched are
 * explain_near.c's part.
 */
#include "explain.h"

#include <netinet/in.h>
#include <string.h>

#include "base/text.h"
#include "explain_near.h"

#define DNS_PORT	53
#define V4_BITS		96

/* Whose rules are asked for: those of a name, or those of an address. */
struct subject {
	const struct policy *policy;
	time_t now;
	const char *name;		/* NULL: the address */
	const uint8_t *addr;
	uint8_t direction;
};

struct ports {
	uint8_t protocol;
	uint16_t port;
};

/* What the rules of one subject say about a flow. */
struct finding {
	bool decided;			/* by a deny or an allow */
	bool allowed;
	enum refusal_reason reason;
	const struct rule *rule;	/* NULL: built in */
	const struct rule *expected;
	const struct rule *expired;
	bool known;			/* an allow rule covers it, for these ports or others */
};

/* Loopback or metadata: what is in every policy. */
struct builtin {
	enum rule_action action;
	enum refusal_reason reason;
	unsigned int prefix_bits;
};

/* Does the name end in the suffix, with something in front of it? */
static bool ends_below(const char *name, const char *suffix)
{
	size_t len = strlen(name), suffix_len = strlen(suffix);

	if (!suffix_len)
		return len > 0;
	return len > suffix_len + 1 && name[len - suffix_len - 1] == '.' &&
	       !strcmp(name + len - suffix_len, suffix);
}

static bool target_covers_name(const struct target *target, const char *name)
{
	size_t len = strlen(name), target_len = strlen(target->name);

	if (target->kind != TARGET_NAME)
		return false;
	switch (target->match) {
	case NAME_EXACT:
		return !strcmp(name, target->name);
	case NAME_BELOW:
		return ends_below(name, target->name);
	case NAME_SUFFIX:
		return len >= target_len && !strcmp(name + len - target_len, target->name);
	}
	return false;
}

static bool target_covers_addr(const struct target *target, const uint8_t addr[static ADDR_LEN])
{
	if (target->kind != TARGET_PREFIX)
		return false;
	for (unsigned int bit = 0; bit < target->prefix_bits; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		if ((target->addr[bit / 8] ^ addr[bit / 8]) & mask)
			return false;
	}
	return true;
}

static unsigned int target_specificity(const struct target *target)
{
	if (target->kind == TARGET_PREFIX)
		return target->prefix_bits;
	return 2 * (unsigned int)strlen(target->name) + (target->match != NAME_SUFFIX);
}

static bool target_has_port(const struct target *target, const struct ports *ports)
{
	return (!target->protocol || target->protocol == ports->protocol) &&
	       target->port_low <= ports->port && ports->port <= target->port_high;
}

static bool rule_acts(const struct rule *rule, enum rule_action action, time_t now)
{
	bool expired = rule->expires && rule->expires <= now;

	switch (action) {
	case ACTION_DENY:
		return rule->list == LIST_DENY && !expired;
	case ACTION_ALLOW:
		return (rule->list == LIST_ALLOW || rule->list == LIST_INBOUND) && !expired;
	case ACTION_EXPECTED:
		return rule->list == LIST_EXPECTED && !expired;
	case ACTION_EXPIRED:
		return rule->list == LIST_ALLOW && expired;
	}
	return false;
}

static bool rule_covers(const struct rule *rule, const struct subject *subject)
{
	if ((rule->list == LIST_INBOUND) != (subject->direction == DIRECTION_IN))
		return false;
	if (subject->name)
		return target_covers_name(&rule->target, subject->name);
	return subject->addr && target_covers_addr(&rule->target, subject->addr);
}

/* The rule with this action that counts first for a subject. `ports` NULL: for whichever port. */
static const struct rule *rule_find(const struct subject *subject, enum rule_action action,
				    const struct ports *ports)
{
	const struct rule *best = NULL;

	for (size_t i = 0; i < subject->policy->rule_count; i++) {
		const struct rule *rule = &subject->policy->rules[i];

		if (!rule_acts(rule, action, subject->now) || !rule_covers(rule, subject) ||
		    (ports && !target_has_port(&rule->target, ports)))
			continue;
		if (!best || target_specificity(&rule->target) > target_specificity(&best->target))
			best = rule;
	}
	return best;
}

/* Returns 0 for other addresses, else the length of the prefix that makes it loopback. */
static unsigned int addr_loopback_bits(const uint8_t addr[static ADDR_LEN])
{
	static const uint8_t v4_prefix[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	static const uint8_t zero[ADDR_LEN];

	if (!memcmp(addr, v4_prefix, sizeof(v4_prefix))) {
		if (addr[12] == 127)
			return V4_BITS + 8;
		return memcmp(addr + 12, zero, 4) ? 0 : 128;
	}
	/* "::" and "::1" */
	return !memcmp(addr, zero, ADDR_LEN - 1) && addr[ADDR_LEN - 1] <= 1 ? 128 : 0;
}

/* `ports` NULL: for whichever port. */
static bool addr_is_metadata(const uint8_t addr[static ADDR_LEN], const struct ports *ports)
{
	static const uint8_t instance[ADDR_LEN] = { [10] = 0xff, 0xff, 169, 254, 169, 254 };
	static const uint8_t host[ADDR_LEN] = { [10] = 0xff, 0xff, 168, 63, 129, 16 };

	if (!memcmp(addr, instance, ADDR_LEN))
		return true;
	if (memcmp(addr, host, ADDR_LEN))
		return false;
	return !ports || (ports->protocol == IPPROTO_TCP &&
			  (ports->port == 80 || ports->port == 443 || ports->port == 32526));
}

static bool builtin_find(const struct subject *subject, const struct ports *ports,
			 struct builtin *ret)
{
	const struct policy *policy = subject->policy;

	if (subject->name)
		return false;
	if (addr_loopback_bits(subject->addr)) {
		*ret = (struct builtin){
			policy->loopback_allowed ? ACTION_ALLOW : ACTION_DENY,
			REASON_LOOPBACK, addr_loopback_bits(subject->addr),
		};
		return true;
	}
	if (subject->direction == DIRECTION_IN || !addr_is_metadata(subject->addr, ports))
		return false;
	*ret = (struct builtin){
		policy->metadata_allowed ? ACTION_ALLOW : ACTION_DENY, REASON_METADATA, 128,
	};
	return true;
}

/* Looks for a deny or an allow; true when there is one. */
static bool finding_decide(const struct subject *subject, const struct ports *ports,
			   enum rule_action action, struct finding *finding)
{
	const struct rule *rule = rule_find(subject, action, ports);
	struct builtin builtin;

	if (builtin_find(subject, ports, &builtin) && builtin.action == action &&
	    (!rule || builtin.prefix_bits >= target_specificity(&rule->target))) {
		finding->decided = true;
		finding->reason = builtin.reason;
	} else if (rule) {
		finding->decided = true;
		finding->reason = REASON_DENIED_BY_RULE;
		finding->rule = rule;
	}
	finding->allowed = finding->decided && action == ACTION_ALLOW;
	return finding->decided;
}

static struct finding subject_judge(const struct subject *subject, const struct ports *ports)
{
	struct finding finding = {};
	struct builtin builtin;

	finding.known = rule_find(subject, ACTION_ALLOW, NULL) ||
			(builtin_find(subject, NULL, &builtin) && builtin.action == ACTION_ALLOW);
	if (!finding_decide(subject, ports, ACTION_DENY, &finding))
		finding_decide(subject, ports, ACTION_ALLOW, &finding);
	if (!finding.allowed)
		finding.expected = rule_find(subject, ACTION_EXPECTED, ports);
	if (!finding.decided && !finding.expected)
		finding.expired = rule_find(subject, ACTION_EXPIRED, ports);
	return finding;
}

/* Adds what the name says to what its address says; the name is asked second and tells more. */
static void finding_add(struct finding *finding, const struct finding *name)
{
	finding->decided = name->decided;
	finding->allowed = name->allowed;
	finding->reason = name->reason;
	finding->rule = name->rule;
	finding->known |= name->known;
	if (name->expected)
		finding->expected = name->expected;
	if (name->expired)
		finding->expired = name->expired;
}

static void finding_end(const struct finding *finding, uint8_t direction, struct explanation *ret)
{
	ret->allowed = finding->allowed;
	ret->rule = finding->rule;
	if (finding->allowed)
		return;
	ret->expected = finding->expected;
	if (finding->decided) {
		ret->reason = finding->reason;
		return;
	}
	ret->rule = finding->expected ? finding->expected : finding->expired;
	if (direction == DIRECTION_IN)
		ret->reason = REASON_INBOUND;
	else if (finding->expired && !finding->expected)
		ret->reason = REASON_EXPIRED;
	else
		ret->reason = finding->known ? REASON_PORT : REASON_NOT_ALLOWED;
}

/* Port 53, and Docker's resolver on every port: it is redirected before the packet is judged. */
static bool query_is_dns(const struct query *query)
{
	static const uint8_t docker[ADDR_LEN] = { [10] = 0xff, 0xff, 127, 0, 0, 11 };

	return query->direction == DIRECTION_OUT &&
	       (query->port == DNS_PORT ||
		(query->has_addr && !memcmp(query->addr, docker, ADDR_LEN)));
}

/* Only the policy's resolvers may be asked; which names, is judged by the question. */
static void dns_explain(const struct query *query, const struct finding *finding,
			struct explanation *ret)
{
	if (query->to_resolver &&
	    (query->protocol == IPPROTO_TCP || query->protocol == IPPROTO_UDP)) {
		ret->allowed = true;
		return;
	}
	ret->reason = REASON_DNS_SERVER;
	ret->expected = finding->expected;
	ret->rule = finding->decided ? NULL : finding->expected;
}

void explain_flow(const struct policy *policy, const struct query *query, time_t now,
		  struct explanation *ret)
{
	const struct ports ports = { query->protocol, query->port };
	struct subject subject = {
		.policy = policy, .now = now, .addr = query->addr, .direction = query->direction,
	};
	struct finding finding = {}, by_name;

	*ret = (struct explanation){};
	if (query->has_addr)
		finding = subject_judge(&subject, &ports);
	if (query_is_dns(query)) {
		dns_explain(query, &finding, ret);
		return;
	}
	if (!finding.decided && query->by_name && query->direction == DIRECTION_OUT) {
		subject.name = query->name;
		by_name = subject_judge(&subject, &ports);
		finding_add(&finding, &by_name);
	}
	finding_end(&finding, query->direction, ret);
	if (!ret->allowed)
		explain_near(policy, query, ret);
}

/*
 * Does an allow rule keep a port that no deny takes away? If so, then its first one or the one
 * behind a deny. Protocols other than TCP and UDP have no ports; ICMP stands for all of them.
 */
static bool allow_survives(const struct subject *subject, const struct rule *allow)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };
	const struct policy *policy = subject->policy;

	for (size_t p = 0; p < sizeof(protocols); p++) {
		struct ports ports = { protocols[p], allow->target.port_low };

		if (target_has_port(&allow->target, &ports) &&
		    (ports.protocol != IPPROTO_ICMP || !ports.port) &&
		    !rule_find(subject, ACTION_DENY, &ports))
			return true;
		for (size_t i = 0; ports.protocol != IPPROTO_ICMP && i < policy->rule_count; i++) {
			const struct rule *deny = &policy->rules[i];

			if (!rule_acts(deny, ACTION_DENY, subject->now) ||
			    !rule_covers(deny, subject) || deny->target.port_high == UINT16_MAX)
				continue;
			ports.port = deny->target.port_high + 1;
			if (target_has_port(&allow->target, &ports) &&
			    !rule_find(subject, ACTION_DENY, &ports))
				return true;
		}
	}
	return false;
}

static const struct rule *question_allow(const struct subject *subject)
{
	const struct rule *best = NULL;

	for (size_t i = 0; i < subject->policy->rule_count; i++) {
		const struct rule *rule = &subject->policy->rules[i];

		if (rule_acts(rule, ACTION_ALLOW, subject->now) && rule_covers(rule, subject) &&
		    (!best ||
		     target_specificity(&rule->target) > target_specificity(&best->target)) &&
		    allow_survives(subject, rule))
			best = rule;
	}
	return best;
}

/* How much of a name's end, with the dot in front of it, a pattern gives; 0: it is another name. */
static size_t target_name_bytes(const struct target *target, const char *name)
{
	struct target below = *target;

	/* The bytes in front of a name with rules of its own are the star's of a wider pattern. */
	below.match = target->match == NAME_EXACT ? NAME_BELOW : target->match;
	if (!*target->name ||
	    !(target_covers_name(target, name) || target_covers_name(&below, name)))
		return 0;
	return strlen(target->name) + (target->match != NAME_SUFFIX);
}

/* Is more left to a star than it may stand for, whichever of the rules' names is the longest? */
static bool star_is_too_long(const struct subject *subject)
{
	size_t given = 0;

	for (size_t i = 0; i < subject->policy->rule_count; i++) {
		const struct rule *rule = &subject->policy->rules[i];
		bool gone = rule->expires && rule->expires <= subject->now &&
			    rule->list != LIST_ALLOW;
		size_t bytes = target_name_bytes(&rule->target, subject->name);

		if (rule->target.kind == TARGET_NAME && rule->list != LIST_INBOUND && !gone &&
		    bytes > given)
			given = bytes;
	}
	return strlen(subject->name) + 1 - given > STAR_MAX_LEN;
}

void explain_question(const struct policy *policy, const char *name, time_t now,
		      struct explanation *ret)
{
	const struct subject subject = { .policy = policy, .now = now, .name = name };
	struct query query = { .by_name = true };
	bool too_long = star_is_too_long(&subject);

	*ret = (struct explanation){ .rule = question_allow(&subject) };
	ret->allowed = ret->rule && !too_long;
	if (ret->allowed)
		return;
	if (ret->rule) {
		ret->reason = REASON_DNS_NAME;
		return;
	}
	ret->reason = REASON_DENIED_BY_RULE;
	ret->rule = rule_find(&subject, ACTION_DENY, NULL);
	if (!ret->rule) {
		ret->reason = REASON_DNS_NAME;
		ret->rule = rule_find(&subject, ACTION_EXPECTED, NULL);
		ret->expected = ret->rule;
	}
	if (!ret->rule) {
		ret->rule = rule_find(&subject, ACTION_EXPIRED, NULL);
		ret->reason = ret->rule ? REASON_EXPIRED : REASON_DNS_NAME;
	}
	if (ret->rule && too_long) {
		ret->reason = REASON_DNS_NAME;
		ret->expected = false;
	}
	text_copy(query.name, sizeof(query.name), name);
	explain_near(policy, &query, ret);
}
