/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The configuration's `guard:` list. A cgroup that appears is told by inotify on the folder that
 * its pattern names; where that folder does not exist yet, the scan every few seconds finds it. The
 * drop-in for agents' units asks before the agent starts, which scans too: there is no gap then.
 */
#include "daemon/guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/directory.h"
#include "base/log.h"
#include "base/loop.h"
#include "config/config.h"
#include "daemon/jobs.h"

struct guarded {
	struct jobs *jobs;
	const char *mount;
	struct loop *loop;
	int inotify_fd;
	const struct config *config;
	char *complaint;		/* what was logged last: it is not said again */
};

static void inotify_read(void *context)
{
	struct guarded *guarded = context;
	char events[4096];

	/* What it was does not matter: everything is looked at anew. */
	while (read(guarded->inotify_fd, events, sizeof(events)) > 0)
		;
	guarded_scan_again(guarded);
}

int guarded_new(struct jobs *jobs, const char *cgroup_mount, struct loop *loop,
		struct guarded **ret_guarded)
{
	struct guarded *guarded = calloc(1, sizeof(*guarded));
	int error;

	if (!guarded)
		return -ENOMEM;
	guarded->jobs = jobs;
	guarded->mount = cgroup_mount;
	guarded->loop = loop;
	guarded->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	error = guarded->inotify_fd < 0 ? -errno : 0;
	if (!error)
		error = loop_fd_add(loop, guarded->inotify_fd, EPOLLIN, inotify_read, guarded);
	if (error) {
		close_fd(&guarded->inotify_fd);
		free(guarded);
		return error;
	}
	*ret_guarded = guarded;
	return 0;
}

void guarded_free(struct guarded *guarded)
{
	if (!guarded)
		return;
	loop_fd_remove(guarded->loop, guarded->inotify_fd);
	close_fd(&guarded->inotify_fd);
	free(guarded->complaint);
	free(guarded);
}

/* Says what is new only: a scan comes every few seconds. */
static void complain(struct guarded *guarded, const char *path, const char *what,
		     const char *error)
{
	char *complaint;

	if (asprintf(&complaint, "%s %s: %s", path, what, error ? error : "out of memory") < 0)
		return;
	if (!guarded->complaint || strcmp(guarded->complaint, complaint))
		log_error("%s", complaint);
	free(guarded->complaint);
	guarded->complaint = complaint;
}

/* An earlier entry may name the cgroup too. A later one guards it only if those before cannot. */
static bool entry_is_first(const struct guarded *guarded, const struct guarded_cgroup *entry,
			   const char *path)
{
	const struct guarded_cgroup *first = guarded->config->guarded;

	while (first != entry && !config_guard_match(first, path))
		first++;
	return first == entry;
}

static void cgroup_guard(struct guarded *guarded, const struct guarded_cgroup *entry,
			 const char *path)
{
	struct job *holder = job_by_cgroup(guarded->jobs, path);
	_cleanup_free_ char *name = NULL, *why = NULL;
	int error;

	/* The path makes the name unique, and its end is the unit's name. */
	if (asprintf(&name, "%s:%s", entry->name, path) < 0)
		return;
	if (holder && !strcmp(holder->cgroup, path)) {
		if (!entry_is_first(guarded, entry, path))
			return;
		error = jobs_guarded_renew(guarded->jobs, holder, name, entry->policy);
		if (error > 0)
			log_info("%s is guarded with another policy now, '%s'", path,
				 entry->policy);
		else if (error)
			complain(guarded, path, "keeps its policy", strerror(-error));
		return;
	}
	error = jobs_attach(guarded->jobs, JOB_GUARDED, name, path, entry->policy, &why);
	if (!error)
		log_info("%s is guarded, with the policy '%s'", path, entry->policy);
	else if (error != -ENOENT)
		complain(guarded, path, "is not guarded", why);
}

/* Length of a pattern's beginning that names one folder. */
static size_t fixed_length(const char *pattern)
{
	size_t length = strcspn(pattern, "*?[");

	while (length && pattern[length - 1] != '/')
		length--;
	return length;
}

/* Looks at what is below `path`, as deep as the pattern has slashes. */
static void below_scan(struct guarded *guarded, const struct guarded_cgroup *entry,
		       const char *path, size_t depth)
{
	_cleanup_free_ char *directory = NULL;
	_cleanup_directory_ DIR *listing = NULL;
	struct dirent *child;

	if (asprintf(&directory, "%s%s", guarded->mount, *path ? path : "/") < 0)
		return;
	inotify_add_watch(guarded->inotify_fd, directory, IN_CREATE | IN_ONLYDIR);
	if (directory_open(AT_FDCWD, directory, &listing))
		return;
	while ((child = directory_next(listing))) {
		_cleanup_free_ char *below = NULL;

		if (child->d_type != DT_DIR ||
		    asprintf(&below, "%s/%s", path, child->d_name) < 0)
			continue;
		if (config_guard_match(entry, below))
			cgroup_guard(guarded, entry, below);
		else if (depth > 1)
			below_scan(guarded, entry, below, depth - 1);
	}
}

static void entry_scan(struct guarded *guarded, const struct guarded_cgroup *entry)
{
	size_t fixed = fixed_length(entry->pattern), depth = 1;
	_cleanup_free_ char *parent = NULL;

	for (const char *rest = entry->pattern + fixed; *rest; rest++)
		depth += *rest == '/';
	parent = strndup(entry->pattern, fixed ? fixed - 1 : 0);
	if (parent)
		below_scan(guarded, entry, parent, depth);
}

void guarded_scan(struct guarded *guarded, const struct config *config)
{
	guarded->config = config;
	guarded_scan_again(guarded);
}

void guarded_scan_again(void *context)
{
	struct guarded *guarded = context;
	const struct config *config = guarded->config;

	jobs_settle(guarded->jobs);
	for (size_t i = 0; config && i < config->guarded_count; i++)
		entry_scan(guarded, &config->guarded[i]);
}
