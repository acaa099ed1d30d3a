# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What this kernel does, seen by trying: cases for tests/e2e/run in a machine of run. They add lines
# "seen NAME WHAT" to the file $SEEN, which become MATRIX.md, under the names that the doctor uses:
# the last case asks it, and it must say the same.

# The hooks, and what its record says of the attempt that only this hook refuses.
HOOKS="
connect4 Hook=connect DstIpAddr=203.0.113.66
connect6 Hook=connect DstIpAddr=2001:db8:e::66
sendmsg4 Hook=sendmsg DstIpAddr=203.0.113.66
sendmsg6 Hook=sendmsg DstIpAddr=2001:db8:e::66
egress Hook=egress DstIpAddr=203.0.113.66
ingress Hook=ingress SrcIpAddr=192.0.2.1
sock_create Hook=sock_create Reason=socket-type
"

see() { echo "seen $*" >>"$SEEN"; }
see_if() {
	local name=$1
	shift
	if ("$@") >/dev/null 2>&1; then see "$name" yes; else see "$name" no; fi
}

# attempt HOOK: one guarded job; $CASE/out is what its caller got.
attempt() {
	local job
	rm -f "$CASE/ready" "$CASE/go"
	[ "$1" != ingress ] || rm -f "$CASE/out"
	guarded -- "$PYTHON" "$WORLD_TOP/vmtest/seen.py" "$1" &
	job=$!
	if [ "$1" = ingress ]; then
		wait_until 10 test -e "$CASE/ready" || fail "the listener did not start"
		in_outside bash -c "echo knock >/dev/udp/$AGENT4/7000"
		touch "$CASE/go"
	fi
	wait $job || fail "the attempt failed"
}

# attempt_is_seen HOOK FIELD=VALUE...: refused, and by this hook.
attempt_is_seen() {
	local hook=$1
	shift
	attempt "$hook"
	! grep -q passed "$CASE/out" || fail "$hook: it passed"
	recorded "$@"
}

test_each_hook_refuses_what_only_it_can_refuse() {
	local hook record got
	policy_feed
	while read -r hook record; do
		[ -n "$hook" ] || continue
		attempt_is_seen $hook $record
		got=$(<"$CASE/out")
		see "kernel-hook-${hook//_/-}" yes "$got"
		if [ $hook = sock_create ]; then
			see_if kernel-set-retval [ "$got" = EPROTONOSUPPORT ]
		elif [ $hook = egress ]; then
			see_if process-in-egress-records recorded $record "SrcProcessName=*python3*"
		elif [ $hook = ingress ]; then
			see_if process-in-ingress-records recorded $record "DstProcessName=*python3*"
		fi
	done <<<"$HOOKS"
	# A job's sockets were refused, by the guard's own programs and maps: so these are there.
	for hook in object ring-buffer socket-storage cgroup-storage name-tries socket-cgroup; do
		see kernel-$hook yes
	done
}

# The job, being root, takes one hook off before it tries: the same checks must now fail, or they
# would not notice a hook that does nothing.
test_a_hook_that_is_taken_off_is_missed() {
	local hook record
	policy_feed
	cat >"$CASE/disarmed" <<-END
	#!/bin/bash
	options=()
	while [ "\$1" != -- ]; do options+=("\$1"); shift; done
	shift
	exec "$BUILDFENCE" "\${options[@]}" -- bash -c \
		'bpftool link detach pinned /sys/fs/bpf/buildfence/*/*/guard_\$HOOK && exec "\$@"' bash "\$@"
	END
	chmod +x "$CASE/disarmed"
	while read -r hook record; do
		[ -n "$hook" ] || continue
		if (BUILDFENCE=$CASE/disarmed HOOK=$hook && export HOOK && attempt_is_seen $hook $record) >"$CASE/missed"; then
			fail "$hook was taken off, and nothing was missed"
		fi
		! grep -q 'Error\|guard did not start' "$CASE/err" "$CASE/missed" || fail "$hook cannot be taken off: $(cat "$CASE/err")"
	done <<<"$HOOKS"
}

# Starts a process by clone3() in the cgroup whose descriptor it is given.
clone_into() {
	"$PYTHON" - "$1" <<-'END'
	import ctypes, os, struct, sys
	CLONE_INTO_CGROUP, SIGCHLD, SYS_CLONE3 = 0x200000000, 17, 435
	folder = os.open(sys.argv[1], os.O_RDONLY)
	arguments = struct.pack("11Q", CLONE_INTO_CGROUP, 0, 0, 0, SIGCHLD, 0, 0, 0, 0, 0, folder)
	child = ctypes.CDLL(None).syscall(SYS_CLONE3, arguments, len(arguments))
	if not child:
	    os._exit(0 if sys.argv[1].endswith(open("/proc/self/cgroup").read().split("::")[1].strip()) else 1)
	sys.exit(os.waitpid(child, 0)[1] if child > 0 else 1)
	END
}

killed_by_file() {
	local status
	sleep 100 &
	echo $! >"$1/cgroup.procs" && echo 1 >"$1/cgroup.kill"
	status=$?
	kill $!
	wait $!
	return $status
}

connection_is_reset() {
	in_agent "$PYTHON" - <<-'END'
	import socket, subprocess
	server = socket.create_server(("127.0.0.1", 0))
	client = socket.create_connection(server.getsockname(), 5)
	port = str(server.getsockname()[1])
	subprocess.run(["ss", "-K", "dst", "127.0.0.1", "dport", "=", port], check=True)
	try:
	    client.sendall(b"still there?")
	    raise SystemExit("it is")
	except OSError:
	    pass
	END
}

programs_are_compiled() {
	guarded -- bpftool prog list
	grep -A 2 guard_egress "$CASE/out" | grep -qw jited
}

test_features_that_no_hook_shows() {
	local cgroup=$CASE_CGROUP/empty features
	features=$(cd "$WORLD_TOP" && realpath "${O:-build}/vmtest/features")
	policy_feed
	mkdir "$cgroup"
	"$features" "$features.bpf.o" "$cgroup" >>"$SEEN" || fail "features failed"
	# In this order: 6.18 kills also what is started later in a cgroup that was killed once.
	see_if kernel-clone-into-cgroup clone_into "$cgroup"
	see_if kernel-cgroup-kill killed_by_file "$cgroup"
	see_if kernel-sock-destroy connection_is_reset
	see_if kernel-jit programs_are_compiled
	see_if kernel-btf test -s /sys/kernel/btf/vmlinux
	wait_until 10 rmdir "$cgroup" 2>/dev/null || fail "the cgroup is not empty"
}

test_the_doctor_says_what_was_seen() {
	"$BUILDFENCE" doctor --json >"$CASE/doctor" 2>"$CASE/err" || fail "this machine is not fit: $(cat "$CASE/doctor")"
	"$PYTHON" - "$SEEN" "$CASE/doctor" >"$CASE/out" <<-'END' || fail "the doctor disagrees"
	import json, sys
	seen = {words[1]: words[2] for words in map(str.split, open(sys.argv[1]))}
	said = {check["Check"]: check["Found"] for check in json.load(open(sys.argv[2]))
	        if check["Check"].startswith("kernel-")}
	faults = ["%s: nobody tried, the doctor says '%s'" % (name, said[name]) for name in said if name not in seen]
	for name in seen:
	    if name.startswith("kernel-") and said.get(name, "nothing").split(";")[0] != seen[name]:
	        faults.append("%s: seen '%s', the doctor says '%s'" % (name, seen[name], said.get(name)))
	print(*faults, sep="\n")
	sys.exit(bool(faults))
	END
}
