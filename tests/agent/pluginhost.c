/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stands in for Agent.PluginHost, the first child of a worker: with the environment of a step, and
 * with nothing to do. PLUGIN_HOST_MS keeps it for as many milliseconds. See install.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
	const char *ms = getenv("PLUGIN_HOST_MS");

	usleep((useconds_t)(ms ? atol(ms) : 20) * 1000);
	puts("checkout: nothing to do");
	return 0;
}
