/* SPDX-License-Identifier: GPL-2.0 */
/* Azure's agent: the table of what its jobs' environment has, and where its name and pool stand. */
#include "watch/agent.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "watch/identity.h"

#define UNIT_PREFIX	"vsts.agent."
#define UNIT_SUFFIX	".service"
#define UTF8_MARK	"\xef\xbb\xbf"

/*
 * A step's environment: the pipeline's variables in upper case with underscores (AZURE.md of the
 * agent, "variables"). Classic release jobs name their definition only as the build's.
 */
static struct agent_field azure_fields[] = {
	{ "AzpJobId", "SYSTEM_JOBID" },
	{ "AzpPlanId", "SYSTEM_PLANID" },
	{ "AzpDefinitionId", "SYSTEM_DEFINITIONID" },
	{ "AzpDefinitionName", "SYSTEM_DEFINITIONNAME" },
	{ "AzpDefinitionName", "BUILD_DEFINITIONNAME" },
	{ "AzpProject", "SYSTEM_TEAMPROJECT" },
	{ "AzpProjectId", "SYSTEM_TEAMPROJECTID" },
	{ "AzpCollectionUri", "SYSTEM_COLLECTIONURI" },
	{ "AzpStageName", "SYSTEM_STAGENAME" },
	{ "AzpJobName", "SYSTEM_JOBNAME" },
	{ "AzpJobAttempt", "SYSTEM_JOBATTEMPT" },
	{ "AzpBuildId", "BUILD_BUILDID" },
	{ "AzpBuildNumber", "BUILD_BUILDNUMBER" },
	{ "AzpRepositoryUri", "BUILD_REPOSITORY_URI" },
	{ "AzpSourceBranch", "BUILD_SOURCEBRANCH" },
	{ "AzpSourceVersion", "BUILD_SOURCEVERSION" },
	{ "AzpAgentId", "AGENT_ID" },
	{ "AzpAgentName", "AGENT_NAME" },
	{ "AzpAgentJobName", "AGENT_JOBNAME" },
};

const struct agent_kind agent_azure = {
	.name = "azure",
	.worker = "Agent.Worker",
	.parent = "Agent.Listener",
	.identity_in_child = true,
	.job = "SYSTEM_JOBID",
	.agent = "AGENT_NAME",
	.project = "SYSTEM_TEAMPROJECT",
	.definition = "SYSTEM_DEFINITIONNAME",
	.fields = azure_fields,
	.field_count = ARRAY_SIZE(azure_fields),
	.is_azure = true,
};

static int hex_value(char digit)
{
	if (isdigit((unsigned char)digit))
		return digit - '0';
	return isxdigit((unsigned char)digit) ? tolower((unsigned char)digit) - 'a' + 10 : -1;
}

/* systemd-escape(1): \xHH stands for a byte. */
static int unit_unescape(const char *text, size_t length, char **ret_text)
{
	_cleanup_free_ char *plain = malloc(length + 1);
	size_t filled = 0;

	if (!plain)
		return -ENOMEM;
	for (size_t i = 0; i < length; i++) {
		int high, low;

		if (text[i] != '\\') {
			plain[filled++] = text[i];
			continue;
		}
		if (length - i < strlen("\\x00") || text[i + 1] != 'x')
			return -EINVAL;
		high = hex_value(text[i + 2]);
		low = hex_value(text[i + 3]);
		if (high < 0 || low < 0 || !(high | low))
			return -EINVAL;
		plain[filled++] = (char)(high << 4 | low);
		i += 3;
	}
	plain[filled] = '\0';
	*ret_text = TAKE_PTR(plain);
	return 0;
}

/*
 * The outermost such folder counts, and none below a user's own service manager: there, and inside
 * a cgroup that was handed on, folders are made by whoever likes.
 */
int agent_unit_find(const char *cgroup, char **ret_name)
{
	const size_t before = strlen(UNIT_PREFIX), after = strlen(UNIT_SUFFIX);

	for (const char *name = cgroup; *name; name += strspn(name, "/")) {
		size_t length = strcspn(name, "/");

		if (!strncmp(name, "user@", strlen("user@")))
			return -ENOENT;
		if (length > before + after && !strncmp(name, UNIT_PREFIX, before) &&
		    !strncmp(name + length - after, UNIT_SUFFIX, after))
			return unit_unescape(name + before, length - before - after, ret_name);
		name += length;
	}
	return -ENOENT;
}

static int pair_copy(const char *pool, size_t pool_length, const char *agent, char **ret_agent,
		     char **ret_pool)
{
	_cleanup_free_ char *agent_copy = strdup(agent);
	char *pool_copy = strndup(pool, pool_length);

	if (!agent_copy || !pool_copy) {
		free(pool_copy);
		return -ENOMEM;
	}
	*ret_agent = TAKE_PTR(agent_copy);
	*ret_pool = pool_copy;
	return 0;
}

int agent_unit_split(const char *name, const char *file_agent, const char *file_pool,
		     char **ret_agent, char **ret_pool)
{
	const char *pool = strchr(name, '.'), *dot;
	size_t length;

	if (!pool || pool == name)
		return -ENOENT;
	pool++;
	dot = strchr(pool, '.');
	if (!dot || dot == pool || !dot[1])
		return -ENOENT;
	if (!strchr(dot + 1, '.'))
		return pair_copy(pool, (size_t)(dot - pool), dot + 1, ret_agent, ret_pool);

	length = file_pool ? strlen(file_pool) : 0;
	if (!file_agent || !length || strncmp(pool, file_pool, length) || pool[length] != '.' ||
	    strcmp(pool + length + 1, file_agent))
		return -ENOENT;
	return pair_copy(pool, length, file_agent, ret_agent, ret_pool);
}

static int member_copy(const json_t *object, const char *key, char **ret_value)
{
	const char *value = json_string_value(json_object_get(object, key));

	if (!value || !*value || strlen(value) > IDENTITY_VALUE_MAX)
		return 0;
	*ret_value = strdup(value);
	return *ret_value ? 0 : -ENOMEM;
}

/* The agent writes it with a byte order mark. */
int agent_file_parse(const char *text, size_t length, char **ret_agent, char **ret_pool)
{
	_cleanup_free_ char *agent = NULL, *pool = NULL;
	size_t mark = strlen(UTF8_MARK);
	json_t *file;
	int error;

	if (length >= mark && !memcmp(text, UTF8_MARK, mark)) {
		text += mark;
		length -= mark;
	}
	file = json_loadb(text, length, 0, NULL);
	error = json_is_object(file) ? 0 : -EINVAL;
	if (!error)
		error = member_copy(file, "agentName", &agent);
	if (!error)
		error = member_copy(file, "poolName", &pool);
	json_decref(file);
	if (error)
		return error;
	*ret_agent = TAKE_PTR(agent);
	*ret_pool = TAKE_PTR(pool);
	return 0;
}

/* An agent's folder, of which all that is below belongs to a user who may be hostile. */
static int agent_file_read(int folder_fd, char **ret_agent, char **ret_pool)
{
	/* A FIFO or a leased file must not make us wait. */
	_cleanup_close_ int fd = openat(folder_fd, ".agent", O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
					O_NOCTTY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	size_t filled = 0;
	struct stat status;
	ssize_t length;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_size > AGENT_FILE_MAX)
		return -EINVAL;
	text = malloc(AGENT_FILE_MAX + 1);
	if (!text)
		return -ENOMEM;
	while (filled <= AGENT_FILE_MAX) {
		length = read(fd, text + filled, AGENT_FILE_MAX + 1 - filled);
		if (length < 0)
			return -errno;
		if (!length)
			return agent_file_parse(text, filled, ret_agent, ret_pool);
		filled += (size_t)length;
	}
	return -EFBIG;
}

static int process_link_open(pid_t pid, const char *link)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, link);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* ROOT/bin.VERSION/Agent.Listener: the folder is two above, as the process itself sees it. */
static int folder_of_program(pid_t pid)
{
	const struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_close_ int root_fd = -1;
	char path[64], target[4096], *end;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return -1;
	target[length] = '\0';
	for (int above = 0; above < 2; above++) {
		end = strrchr(target, '/');
		if (!end)
			return -1;
		*end = '\0';
	}
	root_fd = process_link_open(pid, "root");
	return root_fd < 0 ? -1 : (int)syscall(SYS_openat2, root_fd, target, &how, sizeof(how));
}

static int folder_find(pid_t listener, char **ret_agent, char **ret_pool)
{
	_cleanup_close_ int program_fd = folder_of_program(listener);
	_cleanup_close_ int work_fd = process_link_open(listener, "cwd");
	int error = -ENOENT;

	if (program_fd >= 0)
		error = agent_file_read(program_fd, ret_agent, ret_pool);
	if (error && error != -ENOMEM && work_fd >= 0)
		error = agent_file_read(work_fd, ret_agent, ret_pool);
	return error;
}

int agent_azure_find(const char *cgroup, pid_t listener, char **ret_agent, char **ret_pool)
{
	_cleanup_free_ char *unit = NULL, *agent = NULL, *pool = NULL;
	int error, unit_error = agent_unit_find(cgroup, &unit);

	*ret_agent = NULL;
	*ret_pool = NULL;
	if (unit_error == -ENOMEM)
		return -ENOMEM;
	error = listener ? folder_find(listener, &agent, &pool) : -ENOENT;
	if (error == -ENOMEM)
		return -ENOMEM;
	if (!unit_error) {
		error = agent_unit_split(unit, agent, pool, ret_agent, ret_pool);
		return error == -ENOMEM ? error : 0;
	}
	/* A unit whose name cannot be read is still a unit: the file does not stand in for it. */
	if (unit_error == -ENOENT) {
		*ret_agent = TAKE_PTR(agent);
		*ret_pool = TAKE_PTR(pool);
	}
	return 0;
}
