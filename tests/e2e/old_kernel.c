/* SPDX-License-Identifier: GPL-2.0 */
/* For LD_PRELOAD: uname(2) tells of the kernel that Debian 11 was released with. */
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

int uname(struct utsname *name)
{
	if (syscall(SYS_uname, name))
		return -1;
	strcpy(name->release, "5.10.0-8-amd64");
	strcpy(name->version, "#1 SMP Debian 5.10.46-4 (2021-08-03)");
	return 0;
}
