# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Families of sockets that pass no hook of a cgroup: not the guard holds them back, but what `make
# install` tells modprobe. An attack is only made where the kernel has the module and may not load it.

CONF=/etc/modprobe.d/buildfence.conf

# would_load ALIAS: the module that a request for it loads where nobody says otherwise, or nothing.
would_load() { modprobe --config /dev/null --quiet --dry-run --show-depends "$1" 2>/dev/null | sed -n 's/^insmod //p'; }
is_there() { grep -q "^$1 " /proc/net/protocols; }

# held_back PROTOCOL ALIAS: skips the case where it could prove nothing.
held_back() {
	needs modprobe
	! is_there "$1" || skip "$1 is loaded on this machine: it is open to every job"
	[ -n "$(would_load "$2")" ] || skip "this kernel has no $1"
	[ -e $CONF ] || skip "$CONF is not there: run make install"
}

# A second socket sends by the first, and the packet is no packet of the first one's.
test_l2tp_carries_nothing_out() {
	attack <<-'END'
	import ctypes, os, socket, struct, sys
	import job
	AF_PPPOX, PX_PROTO_OL2TP = 24, 1
	libc = ctypes.CDLL(None, use_errno=True)
	udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	udp.connect((sys.argv[1], 9999))
	def l2tp(session):
	    sock = job.open_socket(AF_PPPOX, socket.SOCK_DGRAM, PX_PROTO_OL2TP)
	    peer = struct.pack("=HIii16x4H", AF_PPPOX, PX_PROTO_OL2TP, 0, udp.fileno(), 7, session, 7, session)
	    if libc.connect(sock.fileno(), peer, len(peer)):
	        raise OSError(ctypes.get_errno(), "connect")
	    return sock
	tunnel, session = l2tp(0), l2tp(7)
	os.write(session.fileno(), job.SECRET)
	END
	held_back PPPOL2TP net-pf-24-proto-1
	policy_feed
	guarded -- "${ATTACK[@]}" $EVIL4
	status_is 77
	nothing_arrived "$SECRET"
}

# Any user has the right to L2TP's netlink commands, in a namespace of his own, and they load it too.
test_netlink_does_not_load_l2tp() {
	attack <<-'END'
	import socket, struct, sys
	import job
	netlink = job.open_socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
	def attribute(kind, value):
	    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
	def number(kind, value):
	    return attribute(kind, struct.pack("=I", value))
	def call(family, command, attributes):
	    body = struct.pack("=BBH", command, 1, 0) + attributes
	    netlink.send(struct.pack("=IHHII", 16 + len(body), family, 5, 0, 0) + body)
	    answer = netlink.recv(65536)
	    if struct.unpack_from("=Hi", answer, 4)[0] == 2 and struct.unpack_from("=i", answer, 16)[0]:
	        sys.exit("command %d: %d" % (command, struct.unpack_from("=i", answer, 16)[0]))
	    return answer
	# The answer begins with the family's name and number.
	answer = call(16, 3, attribute(2, b"l2tp\0"))
	family = struct.unpack_from("=H", answer, answer.index(struct.pack("=HH", 6, 1)) + 4)[0]
	netlink.recv(65536)
	here = socket.inet_aton("127.0.0.1")
	call(family, 1, number(9, 7) + number(10, 7) + attribute(7, b"\2") + attribute(2, b"\0\0") + attribute(24, here) +
	     attribute(25, here) + attribute(26, b"\1\x1b") + attribute(27, b"\2\x1b"))
	print("tunnel", flush=True)
	call(family, 5, number(9, 7) + number(11, 7) + number(12, 7) + attribute(1, b"\7\0"))
	END
	held_back PPPOL2TP net-l2tp-type-7
	policy_feed
	guarded -- unshare --user --map-root-user --net bash -c 'ip link set lo up; exec "$@"' bash "${ATTACK[@]}"
	prints tunnel
	status_is_not 0
	! is_there PPPOL2TP || fail "it was loaded"
}

# Every family but those that are no part of it: UNIX, INET, INET6, KEY, NETLINK, PACKET, CAN,
# BLUETOOTH, ALG, VSOCK, XDP.
test_no_socket_loads_a_family_that_passes_no_hook() {
	attack <<-'END'
	import socket
	for family in set(range(1, 46)) - {1, 2, 10, 15, 16, 17, 29, 31, 38, 40, 44}:
	    for protocol in 0, 1, 2:
	        try:
	            socket.socket(family, socket.SOCK_DGRAM, protocol).close()
	        except OSError:
	            pass
	try:
	    socket.socket(socket.AF_INET, socket.SOCK_STREAM, 256)
	except OSError:
	    pass
	END
	local family found=
	needs modprobe
	[ -e $CONF ] || skip "$CONF is not there: run make install"
	for family in $(sed -n 's/^alias \([^*]*\) off$/\1/p' $CONF); do
		found+=$(would_load $family)
	done
	[ -n "$found" ] || skip "this kernel has no such module"
	cut -d ' ' -f 1 /proc/net/protocols | sort >"$CASE/before"
	policy_feed
	guarded -- "${ATTACK[@]}"
	status_is 0
	cut -d ' ' -f 1 /proc/net/protocols | sort >"$CASE/after"
	comm -13 "$CASE/before" "$CASE/after" >"$CASE/out"
	[ ! -s "$CASE/out" ] || fail "loaded: $(tr '\n' ' ' <"$CASE/out")"
}

# SMC makes its TCP connection by a socket that the kernel made: in the job's cgroup all the same.
test_what_smc_connects_is_judged() {
	attack <<-'END'
	import ctypes, os, socket, struct, sys
	import job
	libc = ctypes.CDLL(None, use_errno=True)
	sock = job.open_socket(43, socket.SOCK_STREAM, 0)
	peer = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", 8080, socket.inet_aton(sys.argv[1]))
	if libc.connect(sock.fileno(), peer, len(peer)):
	    sys.exit("connect: " + os.strerror(ctypes.get_errno()))
	os.write(sock.fileno(), job.SECRET + b"\r\n\r\n")
	os.read(sock.fileno(), 100)
	END
	policy_feed
	verdict not-allowed "${ATTACK[@]}" $EVIL4
}
