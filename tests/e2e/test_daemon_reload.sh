# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Policies that change under running jobs, and a daemon that dies under them.

. "$HERE/daemon.sh"

# A step that sends a datagram to the feed every 10 ms and writes down what came back, until it is
# told to end.
sender() {
	cat >"$CASE/sender.py" <<-'END'
	import os, socket, sys, time
	name, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
	folder = os.environ["CASE"]
	address = socket.getaddrinfo(host, port, socket.AF_INET)[0][4]
	sent = failed = 0
	first = ""
	while not os.path.exists(folder + "/stop"):
	    try:
	        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
	            sock.settimeout(5)
	            sock.sendto(b"ping", address)
	            sock.recv(100)
	    except OSError as error:
	        failed += 1
	        first = first or "%.2f s: %s" % (time.monotonic(), error)
	    sent += 1
	    if sent == 1:
	        open("%s/started-%s" % (folder, name), "w")
	    time.sleep(0.02)
	with open("%s/sent-%s" % (folder, name), "w") as out:
	    print(sent, failed, first, file=out)
	END
}

test_daemon_reload_revokes_at_once() {
	daemon_with_feed
	cat >"$CASE/steps" <<-END
	$JOB tcp feed.example 8080 >/dev/null || exit 1
	touch "$CASE/before"
	until [ -e "$CASE/reloaded" ]; do sleep 0.02; done
	$JOB tcp feed.example 8080 >/dev/null 2>&1 && exit 2
	exit 0
	END
	forge alpha bash "$CASE/steps" &
	local job=$!
	wait_until 20 test -e "$CASE/before" || fail "the job did not begin"
	policy <<-END
	version: 1
	allow: [ https://other.example ]
	END
	ctl reload || fail "cannot reload"
	touch "$CASE/reloaded"
	wait $job || fail "the job ended with $?: 2 says that the revoked rule still acted"
	nothing_left
	recorded ForgeJobId=alpha EventResult=Failure
}

test_daemon_reload_refuses_a_bad_policy() {
	daemon_with_feed
	policy <<-END
	version: 1
	allow: [ "https://feed.example:99999" ]
	END
	! ctl reload 2>"$CASE/reload" || fail "a bad policy was taken"
	grep -q "policy.yaml:2:.*99999" "$CASE/reload" || fail "it says: $(cat "$CASE/reload")"
	forge alpha $JOB tcp feed.example 8080 >/dev/null || fail "the old policy is not in force"
	kill -HUP $DAEMON
	wait_until 5 grep -q "not reloaded" "$CASE/err" || fail "the log does not say why"
	nothing_left
}

# No allowed packet is lost while policies change under 50 jobs.
test_daemon_reload_under_traffic_loses_nothing() {
	daemon_with_feed
	sender
	local i
	for i in $(seq 50); do
		forge "j$i" "$PYTHON" "$CASE/sender.py" "$i" 198.51.100.64 9999 &
	done
	started() { [ "$(find "$CASE" -name 'started-*' | wc -l)" = 50 ]; }
	LIMIT=60 wait_until 60 started || fail "only $(find "$CASE" -name 'started-*' | wc -l) of 50 began"
	for i in $(seq 20); do
		printf '  - https://more%d.example\n' "$i" >>"$CASE/policy.yaml"
		ctl reload || fail "reload $i failed"
		sleep 0.2
	done
	touch "$CASE/stop"
	wait_until 30 no_jobs
	local sent failed
	read -r sent failed < <(cat "$CASE"/sent-* | awk '{ s += $1; f += $2 } END { print s, f }')
	echo "# $sent datagrams of 50 jobs over 20 reloads, $failed failed"
	[ "$failed" = 0 ] && [ "$sent" -gt 5000 ] || fail "$failed of $sent failed: $(cat "$CASE"/sent-* | grep -v ' 0 ' | head -n 3)"
	not_recorded
}

test_daemon_killed_the_guard_stays() {
	daemon_with_feed
	cat >"$CASE/steps" <<-END
	touch "$CASE/before"
	until [ -e "$CASE/killed" ]; do sleep 0.02; done
	for i in 1 2 3; do $JOB tcp $EVIL4 8080 && exit 2; done
	$JOB tcp feed.example 8080 || exit 3
	touch "$CASE/after"
	until [ -e "$CASE/again" ]; do sleep 0.02; done
	$JOB tcp $EVIL4 9 && exit 4
	exit 0
	END
	forge alpha bash "$CASE/steps" >/dev/null 2>&1 &
	local job=$!
	wait_until 20 test -e "$CASE/before" || fail "the job did not begin"
	daemon_kill KILL
	touch "$CASE/killed"
	wait_until 20 test -e "$CASE/after" || fail "the job did not go on"
	daemon_start
	says "took over 1 guarded job"
	touch "$CASE/again"
	wait $job || fail "the job ended with $?"
	nothing_arrived "$EVIL4"
	wait_until 10 no_jobs
	count ForgeJobId=alpha EventResult=Failure
	[ "$COUNT" = 4 ] || fail "$COUNT attempts are recorded, not 4"
	nothing_left
}

# Told to end, the daemon leaves everything as it is.
test_daemon_stopped_the_guard_stays() {
	daemon_with_feed
	cat >"$CASE/steps" <<-END
	touch "$CASE/before"
	until [ -e "$CASE/stopped" ]; do sleep 0.02; done
	$JOB tcp $EVIL4 8080 && exit 2
	exit 0
	END
	forge alpha bash "$CASE/steps" >/dev/null 2>&1 &
	local job=$!
	wait_until 20 test -e "$CASE/before" || fail "the job did not begin"
	daemon_kill TERM
	[ $DAEMON_STATUS = 0 ] || fail "told to end, it exits with $DAEMON_STATUS"
	touch "$CASE/stopped"
	wait $job || fail "the job ended with $?"
	daemon_start
	count ForgeJobId=alpha EventResult=Failure
	[ "$COUNT" = 1 ] || fail "$COUNT attempts are recorded, not 1"
	nothing_left
}

# Reading what one job that never began has left, the daemon finds others' refusals as well.
test_daemon_killed_with_one_job_half_begun_and_anothers_refusals_unread() {
	daemon_with_feed
	step <<-END
	touch "\$CASE/marks/\$FORGE_JOB"
	[ \$FORGE_JOB = first ] && until [ -e "\$CASE/killed" ]; do sleep 0.02; done
	[ \$FORGE_JOB = first ] || $JOB tcp $EVIL4 8080
	touch "\$CASE/marks/tried-\$FORGE_JOB"
	until [ -e "\$CASE/killed" ]; do sleep 0.02; done
	exit 0
	END
	local jobs=() name
	for name in first second; do
		forge $name bash "$CASE/step" 2>/dev/null &
		jobs+=($!)
		wait_until 20 jobs_know 1 "\"ForgeJobId\": \"$name\"" || fail "the $name job is not known"
	done
	kill -STOP $DAEMON
	go
	wait_until 20 test -e "$CASE/marks/tried-second" || fail "the second job did not try"
	daemon_kill KILL
	touch "$CASE/killed"
	wait "${jobs[@]}"
	rm "/sys/fs/bpf/buildfence/$PINS/jobs/1"/*
	daemon_start
	nothing_left
	count ForgeJobId=second EventResult=Failure
	[ "$COUNT" = 1 ] || fail "$COUNT attempts are recorded, not 1"
}
