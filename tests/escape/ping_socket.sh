# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Ping sockets need no privilege where ping_group_range allows them, and carry any payload.

test_a_ping_carries_nothing_out() {
	attack <<-'END'
	import socket, struct, sys
	import job
	host = sys.argv[1]
	family, protocol, kind = (socket.AF_INET6, 58, 128) if ":" in host else (socket.AF_INET, 1, 8)
	sock = job.open_socket(family, socket.SOCK_DGRAM, protocol)
	if "connect" in sys.argv:
	    sock.connect((host, 0))
	    sock.send(struct.pack("!BBHHH", kind, 0, 0, 0, 1) + job.SECRET)
	else:
	    sock.sendto(struct.pack("!BBHHH", kind, 0, 0, 0, 1) + job.SECRET, (host, 0))
	END
	local host
	# For IPv6 the kernel does not tell the sender that its packet was refused.
	policy_feed
	for host in $EVIL4 $EVIL6; do
		new_secret
		verdict -x not-allowed "${ATTACK[@]}" $host
		new_secret
		verdict -x not-allowed "${ATTACK[@]}" $host connect
	done
}
