/* SPDX-License-Identifier: GPL-2.0 */
/* Dropping privileges: not written yet. */
#include "base/privileges.h"

#include <errno.h>
#include <stddef.h>

int privileges_drop(void)
{
	return -ENOSYS;
}

uint64_t privileges_capabilities(void)
{
	return 0;
}

char *privileges_promise(void)
{
	return NULL;
}
