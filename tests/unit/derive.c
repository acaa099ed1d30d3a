/* SPDX-License-Identifier: GPL-2.0 */
/* From a machine's configuration to entries: each tool's files, and no password ever. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "policy/derive.h"
#include "policy/load.h"

/* Stands where credentials stand; must never come out. */
#define SECRET	"s3cr3t"

/* A folder with etc/, home/ and repo/, removed by root_remove(). */
static char *root_make(void)
{
	char path[] = "/tmp/derive-XXXXXX";

	cr_assert(mkdtemp(path));
	return strdup(path);
}

static int entry_remove(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static void root_remove(char **root)
{
	nftw(*root, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
	free(*root);
}
#define _cleanup_root_ _cleanup_(root_remove)

static void file_write(const char *root, const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		cr_assert(!mkdir(path, 0700) || errno == EEXIST);
		*slash = '/';
	}
	file = fopen(path, "w");
	cr_assert(file, "%s", path);
	fputs(text, file);
	fclose(file);
}

static char *derive_text(const char *root, char *const *environment)
{
	_cleanup_free_ char *home = NULL, *project = NULL;
	struct derive_request request = { .root = root, .environment = environment };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	cr_assert(asprintf(&home, "%s/home", root) > 0 && asprintf(&project, "%s/repo", root) > 0);
	request.home = home;
	request.project = project;
	cr_assert_eq(policy_derive(&request, out), 0);
	fclose(out);
	cr_assert(!strstr(text, SECRET), "%s", text);
	return text;
}

/* The entries alone, each with a newline behind it. */
static char *entries_only(const char *policy)
{
	_cleanup_free_ char *copy = strdup(policy);
	char *kept = calloc(1, strlen(policy) + 1), *rest = copy, *line;

	while ((line = strsep(&rest, "\n"))) {
		size_t len = strlen(line);

		if (strncmp(line, "  - \"", 5) || line[len - 1] != '"')
			continue;
		line[len - 1] = '\0';
		strcat(strcat(kept, line + 5), "\n");
	}
	return kept;
}

struct file_case {
	char path[48];
	char text[512];
	char entries[256];
};

#define NPM	"https://npm.contoso.example\n"
#define AUTH	"user:" SECRET "@"

ParameterizedTestParameters(derive, each_tool_s_configuration_becomes_entries)
{
	static struct file_case cases[] = {
		{ "home/.npmrc", "registry=https://" AUTH "npm.contoso.example/feed/\n", NPM },
		{ "etc/npmrc", "; registry=https://no.example\n registry = \"https://npm.contoso.example\"\n",
		  NPM },
		{ "repo/.npmrc", "@a:registry=https://npm.contoso.example:8443/@a/\n"
		  "//npm.contoso.example/:_authToken=" SECRET "\n", "tcp://npm.contoso.example:8443\n" },
		{ "home/.npmrc", "https-proxy=http://" AUTH "proxy.contoso.example:3128\nproxy=null\n",
		  "tcp://proxy.contoso.example:3128\n" },
		{ "repo/.yarnrc.yml", "npmScopes:\n  a:\n    npmRegistryServer: \"https://npm.contoso.example\"\n"
		  "    npmAuthToken: " SECRET "\n", NPM },
		{ "repo/.yarnrc", "registry \"https://npm.contoso.example/\"\n", NPM },
		{ "etc/pip.conf", "[global]\nindex-url = https://" AUTH "pypi.contoso.example/simple\n"
		  "extra-index-url =\n  https://a.contoso.example\n  https://b.contoso.example\n"
		  "trusted-host = no.example\n  no2.example\n",
		  "https://pypi.contoso.example\nhttps://a.contoso.example\nhttps://b.contoso.example\n" },
		{ "home/.config/pip/pip.conf", "[global]\nindex_url: http://pypi.contoso.example\n"
		  "find-links = /srv/wheels https://w.contoso.example/x\n",
		  "http://pypi.contoso.example\nhttps://w.contoso.example\n" },
		{ "etc/apt/sources.list", "# deb http://no.example x y\n"
		  "deb [arch=amd64 signed-by=/x] http://" AUTH "deb.contoso.example/debian x y\n"
		  "deb-src https://deb.contoso.example/debian x y\n"
		  "deb cdrom:[Debian]/ x y\ndeb file:///srv/debian x y\n",
		  "http://deb.contoso.example\nhttps://deb.contoso.example\n" },
		{ "etc/apt/sources.list.d/a.sources", "Types: deb\nURIs: https://a.contoso.example/\n"
		  " https://b.contoso.example/\nSuites: x\n\nTypes: deb\nURIs: https://no.example\n"
		  "Enabled: no\n\nURIs: http://c.contoso.example",
		  "https://a.contoso.example\nhttps://b.contoso.example\nhttp://c.contoso.example\n" },
		{ "etc/apt/sources.list.d/a.list.disabled", "deb http://no.example x y\n", "" },
		{ "etc/apt/apt.conf.d/01proxy", "// Acquire::http::Proxy \"http://no.example\";\n"
		  "Acquire::http::Proxy \"http://" AUTH "a.contoso.example:3142/\"; /* \"x\"\n"
		  "\"http://no.example\" */ Acquire { https { Proxy \"http://b.contoso.example:1\"; };\n"
		  "http { Timeout \"3\"; Proxy { h.example \"DIRECT\"; } } };\n"
		  "Other::Proxy \"http://no.example\";\n",
		  "tcp://a.contoso.example:3142\ntcp://b.contoso.example:1\n" },
		{ "etc/docker/daemon.json", "{\"registry-mirrors\": [\"https://" AUTH "m.contoso.example\"],"
		  "\"insecure-registries\": [\"r.contoso.example:5000\", \"p.contoso.example\", \"10.0.0.0/8\"]}",
		  "https://m.contoso.example\ntcp://r.contoso.example:5000\nhttps://p.contoso.example\n"
		  "http://p.contoso.example\n" },
		{ "etc/docker/daemon.json", "{\"registry-mirrors\": \"" SECRET, "" },
		{ "repo/.git/config", "[remote \"origin\"]\n\turl = https://" SECRET "@git.contoso.example/r\n"
		  "\tpushurl = ssh://git@git.contoso.example:2222/r\n[remote \"b\"]\n"
		  "\turl = git@git.contoso.example:r.git\n\turl = ../other\n\turl = /srv/r.git\n"
		  "\turl = C:\\\\r\n[branch \"x\"]\n\turl = https://no.example\n",
		  "https://git.contoso.example\ntcp://git.contoso.example:2222\nssh://git.contoso.example\n" },
		{ "repo/.gitmodules", "[submodule \"x\"]\n\turl = git://sub.contoso.example/x\n",
		  "git://sub.contoso.example\n" },
		{ "home/.gitconfig", "[url \"https://" AUTH "git.contoso.example/\"]\n\tinsteadOf = gh:\n",
		  "https://git.contoso.example\n" },
		{ "home/.nuget/NuGet/NuGet.Config", "<configuration><packageSources><!-- <add key=\"o\" "
		  "value=\"https://no.example\"/> -->\n<add key='a' value='https://nuget.contoso.example/v3' />"
		  "<add key=\"l\" value=\"/srv\"/></packageSources><packageSourceCredentials>"
		  "<add key=\"p\" value=\"https://" SECRET "\"/></packageSourceCredentials>",
		  "https://nuget.contoso.example\n" },
	};

	return cr_make_param_array(struct file_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct file_case *c, derive, each_tool_s_configuration_becomes_entries)
{
	_cleanup_root_ char *root = root_make();
	_cleanup_free_ char *text = NULL, *entries = NULL;

	file_write(root, c->path, c->text);
	text = derive_text(root, NULL);
	entries = entries_only(text);
	cr_assert_str_eq(entries, c->entries, "%s", text);
}

struct value_case {
	char value[160];
	char entries[64];
};

ParameterizedTestParameters(derive, a_value_in_doubt_is_not_printed)
{
	static struct value_case cases[] = {
		/* A slash in a password ends what looks like the host. */
		{ "https://user:" SECRET "/x@npm.contoso.example/", "" },
		{ "https://" SECRET "/x@npm.contoso.example/", "" },
		{ "https://user:p@" SECRET "/x@npm.contoso.example/", "" },
		{ "https://user:p@" SECRET "?x@npm.contoso.example/", "" },
		{ "https://user:p@" SECRET "@npm.contoso.example/", NPM },
		{ "https://${" SECRET "}/npm", "" },
		{ "https://user:${" SECRET "}@npm.contoso.example", NPM },
		{ SECRET, "" },
		{ SECRET "://npm.contoso.example", "" },
		{ "https://user:" SECRET, "" },
		{ "https://user:" SECRET "@", "" },
		{ "https://*.contoso.example/" SECRET, "" },
		{ "https://10.0.0.0/8", "https://10.0.0.0\n" },
		{ "https://localhost:4873/", "" },
		{ "https://127.0.0.1:4873/", "" },
		{ "https://npm.contoso.example:", NPM },
		{ "HTTPS://NPM.contoso.example", NPM },
		{ "https://[2001:db8::1]:8443/", "tcp://[2001:db8::1]:8443\n" },
	};

	return cr_make_param_array(struct value_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct value_case *c, derive, a_value_in_doubt_is_not_printed)
{
	_cleanup_root_ char *root = root_make();
	_cleanup_free_ char *text = NULL, *entries = NULL;
	char line[256];

	snprintf(line, sizeof(line), "registry=%s\n", c->value);
	file_write(root, "home/.npmrc", line);
	text = derive_text(root, NULL);
	entries = entries_only(text);
	cr_assert_str_eq(entries, c->entries, "%s", text);
	cr_assert(strstr(text, "home/.npmrc:1: registry"), "%s", text);
}

Test(derive, an_entry_stands_once_with_all_its_sources)
{
	_cleanup_root_ char *root = root_make();
	_cleanup_free_ char *text = NULL, *entries = NULL;

	file_write(root, "home/.npmrc", "registry=https://feeds.contoso.example/npm\n");
	file_write(root, "etc/pip.conf",
		   "[global]\nindex-url=https://feeds.contoso.example:443/pip\n");
	text = derive_text(root, NULL);
	entries = entries_only(text);
	cr_assert_str_eq(entries, "https://feeds.contoso.example\n");
	cr_assert(strstr(text, "/home/.npmrc:1: registry\n"), "%s", text);
	cr_assert(strstr(text, "/etc/pip.conf:2: index-url\n"), "%s", text);
}

Test(derive, the_environment_counts_in_any_case)
{
	static char *const environment[] = {
		"NPM_CONFIG_REGISTRY=https://" AUTH "npm.contoso.example/",
		"PIP_EXTRA_INDEX_URL=https://a.contoso.example https://b.contoso.example",
		"https_proxy=proxy.contoso.example:3128",
		"NPM_TOKEN=" SECRET,
		NULL,
	};
	_cleanup_root_ char *root = root_make();
	_cleanup_free_ char *text = derive_text(root, environment), *entries = entries_only(text);

	cr_assert_str_eq(entries, NPM "https://a.contoso.example\nhttps://b.contoso.example\n"
			 "tcp://proxy.contoso.example:3128\n");
}

Test(derive, a_list_of_mirrors_is_read_below_the_root)
{
	_cleanup_root_ char *root = root_make();
	_cleanup_free_ char *text = NULL, *entries = NULL;

	file_write(root, "etc/apt/sources.list", "deb mirror+file:/etc/apt/mirrors.txt x y\n");
	file_write(root, "etc/apt/mirrors.txt", "http://a.contoso.example/u/\tpriority:1\n# x\n"
		   "https://b.contoso.example/u/\n");
	text = derive_text(root, NULL);
	entries = entries_only(text);
	cr_assert_str_eq(entries, "http://a.contoso.example\nhttps://b.contoso.example\n");
}

Test(derive, an_added_work_tree_has_the_remotes_of_its_repository)
{
	_cleanup_root_ char *root = root_make();
	_cleanup_free_ char *text = NULL, *entries = NULL;

	file_write(root, "main/.git/config",
		   "[remote \"o\"]\nurl = https://git.contoso.example/r\n");
	file_write(root, "main/.git/worktrees/w/commondir", "../..\n");
	file_write(root, "repo/.git", "gitdir: ../main/.git/worktrees/w\n");
	text = derive_text(root, NULL);
	entries = entries_only(text);
	cr_assert_str_eq(entries, "https://git.contoso.example\n", "%s", text);
}

Test(derive, nothing_configured_is_said_and_not_invented)
{
	static const char *const tools[] = { "# npm: ",	   "# pip: ", "# apt: ",
					     "# docker: ", "# git: ", "# nuget: " };
	_cleanup_root_ char *root = root_make();
	_cleanup_free_ char *text = derive_text(root, NULL), *entries = entries_only(text);

	cr_assert_str_eq(entries, "");
	cr_assert(strstr(text, "\nallow: []\n"), "%s", text);
	for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
		cr_assert(strstr(text, tools[i]), "%s missing in\n%s", tools[i], text);
}

Test(derive, what_is_printed_is_a_policy)
{
	_cleanup_root_ char *root = root_make();
	_cleanup_policy_ struct policy *policy = NULL;
	_cleanup_free_ char *text = NULL, *path = NULL;
	struct diagnostics diag = {};
	struct policy_request request = {};

	file_write(root, "home/.npmrc", "registry=https://npm.contoso.example\nproxy=h:1\n");
	file_write(root, "etc/apt/sources.list", "deb http://deb.contoso.example x y\n");
	/* A folder's name is not always harmless. */
	file_write(root, "etc/apt/sources.list.d/x\nallow: y.list",
		   "deb http://d.contoso.example x y\n");
	text = derive_text(root, NULL);
	file_write(root, "policy.yaml", text);
	cr_assert(asprintf(&path, "%s/policy.yaml", root) > 0);
	request.file = path;
	cr_assert_eq(policy_load(&request, &diag, &policy), 0, "%s", text);
	cr_assert_eq(policy->rule_count, 4);
}
