/* SPDX-License-Identifier: GPL-2.0 */
/* Azure's agent: the table of what its jobs' environment has, and where its name and pool stand. */
#include "watch/agent.h"

#include "base/cleanup.h"

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
