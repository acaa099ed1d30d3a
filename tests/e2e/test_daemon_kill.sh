# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# kill -9 of the daemon at random moments, while 20 jobs at a time begin, connect and end.

. "$HERE/daemon.sh"

# One of the 20 places: jobs one after the other, each of random length, until the kills are over.
place() {
	local i
	for ((i = 0; ; i++)); do
		[ ! -e "$CASE/over" ] || break
		forge "p$1-$i" "$PYTHON" "$TOOLS/killed_job.py" "p$1-$i" $((RANDOM % 20 + 5)) "$CASE" ||
			touch "$CASE/unguarded-p$1-$i"
	done
}

# Lines "WORKER ATTEMPTS": by the pid of the job's worker, which is in JobName too. Whose the job is may be
# read only after its first record, and never if the daemon dies too often.
attempted_by_job() { awk '{ sum[$1] += $4 } END { for (pid in sum) print pid, sum[pid] }' "$CASE"/done-*; }
recorded_by_job() {
	$PYTHON - "$RECORDS" <<-'END'
	import collections, json, sys
	sums = collections.Counter()
	for line in open(sys.argv[1]):
	    record = json.loads(line)
	    sums[record["JobName"].split(".")[-1]] += record["EventCount"]
	for name, count in sums.items():
	    print(name, count)
	END
}

test_daemon_killed_a_hundred_times() {
	local kills=$LOAD i
	policy_feed
	config <<-END
	limits: { jobs: 64 }
	END
	forge_make
	# Who never gets a guard does nothing, and says so.
	sed -i 's/^"$@"$/grep -q daemon.job- \/proc\/self\/cgroup || exit 99; "$@"/; s/seq 500/seq 3000/' "$CASE/bin/$FORGE_WORKER"
	daemon_start
	records_are
	for i in $(seq 20); do
		place "$i" >/dev/null 2>"$CASE/place-$i" &
	done
	local places
	places=$(jobs -p | grep -vx $DAEMON)
	for i in $(seq "$kills"); do
		sleep "0.$((RANDOM % 10))$((RANDOM % 10))"
		daemon_kill KILL
		daemon_spawn
	done
	wait_until 60 daemon_up || fail "the daemon does not come up again"
	touch "$CASE/over"
	# shellcheck disable=SC2086
	wait $places
	nothing_left
	! ls "$CASE"/unguarded-* >/dev/null 2>&1 || fail "jobs without a guard: $(ls "$CASE"/unguarded-* | head -n 3)"

	local jobs failed open attempts
	read -r jobs failed open attempts < <(cat "$CASE"/done-* |
		awk '{ n++; f += $2; o += $3; a += $4 } END { print n, f, o, a }')
	count EventResult=Failure
	echo "# $kills kills; $jobs jobs; $attempts attempts, $COUNT recorded, $open not refused; $failed allowed exchanges failed"
	[ "$open" = 0 ] || fail "$open forbidden attempts succeeded"
	[ "$failed" = 0 ] || fail "$failed allowed exchanges failed: $(cat "$CASE"/done-* | awk '$2' | head -n 3)"
	local differs
	differs=$(join -a1 -a2 -e0 -o0,1.2,2.2 <(attempted_by_job | sort) <(recorded_by_job | sort) |
		awk '$2 != $3' | head -n 5)
	[ -z "$differs" ] || fail "attempts and records differ (worker, attempts, recorded): $differs"
	[ "$COUNT" = "$attempts" ] || fail "$attempts attempts, but $COUNT recorded"
}
