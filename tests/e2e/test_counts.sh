# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# However many attempts: the sum of EventCount is exact, and few records tell it.

test_a_million_refused_datagrams_are_counted_exactly() {
	policy_feed
	LIMIT=120 guarded -- "$TOOLS/e2e/flood" $EVIL4 9999 1000000
	status_is 0
	prints '^1000000$'
	count DstIpAddr=$EVIL4 Reason=not-allowed
	[ "$COUNT" = 1000000 ] || fail "the records count $COUNT attempts"
	[ "$(wc -l <"$CASE/events")" -lt 200 ] || fail "$(wc -l <"$CASE/events") records: not folded"
	nothing_arrived "$EVIL4"
}

test_a_flood_does_not_hide_a_single_attempt() {
	policy_feed
	LIMIT=120 guarded -- bash -c "$TOOLS/e2e/flood $EVIL4 9999 200000 & sleep 0.1; $JOB tcp $EVIL6 8080; wait"
	recorded DstIpAddr=$EVIL6 DstPortNumber=8080 NetworkProtocol=TCP
	count DstIpAddr=$EVIL4
	[ "$COUNT" = 200000 ] || fail "the records count $COUNT attempts"
	says "blocked .*2001:db8:e::66.*8080"
}

# Every destination is a kind of its own: more kinds than can be kept apart must still add up.
test_attempts_at_a_hundred_thousand_destinations_add_up() {
	attack <<-'END'
	import socket
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	refused = 0
	for number in range(100000):
	    try:
	        sock.sendto(b"x", ("203.0.113.%d" % (number % 200), 1024 + number // 2))
	    except PermissionError:
	        refused += 1
	print(refused)
	END
	policy_feed
	LIMIT=120 guarded -- "${ATTACK[@]}"
	prints '^100000$'
	count
	[ "$COUNT" = 100000 ] || fail "the records count $COUNT attempts"
}

test_names_refused_in_a_flood_are_counted_exactly() {
	attack <<-'END'
	import socket
	import job
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.connect(("192.0.2.53", 53))
	refused = 0
	for number in range(20000):
	    try:
	        sock.send(job.question("n%d.evil.example" % (number % 1000), number=number & 0xFFFF))
	    except PermissionError:
	        refused += 1
	print(refused)
	END
	policy_feed
	LIMIT=120 guarded -- "${ATTACK[@]}"
	prints '^20000$'
	count Reason=dns-name
	[ "$COUNT" = 20000 ] || fail "the records count $COUNT attempts"
	not_asked 'n[0-9]*.evil.example'
}
