# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What a test case may use. A case is a function whose name begins with test_; it runs in a subshell
# of its own, in the cgroup $CASE_CGROUP, with the empty folder $CASE for its files, and $SECRET, a
# word that no other case has: what carries it outside has leaked. Every helper ends the case when
# what it checks does not hold.

# All that jobs run is a copy that every user may read: the project may lie in a home that others may not.
TOOLS=$WORLD/tools
BUILDFENCE=$(cd "$WORLD_TOP" && realpath "${BUILDFENCE:-${O:-build}/buildfence}")
[ -x "$BUILDFENCE" ] || { echo "$BUILDFENCE is not built: run make" >&2; exit 1; }
mkdir "$TOOLS"
(cd "$WORLD_TOP" && cp -r "$BUILDFENCE" tests/e2e/*.py "${O:-build}"/tests/{e2e,escape} "$TOOLS")
chmod -R a+rX "$TOOLS"
BUILDFENCE=$TOOLS/${BUILDFENCE##*/}
JOB="$PYTHON $TOOLS/job.py"
export PYTHON PYTHONPATH=$TOOLS PYTHONDONTWRITEBYTECODE=1

fail() {
	local file
	echo "# $*"
	for file in "$CASE"/err "$CASE"/out "$CASE"/events; do
		[ -s "$file" ] && tail -n 12 "$file" | cut -c -300 | sed "s|^|# ${file##*/}: |"
	done
	exit 1
}

# MUST_RUN=1 turns this into a failure, in the runner.
skip() { echo "# skip: $*"; exit 77; }

needs() { command -v "$1" >/dev/null || skip "$1 is not installed"; }

# policy: writes the policy of the case from its standard input, to $CASE/policy.yaml.
policy() { cat >"$CASE/policy.yaml"; }

# The policy that most cases use: one feed by name and by a range of its own.
policy_feed() {
	policy <<-END
	version: 1
	allow:
	  - https://feed.example
	  - tcp://feed.example:8080
	  - udp://feed.example:9999
	  - tcp://198.51.100.64/26:8080
	  - udp://198.51.100.64/26:9999
	  - tcp://[2001:db8:a:64::]/64:8080
	  - udp://[2001:db8:a:64::]/64:9999
	END
}

# guarded [OPTIONS] -- CMD...: runs a job under the guard; afterwards $STATUS, $CASE/out, $CASE/err and
# $CASE/events are there. Its time limit is an assertion too: nothing may hang. So is that the guard
# starts, but with MAY_FAIL=1.
guarded() {
	local limit=$((${LIMIT:-30} * SLOW))
	STATUS=0
	rm -f "$CASE/events"
	in_agent timeout -k 5 $limit "$BUILDFENCE" run --policy "$CASE/policy.yaml" \
		--events "$CASE/events" "$@" >"$CASE/out" 2>"$CASE/err" </dev/null || STATUS=$?
	[ $STATUS != 124 ] && [ $STATUS != 137 ] || fail "the job did not end within $limit s: $*"
	[ $STATUS != 125 ] || [ -n "$MAY_FAIL" ] || fail "the guard did not start"
}

# unguarded CMD...: the same job without the guard.
unguarded() {
	local limit=$((${LIMIT:-30} * SLOW))
	STATUS=0
	in_agent timeout -k 5 $((${LIMIT:-30} * SLOW)) "$@" >"$CASE/out" 2>"$CASE/err" </dev/null || STATUS=$?
	[ $STATUS != 124 ] || fail "without the guard the job did not end: $*"
}

status_is() { [ "$STATUS" = "$1" ] || fail "exit status is $STATUS, not $1"; }
status_is_not() { [ "$STATUS" != "$1" ] || fail "exit status is $1"; }
prints() { grep -q -- "$1" "$CASE/out" || fail "the job did not print '$1'"; }
says() { grep -q -- "$1" "$CASE/err" || fail "stderr does not say '$1'"; }
says_not() { ! grep -q -- "$1" "$CASE/err" || fail "stderr says '$1'"; }

# refused_at_once CMD...: a guarded job that prints, last of all, how many seconds it took until it was
# refused. Of five tries one takes next to none: a busy machine delays some of them, a refusal that a
# client has to wait for delays all.
refused_at_once() {
	local try
	for try in 1 2 3 4 5; do
		guarded -- "$@"
		awk -v slow="$SLOW" '{ took = $NF } END { exit !(NR && took < 0.05 * slow) }' "$CASE/out" && return
	done
	fail "try $try took $(cat "$CASE/out") s: $*"
}

# What the outside has seen so far does not count any more.
seen_anew() { CASE_SNIFFED=$(($(wc -l <"$WORLD/sniffed") + 1)); }
# What the outside saw since the case began, or since seen_anew. Lines:
# "udp SOURCE.PORT > DESTINATION.PORT LENGTH TEXT".
seen() {
	outside_settle || fail "the sniffer does not answer"
	tail -n "+$CASE_SNIFFED" "$WORLD/sniffed" | grep -v ' mark-' | grep -E -- "$1"
}
arrived() { seen "$1" >/dev/null || fail "nothing like '$1' arrived outside"; }
nothing_arrived() {
	local what
	what=$(seen "$1" | head -n 3)
	[ -z "$what" ] || fail "arrived outside: $what"
}
nothing_arrived_but() {
	local what
	what=$(seen . | grep -v -E -- "$1" | head -n 3)
	[ -z "$what" ] || fail "arrived outside: $what"
}
asked() { tail -n "+$CASE_ASKED" "$WORLD/dns.log" | grep -q -- "query\[[^]]*\] $1 from" || fail "no question for $1 arrived"; }
not_asked() {
	outside_settle
	! tail -n "+$CASE_ASKED" "$WORLD/dns.log" | grep -qi -- "query\[[^]]*\] $1 from" || fail "a question for $1 arrived"
}

# count FIELD=VALUE...: checks the form of all records; $COUNT is the sum of EventCount of those that match.
count() {
	COUNT=$($PYTHON "$WORLD_TOP/tests/e2e/records.py" "$CASE/events" "$@" 2>&1) ||
		fail "a record is not as DESIGN.md says: $COUNT"
}
recorded() { count "$@"; [ "$COUNT" -gt 0 ] || fail "no record with $*"; }
not_recorded() { count "$@"; [ "$COUNT" = 0 ] || fail "$COUNT recorded with $*"; }

# A word that no other attempt of any case carries.
new_secret() { export SECRET=leak$RANDOM$RANDOM$RANDOM; }

# attack: reads a Python script for the job, to be run as "${ATTACK[@]}".
attack() {
	cat >"$CASE/attack.py"
	ATTACK=("$PYTHON" "$CASE/attack.py")
}

# verdict [-x] REASON CMD...: the whole truth about one attack, $SECRET being what it carries out.
# Without the guard it must succeed, or the test proves nothing. Enforced, it must fail (with -x it
# may believe to have succeeded), nothing of it may arrive, nor anything else but DNS and what
# $MAY_ARRIVE matches, and a record must give the reason. In audit mode it must succeed again, with a
# record that says so.
# The command's exit status: 0 it got out, 77 not possible on this machine, else refused.
verdict() {
	local any=
	[ "$1" = -x ] && { any=1; shift; }
	local reason=$1
	shift
	unguarded "$@"
	[ $STATUS != 77 ] || skip "$(tail -n 1 "$CASE/err")"
	status_is 0
	arrived "$SECRET"
	seen_anew
	export GUARDED=1
	guarded --mode enforce -- "$@"
	[ -n "$any" ] || status_is_not 0
	nothing_arrived "$SECRET"
	nothing_arrived_but "${MAY_ARRIVE:-> (192\.0\.2\.53|2001:db8:1::53)\.53 }"
	recorded EventResult=Failure "Reason=$reason" Mode=enforce
	not_recorded DvcAction=Allow
	guarded --mode audit -- "$@"
	status_is 0
	arrived "$SECRET"
	recorded DvcAction=Allow EventResult=Success EventResultDetails=Simulation "Reason=$reason" Mode=audit
	not_recorded EventResult=Failure
	unset GUARDED
}
