# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# MPTCP adds paths to a connection that no connect hook sees: refused, so that programs fall back.

test_an_mptcp_socket_is_refused_with_an_error_that_programs_fall_back_from() {
	attack <<-'END'
	import socket, sys
	import job
	sock = job.open_socket(socket.AF_INET, socket.SOCK_STREAM, 262)
	sock.settimeout(5)
	sock.connect((sys.argv[1], 8080))
	sock.sendall(job.SECRET)
	sock.recv(100)
	END
	policy_feed
	GUARDED=1 guarded -- "${ATTACK[@]}" $EVIL4
	status_is_not 0
	# Go's listeners ask for MPTCP in every build: refused and counted, but no violation.
	not_recorded
	GUARDED=1 guarded -- "${ATTACK[@]}" 198.51.100.70
	status_is_not 0
	says 'Protocol not supported\|EPROTONOSUPPORT'
}
