/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages of commands to the person who runs them, on standard error. Library code returns errors.
 */
#ifndef BUILDFENCE_LOG_H
#define BUILDFENCE_LOG_H

/* "buildfence: " and the message, as one line in one write. errno stays as it was. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for what went well: of a lower level where journald reads it. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
