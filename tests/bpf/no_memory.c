/* SPDX-License-Identifier: GPL-2.0 */
/* What an allocation that fails leaves behind. The test binary's calls of calloc() come here. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "guard/guard.h"

#define POLICIES	1233	/* a number that nobody else asks memory for */

static size_t refused;		/* a calloc() of so many gets nothing; 0: none */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	if (!refused || count != refused)
		return __real_calloc(count, size);
	errno = ENOMEM;
	return NULL;
}

Test(no_memory, a_guard_without_room_for_policies_closes_nobodys_descriptors)
{
	const struct guard_options options = { .jobs_max = 8, .policies_max = POLICIES };
	struct guard *guard = NULL;

	/* What was never written reads as zeros, so as descriptor 0. */
	cr_assert_eq(mallopt(M_PERTURB, 0xff), 1);
	cr_assert_eq(dup2(open("/dev/null", O_RDONLY), STDIN_FILENO), STDIN_FILENO);
	refused = POLICIES + 1;
	cr_expect_eq(guard_open(&options, &guard), -ENOMEM);
	refused = 0;
	cr_expect(fcntl(STDIN_FILENO, F_GETFD) >= 0, "standard input was closed");
	cr_assert_eq(guard_open(&options, &guard), 0);
	guard_close(guard);
}
