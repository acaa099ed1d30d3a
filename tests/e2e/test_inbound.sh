# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What comes in from outside: refused unless the policy names it, while answers get through.

# A job that listens on TCP and UDP port 7000, says so with a file, and prints what it hears for
# as long as the file "go" is missing; then it talks to itself over loopback.
listener() {
	attack <<-'END'
	import os, pathlib, socket, threading, time
	import job
	case = pathlib.Path(os.environ["CASE"])
	heard = []
	tcp = socket.create_server(("::", 7000), family=socket.AF_INET6, dualstack_ipv6=True)
	udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
	udp.bind(("::", 7000))
	def accept():
	    while True:
	        peer = tcp.accept()[0]
	        peer.settimeout(1 * job.SLOW)
	        heard.append(peer.recv(100).decode())
	def receive():
	    while True:
	        heard.append(udp.recv(100).decode())
	for target in (accept, receive):
	    threading.Thread(target=target, daemon=True).start()
	(case / "ready").touch()
	while not (case / "go").exists():
	    time.sleep(0.01)
	for host in ("127.0.0.1", "::1"):
	    with socket.create_connection((host, 7000), 5) as sock:
	        sock.sendall(b"local")
	    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
	        sock.sendto(b"local", (host, 7000))
	time.sleep(0.2 * job.SLOW)
	print(*sorted(heard))
	END
}

# knock HOST...: from outside, over TCP and UDP; prints who got in over TCP.
knock() {
	in_outside "$PYTHON" - "$@" <<-'END'
	import os, socket, sys
	import job
	secret = os.environ["SECRET"].encode()
	for host in sys.argv[1:]:
	    family = socket.AF_INET6 if ":" in host else socket.AF_INET
	    with socket.socket(family, socket.SOCK_DGRAM) as sock:
	        sock.sendto(secret, (host, 7000))
	    try:
	        with socket.create_connection((host, 7000), 0.3 * job.SLOW) as sock:
	            sock.sendall(secret)
	            print("connected to", host)
	    except OSError:
	        pass
	END
}

# listen_and_knock [OPTIONS]: the whole exchange; $CASE/knocked says which connections were made.
listen_and_knock() {
	local job
	rm -f "$CASE/ready" "$CASE/go"
	guarded "$@" -- "${ATTACK[@]}" &
	job=$!
	wait_until 10 test -e "$CASE/ready" || fail "the listener did not start"
	knock $AGENT4 $AGENT6 >"$CASE/knocked"
	touch "$CASE/go"
	wait $job || fail "the listener failed"
}

test_what_connects_in_from_outside_is_refused_and_loopback_works() {
	policy_feed
	listener
	listen_and_knock
	[ ! -s "$CASE/knocked" ] || fail "$(cat "$CASE/knocked")"
	prints '^local local local local$'
	recorded Reason=inbound NetworkDirection=Inbound NetworkProtocol=TCP SrcIpAddr=192.0.2.1 DvcAction=Drop
	recorded Reason=inbound NetworkDirection=Inbound NetworkProtocol=UDP SrcIpAddr=192.0.2.1
	recorded Reason=inbound NetworkProtocol=TCP "SrcIpAddr=2001:db8:1::*"
	recorded Reason=inbound NetworkProtocol=UDP "SrcIpAddr=2001:db8:1::*"
	says '^blocked .*192.0.2.1'
}

test_in_audit_mode_inbound_gets_in_and_is_recorded() {
	policy_feed
	listener
	listen_and_knock --mode audit
	[ "$(wc -l <"$CASE/knocked")" = 2 ] || fail "not connected: $(cat "$CASE/knocked")"
	prints "$SECRET $SECRET $SECRET $SECRET local local local local"
	recorded Reason=inbound EventResultDetails=Simulation NetworkProtocol=TCP
	recorded Reason=inbound EventResultDetails=Simulation NetworkProtocol=UDP
	not_recorded EventResult=Failure
}

test_an_inbound_rule_lets_its_peers_in_on_its_ports() {
	policy <<-END
	version: 1
	inbound:
	  allow: [ "tcp://192.0.2.0/24:7000", "udp://2001:db8:1::/64:7000" ]
	END
	listener
	listen_and_knock
	[ "$(cat "$CASE/knocked")" = "connected to $AGENT4" ] || fail "$(cat "$CASE/knocked")"
	prints "^$SECRET $SECRET local local local local\$\|^local local local local $SECRET $SECRET\$"
	recorded Reason=inbound "SrcIpAddr=2001:db8:1::*" NetworkProtocol=TCP
	recorded Reason=inbound SrcIpAddr=192.0.2.1 NetworkProtocol=UDP
}

test_a_datagram_that_nobody_asked_for_is_refused_even_from_an_allowed_service() {
	attack <<-'END'
	import os, pathlib, socket, time
	import job
	case = pathlib.Path(os.environ["CASE"])
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.bind(("", 7000))
	sock.settimeout(job.PATIENCE_S)
	sock.sendto(b"ping", ("198.51.100.70", 9999))
	assert sock.recv(10) == b"ping"
	(case / "ready").touch()
	while not (case / "go").exists():
	    time.sleep(0.01)
	sock.settimeout(0.3 * job.SLOW)
	try:
	    print("heard", sock.recvfrom(100))
	except TimeoutError:
	    print("silence")
	END
	policy_feed
	guarded -- "${ATTACK[@]}" &
	wait_until 10 test -e "$CASE/ready" || fail "the job did not start"
	in_outside "$PYTHON" - <<-'END'
	import socket
	for source in (("198.51.100.70", 9998), ("198.51.100.71", 9997), ("203.0.113.66", 5300)):
	    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	    sock.bind(source)
	    sock.sendto(b"unasked", ("192.0.2.2", 7000))
	END
	touch "$CASE/go"
	wait
	prints silence
	recorded Reason=inbound NetworkProtocol=UDP SrcIpAddr=198.51.100.70 SrcPortNumber=9998
}
