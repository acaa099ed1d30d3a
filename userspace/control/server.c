/* SPDX-License-Identifier: GPL-2.0 */
/* The daemon's socket: not written yet. */
#include "control/server.h"

#include <errno.h>

int control_open(const char *path, unsigned int clients_max, struct loop *loop, control_fn answer,
		 void *context, struct control **ret_control)
{
	(void)path, (void)clients_max, (void)loop, (void)answer, (void)context, (void)ret_control;
	return -ENOSYS;
}

void control_close(struct control *control)
{
	(void)control;
}

void control_publish(struct control *control, uint32_t job, const char *line, size_t length)
{
	(void)control, (void)job, (void)line, (void)length;
}

void control_job_end(struct control *control, uint32_t job)
{
	(void)control, (void)job;
}

unsigned int control_clients(const struct control *control)
{
	(void)control;
	return 0;
}

void control_answer_error(struct control_answer *ret_answer, const char *format, ...)
{
	(void)ret_answer, (void)format;
}
