/* SPDX-License-Identifier: GPL-2.0 */
/* Starting the job's command inside its cgroup, and passing signals on to it. */
#ifndef BUILDFENCE_SPAWN_H
#define BUILDFENCE_SPAWN_H

#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/types.h>

/* A user from /etc/passwd and the groups from /etc/group; no name service is asked. */
struct job_user {
	char *name;
	char *home;
	char *shell;
	uid_t uid;
	gid_t gid;
	gid_t groups[256];
	size_t group_count;
};

/* `name` is a user's name or number. Returns 0, -ENOENT (no such user), or another -errno. */
int job_user_find(const char *name, struct job_user **ret_user);
void job_user_free(struct job_user *user);

static inline void job_user_cleanup(struct job_user **user)
{
	job_user_free(*user);
}
#define _cleanup_job_user_ __attribute__((cleanup(job_user_cleanup)))

/* What the command gets back as it was before buildfence changed it. */
struct signal_state {
	sigset_t mask;
	struct sigaction pipe_action;
};

/* Blocks the signals that are passed on, and SIGCHLD; ignores SIGPIPE. Fills both results. */
int signals_take(sigset_t *ret_taken, struct signal_state *ret_before);

struct spawn {
	char *const *argv;		/* NULL-terminated */
	int cgroup_fd;			/* it is born here: not one instruction runs outside */
	const struct job_user *user;	/* NULL: stays who we are */
	const struct signal_state *signals;
	bool own_group;			/* in a process group of its own: no terminal to share */
};

/*
 * Starts the command. It dies when the calling process does. Returns 0 and its pid once execve()
 * succeeded; else -errno, with *ret_failed_exec telling whether the command itself could not be
 * executed (or else something before it).
 */
int spawn_start(const struct spawn *spawn, pid_t *ret_pid, bool *ret_failed_exec);

/* Is there a terminal that delivers signals to our process group? */
bool terminal_present(void);

/*
 * Should `signal`, which reached us, be passed on? Not when the terminal sent it to the whole group
 * and so to the command too, and not when the command itself sent it.
 */
bool signal_is_for_job(const struct signalfd_siginfo *signal, pid_t pid, bool own_group);

/* Exit status for a failure to start: 125, 126 or 127. */
int spawn_exit_status(int error, bool failed_exec);

/* The exit status for what waitpid() said: its own, or 128 + signal. */
int wait_exit_status(int wait_status);

#endif
