/* SPDX-License-Identifier: GPL-2.0 */
/* A worker whose first child cannot be read: its job goes without a name, and for good. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/reader.h"
#include "watch_scene.h"

#define LISTENER	"./Agent.Listener"
#define NOBODY		0x7f000000	/* above all numbers of processes */
#define PLACES		16		/* of threads left behind, as base/reader.c has it */

static atomic_uint reading;

static ssize_t never_read(pid_t pid, const char *what, size_t max, char **ret_bytes)
{
	(void)pid;
	(void)what;
	(void)max;
	(void)ret_bytes;
	reading++;
	while (getpid())
		pause();
	return -EINTR;
}

/*
 * Afterwards nobody's identity is read any more. The first ones take a second, the rest little:
 * what is not waited for long enough to begin does not count.
 */
static void places_fill(void)
{
	pid_t pid = NOBODY;
	char *bytes;

	while (reading < PLACES) {
		reader_ask(READER_IDENTITY, never_read, pid++, "", 1, &bytes);
		usleep(20000);
	}
}

Test(watch, a_worker_whose_first_child_cannot_be_read_gets_no_other_name, .timeout = 120)
{
	_cleanup_scene_ struct scene scene;

	scene_make(&scene, 0);
	places_fill();
	scene_start(&scene, NULL, LISTENER,
		    "./Agent.Worker -c 'SYSTEM_JOBID=first ./step -c :; SYSTEM_JOBID=second "
		    "./step -c \"echo >done; read x <&9; :\"; :'; :");
	scene_expect(&scene, 1, 1);
	cr_expect_str_eq(scene.job, "unread");
	scene_wait(&scene, 1);
	scene_read(&scene);
	cr_expect_eq(scene.identities, 1);
}
