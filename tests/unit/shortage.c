/* SPDX-License-Identifier: GPL-2.0 */
/* What was short: each counter has its words. */
#include <criterion/criterion.h>

#include "abi.h"
#include "event/shortage.h"

Test(shortage, each_has_its_counter)
{
	const struct job_counters counters = {
		.learn_full = 1, .questions_full = 2, .peers_full = 3, .out_of_memory = 4,
		.reached_full = 5,
	};

	for (size_t i = 0; i < SHORTAGES; i++)
		cr_expect_eq(shortage_count(&shortages[i], &counters), i + 1, "%s",
			     shortages[i].key);
}
