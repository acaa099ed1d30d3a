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
	folder, slow = os.environ["CASE"], float(os.environ.get("SLOW") or 1)
	address = socket.getaddrinfo(host, port, socket.AF_INET)[0][4]
	sent = failed = 0
	first = ""
	while not os.path.exists(folder + "/stop"):
	    try:
	        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
	            sock.settimeout(5 * slow)
	            sock.sendto(b"ping", address)
	            sock.recv(100)
	    except OSError as error:
	        failed += 1
	        first = first or "%.2f s: %s" % (time.monotonic(), error)
	    sent += 1
	    if sent == 1:
	        open("%s/started-%s" % (folder, name), "w")
	    time.sleep(0.02 * slow)
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

# As logs are rotated: the file is renamed, then a reload. What stands in the configuration is not its matter.
test_daemon_reload_opens_a_new_file_of_records_even_if_it_is_refused() {
	daemon_with_feed
	! forge alpha $JOB tcp $EVIL4 8080 2>/dev/null || fail "the job reached $EVIL4"
	recorded ForgeJobId=alpha
	mkdir "$CASE_CGROUP/other"
	ctl attach --job other --cgroup "$CASE_CGROUP/other" || fail "cannot attach"
	attempt() { ! inside "$CASE_CGROUP/other" $JOB tcp $EVIL4 "$1" 2>/dev/null || fail "the job reached $EVIL4:$1"; }
	stands() { wait_until 10 grep -q "\"DstPortNumber\":$1" "$2" || fail "no record of port $1 in $2"; }
	attempt 8081
	stands 8081 "$RECORDS"
	mv "$RECORDS" "$RECORDS.1"
	attempt 8082
	stands 8082 "$RECORDS.1"
	echo 'polcy: none' >>"$CASE/config.yaml"
	! ctl reload 2>"$CASE/reload" || fail "a bad configuration was taken"
	grep -q "unknown key 'polcy'" "$CASE/reload" || fail "it says: $(cat "$CASE/reload")"
	attempt 8083
	attempt 8084
	stands 8083 "$RECORDS"
	stands 8084 "$RECORDS"
	# Further on than where the job began in the file before.
	ctl events --job other >"$CASE/own" || fail "no events"
	[ "$(grep -c '"JobName":"other"' "$CASE/own")" = 2 ] || fail "the job's own records are $(cat "$CASE/own")"
	rm "$CASE/events"
	cat "$RECORDS.1" "$RECORDS" >"$CASE/events"
	count JobName=other EventResult=Failure
	[ "$COUNT" = 4 ] || fail "$COUNT attempts are recorded, not 4"
	ctl detach --job other || fail "cannot detach"
	rmdir "$CASE_CGROUP/other"
	nothing_left
}

# Without a descriptor to spare there is no new watch for workers: then the old one stays, whole.
test_daemon_reload_that_fails_half_way_changes_nothing() {
	daemon_with_feed
	local room
	for room in 2 3 4 6 8; do
		prlimit --pid $DAEMON --nofile=$(($(ls "/proc/$DAEMON/fd" | wc -l) + room)):
		! ctl reload 2>"$CASE/reload" || break
	done
	prlimit --pid $DAEMON --nofile=4096:
	grep -q "workers" "$CASE/reload" || fail "no reload failed at the watch: $(cat "$CASE/reload")"
	forge alpha $JOB tcp $EVIL4 8080 2>/dev/null && fail "the job reached $EVIL4"
	recorded ForgeJobId=alpha Reason=not-allowed
	nothing_left
}

policies_loaded() { ctl status --json | grep -o '"source"' | wc -l; }

# Many jobs of other agents, each with a policy file of its own: none stays behind, none is stale.
test_daemon_reload_is_not_needed_for_policies_of_attach() {
	policy_feed
	config <<-END
	policies:
	  - { definition: a, policy: $CASE/policy.yaml }
	  - { definition: b, policy: $CASE/second.yaml }
	  - { definition: c, policy: $CASE/second.yaml }
	limits: { policies: 2 }
	END
	cp policy.yaml second.yaml
	daemon_start
	[ "$(policies_loaded)" = 2 ] || fail "not loaded once each: $(ctl status --json)"
	mkdir "$CASE_CGROUP/other"
	local i
	for i in $(seq 8); do
		printf 'version: 1\nallow: [ https://feed%d.example ]\n' "$i" >"$CASE/own.yaml"
		ctl attach --job other --cgroup "$CASE_CGROUP/other" --policy "$CASE/own.yaml" || fail "attach $i"
		ctl jobs --json | grep -o '"policy_hash": *"[^"]*"' >>"$CASE/hashes"
		ctl detach --job other || fail "detach $i"
		sleep 1
	done
	[ "$(sort -u "$CASE/hashes" | wc -l)" = 8 ] || fail "the policy is not what the file says: $(cat "$CASE/hashes")"
	wait_until 10 policies_are 2 || fail "policies stay behind: $(ctl status --json)"
	rmdir "$CASE_CGROUP/other"
	nothing_left
}
policies_are() { [ "$(policies_loaded)" = "$1" ]; }

# Nobody asks for it: the policy is compiled again when resolv.conf changes.
test_daemon_reload_is_not_needed_for_another_resolver() {
	daemon_with_feed
	cat >"$CASE/steps" <<-END
	$JOB ask feed.example A $DNS6 >/dev/null 2>&1 && exit 2
	touch "$CASE/before"
	until [ -e "$CASE/changed" ]; do sleep 0.02; done
	for try in \$(seq 100); do
		$JOB ask feed.example A $DNS6 >/dev/null 2>&1 && break
		sleep 0.1
	done
	$JOB ask feed.example A $DNS6 >/dev/null || exit 3
	sleep 8
	$JOB ask feed.example A $DNS6 >/dev/null || exit 4
	$JOB ask feed.example A $DNS4 && exit 5
	exit 0
	END
	forge alpha bash "$CASE/steps" 2>/dev/null &
	local job=$! status
	wait_until 20 test -e "$CASE/before" || fail "the job did not begin"
	echo "nameserver $DNS6" >"$WORLD/resolv.conf"
	touch "$CASE/changed"
	wait $job
	status=$?
	echo "nameserver $DNS4" >"$WORLD/resolv.conf"
	[ $status = 0 ] || fail "the job ended with $status"
	recorded ForgeJobId=alpha EventResult=Failure DstIpAddr=$DNS6 Reason=dns-server PolicyName=policy
	recorded ForgeJobId=alpha EventResult=Failure DstIpAddr=$DNS4 Reason=dns-server PolicyName=policy
	nothing_left
}

# The reload reads the new resolvers, and refuses a policy of attach's: the resolvers are not lost with it.
test_daemon_reload_that_is_refused_keeps_no_old_resolver() {
	daemon_with_feed
	mkdir "$CASE_CGROUP/other"
	cp "$CASE/policy.yaml" "$CASE/own.yaml"
	ctl attach --job other --cgroup "$CASE_CGROUP/other" --policy "$CASE/own.yaml" || fail "cannot attach"
	asks_new() { inside "$CASE_CGROUP/other" $JOB ask feed.example A $DNS6 >/dev/null 2>&1; }
	! asks_new || fail "$DNS6 is asked already"
	echo "alow: []" >>"$CASE/own.yaml"
	# The daemon looks every second: nearly always it finds the change when it reloads, not before.
	echo "nameserver $DNS6" >"$WORLD/resolv.conf"
	! ctl reload >"$CASE/out" 2>&1 || fail "the bad policy was taken"
	wait_until 5 asks_new
	local status=$?
	echo "nameserver $DNS4" >"$WORLD/resolv.conf"
	[ $status = 0 ] || fail "the new resolver is not known: $(cat "$CASE/out")"
	ctl detach --job other || fail "cannot detach"
	rmdir "$CASE_CGROUP/other"
	nothing_left
}

hash_of() { ctl jobs --json | jobs_lines | sed -n "s/.*\"name\": \"$1\".*\"policy_hash\": \"\([0-9a-f]*\)\".*/\1/p"; }
same_policy() { [ -n "$(hash_of first)" ] && [ "$(hash_of first)" = "$(hash_of second)" ]; }

# Its policy's file was not there when the daemon began: the job catches up once it is loaded.
test_daemon_reload_is_not_needed_for_a_policy_that_comes_late() {
	daemon_with_feed
	mkdir "$CASE_CGROUP/first" "$CASE_CGROUP/second"
	cp policy.yaml own.yaml
	ctl attach --job first --cgroup "$CASE_CGROUP/first" --policy "$CASE/own.yaml" || fail "cannot attach"
	daemon_kill KILL
	rm own.yaml
	daemon_start
	says "job 'first' keeps the policy that it has"
	printf 'version: 1\nallow: [ https://other.example ]\n' >own.yaml
	ctl attach --job second --cgroup "$CASE_CGROUP/second" --policy "$CASE/own.yaml" || fail "cannot attach again"
	wait_until 10 same_policy || fail "the jobs differ: $(ctl jobs --json)"
	! inside "$CASE_CGROUP/first" $JOB tcp feed.example 8080 2>/dev/null || fail "the revoked rule still acts"
	ctl detach --job first && ctl detach --job second || fail "cannot detach"
	rmdir "$CASE_CGROUP/first" "$CASE_CGROUP/second"
	nothing_left
}

# No allowed packet is lost while policies change under 50 jobs.
test_daemon_reload_under_traffic_loses_nothing() {
	daemon_with_feed
	sender
	local i jobs=$((LOAD / 2))
	for i in $(seq $jobs); do
		forge "j$i" "$PYTHON" "$CASE/sender.py" "$i" 198.51.100.64 9999 &
	done
	started() { [ "$(find "$CASE" -name 'started-*' | wc -l)" = $jobs ]; }
	wait_until 60 started || fail "only $(find "$CASE" -name 'started-*' | wc -l) of $jobs began"
	for i in $(seq 20); do
		printf '  - https://more%d.example\n' "$i" >>"$CASE/policy.yaml"
		ctl reload || fail "reload $i failed"
		sleep 0.2
	done
	touch "$CASE/stop"
	wait_until 30 no_jobs
	local sent failed
	read -r sent failed < <(cat "$CASE"/sent-* | awk '{ s += $1; f += $2 } END { print s, f }')
	echo "# $sent datagrams of $jobs jobs over 20 reloads, $failed failed"
	[ "$failed" = 0 ] && [ "$sent" -gt $((20 * jobs)) ] || fail "$failed of $sent failed: $(cat "$CASE"/sent-* | grep -v ' 0 ' | head -n 3)"
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

# One job ends and another is refused something while nobody is there to write either down.
test_daemon_killed_jobs_end_and_go_on_without_it() {
	policy_feed
	config </dev/null
	daemon_start
	records_are
	local name
	for name in first second; do
		mkdir "$CASE_CGROUP/$name"
		ctl attach --job $name --cgroup "$CASE_CGROUP/$name" || fail "cannot attach $name"
	done
	daemon_kill KILL
	rmdir "$CASE_CGROUP/first"
	! in_agent bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' - "$CASE_CGROUP/second" \
		$JOB tcp $EVIL4 8080 2>/dev/null || fail "the second job reached $EVIL4"
	daemon_start
	count JobName=second EventResult=Failure
	[ "$COUNT" = 1 ] || fail "$COUNT attempts are recorded, not 1"
	rmdir "$CASE_CGROUP/second"
	nothing_left
}

# Nothing tells of the job but its links, which are in force: a socket that was left is open.
test_daemon_killed_a_cgroup_that_is_gone_and_has_no_record_is_no_obstacle() {
	daemon_with_feed
	mkdir "$CASE_CGROUP/other"
	ctl attach --job other --cgroup "$CASE_CGROUP/other" || fail "cannot attach"
	socket_outlives "$CASE_CGROUP/other" inside "$CASE_CGROUP/other" $PYTHON "$CASE/left.py"
	daemon_kill KILL
	rmdir "$CASE_CGROUP/other"
	rm "$CASE"/state/jobs/*.json
	socket_is refused
	daemon_start
	socket_is refused
	touch "$CASE/close"
	nothing_left
	count DstPortNumber=9999 EventResult=Failure
	[ "$COUNT" = 2 ] || fail "$COUNT attempts are recorded, not 2"
	nothing_arrived "$SECRET"
}

# The moment that random kills hardly ever find: the record is in the file, and nothing else knows.
test_daemon_killed_between_a_record_and_its_account() {
	needs strace
	daemon_with_feed
	mkdir "$CASE_CGROUP/other"
	ctl attach --job other --cgroup "$CASE_CGROUP/other" || fail "cannot attach"
	daemon_kill KILL
	! inside "$CASE_CGROUP/other" $JOB tcp $EVIL4 8080 2>/dev/null || fail "the job reached $EVIL4"
	# -D: the daemon stays our child. Its first record holds it for as long as we need.
	DAEMON_UNDER=(strace -D -qq -o /dev/null -P "$RECORDS" -e trace=writev
		-e inject=writev:delay_exit=5000000:when=1)
	daemon_spawn
	DAEMON_UNDER=()
	wait_until 20 test -s "$RECORDS" || fail "no record was written"
	daemon_kill KILL
	[ "$(wc -l <"$RECORDS")" = 1 ] || fail "more than one record was written"
	daemon_start
	ctl detach --job other || fail "cannot detach"
	count JobName=other EventResult=Failure
	[ "$COUNT" = 1 ] || fail "$COUNT attempts are recorded, not 1"
	rmdir "$CASE_CGROUP/other"
	nothing_left
}
