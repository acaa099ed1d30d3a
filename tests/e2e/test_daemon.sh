# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# The daemon with one job at a time: begin, policy, records, end; what commands see of it.

. "$HERE/daemon.sh"

test_daemon_a_worker_gets_a_cgroup_a_policy_and_a_name() {
	daemon_with_feed
	forge alpha $JOB tcp feed.example 8080 >/dev/null || fail "the job cannot reach its feed"
	! forge beta $JOB tcp $EVIL4 8080 2>/dev/null || fail "the job reached $EVIL4"
	nothing_arrived "$EVIL4"
	recorded Reason=not-allowed DvcAction=Deny 'JobName=forge.*' ForgeJobId=beta \
		ForgePipeline=nightly "CgroupPath=$DAEMON_PATH/job-*" PolicyName=policy
	not_recorded ForgeJobId=alpha
	nothing_left
}

# What it leaves behind is part of it, and its cgroup stays until the last of it is gone.
test_daemon_leftover_processes_keep_the_policy() {
	daemon_with_feed
	cat >"$CASE/leave" <<-'END'
	(sleep 1; "$@"; echo $? >"$CASE/late") </dev/null >/dev/null 2>&1 &
	END
	forge alpha bash "$CASE/leave" $JOB tcp $EVIL4 8080
	jobs_are 1 || fail "the job's cgroup went before its last process"
	wait_until 10 test -s "$CASE/late" || fail "what the job left did not end"
	[ "$(cat "$CASE/late")" != 0 ] || fail "what the job left reached $EVIL4"
	nothing_left
	recorded Reason=not-allowed ForgeJobId=alpha
}

# Only a worker of the runner is one; a job cannot get another policy by bearing its names.
test_daemon_a_false_worker_is_none() {
	daemon_with_feed
	cp "$CASE/bin/$FORGE_WORKER" "$CASE/false-worker"
	in_agent "$CASE/bin/$FORGE_WORKER" true &
	local lone=$!
	cat >"$CASE/inner" <<-END
	"$CASE/bin/$FORGE_RUNNER" sleep 2
	END
	forge alpha bash "$CASE/inner" &
	local job=$!
	wait_until 10 jobs_are 1 || fail "the job did not begin"
	sleep 1
	jobs_are 1 || fail "a job within a job, or a worker without its runner, became one: $(job_cgroups)"
	kill $lone
	wait $job
	nothing_left
}

test_daemon_definitions_choose_policies() {
	policy_feed
	cat >"$CASE/release.yaml" <<-END
	version: 1
	allow: [ https://feed.example, tcp://feed.example:8080, tcp://other.example:8080 ]
	END
	config <<-END
	policies:
	  - { definition: "release-*", agent: "forge-*", policy: release.yaml }
	END
	forge_make
	daemon_start
	records_are
	FORGE_PIPELINE=release-1 forge alpha $JOB tcp other.example 8080 >/dev/null ||
		fail "the release's policy is not in force"
	! forge beta $JOB tcp other.example 8080 2>/dev/null || fail "the nightly reached what only releases may"
	recorded Reason=dns-name ForgePipeline=nightly PolicyName=policy
	not_recorded ForgePipeline=release-1
	nothing_left
}

test_daemon_attach_and_detach_another_agents_job() {
	daemon_with_feed
	inside "$CASE_CGROUP/other" $JOB tcp $EVIL4 8080 >/dev/null || fail "not reachable without a guard"
	ctl attach --job other --cgroup "$CASE_CGROUP/other" || fail "cannot attach"
	! inside "$CASE_CGROUP/other" $JOB tcp $EVIL4 8080 2>/dev/null || fail "the guard is not on"
	inside "$CASE_CGROUP/other" $JOB tcp feed.example 8080 >/dev/null || fail "the feed cannot be reached"
	! ctl attach --job other --cgroup "$CASE_CGROUP/agent" 2>"$CASE/err" || fail "two jobs have one name"
	says "a job 'other' is there already"
	! ctl attach --job second --cgroup "$CASE_CGROUP/other" 2>"$CASE/err" || fail "one cgroup is two jobs"
	says "is guarded already, as job 'other'"
	! ctl attach --job third --cgroup "$CASE_CGROUP/none" 2>"$CASE/err" || fail "no cgroup was attached"
	says "none"
	! ctl attach --job root --cgroup "$CASE_CGROUP" 2>"$CASE/err" || fail "the daemon guards itself"
	says "holds buildfence itself"
	! ctl attach --job bad --cgroup "$CASE_CGROUP/agent" --policy "$CASE/no.yaml" 2>"$CASE/err" ||
		fail "attached without a policy"
	ctl jobs --json | grep -q '"name": *"other"' || fail "jobs does not list it: $(ctl jobs --json)"
	recorded Reason=not-allowed JobName=other "CgroupPath=${CASE_CGROUP#"$CGROUP2"}/other"
	ctl detach --job other || fail "cannot detach"
	inside "$CASE_CGROUP/other" $JOB tcp $EVIL4 8080 >/dev/null || fail "still guarded"
	! ctl detach --job other 2>"$CASE/err" || fail "detached twice"
	says "no job 'other'"
	rmdir "$CASE_CGROUP/other"
	nothing_left
}

# A cgroup of the `guard` list is guarded when it appears, and again when it appears anew: at once, though
# the kernel keeps the programs of the old one for a while.
test_daemon_cgroups_are_guarded_when_they_appear() {
	policy_feed
	config <<-END
	guard:
	  - { cgroup: "${CASE_CGROUP#"$CGROUP2"}/unit-*", policy: $CASE/policy.yaml, name: agents }
	END
	daemon_start
	records_are
	local round
	for round in $(seq 20); do
		mkdir "$CASE_CGROUP/unit-a"
		"$BUILDFENCE" status --socket "$SOCKET" --cgroup "$CASE_CGROUP/unit-a" >/dev/null ||
			fail "round $round: not guarded"
		! inside "$CASE_CGROUP/unit-a" bash -c "exec 3<>/dev/tcp/$EVIL4/8080" 2>/dev/null || fail "round $round: it reached $EVIL4"
		rmdir "$CASE_CGROUP/unit-a"
	done
	! "$BUILDFENCE" status --socket "$SOCKET" --cgroup "$CASE_CGROUP" >/dev/null ||
		fail "a cgroup above counts as guarded"
	recorded Reason=not-allowed "CgroupPath=*/unit-a"
}

guard_of_unit_a() {
	config <<-END
	guard:
	  - { cgroup: "${CASE_CGROUP#"$CGROUP2"}/unit-a", policy: $CASE/$1.yaml, name: agents }
	  - { cgroup: "${CASE_CGROUP#"$CGROUP2"}/unit-*", policy: $CASE/policy.yaml, name: others }
	END
}
unit_a_has() { ctl jobs | grep -q "^agents:.*/unit-a .*$1"; }

# A list that names another policy means those that are guarded already, too: also one of which no record
# is left, which is a job of the list again then, and not somebody's that was attached.
test_daemon_cgroups_of_the_list_have_the_policy_that_it_names() {
	policy_feed
	printf 'version: 1\nallow: [ "tcp://%s:8080" ]\n' "$EVIL4" >"$CASE/second.yaml"
	guard_of_unit_a policy
	daemon_start
	records_are
	mkdir "$CASE_CGROUP/unit-a"
	ctl status --cgroup "$CASE_CGROUP/unit-a" >/dev/null || fail "not guarded"
	! inside "$CASE_CGROUP/unit-a" $JOB tcp $EVIL4 8080 2>/dev/null || fail "it reached $EVIL4"
	guard_of_unit_a second
	ctl reload || fail "the reload failed"
	inside "$CASE_CGROUP/unit-a" $JOB tcp $EVIL4 8080 || fail "it has its old policy"
	says "/unit-a is guarded with another policy now, '$CASE/second.yaml'"
	# Restarted without its records, with the first policy again.
	daemon_kill KILL
	rm "$CASE"/state/jobs/*.json
	guard_of_unit_a policy
	daemon_start
	! inside "$CASE_CGROUP/unit-a" $JOB tcp $EVIL4 8080 2>/dev/null || fail "it keeps the policy that it had"
	unit_a_has policy || fail "it is no job of the list: $(ctl jobs)"
	# It is kept by the next, which finds the record.
	daemon_kill KILL
	daemon_start
	unit_a_has policy || fail "its record is lost: $(ctl jobs)"
	rmdir "$CASE_CGROUP/unit-a"
	wait_until 10 records_of_jobs_are_empty || fail "it does not end"
}

# What an agent's log has to say when its unit was not let start.
test_daemon_status_says_why_a_cgroup_is_not_guarded() {
	policy_feed
	config <<-END
	guard:
	  - { cgroup: "${CASE_CGROUP#"$CGROUP2"}/unit-*", policy: $CASE/policy.yaml, name: agents }
	limits: { jobs: 1 }
	END
	daemon_start
	mkdir "$CASE_CGROUP/unit-a"
	ctl status --cgroup "$CASE_CGROUP/unit-a" >"$CASE/out" || fail "the first is not guarded"
	prints "^${CASE_CGROUP#"$CGROUP2"}/unit-a is guarded$"
	! inside "$CASE_CGROUP/unit-b" "$BUILDFENCE" status --socket "$SOCKET" --cgroup self >"$CASE/out" || fail "two are guarded"
	prints "^${CASE_CGROUP#"$CGROUP2"}/unit-b is not guarded, though an entry of 'guard:' .* covers it; the daemon's log says why$"
	! inside "$CASE_CGROUP/other" "$BUILDFENCE" status --socket "$SOCKET" --cgroup self >"$CASE/out" || fail "the other is guarded"
	prints "^${CASE_CGROUP#"$CGROUP2"}/other is not guarded; no entry of 'guard:' .* covers it$"
	rmdir "$CASE_CGROUP"/{unit-a,unit-b,other}
	nothing_left
}

test_daemon_events_follow_and_a_job_sees_only_its_own() {
	daemon_with_feed
	ctl events --follow >"$CASE/followed" &
	local follower=$!
	cat >"$CASE/steps" <<-END
	$JOB tcp $EVIL4 8080
	sleep 0.3
	"$BUILDFENCE" events --socket "$SOCKET" >"$CASE/own-\$1" 2>"$CASE/err-\$1"
	END
	chmod 777 "$CASE"
	wait_until 10 test -S "$SOCKET"
	forge alpha bash "$CASE/steps" alpha 2>/dev/null
	forge beta setpriv --reuid 65534 --clear-groups bash "$CASE/steps" beta 2>/dev/null
	wait_until 10 grep -q '"ForgeJobId":"beta"' "$CASE/followed" || fail "the follower saw nothing of beta"
	kill $follower
	grep -q '"ForgeJobId":"beta"' "$CASE/own-beta" || fail "beta does not see its own: $(cat "$CASE/err-beta")"
	! grep -q '"ForgeJobId":"alpha"' "$CASE/own-beta" || fail "beta sees alpha's records"
	! setpriv --reuid 65534 --clear-groups "$BUILDFENCE" events --socket "$SOCKET" >"$CASE/out" 2>"$CASE/err" ||
		fail "somebody who is in no job may read records"
	says "only root"
	! setpriv --reuid 65534 --clear-groups "$BUILDFENCE" jobs --socket "$SOCKET" >"$CASE/out" 2>"$CASE/err" ||
		fail "somebody may list jobs"
	nothing_left
}

# Root in a job asks, and ends before the daemon looks who asked; its child reads the answer.
test_daemon_root_in_a_job_cannot_hide_behind_its_end() {
	daemon_with_feed
	cat >"$CASE/ask.py" <<-'END'
	import os, signal, socket, sys, time
	path, daemon, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
	sock = socket.socket(socket.AF_UNIX)
	os.kill(daemon, signal.SIGSTOP)
	sock.connect(path)
	sock.send(b'{"request":"jobs"}\n')
	if not os.fork():
	    time.sleep(0.3)
	    os.kill(daemon, signal.SIGCONT)
	    open(out, "wb").write(sock.recv(65536))
	END
	forge alpha "$PYTHON" "$CASE/ask.py" "$SOCKET" $DAEMON "$CASE/answer"
	wait_until 10 test -s "$CASE/answer" || fail "the daemon did not answer"
	grep -q 'for root only' "$CASE/answer" || fail "it got: $(cat "$CASE/answer")"
	ctl jobs --json >/dev/null || fail "root outside may not ask"
	nothing_left
}

test_daemon_gives_up_what_it_does_not_need() {
	daemon_with_feed
	local status=/proc/$DAEMON/status
	grep -q '^Seccomp:	2$' $status || fail "no seccomp filter: $(grep Seccomp $status)"
	grep -q '^NoNewPrivs:	1$' $status || fail "new privileges are possible"
	grep -q '^CapBnd:	0*$' $status || fail "the bounding set is not empty: $(grep CapBnd $status)"
	[ $((0x$(sed -n 's/^CapEff:\t//p' $status) & (1 << 0 | 1 << 1 | 1 << 6 | 1 << 7 | 1 << 16 | 1 << 18))) = 0 ] ||
		fail "capabilities are kept that nobody needs: $(grep CapEff $status)"
}

test_daemon_only_one_with_one_state() {
	daemon_with_feed
	STATUS=0
	"$BUILDFENCE" daemon --config "$CASE/config.yaml" 2>"$CASE/err2" || STATUS=$?
	status_is 1
	grep -q "another buildfence daemon runs" "$CASE/err2" || fail "it says: $(cat "$CASE/err2")"
	daemon_answers || fail "the first one does not answer any more"
}

# One that was killed holds its lock until the kernel is done with it.
test_daemon_waits_for_one_that_is_dying() {
	mkdir state
	flock state/lock sh -c 'touch held; sleep 2' &
	wait_until 5 test -e held || fail "nobody holds the lock"
	daemon_with_feed
	daemon_answers || fail "it does not answer"
}

# Of all jobs, in one file: no job may read it. A collector gets a group, by the folder or by the file.
test_daemon_records_are_for_root_and_a_group_that_it_is_given() {
	RECORDS=$CASE/log/records.ndjson
	umask 022
	daemon_with_feed
	[ "$(stat -c %a "$CASE/log" "$RECORDS" | paste -sd' ')" = "750 640" ] || fail "not closed: $(ls -lad "$CASE/log" "$RECORDS")"
	daemon_kill TERM
	chgrp 65534 "$RECORDS"
	chmod 664 "$RECORDS"
	daemon_start
	ctl reload || fail "cannot reload"
	[ "$(stat -c %a:%g "$RECORDS")" = 664:65534 ] || fail "a file that was there was changed: $(ls -la "$RECORDS")"
	chgrp 65534 "$CASE/log"
	chmod g+s "$CASE/log"
	mv "$RECORDS" "$RECORDS.1"
	ctl reload || fail "cannot reload"
	[ "$(stat -c %a:%g "$RECORDS")" = 640:65534 ] || fail "the new file is $(ls -la "$RECORDS")"
	nothing_left
}

# Jobs whose records cannot be written hold their places, but never against a job that begins.
test_daemon_a_full_disk_takes_no_jobs_place() {
	policy_feed
	RECORDS=/dev/full
	config <<-END
	limits: { jobs: 2 }
	END
	daemon_start
	local i
	for i in $(seq 4); do
		mkdir "$CASE_CGROUP/unit-$i"
		ctl attach --job "job-$i" --cgroup "$CASE_CGROUP/unit-$i" || fail "job $i has no guard"
		! in_agent bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' - "$CASE_CGROUP/unit-$i" \
			$JOB tcp $EVIL4 8080 2>/dev/null || fail "job $i reached $EVIL4"
		rmdir "$CASE_CGROUP/unit-$i"
	done
	says "cannot write to /dev/full"
	says "job 'job-1' has ended, but what it was refused cannot be written down"
}
