/* SPDX-License-Identifier: GPL-2.0 */
/* Azure's agent: where its name and pool stand. Its kind is config/agent_azure.c's matter. */
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
#include "base/reader.h"
#include "watch/identity.h"

#define UNIT_PREFIX	"vsts.agent."
#define UNIT_SUFFIX	".service"
#define UTF8_MARK	"\xef\xbb\xbf"

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

/* --- its file, read by a thread of base/reader.c ---------------------------------------------- */

/*
 * A descriptor for reading, or -errno. The folder and all below it belong to a user who may be
 * hostile, and may have mounted there what he likes: opening a device does things (a watchdog
 * begins to count), and so does reading what /proc or tracefs call a regular file (it is gone
 * then). So what is a link, or was mounted in the file's place, is not read, and what is no regular
 * file not even opened.
 */
static int regular_open(int folder_fd, const char *name)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	_cleanup_close_ int path_fd = -1;
	char path[64];
	struct stat status;
	int fd;

	path_fd = (int)syscall(SYS_openat2, folder_fd, name, &how, sizeof(how));
	if (path_fd < 0 || fstat(path_fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_size > AGENT_FILE_MAX)
		return -EINVAL;
	/* Of this thread, which has descriptors of its own. A leased file must not make us wait. */
	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static ssize_t file_read(int folder_fd, const char *name, size_t max, char **ret_bytes)
{
	_cleanup_close_ int fd = regular_open(folder_fd, name);
	_cleanup_free_ char *bytes = NULL;
	size_t filled = 0;
	ssize_t length;

	if (fd < 0)
		return fd;
	bytes = malloc(max);
	if (!bytes)
		return -ENOMEM;
	while (filled < max) {
		length = read(fd, bytes + filled, max - filled);
		if (length < 0)
			return -errno;
		if (!length)
			break;
		filled += (size_t)length;
	}
	*ret_bytes = TAKE_PTR(bytes);
	return (ssize_t)filled;
}

static int process_link_open(pid_t pid, const char *link)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, link);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
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
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return -errno;
	target[length] = '\0';
	for (int above = 0; above < 2; above++) {
		end = strrchr(target, '/');
		if (!end)
			return -ENOENT;
		*end = '\0';
	}
	root_fd = process_link_open(pid, "root");
	if (root_fd < 0)
		return root_fd;
	fd = (int)syscall(SYS_openat2, root_fd, target, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

static ssize_t program_folder_read(pid_t pid, const char *name, size_t max, char **ret_bytes)
{
	_cleanup_close_ int folder_fd = folder_of_program(pid);

	return folder_fd < 0 ? folder_fd : file_read(folder_fd, name, max, ret_bytes);
}

static ssize_t work_folder_read(pid_t pid, const char *name, size_t max, char **ret_bytes)
{
	_cleanup_close_ int folder_fd = process_link_open(pid, "cwd");

	return folder_fd < 0 ? folder_fd : file_read(folder_fd, name, max, ret_bytes);
}

/* --- both ------------------------------------------------------------------------------------- */

/* Returns 0, -ENOMEM, -EBUSY (it could not be read now), or another -errno: there is none. */
static int file_ask(pid_t listener, reader_fn read, char **ret_agent, char **ret_pool)
{
	char *bytes;
	ssize_t length = reader_ask(READER_FILES, read, listener, ".agent", AGENT_FILE_MAX + 1,
				    &bytes);
	int error = (int)length;

	if (length == -ETIMEDOUT)
		return -EBUSY;
	if (length >= 0)
		error = length > AGENT_FILE_MAX ? -EFBIG :
			agent_file_parse(bytes, (size_t)length, ret_agent, ret_pool);
	answer_free(bytes, length);
	return error;
}

static int file_find(pid_t listener, char **ret_agent, char **ret_pool)
{
	int error = file_ask(listener, program_folder_read, ret_agent, ret_pool);

	if (!error || error == -ENOMEM || error == -EBUSY)
		return error;
	return file_ask(listener, work_folder_read, ret_agent, ret_pool);
}

int agent_azure_find(const char *cgroup, pid_t listener, char **ret_agent, char **ret_pool)
{
	_cleanup_free_ char *unit = NULL, *agent = NULL, *pool = NULL;
	int error, file_error, unit_error = agent_unit_find(cgroup, &unit);

	*ret_agent = NULL;
	*ret_pool = NULL;
	if (!unit_error) {
		error = agent_unit_split(unit, NULL, NULL, ret_agent, ret_pool);
		if (error != -ENOENT)
			return error;
	} else if (unit_error != -ENOENT) {
		/* A unit whose name cannot be read is still one: the file does not stand in. */
		return unit_error == -ENOMEM ? -ENOMEM : 0;
	}
	file_error = listener ? file_find(listener, &agent, &pool) : -ENOENT;
	if (file_error == -ENOMEM || file_error == -EBUSY)
		return file_error;
	if (!unit_error) {
		error = agent_unit_split(unit, agent, pool, ret_agent, ret_pool);
		return error == -ENOMEM ? error : 0;
	}
	*ret_agent = TAKE_PTR(agent);
	*ret_pool = TAKE_PTR(pool);
	return 0;
}
