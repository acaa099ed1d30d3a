#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The network of the machine with systemd, as outside.service: the same outside as for the end-to-end
# tests (tests/e2e/world.sh), but the machine itself is the agent's side of it. What a DHCP client does
# is done here too: resolv.conf is written when the network comes up, after the daemon has started.

set -e
export SLOW=5
. "$(dirname "$0")/../e2e/world.sh"
WORLD=/run/outside
WORLD_CGROUP=$CGROUP2$(sed -n 's/^0:://p' /proc/self/cgroup)
rm -rf "$WORLD"
mkdir -p "$WORLD"
world_agent_side() { ip netns attach agent $$; }
world_links
world_services
echo "nameserver $DNS4" >/etc/resolv.conf
