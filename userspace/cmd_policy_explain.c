/* SPDX-License-Identifier: GPL-2.0 */
/*
 * buildfence policy explain: for each target the verdict, the rule, and what to add. Exit status 0
 * when all are allowed, 2 when some are denied, 1 with errors.
 */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "base/log.h"
#include "cmd.h"
#include "cmd_rule.h"
#include "event/names.h"
#include "policy/compile.h"
#include "policy/explain.h"
#include "policy/load.h"
#include "policy/target.h"
#include "policy/write.h"

#define EXIT_DENIED	2
#define INBOUND_PREFIX	"in:"
#define RESOLV_CONF	"/etc/resolv.conf"
#define TEXT_MAX	1024

enum {
	OPTION_JSON = 256,
};

static const struct argp_option options[] = {
	{ "organization", 'o', "NAME", 0, "fills {organization}, in place of the file's", 0 },
	{ "json", OPTION_JSON, NULL, 0, "print one JSON array, with an object for each target", 0 },
	{},
};

struct arguments {
	struct policy_request request;
	char **targets;
	int target_count;
	bool json;
};

/* One target, and what was found about it. */
struct answer {
	const char *text;		/* as given */
	struct target target;
	enum rule_list list;		/* where an entry that allows it belongs */
	struct query query;
	struct explanation question;	/* only for a name */
	struct explanation flow;
	const char *search;		/* the search domain that opens the name; NULL: none */
	bool allowed;
};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case 'o':
		arguments->request.organization = argument;
		return 0;
	case OPTION_JSON:
		arguments->json = true;
		return 0;
	case ARGP_KEY_ARG:
		arguments->request.file = argument;
		arguments->targets = state->argv + state->next;
		arguments->target_count = state->argc - state->next;
		state->next = state->argc;
		if (!arguments->target_count)
			argp_error(state, "which target?");
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which file?");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* A question is about one destination. Returns NULL, or what is wrong. */
static const char *target_objection(const struct target *target)
{
	if (target->kind == TARGET_NAME && target->match != NAME_EXACT)
		return "a pattern; name one host that it should cover";
	if (target->kind == TARGET_PREFIX && target->prefix_bits != 8 * ADDR_LEN)
		return "a prefix; name one address in it";
	if (!target->protocol || target->port_low != target->port_high)
		return "many ports; say which one, such as tcp://HOST:443 or udp://HOST:123";
	return NULL;
}

static bool answer_parse(const char *text, struct answer *ret_answer)
{
	bool inbound = !strncmp(text, INBOUND_PREFIX, strlen(INBOUND_PREFIX));
	struct answer answer = { .text = text, .list = inbound ? LIST_INBOUND : LIST_ALLOW };
	static const uint8_t loopback[ADDR_LEN] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };
	const struct target *target = &answer.target;
	const char *objection;
	char error[256];

	if (target_parse(inbound ? text + strlen(INBOUND_PREFIX) : text, answer.list,
			 &answer.target, error)) {
		log_error("'%s': %s", text, error);
		return false;
	}
	objection = target_objection(target);
	if (objection) {
		log_error("'%s' is %s", text, objection);
		return false;
	}
	answer.query = (struct query){
		.by_name = target->kind == TARGET_NAME,
		.has_addr = target->kind == TARGET_PREFIX,
		.protocol = target->protocol,
		.port = target->port_low,
		.direction = inbound ? DIRECTION_IN : DIRECTION_OUT,
	};
	memcpy(answer.query.name, target->name, NAME_LEN);
	memcpy(answer.query.addr, target->addr, ADDR_LEN);
	/* From /etc/hosts: no resolver is asked. */
	if (target_is_localhost(target)) {
		answer.query.by_name = false;
		answer.query.has_addr = true;
		memcpy(answer.query.addr, loopback, ADDR_LEN);
	}
	*ret_answer = answer;
	return true;
}

static bool is_resolver(const struct policy *policy, const struct machine_dns *dns,
			const uint8_t addr[static ADDR_LEN])
{
	unsigned int count = policy->resolvers_auto ? dns->resolver_count : policy->resolver_count;

	for (unsigned int i = 0; i < count; i++) {
		if (!memcmp(policy->resolvers_auto ? dns->resolvers[i] : policy->resolvers[i], addr,
			    ADDR_LEN))
			return true;
	}
	return false;
}

/* Resolvers try a name below each search domain in turn: what opens a name opens those too. */
static void answer_search(struct answer *answer, const struct policy *policy,
			  const struct machine_dns *dns, time_t now)
{
	size_t len = strlen(answer->query.name);

	for (unsigned int i = 0; !answer->allowed && i < dns->search_count; i++) {
		size_t domain_len = strlen(dns->search[i]);
		struct answer shorter = *answer;

		if (len < domain_len + 2 || answer->query.name[len - domain_len - 1] != '.' ||
		    strcmp(answer->query.name + len - domain_len, dns->search[i]))
			continue;
		shorter.query.name[len - domain_len - 1] = '\0';
		explain_flow(policy, &shorter.query, now, &shorter.flow);
		explain_question(policy, shorter.query.name, now, &shorter.question);
		if (!shorter.flow.allowed || !shorter.question.allowed)
			continue;
		answer->flow = shorter.flow;
		answer->question = shorter.question;
		answer->search = dns->search[i];
		answer->allowed = true;
	}
}

static void answer_find(struct answer *answer, const struct policy *policy,
			const struct machine_dns *dns, time_t now)
{
	answer->query.to_resolver = answer->query.has_addr &&
				    is_resolver(policy, dns, answer->query.addr);
	explain_flow(policy, &answer->query, now, &answer->flow);
	answer->allowed = answer->flow.allowed;
	if (!answer->query.by_name)
		return;
	explain_question(policy, answer->query.name, now, &answer->question);
	answer->allowed &= answer->question.allowed;
	if (answer->question.reason == REASON_DNS_NAME && !answer->question.rule)
		answer_search(answer, policy, dns, now);
}

/* What a person can do about a refusal; false: add an entry. */
static bool reason_advice(enum refusal_reason reason, const char **ret_advice)
{
	switch (reason) {
	case REASON_METADATA:
		*ret_advice = "`metadata: allow` opens it, to every process of the job, credentials and all";
		return true;
	case REASON_LOOPBACK:
		*ret_advice = "`loopback: allow` opens it";
		return true;
	case REASON_DNS_SERVER:
		*ret_advice = DNS_SERVER_ADVICE;
		return true;
	case REASON_DENIED_BY_RULE:
		*ret_advice = "a deny rule goes before every allow: narrow it or take it out";
		return true;
	default:
		return false;
	}
}

/* "add under `allow`: ..." in words; the entry itself is left in ret_entry, "" where none helps. */
static const char *answer_advice(const struct answer *answer,
				 char ret_entry[static TARGET_TEXT_LEN])
{
	const struct explanation *refusal =
		answer->flow.allowed ? &answer->question : &answer->flow;
	const char *advice;

	*ret_entry = '\0';
	if (reason_advice(refusal->reason, &advice))
		return advice;
	advice = answer->query.by_name ? name_objection(answer->query.name) : NULL;
	if (advice)
		return advice;
	target_format(&answer->target, answer->list, ret_entry);
	return answer->list == LIST_INBOUND ? "to allow it, add under `inbound: allow:`" :
					      "to allow it, add under `allow:`";
}

static void verdict_print(const char *what, const struct explanation *explanation)
{
	printf("  %-9s %s", what, explanation->allowed ? "allowed" : "blocked");
	if (!explanation->allowed)
		printf(", %s%s", reason_name(explanation->reason),
		       explanation->expected ? " (expected: not reported)" : "");
	if (explanation->rule) {
		printf(": ");
		rule_print(stdout, explanation->rule);
	}
	printf("\n");
}

static void near_print(const struct explanation *explanation)
{
	for (size_t i = 0; i < explanation->near_count; i++) {
		char ports[PORTS_TEXT_LEN];

		if (explanation->near[i] == explanation->rule)
			continue;
		target_format_ports(&explanation->near[i]->target, ports);
		printf("  %-9s %s by ", "nearly", ports);
		rule_print(stdout, explanation->near[i]);
		printf("\n");
	}
}

static void answer_print(const struct answer *answer, const struct policy *policy)
{
	_cleanup_free_ char *text = escape_string(answer->text, TEXT_MAX);
	char ports[PORTS_TEXT_LEN], entry[TARGET_TEXT_LEN];
	const char *advice;

	printf("%s  %s\n", answer->allowed ? "allowed" : "blocked", text ? text : "");
	target_format_ports(&answer->target, ports);
	if (answer->query.by_name)
		verdict_print("DNS", &answer->question);
	verdict_print(ports, &answer->flow);
	if (answer->search)
		printf("  as %.*s, by the search domain %s in " RESOLV_CONF "\n",
		       (int)(strlen(answer->query.name) - strlen(answer->search) - 1),
		       answer->query.name, answer->search);
	if (answer->allowed)
		return;
	if (policy->mode == MODE_AUDIT)
		printf("  `mode: audit` records it, and lets it pass\n");
	near_print(answer->flow.allowed ? &answer->question : &answer->flow);
	advice = answer_advice(answer, entry);
	printf("  %s", advice);
	if (*entry)
		printf("  - \"%s\"", entry);
	printf("\n");
}

static json_t *explanation_json(const struct explanation *explanation)
{
	json_t *near = json_array();

	for (size_t i = 0; i < explanation->near_count; i++)
		json_array_append_new(near, rule_json(explanation->near[i]));
	return json_pack("{s:b, s:b, s:s?, s:o, s:o}", "allowed", explanation->allowed, "expected",
			 explanation->expected, "reason",
			 explanation->allowed ? NULL : reason_name(explanation->reason), "rule",
			 rule_json(explanation->rule), "near", near);
}

static json_t *answer_json(const struct answer *answer)
{
	char entry[TARGET_TEXT_LEN] = "";
	const char *advice = answer->allowed ? NULL : answer_advice(answer, entry);

	return json_pack("{s:o, s:b, s:o, s:o, s:s?, s:s?}", "target", text_json(answer->text),
			 "allowed", answer->allowed, "question",
			 answer->query.by_name ? explanation_json(&answer->question) : json_null(),
			 "flow", explanation_json(&answer->flow), "advice", advice, "entry",
			 *entry ? entry : NULL);
}

/* Returns the exit status. */
static int targets_explain(const struct arguments *arguments, const struct policy *policy)
{
	json_t *json = arguments->json ? json_array() : NULL;
	int status = EXIT_SUCCESS;
	struct machine_dns dns = {};

	if (machine_dns_read(RESOLV_CONF, &dns))
		fprintf(stderr, "buildfence: cannot read " RESOLV_CONF "; no resolver is known\n");
	for (int i = 0; i < arguments->target_count; i++) {
		struct answer answer;

		if (!answer_parse(arguments->targets[i], &answer)) {
			status = EXIT_FAILURE;
			continue;
		}
		answer_find(&answer, policy, &dns, time(NULL));
		if (!answer.allowed && status == EXIT_SUCCESS)
			status = EXIT_DENIED;
		if (!json)
			answer_print(&answer, policy);
		else if (json_array_append_new(json, answer_json(&answer)))
			status = EXIT_FAILURE;
	}
	if (json && json_write(json, JSON_INDENT(2), stdout))
		status = EXIT_FAILURE;
	json_decref(json);
	return status;
}

int cmd_policy_explain(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "FILE TARGET...",
		.doc = "Say for each target whether a policy allows it, by which rule, and if not, what "
		       "to add."
		       "\vA TARGET is a URL, a name, ADDRESS:PORT, tcp://HOST:PORT or udp://HOST:PORT. "
		       "in:tcp://ADDRESS:PORT asks whether ADDRESS may connect to the job's PORT. The exit "
		       "status is 0 when all are allowed, 2 when some are blocked, 1 with errors.",
	};
	struct arguments arguments = {};
	struct diagnostics diag = { .out = stderr };
	_cleanup_policy_ struct policy *policy = NULL;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments);
	if (policy_load(&arguments.request, &diag, &policy))
		return EXIT_FAILURE;
	return targets_explain(&arguments, policy);
}
