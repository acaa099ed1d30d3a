/* SPDX-License-Identifier: GPL-2.0 */
/* What connect() itself refuses of datagram sockets, which send nothing with it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "world.h"

struct group_case {
	char addr[24];
	char yaml[48];
	bool refused;
};

/* Copies for this machine's own sockets leave no trace: connect() must not lead there. */
static const struct group_case group_cases[] = {
	{ "224.0.0.251", "allow: []", true },
	{ "239.255.255.250", "allow: []", true },
	{ "255.255.255.255", "allow: []", true },
	{ "224.0.0.251", "allow: [ 'udp://224.0.0.251:5353' ]", false },
	{ "203.0.113.9", "allow: []", false },
};

Test(connect, of_a_datagram_socket_is_judged_where_it_leads_to_a_group)
{
	for (size_t i = 0; i < ARRAY_SIZE(group_cases); i++) {
		const struct group_case *group = &group_cases[i];
		_cleanup_world_ struct world world;
		int fd, on = 1;

		world_open(&world, MODE_ENFORCE, group->yaml);
		fd = socket_job(&world, AF_INET, SOCK_DGRAM);
		setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
		cr_expect_eq(connect_to(fd, group->addr, 5353) == -EPERM, group->refused, "%s",
			     group->addr);
		cr_expect_eq(refusals_take(world.guard, world.job).refusals,
			     group->refused ? 1U : 0U, "%s", group->addr);
		close(fd);
	}
}
