/* SPDX-License-Identifier: GPL-2.0 */
/* What is wrong with a configuration, in the words that its author reads. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "config_text.h"

#define AGENT(more)	"agents: [ { name: a, worker: w, parent: p, " more " } ]"
#define GUARD(path)	"guard: [ { cgroup: '" path "' } ]"
#define LONG_50		"01234567890123456789012345678901234567890123456789"
#define LONG_100	LONG_50 LONG_50

static bool begins(const char *text, const char *beginning)
{
	return !strncmp(text, beginning, strlen(beginning));
}

Test(config_errors, each_says_its_place_and_what_to_do)
{
	static const struct { const char *text, *message; } rows[] = {
		{ "version: 2", "1:10: version '2' is not known here; this buildfence reads version 1" },
		{ "polcy: go", "1:1: unknown key 'polcy'; did you mean 'policy'?" },
		{ "whatever: x", "1:1: unknown key 'whatever'; a configuration has version, policy, policies, agents, azure, guard, records, limits, state, socket, pins, cgroup" },
		{ "policy: go\npolicy: go", "2:1: key 'policy' stands here twice; the first is in line 1" },
		{ "- policy", "1:1: expected a mapping ('policy:' and other keys), but here is a list" },
		{ "policy:", "1:8: expected a preset's name or a file, but here is nothing" },
		{ "policy: [go]", "1:9: expected a preset's name or a file, but here is a list" },
		{ "policy: azure-devop", "1:9: unknown preset 'azure-devop'; did you mean 'azure-devops'?" },
		{ "policy: a/", "1:9: 'a/' is not the path of a file; write it as in /run/buildfence, without a slash at the end" },
		{ "policies: go", "1:11: expected a list, as in 'policies: [ { agent: \"build-*\", policy: release.yaml } ]', but here is a text" },
		{ "policies: [ go ]", "1:13: expected a mapping, as in '{ agent: \"build-*\", policy: release.yaml }', but here is a text" },
		{ "policies: [ { pool: x } ]", "1:13: an entry without 'policy'; say which policy these jobs get" },
		{ "policies: [ { pol: x, policy: go } ]", "1:15: unknown key 'pol'; did you mean 'pool'?" },
		{ "policies: [ { when: x, policy: go } ]", "1:15: unknown key 'when'; an entry of 'policies' has agent, pool, project, definition, policy" },
		{ "policies: [ { pool: , policy: go } ]", "1:21: expected a name or a glob, but here is nothing" },
		{ "policies: [ { pool: '', policy: go } ]", "1:21: an empty name, which no job has; leave the key out where any will do" },
		{ "policies: [ { pool: [a], policy: go } ]", "1:21: expected a name or a glob, but here is a list" },
		{ "policies: [ { pool: 'a[b', policy: go } ]", "1:21: 'a[b' has a '[' that no ']' ends; for the character itself write '[[]'" },
		{ "policies: [ { pool: '[a]b[!]', policy: go } ]", "1:21: '[a]b[!]' has a '[' that no ']' ends" },
		{ "policies: [ { pool: '" LONG_100 LONG_100 LONG_100 "', policy: go } ]", "1:21: more than 256 characters: '01234567890123456789...'" },
		{ "agents: { name: a }", "1:9: expected a list, as in 'agents: [ { name: forge, worker: forge-worker, parent: forge-runner } ]', but here is a mapping" },
		{ "agents: [ forge ]", "1:11: expected a mapping, as in '{ name: forge, worker: forge-worker, parent: forge-runner }', but here is a text" },
		{ "agents: [ { name: a, worker: w } ]", "1:11: an agent without 'parent'; it needs name, worker and parent" },
		{ "agents: [ { name: a, parent: p } ]", "1:11: an agent without 'worker'; it needs name, worker and parent" },
		{ "agents: [ { worker: a, parent: p } ]", "1:11: an agent without 'name'; it needs name, worker and parent" },
		{ AGENT("wrker: x"), "1:44: unknown key 'wrker'; did you mean 'worker'?" },
		{ "agents: [ { name: a.b, worker: w, parent: p } ]", "1:19: 'a.b' is not a word here: a letter or digit first, then letters, digits, '-' or '_', at most 32" },
		{ "agents: [ { name: -a, worker: w, parent: p } ]", "1:19: '-a' is not a word here: " },
		{ "agents: [ { name: '', worker: w, parent: p } ]", "1:19: '' is not a word here: " },
		{ "agents: [ { name: " LONG_100 ", worker: w, parent: p } ]", "1:19: '012345678901234567890123456789012345678901234567890123456789' is not a word here: " },
		{ "agents: [ { name: a, worker: bin/w, parent: p } ]", "1:30: 'bin/w' is a path; write the program's name alone: w\n" },
		{ "agents: [ { name: a, worker: bin/, parent: p } ]", "1:30: 'bin/' is a path; write the program's name alone\n" },
		{ "agents: [ { name: a, worker: '', parent: p } ]", "1:30: '' is not the name of a program: 1 to 255 characters" },
		{ AGENT("identity: parent"), "1:54: identity is 'self' (the worker's own environment) or 'child' (its first child's), not 'parent'" },
		{ AGENT("job: $X"), "1:49: '$X' is not the name of an environment variable: letters, digits and '_' are; leave the '$' out" },
		{ AGENT("pool: 1X"), "1:50: '1X' is not the name of an environment variable: letters, digits and '_' are\n" },
		{ AGENT("pool: X.Y"), "1:50: 'X.Y' is not the name of an environment variable" },
		{ AGENT("pool: {}"), "1:50: expected an environment variable's name, but here is a mapping" },
		{ AGENT("fields: [X]"), "1:52: 'fields' is a mapping of a record's fields to variables, as in '{ ForgeJobId: FORGE_JOB_ID }'" },
		{ AGENT("fields: { Reason: X }"), "1:54: every record has a field 'Reason' already; choose another name, as in 'JobReason'" },
		{ AGENT("fields: { reason: X }"), "1:54: every record has a field 'Reason' already" },
		{ AGENT("fields: { TenantId: X }"), "1:54: every record has a field 'TenantId' already" },
		{ AGENT("fields: { 1x: X }"), "1:54: '1x' cannot be a record's field: a letter first, then letters, digits or '_', at most 45" },
		{ AGENT("fields: { _x: X }"), "1:54: '_x' cannot be a record's field" },
		{ AGENT("fields: { a-b: X }"), "1:54: 'a-b' cannot be a record's field" },
		{ AGENT("fields: { A12345678901234567890123456789012345678901234x: X }"), "1:54: 'A12345678901234567890123456789012345678901234x' cannot be" },
		{ AGENT("fields: { A: }"), "1:57: expected an environment variable's name, but here is nothing" },
		{ AGENT("fields: { A: X, A: Y }"), "1:60: key 'A' stands here twice; the first is in line 1" },
		{ AGENT("fields: { a: X, b: X, c: X, d: X, e: X, f: X, g: X, h: X, i: X, j: X, k: X, l: X, m: X, n: X, o: X, p: X, q: X, r: X, s: X, t: X, u: X }"), "1:52: more than 20 fields, which would make a record too long" },
		{ "agents:\n- { name: a, worker: w, parent: p }\n- { name: A, worker: x, parent: p }", "3:3: two agents have the name 'A': this one, and one in line 2" },
		{ "agents:\n- { name: a, worker: w, parent: p }\n- { name: b, worker: w, parent: p }", "3:3: agents 'b' and 'a' have the same worker and parent; leave one out" },
		{ "agents: [ { name: azure, worker: w, parent: p } ]", "1:11: two agents have the name 'azure': this one, and Azure's, which is built in ('azure: off' turns it off)" },
		{ "agents: [ { name: a, worker: Agent.Worker, parent: Agent.Listener } ]", "1:11: agents 'a' and 'azure' have the same worker and parent; leave one out" },
		{ "guard: /a", "1:8: expected a list, as in 'guard: [ { cgroup: \"/system.slice/agent.service\", name: agent } ]', but here is a text" },
		{ "guard: [ /a ]", "1:10: expected a mapping, as in '{ cgroup: \"/system.slice/agent.service\", name: agent }', but here is a text" },
		{ "guard: [ {} ]", "1:10: an entry without 'cgroup'; say which cgroup, by its path from cgroup2's root" },
		{ "guard: [ { cgroups: /a } ]", "1:12: unknown key 'cgroups'; did you mean 'cgroup'?" },
		{ "guard: [ { cgroup: /a, name: a/b } ]", "1:30: 'a/b' is not a word here: " },
		{ "guard: [ { cgroup: /a }, { cgroup: /a } ]", "1:26: '/a' stands here twice; the first is in line 1" },
		{ GUARD("a"), "1:20: 'a' is not a path from cgroup2's root; write it as in /system.slice/agent.service, without a slash at the end" },
		{ GUARD("/a/"), "1:20: '/a/' is not a path" },
		{ GUARD("/a//b"), "1:20: '/a//b' is not a path" },
		{ GUARD("/a/../b"), "1:20: '/a/../b' is not a path" },
		{ GUARD("/."), "1:20: '/.' is not a path" },
		{ GUARD(""), "1:20: '' is not a path" },
		{ GUARD("/a[b"), "1:20: '/a[b' has a '['" },
		{ GUARD("/"), "1:20: '/' covers the root, with the Azure VM agent below it, which must never be guarded; write the path of the build agent's own cgroup" },
		{ GUARD("/*"), "1:20: '/*' covers the root, " },
		{ GUARD("/azure.slice"), "1:20: '/azure.slice' covers azure.slice, with the Azure VM agent below it, " },
		{ GUARD("/a*.slice"), "1:20: '/a*.slice' covers azure.slice, " },
		{ GUARD("/system.slice"), "1:20: '/system.slice' covers system.slice, " },
		{ GUARD("/azure.slice/walinuxagent.service"), "1:20: '/azure.slice/walinuxagent.service' covers walinuxagent.service: the Azure VM agent must never be guarded; write more of the name" },
		{ GUARD("/azure.slice/*"), "1:20: '/azure.slice/*' covers walinuxagent.service: " },
		{ GUARD("/system.slice/*agent*"), "1:20: '/system.slice/*agent*' covers walinuxagent.service: " },
		{ GUARD("/system.slice/waagent.service"), "1:20: '/system.slice/waagent.service' covers waagent.service: the Azure VM agent must" },
		{ GUARD("/*/wa[a-k]gent.servic?"), "1:20: '/*/wa[a-k]gent.servic?' covers waagent.service: " },
		{ GUARD("/w*"), "1:20: '/w*' covers walinuxagent.service: " },
		{ GUARD("/other.slice/w*"), "1:20: '/other.slice/w*' covers walinuxagent.service: " },
		{ GUARD("/azure.slice/walinuxagent.service/x"), "1:20: '/azure.slice/walinuxagent.service/x' is inside walinuxagent.service: the Azure VM agent must never be guarded" },
		{ GUARD("/system.slice/buildfence.service"), "1:20: '/system.slice/buildfence.service' covers buildfence.service: the daemon, whose jobs have policies of their own, must never be guarded" },
		{ GUARD("/system.slice/b*.service"), "1:20: '/system.slice/b*.service' covers buildfence.service: " },
		{ GUARD("/system.slice/buildfence.service/job-*"), "1:20: '/system.slice/buildfence.service/job-*' is inside buildfence.service: " },
		{ "limits: 5", "1:9: 'limits' is a mapping, as in 'limits: { jobs: 256 }', but here is a text" },
		{ "limits: { job: 5 }", "1:11: unknown key 'job'; did you mean 'jobs'?" },
		{ "limits: { jobs: 0 }", "1:17: expected a number from 1 to 4096, not '0': with none, no job could run guarded" },
		{ "limits: { jobs: 4097 }", "1:17: expected a number from 1 to 4096, not '4097': each job has tables of its own in the kernel" },
		{ "limits: { jobs: many }", "1:17: expected a number from 1 to 4096, not 'many'\n" },
		{ "limits: { jobs: -1 }", "1:17: expected a number from 1 to 4096, not '-1'\n" },
		{ "limits: { jobs: 4294967297 }", "1:17: expected a number from 1 to 4096, not '4294967297'\n" },
		{ "limits: { jobs: }", "1:17: expected a number, but here is nothing" },
		{ "limits: { policies: 1 }", "1:21: expected a number from 2 to 256, not '1': a reload keeps the old policy until the new one acts" },
		{ "limits: { policies: 257 }", "1:21: expected a number from 2 to 256, not '257': each policy has tables" },
		{ "limits: { clients: 3 }", "1:20: expected a number from 4 to 1024, not '3': with fewer, those that follow events would keep the others out" },
		{ "limits: { clients: 1025 }", "1:20: expected a number from 4 to 1024, not '1025': each takes one of the daemon's file descriptors" },
		{ "limits: { policies: 2 }\npolicies: [ { pool: a, policy: go }, { pool: b, policy: rust } ]", "1:21: 3 policies are named here, and the limit is 2; write 'limits: { policies: 3 }'" },
		{ "azure: yes", "1:8: expected 'on' or 'off', not 'yes'" },
		{ "azure:", "1:7: expected 'on' or 'off', but here is nothing" },
		{ "records: /var/log/", "1:10: '/var/log/' is not the path of a file; write it as in /run/buildfence, without a slash at the end" },
		{ "records: ''", "1:10: '' is not the path of a file" },
		{ "state: []", "1:8: expected a path, but here is a list" },
		{ "socket: /" LONG_100 "/0123456", "1:9: '/" LONG_100 "/0123456' has 109 bytes; the path of a socket has 103 at most" },
		{ "socket: /" LONG_100 "/01", "1:9: '/" LONG_100 "/01' has 104 bytes; the path of a socket has 103 at most" },
		{ "state: /" LONG_50 LONG_50, "1:8: the socket would be '/" LONG_100 "/socket', of 108 bytes, and its path has 103 at most; shorten this path, or set 'socket'" },
		{ "pins: run-1", "1:7: 'run-1': names that begin with 'run-' are those of 'buildfence run'; choose another" },
		{ "pins: ../x", "1:7: '../x' is not a word here: " },
		{ "cgroup: jobs", "1:9: 'jobs' is not a path from cgroup2's root" },
		{ "policy: &x go", "1:9: anchor '&x': anchors are not taken here; write the value out" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_configured_ struct configured got = config_load_text(rows[i].text);
		const char *message = strchr(got.messages, ':');

		cr_expect_eq(got.result, -EINVAL, "'%s' was taken", rows[i].text);
		cr_expect_eq(got.diag.errors, 1, "'%s': %s", rows[i].text, got.messages);
		cr_expect_null(got.config);
		cr_expect(message && begins(message + 1, rows[i].message),
			  "'%s': %s", rows[i].text, got.messages);
	}
}

Test(config_errors, all_come_in_one_go)
{
	_cleanup_configured_ struct configured got = config_load_text(
		"polcy: go\npolicies: [ { pool: '' }, x ]\nagents: [ { name: / }, { worker: / } ]\n"
		"guard: [ { cgroup: /, policy: nonsense-zzz }, { name: '' } ]\nlimits: { jobs: 0 }\n");

	cr_expect_eq(got.result, -EINVAL);
	cr_expect_eq(got.diag.errors, 9, "%s", got.messages);
}

Test(config_errors, lists_that_are_too_long_are_not_read)
{
	static const struct { const char *key, *entry; int most; } rows[] = {
		{ "agents", "{ name: a%d, worker: w%d, parent: p }", CONFIG_AGENTS_MAX - 1 },
		{ "policies", "{ pool: p%d, agent: a%d, policy: go }", CONFIG_ENTRIES_MAX },
		{ "guard", "{ cgroup: /a%d/b%d }", CONFIG_ENTRIES_MAX },
	};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		int count = rows[i / 2].most + (int)(i % 2);
		_cleanup_configured_ struct configured got = {};
		_cleanup_text_ struct text text = {};
		char entry[64];

		text_printf(&text, "%s:\n", rows[i / 2].key);
		for (int j = 0; j < count; j++) {
			snprintf(entry, sizeof(entry), rows[i / 2].entry, j, j);
			text_printf(&text, "- %s\n", entry);
		}
		got = config_load_text(text.bytes);
		cr_expect_eq(got.result, i % 2 ? -EINVAL : 0, "%s", got.messages);
		if (i % 2)
			cr_expect(strstr(got.messages, " entries, and "), "%s", got.messages);
	}
}

Test(config_errors, a_policy_file_that_is_missing_is_named_twice)
{
	_cleanup_configured_ struct configured got = config_load_text("policy: none.yaml\n");

	cr_expect_eq(got.result, -EINVAL);
	cr_expect_str_eq(got.messages,
			 "none.yaml: cannot read the policy: No such file or directory\n"
			 "config.yaml:1:9: policy 'none.yaml', named here, is refused for the error above\n");
}

Test(config_errors, what_is_probably_not_meant_is_a_warning)
{
	static const struct { const char *text, *message; } rows[] = {
		{ "policies:\n- { policy: go }\n- { pool: x, policy: rust }", "3:3: warning: this entry is never used: the one in line 2 matches every job that it would; put it further up, or leave it out" },
		{ "policies:\n- { pool: '*', policy: go }\n- { agent: y, pool: x, policy: rust }", "3:3: warning: this entry is never used: the one in line 2" },
		{ "policies:\n- { pool: X, policy: go }\n- { agent: y, pool: x, policy: rust }", "3:3: warning: this entry is never used: the one in line 2" },
		{ "policies:\n- { pool: x, agent: a, policy: go }\n- { agent: a, policy: rust }", "" },
		{ "policies:\n- { pool: x, policy: go }\n- { policy: rust }", "" },
		{ "policies:\n- { pool: '[]a]', policy: go }\n- { pool: '[!]a]', policy: rust }", "" },
		{ "azure: off", " warning: no agent is watched and no cgroup guarded; jobs come by 'buildfence attach' alone" },
		{ AGENT("fields: { Key: FORGE_TOKEN }"), "1:59: warning: 'FORGE_TOKEN' sounds like a secret; what it holds will stand where records go" },
		{ GUARD("/system.slice/vsts.agent.my-org.*"), "1:20: warning: in '/system.slice/vsts.agent.my-org.*' a '-' stands as '\\x2d' in the unit's real name; write it so, without double quotes, or use a star" },
		{ GUARD("/system.slice/vsts.agent.my\\x2dorg.*"), "" },
		{ GUARD("/system.slice/docker-*.scope"), "" },
		{ GUARD("/docker/*"), "" },
		{ GUARD("/system.slice/x.service/*"), "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_configured_ struct configured got = config_load_text(rows[i].text);
		const char *message = strchr(got.messages, ':');

		cr_expect_eq(got.result, 0, "'%s': %s", rows[i].text, got.messages);
		cr_expect_eq(got.diag.warnings, *rows[i].message ? 1 : 0, "%s", got.messages);
		cr_expect(*rows[i].message ? message && begins(message + 1, rows[i].message) :
					     !message,
			  "'%s': %s", rows[i].text, got.messages);
	}
}
