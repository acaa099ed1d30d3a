/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Domains below which anyone can register a name, beside those in the public suffix list (Debian's
 * of 2023 holds azurewebsites.net alone of Azure's). Who warns of them, or folds no names into
 * them, asks the list too.
 */
#ifndef BUILDFENCE_POLICY_TENANTS_H
#define BUILDFENCE_POLICY_TENANTS_H

static const char *const tenant_domains[] = {
	"blob.core.windows.net", "dfs.core.windows.net", "file.core.windows.net",
	"queue.core.windows.net", "table.core.windows.net", "database.windows.net", "windows.net",
	"vault.azure.net", "azurecr.io", "azurewebsites.net", "trafficmanager.net", "azureedge.net",
	"azurefd.net", "visualstudio.com", "githubusercontent.com", "cloudfront.net",
	"amazonaws.com",
};

#endif
