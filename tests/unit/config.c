/* SPDX-License-Identifier: GPL-2.0 */
/* The daemon's configuration: what a file may say, and what each mistake is told. */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config_text.h"
#include "control/protocol.h"
#include "event/sink.h"
#include "event_made.h"
#include "policy/load.h"
#include "policy_text.h"

static const char whole[] =
	"version: 1\n"
	"policy: azure-devops\n"
	"policies:\n"
	"  - { agent: \"build-*\", pool: linux, project: \"*\", definition: \"release-*\", policy: release.yaml }\n"
	"agents:\n"
	"  - name: forge\n"
	"    worker: forge-worker\n"
	"    parent: forge-runner\n"
	"    identity: child\n"
	"    job: FORGE_JOB_NAME\n"
	"    fields: { ForgeJobId: FORGE_JOB_ID, ForgePipeline: FORGE_PIPELINE }\n"
	"    definition: FORGE_PIPELINE\n"
	"    agent: FORGE_AGENT\n"
	"    pool: FORGE_POOL\n"
	"    project: FORGE_PROJECT\n"
	"guard:\n"
	"  - { cgroup: \"/system.slice/vsts.agent.*.service\", policy: go, name: agent }\n"
	"  - { cgroup: /docker }\n"
	"records: records.ndjson\n"
	"limits: { jobs: 4096, policies: 3, clients: 4 }\n"
	"azure: on\n"
	"state: ./state\n"
	"pins: trial_1\n"
	"cgroup: /jobs\n";

Test(config, everything_that_a_file_can_say_is_kept)
{
	_cleanup_configured_ struct configured got = config_load_text(whole);
	const struct config *config = got.config;
	const struct agent_kind *forge;

	cr_assert_eq(got.result, 0, "%s", got.messages);
	cr_expect_str_eq(got.messages, "");
	cr_expect_str_eq(config->path, "config.yaml");
	cr_expect_str_eq(config->policy, "azure-devops");
	cr_assert_eq(config->choice_count, 1);
	cr_expect_str_eq(config->choices[0].pool, "linux");
	cr_expect_eq(config->choices[0].line, 4);
	cr_assert_eq(config->agent_count, 2);
	cr_expect(config->agents[0].is_azure && config->agents[0].identity_in_child);
	cr_expect_str_eq(config->agents[0].worker, "Agent.Worker");
	forge = &config->agents[1];
	cr_expect_str_eq(forge->name, "forge");
	cr_expect(forge->identity_in_child && !forge->is_azure);
	cr_expect_str_eq(forge->worker, "forge-worker");
	cr_expect_str_eq(forge->parent, "forge-runner");
	cr_expect_str_eq(forge->job, "FORGE_JOB_NAME");
	cr_expect_str_eq(forge->agent, "FORGE_AGENT");
	cr_expect_str_eq(forge->pool, "FORGE_POOL");
	cr_expect_str_eq(forge->project, "FORGE_PROJECT");
	cr_expect_str_eq(forge->definition, "FORGE_PIPELINE");
	cr_assert_eq(forge->field_count, 2);
	cr_expect_str_eq(forge->fields[1].record, "ForgePipeline");
	cr_expect_str_eq(forge->fields[1].variable, "FORGE_PIPELINE");
	cr_assert_eq(config->guarded_count, 2);
	cr_expect_str_eq(config->guarded[0].policy, "go");
	cr_expect_str_eq(config->guarded[0].name, "agent");
	cr_expect_str_eq(config->guarded[1].policy, "azure-devops");
	cr_expect_str_eq(config->guarded[1].name, "guarded");
	cr_expect_eq(config->guarded[1].line, 18);
	cr_expect_str_eq(config->pins, "trial_1");
	cr_expect_str_eq(config->cgroup, "/jobs");
	cr_expect_eq(config->jobs_max, 4096);
	cr_expect_eq(config->policies_max, 3);
	cr_expect_eq(config->clients_max, 4);
}

Test(config, an_empty_file_is_azure_with_the_usual_places)
{
	static const char *const texts[] = { "", "{}", "# nothing\n", "agents: []\npolicies:\n" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_configured_ struct configured got = config_load_text(texts[i]);
		const struct config *config = got.config;

		cr_assert_eq(got.result, 0, "'%s': %s", texts[i], got.messages);
		cr_expect_str_eq(got.messages, "");
		cr_expect_str_eq(config->policy, "azure-devops");
		cr_assert_eq(config->agent_count, 1);
		cr_expect_str_eq(config->agents[0].name, "azure");
		cr_expect_str_eq(config->records, "/var/log/buildfence/records.ndjson");
		cr_expect_str_eq(config->state, "/run/buildfence");
		cr_expect_str_eq(config->socket, "/run/buildfence/socket");
		cr_expect_str_eq(config->pins, "daemon");
		cr_expect_null(config->cgroup);
		cr_expect(config->jobs_max == 256 && config->policies_max == 32 &&
			  config->clients_max == 64);
		cr_expect(!config->choice_count && !config->guarded_count);
	}
}

Test(config, paths_are_relative_to_the_file_and_absolute_afterwards)
{
	_cleanup_configured_ struct configured got = config_load_text(
		"policy: release.yaml\npolicies: [ { pool: x, policy: ./release.yaml } ]\n"
		"records: log/r.ndjson\nstate: /run/b\nsocket: ./s\n");
	char path[128];

	cr_assert_eq(got.result, 0, "%s", got.messages);
	snprintf(path, sizeof(path), "%s/release.yaml", got.folder);
	cr_expect_str_eq(got.config->policy, path);
	cr_expect_str_eq(got.config->choices[0].policy, path);
	snprintf(path, sizeof(path), "%s/log/r.ndjson", got.folder);
	cr_expect_str_eq(got.config->records, path);
	snprintf(path, sizeof(path), "%s/s", got.folder);
	cr_expect_str_eq(got.config->socket, path);
	cr_expect_str_eq(got.config->state, "/run/b");
}

Test(config, the_socket_is_in_the_state_folder_unless_told)
{
	_cleanup_configured_ struct configured got = config_load_text("state: /run/other\n");

	cr_assert_eq(got.result, 0, "%s", got.messages);
	cr_expect_str_eq(got.config->socket, "/run/other/socket");
}

#define LONG_94	"/a/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* What the server binds, and the clients take: control/protocol.h. */
Test(config, a_socket_of_103_bytes_is_taken)
{
	static const char *const texts[] = {
		"state: " LONG_94 "aa\n", "socket: " LONG_94 "/socket/a\n",
		"state: " LONG_94 "aaaaaaaaaaaaa\nsocket: /run/s\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_configured_ struct configured got = config_load_text(texts[i]);

		cr_assert_eq(got.result, 0, "%s", got.messages);
		cr_expect_eq(strlen(got.config->socket), i < 2 ? CONTROL_PATH_MAX : 6);
	}
}

Test(config, the_first_choice_whose_keys_all_match_gives_the_policy)
{
	_cleanup_configured_ struct configured got = config_load_text(
		"policy: azure-devops\n"
		"policies:\n"
		"  - { agent: \"build-*\", pool: linux, policy: release.yaml }\n"
		"  - { definition: \"Release [0-9]*\", policy: go }\n"
		"  - { project: \"*\", pool: gpu, policy: rust }\n"
		"  - { project: Web?ite, policy: java }\n");
	static const struct { const char *agent, *pool, *project, *definition, *policy; } rows[] = {
		{ "build-7", "linux", "x", "y", "release.yaml" },
		{ "BUILD-7", "Linux", "x", "y", "release.yaml" },
		{ "build-7", NULL, NULL, NULL, "azure-devops" },
		{ NULL, "linux", NULL, NULL, "azure-devops" },
		{ "build-7", "linux", NULL, "Release 1", "release.yaml" },
		{ "build", "linux", NULL, "release 1", "go" },
		{ NULL, NULL, NULL, "release", "azure-devops" },
		{ NULL, "gpu", NULL, NULL, "rust" },
		{ NULL, "gpu", "x", NULL, "rust" },
		{ NULL, "gpus", "website", NULL, "java" },
		{ NULL, NULL, "", NULL, "azure-devops" },
		{ NULL, NULL, NULL, NULL, "azure-devops" },
	};

	cr_assert_eq(got.result, 0, "%s", got.messages);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *policy = config_policy_choose(got.config, rows[i].agent, rows[i].pool,
							  rows[i].project, rows[i].definition);
		const char *slash = strrchr(policy, '/');

		cr_expect_str_eq(slash ? slash + 1 : policy, rows[i].policy, "row %zu", i);
	}
}

Test(config, a_star_in_a_guarded_path_ends_at_a_slash)
{
	static const struct { const char *pattern, *cgroup; bool matches; } rows[] = {
		{ "/a/vsts.agent.*.service", "/a/vsts.agent.o.p.n.service", true },
		{ "/a/vsts.agent.*.service", "/a/vsts.agent.o\\x2dx.p.n.service", true },
		{ "/a/vsts.agent.o\\x2dx.*", "/a/vsts.agent.o\\x2dx.p.n.service", true },
		{ "/a/vsts.agent.*.service", "/a/vsts.agent.o.service/below.service", false },
		{ "/a/vsts.agent.*.service", "/b/a/vsts.agent.o.service", false },
		{ "/docker", "/docker", true },
		{ "/docker", "/docker/c", false },
		{ "/docker", "/Docker", false },
		{ "/*/x", "/a/x", true },
		{ "/*/x", "/a/b/x", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct guarded_cgroup guarded = { .pattern = (char *)rows[i].pattern };

		cr_expect_eq(config_guard_match(&guarded, rows[i].cgroup), rows[i].matches,
			     "%s %s", rows[i].pattern, rows[i].cgroup);
	}
}

Test(config, a_policy_is_asked_for_as_a_file_or_a_preset)
{
	static const char *const policies[] = { "go", "/etc/buildfence/release.yaml" };
	struct policy_request request;
	const char *storage[2];

	config_policy_request(policies[0], &request, storage);
	cr_expect_null(request.file);
	cr_assert_not_null(request.presets);
	cr_expect_str_eq(request.presets[0], "go");
	cr_expect_null(request.presets[1]);
	config_policy_request(policies[1], &request, storage);
	cr_expect_str_eq(request.file, policies[1]);
	cr_expect_null(request.presets);
}

Test(config, azure_can_be_turned_off_and_its_name_taken)
{
	_cleanup_configured_ struct configured got = config_load_text(
		"azure: off\nagents: [ { name: azure, worker: Agent.Worker, parent: Agent.Listener } ]\n");

	cr_assert_eq(got.result, 0, "%s", got.messages);
	cr_assert_eq(got.config->agent_count, 1);
	cr_expect(!got.config->agents[0].is_azure);
}

Test(config, no_field_of_a_record_can_be_taken)
{
	struct event event = event_made("", REASON_NOT_ALLOWED, HOOK_CONNECT);
	_cleanup_free_ char *line = ndjson_record(&event);
	json_t *record = json_loads(line, 0, NULL), *value;
	const char *field;
	size_t count = 0;

	cr_assert_not_null(record);
	json_object_foreach(record, field, value) {
		_cleanup_configured_ struct configured got = {};
		char text[256];

		snprintf(text, sizeof(text),
			 "agents: [ { name: a, worker: w, parent: p, fields: { %s: X } } ]\n", field);
		got = config_load_text(text);
		cr_expect(!strncmp(field, "Azp", 3) || got.result == -EINVAL,
			  "'%s' was taken", field);
		count++;
	}
	json_decref(record);
	cr_expect_gt(count, 30);
}

Test(config, errors_of_a_policy_say_where_the_configuration_names_it)
{
	_cleanup_configured_ struct configured got = config_load_text(
		"guard:\n  - { cgroup: /a, policy: faulty.yaml }\n  - { cgroup: /b, policy: faulty.yaml }\n");

	cr_expect_eq(got.result, -EINVAL);
	cr_expect_eq(got.diag.errors, 3);
	cr_expect_str_eq(got.messages,
			 "faulty.yaml:1:1: unknown key 'alow'; did you mean 'allow'?\n"
			 "faulty.yaml:2:10: '10.0.0': '10.0.0' looks like an IPv4 address but is none; write four numbers from 0 to 255 without leading zeros\n"
			 "config.yaml:2:27: policy 'faulty.yaml', named here, is refused for the errors above\n");
}

Test(config, a_missing_file_says_where_one_comes_from)
{
	struct configured got = {};
	size_t len;

	got.diag.out = open_memstream(&got.messages, &len);
	got.result = config_load("/nonexistent/config.yaml", &got.diag, &got.config);
	fclose(got.diag.out);
	cr_expect_eq(got.result, -ENOENT);
	cr_expect_eq(got.diag.errors, 1);
	cr_expect_str_eq(got.messages,
			 "/nonexistent/config.yaml: cannot read the configuration: No such file or directory; 'make install' puts one at /etc/buildfence/config.yaml\n");
	configured_free(&got);
}

Test(config, files_that_everyone_can_write_are_warned_of)
{
	_cleanup_configured_ struct configured got = {};

	umask(0);
	got = config_load_text("policy: release.yaml\n");
	cr_expect_eq(got.result, 0);
	cr_expect_str_eq(got.messages,
			 "config.yaml: warning: everyone on this machine can change this file; chmod o-w\n"
			 "release.yaml: warning: everyone on this machine can change this file; chmod o-w\n");
}
