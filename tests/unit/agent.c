/* SPDX-License-Identifier: GPL-2.0 */
/* The agent's name and pool: root's word before the agent's, and nothing from a hostile file. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/reader.h"
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

/* In a child. With `mounted`, the file "other" is where .agent was, for this process alone. */
static int listener_run(const struct folder *folder, bool mounted)
{
	char path[128], other[128], byte;

	close(folder->pipe[1]);
	snprintf(path, sizeof(path), "%s/.agent", folder->path);
	snprintf(other, sizeof(other), "%s/other", folder->path);
	/* Who has made a namespace is not looked at by its like, unless it says so. */
	if (mounted && (unshare(CLONE_NEWUSER | CLONE_NEWNS) ||
			mount(other, path, NULL, MS_BIND, NULL) || prctl(PR_SET_DUMPABLE, 1)))
		return 1;
	return chdir(folder->path) || read(folder->pipe[0], &byte, 1) < 0;
}

/* False: the process could not do what it should. */
static bool listener_start(struct folder *folder, bool mounted)
{
	cr_assert_eq(pipe(folder->pipe), 0);
	folder->listener = fork();
	if (!folder->listener)
		_exit(listener_run(folder, mounted));
	close(folder->pipe[0]);
	for (int try = 0; try < 1000; try++) {
		char link[64], target[64] = "";

		snprintf(link, sizeof(link), "/proc/%d/cwd", folder->listener);
		if (readlink(link, target, sizeof(target) - 1) > 0 && !strcmp(target, folder->path))
			return true;
		usleep(1000);
	}
	return false;
}

static void listener_stop(struct folder *folder)
{
	close(folder->pipe[1]);
	waitpid(folder->listener, NULL, 0);
}

static void folder_make(struct folder *folder)
{
	snprintf(folder->path, sizeof(folder->path), "/tmp/buildfence-agent-XXXXXX");
	cr_assert(mkdtemp(folder->path));
	cr_assert(listener_start(folder, false), "the process did not change its folder");
}

static void folder_remove(struct folder *folder)
{
	char path[128];

	listener_stop(folder);
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

/* Opening some files does things, so what is not read shall not be opened. */
static int opened_watch(const struct folder *folder)
{
	char path[128];
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	snprintf(path, sizeof(path), "%s/.agent", folder->path);
	cr_assert_geq(inotify_add_watch(fd, path, IN_OPEN | IN_ACCESS), 0);
	return fd;
}

static bool was_opened(int fd)
{
	char event[sizeof(struct inotify_event) + NAME_MAX + 1];

	return read(fd, event, sizeof(event)) > 0;
}

Test(agent, what_is_no_regular_file_is_not_opened)
{
	_cleanup_folder_ struct folder folder = {};
	_cleanup_close_ int opened = -1;
	char path[128];

	folder_make(&folder);
	snprintf(path, sizeof(path), "%s/.agent", folder.path);
	cr_assert_eq(mkfifo(path, 0600), 0);
	opened = opened_watch(&folder);
	expect_names(&folder, SCALE_SET, "", "");
	cr_expect_not(was_opened(opened));
}

Test(agent, a_unit_that_tells_both_needs_no_file)
{
	_cleanup_folder_ struct folder folder = {};
	_cleanup_close_ int opened = -1;

	folder_make(&folder);
	file_write(&folder, ".agent", FILE_TEXT, 0);
	opened = opened_watch(&folder);
	expect_names(&folder, "/system.slice/vsts.agent.a.b.c.service", "c", "b");
	expect_names(&folder, "/x/vsts.agent.a.b.\\x.service", "", "");
	cr_expect_not(was_opened(opened));
	expect_names(&folder, "/x/vsts.agent.a.my.pool.build\\x2d7.service", "build-7", "my.pool");
	cr_expect(was_opened(opened));
}

/* A user may mount what he cannot open himself, as the kernel's log, which is gone once read. */
Test(agent, what_was_mounted_in_its_place_is_not_read)
{
	_cleanup_folder_ struct folder folder = {};

	folder_make(&folder);
	file_write(&folder, ".agent", "{ \"agentName\": \"build-7\" }", 0);
	file_write(&folder, "other", "{ \"agentName\": \"mounted\" }", 0);
	expect_names(&folder, SCALE_SET, "build-7", "");
	listener_stop(&folder);
	if (!listener_start(&folder, true))
		cr_skip_test("nobody may make a user namespace here");
	expect_names(&folder, SCALE_SET, "", "");
}

static volatile bool released;

static ssize_t stuck_read(pid_t pid, const char *what, size_t max, char **ret_bytes)
{
	(void)pid;
	(void)what;
	(void)max;
	(void)ret_bytes;
	while (!released)
		usleep(1000);
	return -ESRCH;
}

Test(agent, a_file_that_cannot_be_read_now_is_told_from_none, .timeout = 60)
{
	_cleanup_folder_ struct folder folder = {};
	char *agent, *pool, *bytes;

	folder_make(&folder);
	file_write(&folder, ".agent", FILE_TEXT, 0);
	reader_ask(READER_SEARCH, stuck_read, folder.listener, "", 0, &bytes);
	cr_expect_eq(agent_azure_find(SCALE_SET, folder.listener, &agent, &pool), -EBUSY);
	cr_expect(!agent && !pool);
	released = true;
	for (int i = 0; i < 1000 && agent_azure_find(SCALE_SET, folder.listener, &agent, &pool);
	     i++)
		usleep(1000);
	cr_expect_str_eq(agent, "build-7");
	free(agent);
	free(pool);
}
