/* SPDX-License-Identifier: GPL-2.0 */
/* Messages on standard error; violations are the sinks' matter. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>

#include "base/cleanup.h"

void log_error(const char *format, ...)
{
	_cleanup_free_ char *message = NULL;
	int saved = errno;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&message, format, arguments) < 0)
		message = NULL;
	va_end(arguments);
	dprintf(STDERR_FILENO, "buildfence: %s\n", message ? message : "out of memory");
	errno = saved;
}
