/* SPDX-License-Identifier: GPL-2.0 */
/* Azure's build agent as a kind of agent: the one that is built in. */
#include "base/cleanup.h"
#include "config/config.h"

/*
 * Variables as the agent's steps have them: the pipeline's in upper case with underscores. A
 * pipeline cannot override them at the worker's direct child, since the agent's handlers set them
 * last; but that of plugins adds none (AgentPluginHandler.RunAsync), so that there all of them
 * would be the step's own `env:`. Classic release jobs name their definition only as the build's.
 * The pool is not among them: see agent_kind.is_azure.
 */
static struct agent_field fields[] = {
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
	.mute_child = "Agent.PluginHost",
	.job = "SYSTEM_JOBID",
	.agent = "AGENT_NAME",
	.project = "SYSTEM_TEAMPROJECT",
	.definition = "SYSTEM_DEFINITIONNAME",
	.fields = fields,
	.field_count = ARRAY_SIZE(fields),
	.is_azure = true,
};
