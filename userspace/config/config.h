/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The daemon's configuration, /etc/buildfence/config.yaml: which policy a job gets, which agents'
 * workers are jobs, which cgroups are guarded from the start, and where the daemon keeps its
 * things. policy/config/README.md describes the file. What is done with any of it is the
 * daemon's business; whose cgroup matches, and whose name, is said here (config_*_match).
 */
#ifndef BUILDFENCE_CONFIG_H
#define BUILDFENCE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diagnostics;
struct policy_request;

/* The Makefile's SYSCONFDIR, where `make install` puts the file. */
#ifndef BUILDFENCE_SYSCONFDIR
#define BUILDFENCE_SYSCONFDIR	"/etc"
#endif
#define CONFIG_PATH		BUILDFENCE_SYSCONFDIR "/buildfence/config.yaml"

/*
 * The largest numbers that `limits:` takes. One job costs the kernel four tables of up to 16,384
 * addresses, so what is more than this would not fit a machine that builds.
 */
#define CONFIG_JOBS_MAX		4096
#define CONFIG_POLICIES_MAX	256
#define CONFIG_CLIENTS_MAX	1024

/* The most that each list takes. Agents are as many as the watch knows, with Azure's. */
#define CONFIG_AGENTS_MAX	64
#define CONFIG_ENTRIES_MAX	1000

/*
 * One entry of `policies:`. Globs (fnmatch, no case) or NULL: any. The first entry whose globs all
 * match decides.
 */
struct policy_choice {
	char *agent;
	char *pool;
	char *project;
	char *definition;
	char *policy;			/* as config.policy */
	unsigned int line, column;	/* from 1, of the entry */
};

/* One field that an agent's jobs have in their records. */
struct agent_field {
	char *record;			/* "AzpJobId": a letter first, 45 characters at most */
	char *variable;			/* "SYSTEM_JOBID" */
};

/* A kind of agent: how its workers are known, and where it stands what they work on. */
struct agent_kind {
	char *name;			/* a word, unique: "azure", "forge" */
	char *worker;			/* program names, without a slash */
	char *parent;			/* of the worker's parent */
	bool identity_in_child;		/* variables are its first direct child's */
	char *mute_child;		/* but not of this program, or NULL: a pipeline sets them */
	char *job;			/* names of environment variables, or NULL: not known */
	char *agent;
	char *pool;
	char *project;
	char *definition;
	struct agent_field *fields;
	size_t field_count;
	bool is_azure;			/* agent, pool: its unit, .agent file too */
};

/* The kind that is built in. Its strings are constants: never freed, never written. */
extern const struct agent_kind agent_azure;

/* One entry of `guard:`: cgroups that are guarded whenever they exist. */
struct guarded_cgroup {
	char *pattern;			/* a path from cgroup2's root, or a glob */
	char *policy;			/* as config.policy */
	char *name;			/* a word for messages and job names */
	unsigned int line, column;	/* from 1, of the entry */
};

struct config {
	char *path;			/* of the file itself, as it was given */
	char *policy;			/* absolute path of a file, or a preset's name */
	struct policy_choice *choices;
	size_t choice_count;
	struct agent_kind *agents;	/* Azure's first, unless it is off */
	size_t agent_count;
	struct guarded_cgroup *guarded;
	size_t guarded_count;
	char *records;			/* absolute paths */
	char *state;
	char *socket;
	char *pins;			/* a name below /sys/fs/bpf/buildfence */
	char *cgroup;			/* from cgroup2's root; NULL: the daemon's own */
	uint32_t jobs_max;		/* 1 to CONFIG_JOBS_MAX */
	uint32_t policies_max;		/* 2 to CONFIG_POLICIES_MAX */
	uint32_t clients_max;		/* 4 to CONFIG_CLIENTS_MAX */
};

/*
 * Reads and checks a configuration, and loads and compiles each policy that it names, once.
 * Messages go to `diag`. Returns 0, -EINVAL (errors were reported; nothing is kept), -ENOMEM, or
 * another -errno when the file cannot be read (also reported).
 */
int config_load(const char *path, struct diagnostics *diag, struct config **ret_config);

/* NULL is fine. */
void config_free(struct config *config);

static inline void config_cleanup(struct config **config)
{
	config_free(*config);
}
#define _cleanup_config_ __attribute__((cleanup(config_cleanup)))

/*
 * The policy of a job, of its `policies:` or else `policy:`. NULLs are not known, which only a
 * missing key or "*" matches. The string is the configuration's.
 */
const char *config_policy_choose(const struct config *config, const char *agent, const char *pool,
				 const char *project, const char *definition);

/*
 * Does the entry cover this cgroup, a path from cgroup2's root? A star stands for no slash; a
 * backslash for itself, since units have it in their names.
 */
bool config_guard_match(const struct guarded_cgroup *guarded, const char *cgroup);

/* What policy_load() wants for a policy of the configuration. `storage` lives as long as it. */
void config_policy_request(const char *policy, struct policy_request *ret_request,
			   const char *storage[2]);

/*
 * `buildfence daemon --check`: prints errors and warnings to standard error, and what was found to
 * standard output. Returns the exit status, EXIT_SUCCESS or EXIT_FAILURE.
 */
int config_check(const char *path);

#endif
