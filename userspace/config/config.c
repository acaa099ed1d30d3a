/* SPDX-License-Identifier: GPL-2.0 */
/* The daemon's configuration: see config.h. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

int config_load(const char *path, struct diagnostics *diag, struct config **ret_config)
{
	(void)path;
	(void)diag;
	(void)ret_config;
	return -ENOSYS;
}

void config_free(struct config *config)
{
	(void)config;
}

const char *config_policy_choose(const struct config *config, const char *agent, const char *pool,
				 const char *project, const char *definition)
{
	(void)agent;
	(void)pool;
	(void)project;
	(void)definition;
	return config->policy;
}

bool config_guard_match(const struct guarded_cgroup *guarded, const char *cgroup)
{
	(void)guarded;
	(void)cgroup;
	return false;
}

void config_policy_request(const char *policy, struct policy_request *ret_request,
			   const char *storage[2])
{
	(void)policy;
	(void)ret_request;
	(void)storage;
}

int config_check(const char *path)
{
	(void)path;
	return EXIT_FAILURE;
}
