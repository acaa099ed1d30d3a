/* SPDX-License-Identifier: GPL-2.0 */
/* The agent's name and pool: root's word before the agent's, and nothing from a hostile file. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "watch/agent.h"

struct unit_case {
	const char *cgroup;
	int error;
	const char *name;
};

static const struct unit_case units[] = {
	{ "/system.slice/vsts.agent.contoso.Default.build\\x2d7.service", 0, "contoso.Default.build-7" },
	{ "/system.slice/vsts.agent.a.b.c.service/sub", 0, "a.b.c" },
	{ "/vsts.agent.a.b.c.service", 0, "a.b.c" },
	{ "/x/vsts.agent.a.Azure\\x20Pipelines.\\xc3\\xa9.service", 0, "a.Azure Pipelines.\xc3\xa9" },
	{ "/vsts.agent.a.b.real.service/vsts.agent.a.b.forged.service", 0, "a.b.real" },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/vsts.agent.a.b.c.service", -ENOENT, NULL },
	{ "/azure.slice/walinuxagent.service", -ENOENT, NULL },
	{ "/", -ENOENT, NULL },
	{ "", -ENOENT, NULL },
	{ "/vsts.agent..service", -ENOENT, NULL },
	{ "/vsts.agent.service", -ENOENT, NULL },
	{ "/xvsts.agent.a.b.c.service", -ENOENT, NULL },
	{ "/vsts.agent.a.b.c.scope", -ENOENT, NULL },
	{ "/vsts.agent.a.b.\\x2.service", -EINVAL, NULL },
	{ "/vsts.agent.a.b.\\x00c.service", -EINVAL, NULL },
	{ "/vsts.agent.a.b.\\n.service", -EINVAL, NULL },
	{ "/vsts.agent.a.b.c\\x.service", -EINVAL, NULL },
	{ "/vsts.agent.a.b.c\\.service", -EINVAL, NULL },
};

Test(agent, the_unit_is_found_in_the_cgroups_path)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		_cleanup_free_ char *name = NULL;
		int error = agent_unit_find(units[i].cgroup, &name);

		cr_expect_eq(error, units[i].error, "%s: %d", units[i].cgroup, error);
		if (!units[i].error)
			cr_expect_str_eq(name, units[i].name);
	}
}

struct split_case {
	const char *name, *file_agent, *file_pool;
	const char *agent, *pool;	/* NULL: cannot be told */
};

static const struct split_case splits[] = {
	{ "org.pool.agent", NULL, NULL, "agent", "pool" },
	{ "org.pool.agent", "forged", "wide", "agent", "pool" },
	{ "org.my.pool.agent", NULL, NULL, NULL, NULL },
	{ "org.my.pool.agent", "agent", "my.pool", "agent", "my.pool" },
	{ "org.my.pool.agent", "pool.agent", "my", "pool.agent", "my" },
	{ "org.my.pool.agent", "agent", "my", NULL, NULL },
	{ "org.my.pool.agent", "forged", "wide", NULL, NULL },
	{ "org.my.pool.agent", "agent", NULL, NULL, NULL },
	{ "org.my.pool.agent", NULL, "my.pool", NULL, NULL },
	{ "org.my.pool.agent", "agent", "", NULL, NULL },
	{ "org.pool", NULL, NULL, NULL, NULL },
	{ "org", NULL, NULL, NULL, NULL },
	{ ".pool.agent", NULL, NULL, NULL, NULL },
	{ "org..agent", NULL, NULL, NULL, NULL },
	{ "org.pool.", NULL, NULL, NULL, NULL },
};

Test(agent, a_units_name_is_split_where_it_can_be_told)
{
	for (size_t i = 0; i < ARRAY_SIZE(splits); i++) {
		_cleanup_free_ char *agent = NULL, *pool = NULL;
		const struct split_case *row = &splits[i];
		int error = agent_unit_split(row->name, row->file_agent, row->file_pool, &agent,
					     &pool);

		cr_expect_eq(error, row->agent ? 0 : -ENOENT, "row %zu, %s: %d", i, row->name,
			     error);
		if (!row->agent || error)
			continue;
		cr_expect_str_eq(agent, row->agent);
		cr_expect_str_eq(pool, row->pool);
	}
}

struct file_case {
	const char *text;
	int error;
	const char *agent, *pool;	/* "": not there */
};

static const struct file_case texts[] = {
	{ "{ \"agentId\": \"7\", \"agentName\": \"build-7\", \"poolId\": 1, \"poolName\": \"Default\" }", 0, "build-7", "Default" },
	{ "\xef\xbb\xbf{ \"agentName\": \"build-7\", \"poolId\": 1 }", 0, "build-7", "" },
	{ "{}", 0, "", "" },
	{ "{ \"agentName\": 7, \"poolName\": [] }", 0, "", "" },
	{ "{ \"agentName\": \"\" }", 0, "", "" },
	{ "{ \"agentName\": \"a\\u0000b\" }", -EINVAL, "", "" },
	{ "{ \"agentName\": \"\xff\" }", -EINVAL, "", "" },
	{ "[]", -EINVAL, "", "" },
	{ "\"agentName\"", -EINVAL, "", "" },
	{ "", -EINVAL, "", "" },
	{ "\xef\xbb", -EINVAL, "", "" },
	{ "{ \"agentName\": \"build-7\"", -EINVAL, "", "" },
};

Test(agent, a_file_is_json_or_nothing)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *agent = NULL, *pool = NULL;
		int error = agent_file_parse(texts[i].text, strlen(texts[i].text), &agent, &pool);

		cr_expect_eq(error, texts[i].error, "%s: %d", texts[i].text, error);
		cr_expect_str_eq(agent ? agent : "", texts[i].agent);
		cr_expect_str_eq(pool ? pool : "", texts[i].pool);
	}
}

Test(agent, a_name_of_thousands_of_bytes_is_none)
{
	_cleanup_free_ char *agent = NULL, *pool = NULL, *text = NULL;

	cr_assert(asprintf(&text, "{ \"agentName\": \"%0300d\" }", 7) > 0);
	cr_expect_eq(agent_file_parse(text, strlen(text), &agent, &pool), 0);
	cr_expect_null(agent);
}

/* A folder like the agent's, in which a process waits. */
struct folder {
	char path[64];
	int pipe[2];
	pid_t listener;
};

static void folder_make(struct folder *folder)
{
	snprintf(folder->path, sizeof(folder->path), "/tmp/buildfence-agent-XXXXXX");
	cr_assert(mkdtemp(folder->path));
	cr_assert_eq(pipe(folder->pipe), 0);
	folder->listener = fork();
	if (!folder->listener) {
		char byte;

		close(folder->pipe[1]);
		if (!chdir(folder->path))
			_exit(read(folder->pipe[0], &byte, 1) < 0);
		_exit(1);
	}
	close(folder->pipe[0]);
	for (int try = 0; try < 1000; try++) {
		char link[64], target[64] = "";

		snprintf(link, sizeof(link), "/proc/%d/cwd", folder->listener);
		if (readlink(link, target, sizeof(target) - 1) > 0 && !strcmp(target, folder->path))
			return;
		usleep(1000);
	}
	cr_assert_fail("the process did not change its folder");
}

static void folder_remove(struct folder *folder)
{
	char path[128];

	close(folder->pipe[1]);
	waitpid(folder->listener, NULL, 0);
	snprintf(path, sizeof(path), "%s/.agent", folder->path);
	unlink(path);
	snprintf(path, sizeof(path), "%s/other", folder->path);
	unlink(path);
	rmdir(folder->path);
}
#define _cleanup_folder_ __attribute__((cleanup(folder_remove)))

static void file_write(const struct folder *folder, const char *name, const char *text,
		       size_t padding)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	file = fopen(path, "w");
	cr_assert(file);
	fprintf(file, "%s%*s", text, (int)padding, "");
}

static void expect_names(const struct folder *folder, const char *cgroup, const char *agent,
			 const char *pool)
{
	_cleanup_free_ char *found_agent = NULL, *found_pool = NULL;

	cr_assert_eq(agent_azure_find(cgroup, folder->listener, &found_agent, &found_pool), 0);
	cr_expect_str_eq(found_agent ? found_agent : "", agent);
	cr_expect_str_eq(found_pool ? found_pool : "", pool);
}

#define SCALE_SET	"/azure.slice/walinuxagent.service"
#define FILE_TEXT	"{ \"agentName\": \"build-7\", \"poolName\": \"my.pool\" }"

Test(agent, the_file_tells_where_there_is_no_unit)
{
	_cleanup_folder_ struct folder folder = {};

	folder_make(&folder);
	expect_names(&folder, SCALE_SET, "", "");
	file_write(&folder, ".agent", FILE_TEXT, 0);
	expect_names(&folder, SCALE_SET, "build-7", "my.pool");
	expect_names(&folder, "/system.slice/vsts.agent.a.b.c.service", "c", "b");
	expect_names(&folder, "/x/vsts.agent.a.my.pool.build\\x2d7.service", "build-7", "my.pool");
	expect_names(&folder, "/x/vsts.agent.a.your.pool.build\\x2d7.service", "", "");
	expect_names(&folder, "/x/vsts.agent.a.my.pool.\\x.service", "", "");
}

Test(agent, a_process_that_is_gone_tells_nothing)
{
	_cleanup_folder_ struct folder folder = {};
	pid_t listener;

	folder_make(&folder);
	file_write(&folder, ".agent", FILE_TEXT, 0);
	listener = folder.listener;
	folder.listener = 0x7ffffff0;
	expect_names(&folder, SCALE_SET, "", "");
	folder.listener = listener;
}

Test(agent, a_large_file_is_none)
{
	_cleanup_folder_ struct folder folder = {};

	folder_make(&folder);
	file_write(&folder, ".agent", FILE_TEXT, AGENT_FILE_MAX - strlen(FILE_TEXT));
	expect_names(&folder, SCALE_SET, "build-7", "my.pool");
	file_write(&folder, ".agent", FILE_TEXT, AGENT_FILE_MAX + 1 - strlen(FILE_TEXT));
	expect_names(&folder, SCALE_SET, "", "");
}

Test(agent, a_link_is_not_followed_and_a_fifo_not_waited_for, .timeout = 10)
{
	_cleanup_folder_ struct folder folder = {};
	char path[128], target[128];

	folder_make(&folder);
	file_write(&folder, "other", FILE_TEXT, 0);
	snprintf(path, sizeof(path), "%s/.agent", folder.path);
	snprintf(target, sizeof(target), "%s/other", folder.path);
	cr_assert_eq(symlink(target, path), 0);
	expect_names(&folder, SCALE_SET, "", "");
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(mkfifo(path, 0600), 0);
	expect_names(&folder, SCALE_SET, "", "");
}
