# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Workers for which there is no place, or no means to make them a job.

. "$HERE/daemon.sh"

# room DESCRIPTORS: that the daemon can open before it is refused more.
room() { prlimit --pid $DAEMON --nofile=$(($(ls "/proc/$DAEMON/fd" | wc -l) + $1)):; }

test_daemon_a_worker_that_can_be_given_no_job_stays_stopped() {
	local few job
	daemon_with_feed
	printf '%s tcp %s 8080 && exit 2\nexit 0\n' "$JOB" $EVIL4 >"$CASE/steps"
	for few in 0 3 6; do
		room $few
		forge "few-$few" bash "$CASE/steps" 2>/dev/null &
		job=$!
		wait_until 20 held || fail "with $few descriptors: the worker is not held"
		sleep 2
		held || fail "with $few descriptors: the worker was let go without a guard"
		room 4096
		wait $job || fail "with $few descriptors: the job ended with $?"
	done
	says "can be given no job: .*; it stays stopped, and is tried again"
	# It stays so when the daemon ends; the next one has a job for it.
	room 3
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
	[ "$COUNT" = 4 ] || fail "$COUNT attempts are recorded, not 4"
}
