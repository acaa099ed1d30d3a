/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fuzzes the readers of policies and of the daemon's configuration with whole files, and the reader
 * of targets with each of their lines. What is accepted must compile, and a target must come back
 * the same from its own text; an accepted configuration keeps its bounds and never guards the VM
 * agent.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config/config.h"
#include "policy/compile.h"
#include "policy/load.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* 2026-06-01 00:00 UTC: the verdict on a file must not depend on the day. */
#define NOW	1780272000

/* The reader wants a file; this one is memory. */
static int file_fd = -1;
static char file_path[64];

static void require(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	file_fd = memfd_create("policy", MFD_CLOEXEC);
	require(file_fd >= 0);
	snprintf(file_path, sizeof(file_path), "/proc/self/fd/%d", file_fd);
	return 0;
}

static void target_read(const char *text)
{
	struct target target;
	char error[256] = "";

	for (enum rule_list list = LIST_ALLOW; list < LIST_BUILTIN; list++) {
		memset(&target, 0, sizeof(target));
		if (target_parse(text, list, &target, error)) {
			require(*error && memchr(error, '\0', sizeof(error)));
			continue;
		}
		require(target.port_low <= target.port_high);
		require(target.prefix_bits <= 128);
		require(memchr(target.name, '\0', sizeof(target.name)));
		require(target.kind == TARGET_PREFIX || *target.name);
	}
}

static void targets_read(const uint8_t *bytes, size_t len)
{
	_cleanup_free_ char *text = strndup((const char *)bytes, len);
	char *rest = text, *line;

	while (text && (line = strsep(&rest, "\n")))
		target_read(line);
}

static void agents_require(const struct config *config)
{
	for (size_t i = 0; i < config->agent_count; i++) {
		const struct agent_kind *agent = &config->agents[i];

		require(agent->name && *agent->name && agent->worker && *agent->worker &&
			agent->parent && *agent->parent && !strchr(agent->worker, '/'));
		for (size_t j = 0; j < agent->field_count; j++)
			require(*agent->fields[j].record && *agent->fields[j].variable);
	}
}

static void guarded_require(const struct config *config)
{
	static const char *const never[] = {
		"/", "/azure.slice", "/system.slice", "/azure.slice/walinuxagent.service",
		"/system.slice/walinuxagent.service", "/system.slice/waagent.service",
		"/x.slice/waagent.service", "/system.slice/buildfence.service",
	};

	for (size_t i = 0; i < config->guarded_count; i++) {
		require(config->guarded[i].policy && config->guarded[i].name);
		for (size_t j = 0; j < ARRAY_SIZE(never); j++)
			require(!config_guard_match(&config->guarded[i], never[j]));
	}
}

static void config_read(void)
{
	_cleanup_config_ struct config *config = NULL;
	struct diagnostics diag = {};
	int error = config_load(file_path, &diag, &config);

	require(error ? diag.errors && !config : !diag.errors && config);
	if (error)
		return;
	require(config->policy && *config->records == '/' && *config->state == '/' &&
		*config->socket == '/' && strlen(config->socket) < 108 && *config->pins);
	require(config->jobs_max >= 1 && config->jobs_max <= CONFIG_JOBS_MAX);
	require(config->policies_max >= 2 && config->policies_max <= CONFIG_POLICIES_MAX);
	require(config->clients_max >= 4 && config->clients_max <= CONFIG_CLIENTS_MAX);
	require(config_policy_choose(config, "a", NULL, "b", NULL));
	agents_require(config);
	guarded_require(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct policy_request request = { .file = file_path };
	struct diagnostics diag = {};
	_cleanup_policy_ struct policy *policy = NULL;
	_cleanup_image_ struct image *image = NULL;
	int error;

	targets_read(bytes, len);
	require(!ftruncate(file_fd, 0) && pwrite(file_fd, bytes, len, 0) == (ssize_t)len);
	config_read();
	error = policy_load(&request, &diag, &policy);
	/* A refused policy was explained, and leaves nothing. */
	require(error ? diag.errors && !policy : !diag.errors && policy);
	if (error)
		return 0;
	error = policy_compile(policy, NULL, NOW, &diag, &image);
	require(!error || (error == -E2BIG && diag.errors));
	return 0;
}
