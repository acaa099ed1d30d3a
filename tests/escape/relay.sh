# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# A relay inside the job: loopback is allowed, what the relay does beyond it is not.

test_a_relay_inside_the_job_gets_no_further() {
	attack <<-'END'
	import socket, threading
	import job
	listener = socket.create_server(("127.0.0.1", 0))
	def relay():
	    client = listener.accept()[0]
	    try:
	        server = socket.create_connection(("203.0.113.66", 8080), 5)
	        server.sendall(client.recv(1000))
	        client.sendall(server.recv(1000))
	    finally:
	        client.close()
	threading.Thread(target=relay, daemon=True).start()
	with socket.create_connection(listener.getsockname(), 5) as sock:
	    sock.sendall(job.SECRET)
	    raise SystemExit(0 if sock.recv(100) else 1)
	END
	policy_feed
	verdict not-allowed "${ATTACK[@]}"
}
