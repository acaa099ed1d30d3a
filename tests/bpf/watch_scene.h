/* SPDX-License-Identifier: GPL-2.0 */
/* Programs with the names of an agent's, and what a watch reports of them: for the tests of it. */
#ifndef BUILDFENCE_TESTS_WATCH_SCENE_H
#define BUILDFENCE_TESTS_WATCH_SCENE_H

#include <stdbool.h>
#include <sys/types.h>

#include "watch/agent.h"
#include "watch/internal.h"

#define SEEN_MAX	64
#define INPUT		9
/* How long a report may take, also on an emulated machine. */
#define PATIENCE_MS	20000

/* Azure's in short, and one with names longer than the kernel keeps. */
#define SCENE_KINDS	2
extern const struct agent_kind kinds[SCENE_KINDS];

/* A watch in a folder with programs, and what it reported. */
struct scene {
	struct watch *watch;
	const char *what;		/* is tried, where it is one of many */
	char folder[64];
	char *cgroup;			/* of the test */
	pid_t pid;			/* of the program that was started */
	int pipe;			/* its descriptor INPUT */
	unsigned int workers;
	struct worker worker[SEEN_MAX];	/* without the strings */
	char worker_cgroup[256];	/* of the last */
	unsigned int identities;
	pid_t identity_of;
	char job[64];			/* of the last */
	char pair[64];
	bool add;			/* wants each worker's identity */
};

/* Callbacks of the watch that fill a scene. */
bool worker_seen(const struct worker *worker, void *context);
void identity_seen(pid_t worker, const struct identity *identity, void *context);

/* A copy of the shell, or a script, under this name in the scene's folder. */
void program_copy(const struct scene *scene, const char *name);
void script_write(const struct scene *scene, const char *name, const char *text);

/* `ring_bytes` as for watch_open_sized(). */
void scene_make(struct scene *scene, uint32_t ring_bytes);

/* Ends what was started; its processes read the end of the pipe. */
void scene_stop(struct scene *scene);
void scene_remove(struct scene *scene);
#define _cleanup_scene_ __attribute__((cleanup(scene_remove)))

/* Runs ./PROGRAM -c SCRIPT in the folder, inside a cgroup (a path in the file system) or NULL. */
void scene_start(struct scene *scene, const char *cgroup, const char *program, const char *script);
long now_ms(void);
void scene_read(struct scene *scene);

/* Reads what the descriptor tells until so much was seen; then that it stays so. */
void scene_expect(struct scene *scene, unsigned int workers, unsigned int identities);

/* Reads until the program of the scene has written so many bytes to its file "done". */
void scene_wait(struct scene *scene, off_t size);

/* The same, but reads nothing. */
void scene_wait_unread(const struct scene *scene, off_t size);

/* Waits until so many children of `parent` are held. Reads nothing. */
void scene_wait_held(pid_t parent, unsigned int count);

/* Has the program written to its file "done"? */
bool scene_is_done(const struct scene *scene);

#endif
