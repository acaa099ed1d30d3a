/* SPDX-License-Identifier: GPL-2.0 */
/* Messages on standard error; violations are the sinks' matter. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <syslog.h>

#include "base/cleanup.h"
#include "base/escape.h"

/* A line's level as sd-daemon(3) has it, where journald reads it: JOURNAL_STREAM says so. */
static void __attribute__((format(printf, 2, 0))) log_line(int level, const char *format,
							    va_list arguments)
{
	_cleanup_free_ char *message = NULL, *escaped = NULL;
	char prefix[8] = "";
	int saved = errno;

	if (vasprintf(&message, format, arguments) < 0)
		message = NULL;
	/* It may quote anybody's bytes: no terminal and no pipeline page shall obey them. */
	escaped = message ? escape_again(message) : NULL;
	if (getenv("JOURNAL_STREAM"))
		snprintf(prefix, sizeof(prefix), "<%d>", level);
	dprintf(STDERR_FILENO, "%sbuildfence: %s\n", prefix, escaped ? escaped : "out of memory");
	errno = saved;
}

void log_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(LOG_ERR, format, arguments);
	va_end(arguments);
}

void log_info(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_line(LOG_INFO, format, arguments);
	va_end(arguments);
}
