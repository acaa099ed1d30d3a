/* SPDX-License-Identifier: GPL-2.0 */
/* Messages of commands, through a pipe in the place of standard error. */
#include "base/log.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

Test(log, a_message_is_one_line_that_no_pipeline_obeys)
{
	char line[128];
	ssize_t length;
	int ends[2];

	unsetenv("JOURNAL_STREAM");
	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	log_error("cannot open '%s'", "##vso[x.y]\n\x1b[m\\x0a");
	length = read(ends[0], line, sizeof(line) - 1);
	cr_assert_gt(length, 0);
	line[length] = '\0';
	cr_expect_str_eq(line, "buildfence: cannot open "
			       "'\\x23#vso[x.y]\\x0a\\x1b[m\\x0a'\n");
}
