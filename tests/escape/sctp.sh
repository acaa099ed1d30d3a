# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# SCTP: one association may have many addresses on both sides, which no connect hook sees.

test_an_sctp_socket_is_refused() {
	attack <<-'END'
	import socket
	import job
	sock = job.open_socket(socket.AF_INET, socket.SOCK_STREAM, 132)
	sock.setblocking(False)
	try:
	    sock.connect(("203.0.113.66", 9000))
	except BlockingIOError:
	    pass
	END
	policy_feed
	unguarded "${ATTACK[@]}"
	[ "$STATUS" != 77 ] || skip "this kernel has no SCTP"
	arrived "^sctp"
	seen_anew
	GUARDED=1 guarded -- "${ATTACK[@]}"
	status_is_not 0
	recorded Reason=socket-type
	nothing_arrived "^sctp"
}
