/* SPDX-License-Identifier: GPL-2.0 */
/* Which files configure which tool, and the policy that is printed. derive_*.c read them. */
#include "derive.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "derive_found.h"

/* Sources named above an entry; the others are counted. */
#define SOURCES_SHOWN	4

typedef void (*config_reader)(struct findings *findings, const char *path);

enum place { PLACE_ROOT, PLACE_HOME, PLACE_PROJECT };

static const struct {
	enum place place;
	const char *path;
	config_reader read;
} configs[] = {
	{ PLACE_PROJECT, "/.npmrc", derive_npmrc },
	{ PLACE_HOME, "/.npmrc", derive_npmrc },
	{ PLACE_ROOT, "/etc/npmrc", derive_npmrc },
	{ PLACE_ROOT, "/usr/etc/npmrc", derive_npmrc },
	{ PLACE_ROOT, "/usr/local/etc/npmrc", derive_npmrc },
	{ PLACE_PROJECT, "/.yarnrc", derive_yarnrc },
	{ PLACE_PROJECT, "/.yarnrc.yml", derive_yarnrc },
	{ PLACE_HOME, "/.yarnrc", derive_yarnrc },
	{ PLACE_HOME, "/.yarnrc.yml", derive_yarnrc },
	{ PLACE_HOME, "/.config/pip/pip.conf", derive_pip_conf },
	{ PLACE_HOME, "/.pip/pip.conf", derive_pip_conf },
	{ PLACE_ROOT, "/etc/pip.conf", derive_pip_conf },
	{ PLACE_ROOT, "/etc/xdg/pip/pip.conf", derive_pip_conf },
	{ PLACE_ROOT, "/etc/apt/apt.conf", derive_apt_conf },
	{ PLACE_ROOT, "/etc/docker/daemon.json", derive_docker_daemon },
	{ PLACE_PROJECT, "/.gitmodules", derive_git_config },
	{ PLACE_HOME, "/.gitconfig", derive_git_config },
	{ PLACE_HOME, "/.config/git/config", derive_git_config },
	{ PLACE_ROOT, "/etc/gitconfig", derive_git_config },
	{ PLACE_PROJECT, "/nuget.config", derive_nuget_config },
	{ PLACE_PROJECT, "/NuGet.config", derive_nuget_config },
	{ PLACE_PROJECT, "/NuGet.Config", derive_nuget_config },
	{ PLACE_HOME, "/.nuget/NuGet/NuGet.Config", derive_nuget_config },
	{ PLACE_HOME, "/.config/NuGet/NuGet.Config", derive_nuget_config },
};

/* Names are compared without case: npm reads NPM_CONFIG_REGISTRY too. */
static const struct {
	const char *name;
	enum derive_tool tool;
	enum value_form form;
} variables[] = {
	{ "npm_config_registry", TOOL_NPM, FORM_URL },
	{ "npm_config_proxy", TOOL_NPM, FORM_PROXY },
	{ "npm_config_https_proxy", TOOL_NPM, FORM_PROXY },
	{ "YARN_NPM_REGISTRY_SERVER", TOOL_NPM, FORM_URL },
	{ "PIP_INDEX_URL", TOOL_PIP, FORM_URL },
	{ "PIP_EXTRA_INDEX_URL", TOOL_PIP, FORM_URL },
	{ "PIP_PROXY", TOOL_PIP, FORM_PROXY },
	{ "http_proxy", TOOL_PROXY, FORM_PROXY },
	{ "https_proxy", TOOL_PROXY, FORM_PROXY },
	{ "all_proxy", TOOL_PROXY, FORM_PROXY },
};

/* What is said of a tool for which nothing was found. */
static const char *const unconfigured[TOOL_COUNT] = {
	[TOOL_NPM] = "npm: no registry is configured, so its own default applies; add that host if "
		     "builds use it",
	[TOOL_PIP] = "pip: no index is configured, so its own default applies: preset python",
	[TOOL_APT] = "apt: no sources were found",
	[TOOL_DOCKER] = "docker: no mirror is configured; images come from the registry in their "
			"name: presets containers, docker-hub",
	[TOOL_GIT] = "git: no remote was found; --git names a repository",
	[TOOL_NUGET] = "nuget: no source is configured, so its own default applies: preset dotnet",
};

/* A path from its parts, or NULL with findings->failed set. */
__attribute__((format(printf, 2, 3)))
static char *path_make(struct findings *findings, const char *format, ...)
{
	va_list arguments;
	char *path;
	int len;

	va_start(arguments, format);
	len = vasprintf(&path, format, arguments);
	va_end(arguments);
	if (len >= 0)
		return path;
	findings->failed = true;
	return NULL;
}

static void configs_read(const struct derive_request *request, struct findings *findings)
{
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++) {
		const char *folder = configs[i].place == PLACE_HOME ? request->home :
				     configs[i].place == PLACE_PROJECT ? request->project :
				     request->root ? request->root : "";
		_cleanup_free_ char *path = NULL;

		if (!folder)
			continue;
		path = path_make(findings, "%s%s", folder, configs[i].path);
		if (path)
			configs[i].read(findings, path);
	}
}

static void environment_read(const struct derive_request *request, struct findings *findings)
{
	for (char *const *variable = request->environment; variable && *variable; variable++) {
		const char *value = strchr(*variable, '=');
		size_t len = value ? (size_t)(value - *variable) : 0;

		for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
			struct origin origin = { .tool = variables[i].tool, .path = "environment",
						 .key = variables[i].name };

			if (len == strlen(variables[i].name) &&
			    !strncasecmp(*variable, variables[i].name, len))
				findings_add_list(findings, &origin, variables[i].form, value + 1);
		}
	}
}

static void apt_file_read(struct findings *findings, const char *root, const char *path)
{
	if (text_ends_with(path, ".sources"))
		derive_apt_deb822(findings, root, path);
	else if (text_ends_with(path, ".list"))
		derive_apt_list(findings, root, path);
}

/* apt skips hidden files. */
static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void apt_read(const char *root, struct findings *findings)
{
	static const char *const folders[] = { "/etc/apt/sources.list.d", "/etc/apt/apt.conf.d" };
	_cleanup_free_ char *list = path_make(findings, "%s/etc/apt/sources.list", root);

	if (list)
		derive_apt_list(findings, root, list);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		_cleanup_free_ char *folder = path_make(findings, "%s%s", root, folders[i]);
		struct dirent **entries = NULL;
		int count = folder ? scandir(folder, &entries, visible, alphasort) : 0;

		for (int j = 0; j < count; j++) {
			_cleanup_free_ char *path = path_make(findings, "%s/%s", folder,
							      entries[j]->d_name);
			bool conf = !strchr(entries[j]->d_name, '.') ||
				    text_ends_with(entries[j]->d_name, ".conf");

			if (path && i == 0)
				apt_file_read(findings, root, path);
			else if (path && conf)
				derive_apt_conf(findings, path);
			free(entries[j]);
		}
		free(entries);
	}
}

static void first_line_take(char *line, unsigned int number, void *context)
{
	char **ret_line = context;

	if (number == 1)
		*ret_line = strdup(line);
}

/* A path as a file of git's gives it: from the folder that the file is in. */
static char *git_path(struct findings *findings, const char *folder, const char *path)
{
	return *path == '/' ? path_make(findings, "%s", path) :
			      path_make(findings, "%s/%s", folder, path);
}

/* The remotes of a work tree; .git is a file in submodules and added work trees. */
static void git_read(const char *project, struct findings *findings)
{
	_cleanup_free_ char *dot_git = path_make(findings, "%s/.git", project), *link = NULL;
	_cleanup_free_ char *folder = NULL, *common_file = NULL, *common = NULL, *config = NULL;
	struct stat status;

	if (!dot_git || stat(dot_git, &status))
		return;
	if (S_ISREG(status.st_mode)) {
		lines_read(dot_git, first_line_take, &link);
		if (!link || strncmp(link, "gitdir: ", 8))
			return;
		folder = git_path(findings, project, link + 8);
	} else {
		folder = TAKE_PTR(dot_git);
	}
	common_file = folder ? path_make(findings, "%s/commondir", folder) : NULL;
	if (!common_file)
		return;
	lines_read(common_file, first_line_take, &common);
	if (common) {
		char *main_folder = git_path(findings, folder, common);

		free(folder);
		folder = main_folder;
	}
	config = folder ? path_make(findings, "%s/config", folder) : NULL;
	if (config)
		derive_git_config(findings, config);
}

static void sources_write(const struct found *found, const char *indent, FILE *out)
{
	for (size_t i = 0; i < found->source_count && i < SOURCES_SHOWN; i++)
		fprintf(out, "%s# %s\n", indent, found->sources[i]);
	if (found->source_count > SOURCES_SHOWN)
		fprintf(out, "%s# and %zu more\n", indent, found->source_count - SOURCES_SHOWN);
}

static void findings_write(const struct findings *findings, FILE *out)
{
	bool entries = false;

	fputs("# What this machine is configured to use, by `buildfence policy derive`.\n"
	      "version: 1\n", out);
	for (size_t i = 0; i < findings->count; i++) {
		const struct found *found = &findings->items[i];

		if (!found->entry)
			continue;
		if (!entries)
			fputs("allow:\n", out);
		entries = true;
		sources_write(found, "  ", out);
		fprintf(out, "  - \"%s\"\n", found->entry);
	}
	if (!entries)
		fputs("allow: []\n", out);
	for (size_t i = 0; i < findings->count; i++) {
		if (!findings->items[i].entry)
			sources_write(&findings->items[i], "", out);
	}
	for (size_t i = 0; i < TOOL_COUNT; i++) {
		if (unconfigured[i] && !findings->configured[i])
			fprintf(out, "# %s\n", unconfigured[i]);
	}
}

int policy_derive(const struct derive_request *request, FILE *out)
{
	_cleanup_(findings_clear) struct findings findings = {};

	environment_read(request, &findings);
	configs_read(request, &findings);
	apt_read(request->root ? request->root : "", &findings);
	if (request->project)
		git_read(request->project, &findings);
	if (findings.failed)
		return -ENOMEM;
	findings_write(&findings, out);
	return 0;
}
