/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whose leaks count: those of tests, which Criterion runs in processes of their own. Its runner, in
 * which nothing of ours runs, now and then leaks 96 bytes and would fail the suite.
 */
#include <stdlib.h>

int __lsan_is_turned_off(void);

/* LeakSanitizer asks when a process ends (sanitizer/lsan_interface.h); boxfort marks the tests'. */
int __lsan_is_turned_off(void)
{
	return !getenv("BXFI_MAP");
}
