/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stands in for node with AgentService.js: starts the listener, passes the end on to it, and ends
 * with its status. See install.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile pid_t listener;

static void pass_on(int signal)
{
	(void)signal;
	if (listener > 0)
		kill(listener, SIGINT);
}

int main(void)
{
	struct sigaction action = { .sa_handler = pass_on };
	int status = 0;

	/* Also where the shell that started us ignores them, as it does in the background. */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	listener = fork();
	if (!listener) {
		execl("./bin/Agent.Listener", "./bin/Agent.Listener", "run", "--startuptype",
		      "service", NULL);
		perror("bin/Agent.Listener");
		_exit(127);
	}
	while (waitpid(listener, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
