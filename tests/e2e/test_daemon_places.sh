# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Workers for which there is no place, or no means to make them a job.

. "$HERE/daemon.sh"

# room DESCRIPTORS: that the daemon can open before it is refused more; none: nor those that it closes.
room() {
	local limit=3
	[ "$1" = none ] || limit=$(($(ls "/proc/$DAEMON/fd" | wc -l) + $1))
	prlimit --pid $DAEMON --nofile=$limit:
}

test_daemon_a_worker_that_can_be_given_no_job_stays_stopped() {
	local few job
	daemon_with_feed
	printf '%s tcp %s 8080 && exit 2\nexit 0\n' "$JOB" $EVIL4 >"$CASE/steps"
	# With some, what a job of its own gives back may be enough for the overflow job.
	for few in none 0 3 6; do
		room $few
		forge "few-$few" bash "$CASE/steps" 2>/dev/null &
		job=$!
		[ $few != none ] || wait_until 20 held || fail "with no descriptors: the worker is not held"
		sleep 2
		[ $few != none ] || held || fail "with no descriptors: the worker was let go without a guard"
		room 4096
		wait $job || fail "with $few descriptors: the job ended with $?"
	done
	# It stays so when the daemon ends; the next one has a job for it.
	room none
	forge next bash "$CASE/steps" 2>/dev/null &
	job=$!
	wait_until 20 held || fail "the worker is not held"
	sleep 2
	daemon_kill TERM
	held || fail "the worker was let go when the daemon ended"
	daemon_start
	wait $job || fail "the job ended with $?"
	nothing_arrived "$EVIL4"
	nothing_left
	count EventResult=Failure DstPortNumber=8080
	[ "$COUNT" = 5 ] || fail "$COUNT attempts are recorded, not 5"
}

# One place, which a job keeps with what it left behind. The next ones share the overflow job.
test_daemon_without_a_place_workers_share_the_overflow_job() {
	local name jobs=()
	policy_feed
	echo "{ version: 1, allow: [ tcp://other.example:8080 ] }" >"$CASE/release.yaml"
	config <<-END
	policies: [ { agent: "forge-*", policy: release.yaml } ]
	limits: { jobs: 1 }
	END
	forge_make
	daemon_start
	records_are
	cat >"$CASE/steps" <<-END
	$JOB tcp $EVIL4 8080 && exit 2
	$JOB tcp other.example 8080 && exit 3
	$JOB tcp feed.example 8080 >/dev/null || exit 4
	"$BUILDFENCE" events --socket "$SOCKET" 2>&1 | grep -q "not in a job of your own" || exit 5
	touch "$CASE/begun-\$1"
	until [ -e "$CASE/over" ]; do sleep 0.02; done
	exit 0
	END
	forge alpha bash -c 'sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >left'
	for name in beta gamma; do
		forge $name bash "$CASE/steps" $name 2>/dev/null &
		jobs+=($!)
	done
	wait_until 20 test -e begun-beta && wait_until 20 test -e begun-gamma || fail "the jobs did not begin"
	jobs_are 2 || fail "not one overflow job: $(job_cgroups)"
	says "gets NO JOB OF ITS OWN: all places for jobs (1) are taken; .*limits: jobs.*; it goes on in the job 'overflow', with"
	ctl status --json | grep -q '"jobs":1,"jobs_max":1,' || fail "it counts: $(ctl status --json)"
	! ctl detach --job overflow 2>err2 || fail "the overflow job can be detached"
	mkdir "$CASE_CGROUP/other"
	! ctl attach --job other --cgroup "$CASE_CGROUP/other" 2>err2 || fail "another job has the overflow job's place"
	! ctl attach --job overflow --cgroup "$CASE_CGROUP/other" 2>err2 || fail "another job has its name"
	grep -q "the name 'overflow' is kept" err2 || fail "it says: $(cat err2)"
	rmdir "$CASE_CGROUP/other"
	# Its successor knows it again.
	daemon_kill KILL
	daemon_start
	says "took over 2 guarded jobs"
	forge delta bash "$CASE/steps" delta 2>/dev/null &
	jobs+=($!)
	wait_until 20 test -e begun-delta || fail "the last job did not begin"
	jobs_know 1 '"name": "overflow"' && jobs_are 2 || fail "not in the same job: $(ctl jobs --json)"
	touch over
	for name in "${jobs[@]}"; do wait "$name" || fail "a job ended with $?"; done
	wait_until 20 jobs_are 1 || fail "the overflow job did not end: $(job_cgroups)"
	kill "$(cat left)"
	nothing_left
	count EventResult=Failure JobName=overflow Reason=not-allowed "CgroupPath=$DAEMON_PATH/job-*-overflow" PolicyName=policy
	[ "$COUNT" = 3 ] || fail "$COUNT attempts are recorded, not 3"
	nothing_arrived "$EVIL4"
}

# A socket that left its job is guarded until it is closed, whoever needs the job's place.
test_daemon_a_place_is_not_made_by_taking_a_guard_off() {
	policy_feed
	config <<-END
	limits: { jobs: 1 }
	END
	forge_make
	daemon_start
	records_are
	socket_outlives "$DAEMON_CGROUP/job-*" forge alpha bash -c "\"$PYTHON\" $CASE/left.py </dev/null >/dev/null 2>&1 &"
	wait_until 20 no_jobs || fail "the job's cgroup is left"
	socket_is refused
	forge beta $JOB tcp feed.example 8080 >/dev/null || fail "the next job was not let go on"
	socket_is refused
	says "NO JOB OF ITS OWN: all places for jobs (1) are taken"
	touch close
	nothing_left
	forge gamma $JOB tcp $EVIL4 8080 2>/dev/null
	recorded ForgeJobId=gamma EventResult=Failure
	nothing_left
	nothing_arrived "$EVIL4"
}

# Of eight places seven are one agent's, with what its jobs left behind; another agent finds the last.
test_daemon_an_agents_jobs_leave_places_to_others() {
	local i
	policy_feed
	config <<-END
	limits: { jobs: 8 }
	END
	forge_make
	daemon_start
	for i in $(seq 8); do
		says_not "NO JOB OF ITS OWN"
		forge "$i" bash -c 'sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >>left'
	done
	says "NO JOB OF ITS OWN: jobs of this agent have so many of the 8 places"
	jobs_know 1 '"name": "overflow"' && jobs_know 7 '"name": "forge\.' || fail "the jobs are: $(ctl jobs --json)"
	mkdir "$WORLD_CGROUP/other-agent"
	AGENT_CGROUP=$WORLD_CGROUP/other-agent forge other bash -c 'sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >>left'
	jobs_know 1 '"ForgeJobId": "other"' || fail "the other agent's job is: $(ctl jobs --json)"
	xargs kill <left
	rmdir "$WORLD_CGROUP/other-agent"
	nothing_left
}
