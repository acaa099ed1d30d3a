# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the cases about the daemon share, on top of lib.sh: a daemon of the case's own, whose state,
# socket, records and pins are in the case's folder, and agents: "forge", a script, and stand-ins for
# Azure's (tests/agent). The daemon sits in the cgroup $CASE_CGROUP/daemon, so that jobs' cgroups are
# made below that.

# A daemon sees every worker of the machine: of two runs, each would take the other's. The lock goes with
# the case's last process.
exec {DAEMON_LOCK}>"/tmp/buildfence-e2e-daemon.lock"
flock $DAEMON_LOCK

DAEMON_CGROUP=$CASE_CGROUP/daemon
AGENT_CGROUP=$CASE_CGROUP/agent
DAEMON_PATH=${DAEMON_CGROUP#"$CGROUP2"}
AGENT_PATH=${AGENT_CGROUP#"$CGROUP2"}
RECORDS=$CASE/records
SOCKET=$CASE/socket
PINS=test-$$-${RANDOM}
# Daemons see the whole machine's workers: those of each case have names of their own, of 15 bytes
# at most.
FORGE_WORKER=forge-w$BASHPID
FORGE_RUNNER=forge-r$BASHPID
AGENTS=()	# the pids of Azure's

# config: writes the daemon's configuration; what stands on standard input is added to it. AZURE=on
# has Azure's agents watched.
config() {
	cat - >"$CASE/config.yaml" <<-END
	version: 1
	policy: $CASE/policy.yaml
	state: $CASE/state
	socket: $SOCKET
	records: $RECORDS
	pins: $PINS
	cgroup: $DAEMON_PATH
	azure: ${AZURE:-off}
	agents:
	  - { name: forge, worker: $FORGE_WORKER, parent: $FORGE_RUNNER, identity: self, job: FORGE_JOB,
	      agent: FORGE_AGENT, project: FORGE_PROJECT, definition: FORGE_PIPELINE,
	      fields: { ForgeJobId: FORGE_JOB, ForgePipeline: FORGE_PIPELINE } }
	END
	cat >>"$CASE/config.yaml"
}

ctl() { "$BUILDFENCE" "$1" --socket "$SOCKET" "${@:2}"; }

# The daemon's process, in its cgroup; its messages are in $CASE/err. DAEMON is its pid.
# Under another program with DAEMON_UNDER=(PROGRAM ARGUMENT...).
daemon_spawn() {
	mkdir -p "$DAEMON_CGROUP"
	bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' - "$DAEMON_CGROUP" \
		"${DAEMON_UNDER[@]}" "$BUILDFENCE" daemon --config "$CASE/config.yaml" >>"$CASE/out" 2>>"$CASE/err" </dev/null &
	DAEMON=$!
}

daemon_answers() { ctl status >/dev/null 2>&1; }

# daemon_start: returns when it answers.
daemon_start() {
	daemon_spawn
	wait_until "${LIMIT:-30}" daemon_up || fail "the daemon does not answer"
}
daemon_up() { kill -0 $DAEMON 2>/dev/null || fail "the daemon ended"; daemon_answers; }

# daemon_kill [SIGNAL]: and waits for its end, and that of the process that resets connections.
daemon_kill() {
	kill "-${1:-KILL}" $DAEMON
	wait $DAEMON 2>/dev/null
	DAEMON_STATUS=$?
	wait_until 5 daemon_cgroup_is_empty || fail "left: $(cat "$DAEMON_CGROUP/cgroup.procs")"
}
daemon_cgroup_is_empty() { [ -z "$(cat "$DAEMON_CGROUP/cgroup.procs")" ]; }

# The forge's agent: forge-runner starts forge-worker, which runs a command as the job.
forge_make() {
	mkdir -p "$CASE/bin" "$AGENT_CGROUP"
	cat >"$CASE/bin/$FORGE_WORKER" <<-'END'
	#!/bin/bash
	# The job's steps begin once the daemon has given it a cgroup of its own, as a real one's do
	# after it has fetched its sources.
	for try in $(seq 500); do
		grep -q /daemon/job- /proc/self/cgroup && break
		sleep 0.02
	done
	"$@"
	END
	cat >"$CASE/bin/$FORGE_RUNNER" <<-END
	#!/bin/bash
	"$CASE/bin/$FORGE_WORKER" "\$@" &
	wait \$!
	END
	chmod 755 "$CASE/bin"/forge-*
}

# forge NAME COMMAND...: a job of the forge, in the agent's network and its cgroup.
forge() {
	local name=$1
	shift
	FORGE_JOB=$name FORGE_AGENT=${FORGE_AGENT-forge-1} FORGE_PIPELINE=${FORGE_PIPELINE-nightly} \
		in_agent bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' - "$AGENT_CGROUP" \
		"$CASE/bin/$FORGE_RUNNER" "$@"
}

# A job of this name has a cgroup of its own below the daemon's.
job_cgroups() { find "$DAEMON_CGROUP" -mindepth 1 -maxdepth 1 -name 'job-*' 2>/dev/null; }
no_jobs() { [ -z "$(job_cgroups)" ]; }
jobs_are() { [ "$(job_cgroups | wc -l)" = "$1" ]; }

# What most cases begin with.
daemon_with_feed() {
	policy_feed
	config </dev/null
	forge_make
	daemon_start
	records_are
}

# inside CGROUP COMMAND...: in that cgroup, which is made where need be, and in the agent's network.
inside() {
	mkdir -p "$1"
	in_agent bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' - "$@"
}

# azure_start NAME CGROUP [PARALLEL]: a stand-in for Azure's agent of that name runs in that cgroup as
# nobody, in the folder $CASE/NAME.
azure_start() {
	local home=$CASE/$1
	"$WORLD_TOP/tests/agent/install" "$home" "$1"
	chown -R 65534:65534 "$home"
	mkdir -p "$2"
	$AGENT bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' - "$2" setpriv --reuid 65534 --regid 65534 \
		--clear-groups "$home/run.sh" --parallel "${3:-1}" >"$home.out" 2>&1 </dev/null &
	AGENTS+=($!)
}

# azure_job AGENT NAME: starts a job; its lines are on standard input. See tests/agent/install.
azure_job() {
	cat >"$CASE/$1/jobs/.$2"
	mv "$CASE/$1/jobs/.$2" "$CASE/$1/jobs/$2.job"
}

# azure_done AGENT NAME: waits for the job, which must have succeeded.
azure_done() {
	wait_until 30 test -e "$CASE/$1/jobs/$2.done" || fail "the job $2 did not end: $(azure_log "$1" "$2")"
	[ "$(cat "$CASE/$1/jobs/$2.done")" = 100 ] || fail "the job $2 failed: $(azure_log "$1" "$2")"
}
azure_log() { tail -n 5 "$CASE/$1/_diag/$2.log" 2>&1; }

azure_stop() {
	[ ${#AGENTS[@]} -gt 0 ] || return 0
	kill -INT "${AGENTS[@]}" 2>/dev/null
	wait "${AGENTS[@]}" 2>/dev/null
	AGENTS=()
}

# step: a script for jobs, from standard input, as $CASE/step. It waits for `go`, without using the
# processor, and may leave marks in $CASE/marks.
step() {
	mkfifo "$CASE/go"
	mkdir -m 1777 "$CASE/marks"
	{ echo ': <"$CASE/go"'; cat; } >"$CASE/step"
}
go() { exec {GO}<>"$CASE/go"; }

# held: a process of the agent waits for the daemon.
held() {
	local pid
	for pid in $(cat "$AGENT_CGROUP/cgroup.procs"); do
		! grep -q '^State:.T' "/proc/$pid/status" 2>/dev/null || return 0
	done
	return 1
}

# socket_outlives CGROUP COMMAND...: a job there makes a UDP socket and is moved out of its cgroup, which
# is then empty. COMMAND starts "$PYTHON $CASE/left.py" in it.
socket_outlives() {
	local cgroup=$1 pid
	shift
	cat >"$CASE/left.py" <<-END
	import os, socket, time
	case = os.environ["CASE"]
	left = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	open(case + "/holds", "w").write(str(os.getpid()))
	while not os.path.exists(case + "/close"):
	    if os.path.exists(case + "/try"):
	        os.unlink(case + "/try")
	        try:
	            left.sendto(os.environ["SECRET"].encode(), ("$EVIL4", 9999))
	            said = "open"
	        except OSError:
	            said = "refused"
	        open(case + "/.tried", "w").write(said)
	        os.rename(case + "/.tried", case + "/tried")
	    time.sleep(0.02)
	END
	"$@" &
	wait_until 20 test -s "$CASE/holds" || fail "the job made no socket"
	for pid in $(cat $cgroup/cgroup.procs); do
		echo "$pid" >"$CASE_CGROUP/cgroup.procs"
	done
}

# socket_is open|refused: what becomes of a datagram that it sends to $EVIL4.
socket_is() {
	rm -f "$CASE/tried"
	touch "$CASE/try"
	wait_until 10 test -s "$CASE/tried" || fail "the socket's process does not answer"
	[ "$(cat "$CASE/tried")" = "$1" ] || fail "a datagram of the socket that was left is $(cat "$CASE/tried"), not $1"
}

# jobs_know COUNT PATTERN: so many jobs match in `buildfence jobs`, where each has an object.
jobs_know() { [ "$(ctl jobs --json 2>/dev/null | jobs_lines | grep -c -- "$2")" = "$1" ]; }
jobs_lines() { $PYTHON -c 'import json, sys; [print(json.dumps(job)) for job in json.loads(sys.stdin.read() or "{}").get("jobs", [])]'; }

# What `count` and the others of lib.sh read.
records_are() { ln -sf "$RECORDS" "$CASE/events"; }

# Everything that the daemon pinned, and its state, is gone but for the policies and the maps.
nothing_left() {
	wait_until 20 no_jobs || fail "cgroups are left: $(job_cgroups)"
	wait_until 10 pins_are_empty || fail "pins are left: $(ls "/sys/fs/bpf/buildfence/$PINS/jobs")"
	wait_until 10 records_of_jobs_are_empty || fail "records of jobs are left: $(ls "$CASE/state/jobs")"
}
records_of_jobs_are_empty() { [ -z "$(ls "$CASE/state/jobs")" ]; }
pins_are_empty() { [ -z "$(ls "/sys/fs/bpf/buildfence/$PINS/jobs" 2>/dev/null)" ]; }

# However the case ends. A job's cgroup is not removed here: the runner says that it was left.
daemon_clean() {
	local status=$?
	azure_stop
	[ -z "$DAEMON" ] || ! kill -0 $DAEMON 2>/dev/null || daemon_kill TERM
	rmdir "$DAEMON_CGROUP" "$AGENT_CGROUP" 2>/dev/null
	exit $status
}
trap daemon_clean EXIT
