# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Verdicts by address: every transport and family, to what the policy names and to what it does not.

MAPPED=::ffff:$EVIL4

# How, host, port, reason.
REFUSED="
tcp $EVIL4 8080 not-allowed
tcp $EVIL6 8080 not-allowed
tcp $MAPPED 8080 not-allowed
udp $EVIL4 9999 not-allowed
udp $EVIL6 9999 not-allowed
udp $MAPPED 9999 not-allowed
udp-connected $EVIL4 9999 not-allowed
udp-connected $EVIL6 9999 not-allowed
udp-connected $MAPPED 9999 not-allowed
sendmsg $EVIL4 9999 not-allowed
sendmsg $EVIL6 9999 not-allowed
sendmsg $MAPPED 9999 not-allowed
tcp 198.51.100.70 9000 port
tcp ::ffff:198.51.100.70 9000 port
tcp 2001:db8:a:64::1 9000 port
udp 198.51.100.70 123 port
udp 2001:db8:a:64::1 123 port
udp 198.51.100.70 443 port
tcp 198.51.100.63 8080 not-allowed
tcp 2001:db8:a:65::1 8080 not-allowed
"

ALLOWED="
tcp 198.51.100.70 8080
tcp 198.51.100.64 8080
tcp 198.51.100.127 8080
tcp ::ffff:198.51.100.70 8080
tcp 2001:db8:a:64::1 8080
udp 198.51.100.70 9999
udp 2001:db8:a:64::1 9999
udp ::ffff:198.51.100.70 9999
udp-connected 198.51.100.70 9999
udp-connected 2001:db8:a:64::1 9999
udp-connected ::ffff:198.51.100.70 9999
sendmsg 198.51.100.70 9999
sendmsg 2001:db8:a:64::1 9999
"

refused_rows() {
	local how host port reason
	policy_feed
	while read -r how host port reason; do
		[ -n "$how" ] && [[ $how == $1* ]] || continue
		new_secret
		echo "# row: $how $host $port"
		verdict "$reason" $JOB "$how" "$host" "$port"
		recorded "Reason=$reason" "DstPortNumber=$port" NetworkDirection=Outbound
	done <<<"$REFUSED"
}

test_tcp_to_what_no_rule_names_is_refused_in_every_family() { refused_rows tcp; }
test_udp_to_what_no_rule_names_is_refused_connected_or_not() { refused_rows udp; }
test_sendmsg_to_what_no_rule_names_is_refused() { refused_rows sendmsg; }

test_an_allowed_range_is_reached_over_every_transport() {
	local how host port
	policy_feed
	while read -r how host port; do
		[ -n "$how" ] || continue
		new_secret
		echo "# row: $how $host $port"
		guarded -- $JOB "$how" "$host" "$port"
		status_is 0
		arrived "$SECRET"
		not_recorded
	done <<<"$ALLOWED"
}

test_the_record_names_the_destination_and_the_process() {
	policy_feed
	guarded -- $JOB tcp $EVIL4 8080
	recorded DstIpAddr=$EVIL4 DstPortNumber=8080 NetworkProtocol=TCP DvcAction=Deny "SrcProcessName=*python*" \
		SrcUsername=root Hook=connect
	says "blocked .*python.* -> $EVIL4:8080/tcp"
	guarded -- $JOB udp $EVIL6 9999
	recorded DstIpAddr=$EVIL6 DstPortNumber=9999 NetworkProtocol=UDP DvcAction=Deny Hook=sendmsg
}

test_a_refused_connect_fails_at_once_in_every_client() {
	policy_feed
	needs curl
	local url
	for url in http://$EVIL4:8080/ "http://[$EVIL6]:8080/" http://paste.example:8080/; do
		refused_at_once curl -sS -o /dev/null -w '%{time_total}' "$url"
		status_is_not 0
	done
	attack <<-'END'
	import socket, sys, time
	slowest = 0
	for host in sys.argv[1:]:
	    begin = time.monotonic()
	    try:
	        socket.create_connection((host, 8080), 5)
	        sys.exit("connected to " + host)
	    except OSError:
	        slowest = max(slowest, time.monotonic() - begin)
	print(slowest)
	END
	refused_at_once "${ATTACK[@]}" $EVIL4 $EVIL6 paste.example
	status_is 0
	nothing_arrived "$EVIL4|$EVIL6|paste"
}

test_a_refused_connect_fails_at_once_in_node() {
	needs node
	policy_feed
	cat >"$CASE/client.js" <<-'END'
	const net = require("net");
	async function attempt(host) {
	    const begin = performance.now();
	    await new Promise((refused) => {
	        const socket = net.connect(8080, host, () => process.exit(1));
	        socket.on("error", refused);
	    });
	    return (performance.now() - begin) / 1000;
	}
	(async () => {
	    let slowest;
	    for (const round of ["node is compiling", "counts"]) {
	        slowest = 0;
	        for (const host of process.argv.slice(2)) slowest = Math.max(slowest, await attempt(host));
	    }
	    console.log(slowest);
	    process.exit();
	})();
	END
	refused_at_once node "$CASE/client.js" $EVIL4 $EVIL6 paste.example
	status_is 0
	nothing_arrived "$EVIL4|$EVIL6|paste"
}

test_metadata_is_refused_in_milliseconds() {
	local host port
	policy <<-END
	version: 1
	allow: [ "any://0.0.0.0/0" ]
	END
	while read -r host port; do
		new_secret
		verdict metadata $JOB tcp "$host" "$port"
		refused_at_once curl -sS -o /dev/null -w '%{time_total}' "http://$host:$port/"
		status_is_not 0
		recorded EventSeverity=Medium Reason=metadata
	done <<-END
	169.254.169.254 8080
	168.63.129.16 80
	END
}

test_metadata_is_reached_when_the_policy_says_so() {
	policy <<-END
	version: 1
	metadata: allow
	END
	guarded -- curl -sS http://169.254.169.254/metadata/instance
	status_is 0
	prints "hello from 169.254.169.254"
	guarded -- curl -sS http://168.63.129.16/
	status_is 0
}

test_loopback_works_unless_the_policy_denies_it() {
	attack <<-'END'
	import socket
	for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
	    with socket.create_server((host, 0), family=family) as server:
	        client = socket.create_connection(server.getsockname()[:2], 5)
	        server.accept()[0].sendall(b"hello")
	        assert client.recv(5) == b"hello"
	    left, right = (socket.socket(family, socket.SOCK_DGRAM) for _ in "ab")
	    left.bind((host, 0))
	    right.sendto(b"hello", left.getsockname())
	    left.settimeout(5)
	    data, peer = left.recvfrom(5)
	    left.sendto(data, peer)
	    right.settimeout(5)
	    assert right.recv(5) == b"hello"
	END
	policy_feed
	guarded -- "${ATTACK[@]}"
	status_is 0
	not_recorded
	printf 'version: 1\nloopback: deny\n' | policy
	guarded -- "${ATTACK[@]}"
	status_is_not 0
	recorded Reason=loopback
}

test_a_deny_rule_cuts_a_piece_out_of_a_wider_allow() {
	policy <<-END
	version: 1
	allow: [ "tcp://198.51.100.0/24:8080", "https://*.wild.example", "tcp://*.wild.example:8080" ]
	deny: [ "198.51.100.70", "bad.wild.example" ]
	END
	verdict denied-by-rule $JOB tcp 198.51.100.70 8080
	guarded -- $JOB tcp 198.51.100.71 8080
	status_is 0
	guarded -- $JOB tcp ok.wild.example 8080
	status_is 0
	guarded -- $JOB ask bad.wild.example
	status_is 1
	not_asked bad.wild.example
}

test_an_expected_denial_is_refused_but_no_violation() {
	policy <<-END
	version: 1
	expected: [ "tcp://$EVIL4:8080", "https://telemetry.evil.example" ]
	END
	guarded --fail-on-violation -- bash -c "! $JOB tcp $EVIL4 8080 && ! $JOB ask telemetry.evil.example"
	status_is 0
	nothing_arrived "$EVIL4|telemetry"
	not_recorded
	says_not '^blocked'
}
