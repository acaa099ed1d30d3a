# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Second boot: the daemon came up with the machine, and agents run jobs.

# entered UNIT: microseconds since boot at which it became active; began UNIT: at which it started to.
entered() { property "$1" ActiveEnterTimestampMonotonic; }
began() { property "$1" InactiveExitTimestampMonotonic; }
daemon_pid() { property buildfence.service MainPID; }

# proc_status FIELD: of the daemon.
proc_status() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$(daemon_pid)/status"; }

# record_count FIELD=VALUE...: checks the form of all records, too.
record_count() { python3 tests/e2e/records.py "$RECORDS" "$@"; }
recorded() {
	local count
	wait_until 10 test -s "$RECORDS" || fail "no records"
	sleep 1.5
	count=$(record_count "$@") || fail "$count"
	[ "$count" -gt 0 ] || { tail -n 5 "$RECORDS"; fail "no record with $*"; }
}

# job_cgroup USER JOB: of the shell that is the job's step.
job_pid() { pgrep -u "$1" -f "/steps/$2.sh" | tail -n 1; }
job_cgroup() { sed -n 's/^0:://p' "/proc/$(job_pid "$1" "$2")/cgroup"; }

# What a job does to show where it stands: one line a destination.
PROBES='
try() {
	curl --silent --show-error --max-time 50 --insecure --output /dev/null "$1" && echo "reached $1" || echo "refused $1"
}
'

setup_the_machine_came_up_with_the_daemon() {
	machine_is_running
	property_is buildfence.service ActiveState active
	property_is buildfence.service NRestarts 0
	property_is "$AGENT_UNIT" ActiveState active
	wait_until 10 pgrep -u azagent -x Agent.Listener || fail "the agent does not run"
	echo "# daemon ready after $(($(entered buildfence.service) / 1000)) ms, agent after $(($(entered "$AGENT_UNIT") / 1000)) ms; $(systemd-analyze time | head -n 1)"
}

test_the_daemon_was_ready_before_network_and_agents() {
	local unit ready
	ready=$(entered buildfence.service)
	for unit in outside.service "$AGENT_UNIT" walinuxagent.service; do
		[ "$(began "$unit")" -gt "$ready" ] || fail "$unit began at $(began "$unit") us, the daemon was ready at $ready us"
	done
}

# CAP_SETPCAP is only for giving up the others.
test_the_daemon_has_the_rights_that_its_unit_promises() {
	local promised
	promised=$(property buildfence.service CapabilityBoundingSet | tr ' ' '\n' | grep -vx cap_setpcap | sort | paste -sd' ')
	echo "# CapEff $(proc_status CapEff), CapBnd $(proc_status CapBnd), Seccomp $(proc_status Seccomp), NoNewPrivs $(proc_status NoNewPrivs)"
	[ "$(capabilities_of "$(proc_status CapEff)")" = "$promised" ] ||
		fail "it has $(capabilities_of "$(proc_status CapEff)"), not $promised"
	[ "$(proc_status CapPrm)" = "$(proc_status CapEff)" ] || fail "it could have $(proc_status CapPrm) again"
	[ "$((0x$(proc_status CapBnd)))" = 0 ] || fail "a program that it started could have $(proc_status CapBnd)"
	[ "$(proc_status Seccomp)" = 2 ] || fail "no seccomp filter: $(proc_status Seccomp)"
	[ "$(proc_status NoNewPrivs)" = 1 ] || fail "it may gain privileges"
}
# By linux/capability.h; other bits are printed as numbers.
capabilities_of() {
	local bit names=([1]=cap_dac_override [2]=cap_dac_read_search [5]=cap_kill [8]=cap_setpcap [12]=cap_net_admin
		[19]=cap_sys_ptrace [21]=cap_sys_admin [24]=cap_sys_resource [38]=cap_perfmon [39]=cap_bpf)
	for ((bit = 0; bit < 64; bit++)); do
		((0x$1 >> bit & 1)) && echo "${names[bit]:-$bit}"
	done | sort | paste -sd' '
}

test_the_agents_own_cgroup_is_guarded() {
	buildfence status --cgroup "/system.slice/$AGENT_UNIT" || fail "not guarded"
}

test_jobs_run_side_by_side_each_under_its_own_policy() {
	local first second
	{ echo "$PROBES" && cat; } <<-'END' >/run/steps
		try https://dev.azure.com/
		try http://feed.example/
		try http://203.0.113.66/
		try http://paste.example/
		until [ -e /run/jobs-may-end ]; do sleep 0.1; done
	END
	rm -f /run/jobs-may-end
	job_queue azagent nightly nightly-web </run/steps
	job_queue azagent release release-web </run/steps
	job_says azagent nightly 'paste.example'
	job_says azagent release 'paste.example'
	first=$(job_cgroup azagent nightly)
	second=$(job_cgroup azagent release)
	echo "# $first and $second"
	[[ $first == /system.slice/buildfence.service/job-* && $second == /system.slice/buildfence.service/job-* ]] ||
		fail "not in cgroups of their own: '$first' and '$second'"
	[ "$first" != "$second" ] || fail "both are in $first"
	buildfence jobs --json >/run/jobs.json || fail "buildfence jobs fails"
	touch /run/jobs-may-end
	job_ended azagent nightly
	job_ended azagent release
	job_said azagent nightly 'reached https://dev.azure.com/' || { job_log azagent nightly; fail "what is allowed was refused"; }
	job_said azagent nightly 'refused http://feed.example/' || { job_log azagent nightly; fail "what is not allowed was reached"; }
	job_said azagent release 'reached http://feed.example/' || { job_log azagent release; fail "the release's own policy is not in force"; }
	for job in nightly release; do
		job_said azagent $job "refused http://$EVIL/" && job_said azagent $job 'refused http://paste.example/' ||
			{ job_log azagent $job; fail "$job got out"; }
	done
	python3 - <<-'END' || { cat /run/jobs.json; fail "buildfence jobs does not say who they are"; }
		import json
		jobs = {j["identity"].get("AzpDefinitionName"): j for j in json.load(open("/run/jobs.json"))["jobs"] if j.get("identity")}
		nightly, release = jobs["nightly-web"], jobs["release-web"]
		assert nightly["cgroup"] != release["cgroup"] and nightly["policy"] != release["policy"]
		assert nightly["agent"] == release["agent"] == "build-7"
	END
}

test_a_forbidden_connection_in_a_workers_first_instruction_is_refused() {
	for job in nightly release; do
		job_said azagent $job 'first connect: Operation not permitted' || { job_log azagent $job; fail "it connected"; }
	done
	grep -q "$EVIL.*Agent.Worker" "$RECORDS" || fail "no record of Agent.Worker and $EVIL"
}

test_records_say_which_job_it_was() {
	recorded "DstIpAddr=$EVIL" DvcAction=Deny JobName='build-7.*' AzpJobId='*-nightly' AzpBuildId=4711 AzpDefinitionName=nightly-web
	recorded "DstIpAddr=$EVIL" DvcAction=Deny JobName='build-7.*' AzpJobId='*-release' AzpBuildId=4711 AzpDefinitionName=release-web
	recorded DstFQDN=paste.example Reason=dns-name AzpDefinitionName=nightly-web
	! grep -q standin-secret "$RECORDS" || fail "a secret of the job's environment stands in the records"
}

# systemd sets the folder's mode at each start, and leaves its group.
test_records_are_for_root_and_the_group_of_their_folder() {
	local folder=${RECORDS%/*}
	[ "$(stat -c %a:%U:%G "$folder" "$RECORDS" | paste -sd' ')" = "2750:root:root 640:root:root" ] || fail "$(ls -la "$folder")"
	! runuser -u azagent -- cat "$RECORDS" 2>/dev/null || fail "an agent's user may read them"
	chgrp -R adm "$folder"
	mv "$RECORDS" "$RECORDS.1"
	systemctl restart buildfence.service || fail "no restart"
	[ "$(stat -c %a:%U:%G "$folder" "$RECORDS" | paste -sd' ')" = "2750:root:adm 640:root:adm" ] || fail "$(ls -la "$folder")"
}

# What /etc/logrotate.d/buildfence does, with logrotate itself where there is one.
test_records_can_be_rotated_whatever_the_configuration() {
	echo 'polcy: none' >>/etc/buildfence/config.yaml
	if command -v logrotate >/dev/null; then
		logrotate --force /etc/logrotate.d/buildfence || fail "logrotate fails"
	else
		mv "$RECORDS" "$RECORDS.1"
		! systemctl reload buildfence.service 2>/dev/null || fail "a bad configuration was taken"
	fi
	[ -e "$RECORDS" ] || fail "no new file: $(ls -la "${RECORDS%/*}")"
	property_is buildfence.service ActiveState active
	sed -i '$d' /etc/buildfence/config.yaml
	systemctl reload buildfence.service || fail "no reload"
}

test_a_jobs_cgroup_goes_when_its_last_process_ends() {
	wait_until 30 no_job_cgroups || fail "left: $(echo /sys/fs/cgroup/system.slice/buildfence.service/*/)"
}
no_job_cgroups() { ! ls -d /sys/fs/cgroup/system.slice/buildfence.service/job-* 2>/dev/null; }

# A long job, through every way that the daemon can go and come.
test_a_job_stays_guarded_while_the_daemon_restarts_and_stops() {
	local before
	{ echo "$PROBES" && cat; } <<-'END' >/run/steps
		round=0
		until [ -e /run/jobs-may-end ]; do
			try http://feed.example/
			try http://203.0.113.66/
			round=$((round + 1))
			echo "round $round"
		done
	END
	rm -f /run/jobs-may-end
	job_queue azagent long release-long </run/steps
	job_says azagent long 'round 2$'
	before=$(job_cgroup azagent long)
	for action in restart 'kill --kill-who=main --signal=KILL' stop start; do
		# shellcheck disable=SC2086
		systemctl $action buildfence.service || fail "systemctl $action"
		rounds_pass long 3
		[ "$(job_cgroup azagent long)" = "$before" ] || fail "the job moved to $(job_cgroup azagent long)"
	done
	property_is buildfence.service ActiveState active
	property_is "$AGENT_UNIT" ActiveState active
	touch /run/jobs-may-end
	job_ended azagent long
	! job_said azagent long "reached http://$EVIL/" || fail "a forbidden connection got out"
	! job_said azagent long 'refused http://feed.example/' || fail "an allowed connection was refused"
	wait_until 30 no_job_cgroups || fail "left: $(echo /sys/fs/cgroup/system.slice/buildfence.service/*/)"
}
rounds() { job_log azagent "$1" | grep -c '^round'; }
rounds_pass() {
	local from
	from=$(rounds "$1")
	wait_until 60 rounds_above "$1" $((from + $2)) || fail "the job stands still"
}
rounds_above() { [ "$(rounds "$1")" -gt "$2" ]; }

test_an_agent_refuses_to_start_without_the_daemon() {
	systemctl stop "$AGENT_UNIT"
	systemctl mask --quiet --runtime --now buildfence.service
	property "$AGENT_UNIT" DropInPaths | grep -q '/50-buildfence.conf' || fail "the mask took its check away"
	! systemctl start "$AGENT_UNIT" 2>/dev/null || fail "it started"
	! property "$AGENT_UNIT" ActiveState | grep -qx active || fail "it is active"
	! pgrep -u azagent -x Agent.Listener || fail "its listener runs"
	# It tries again, and that starts the daemon first.
	systemctl unmask --quiet --runtime buildfence.service
	wait_until 30 systemctl --quiet is-active "$AGENT_UNIT" || fail "it does not come back with the daemon"
	property_is buildfence.service ActiveState active
}

# `guard` is the configuration's last key.
test_an_agents_log_says_why_it_was_not_let_start() {
	systemctl stop "$AGENT_UNIT"
	sed -i.before '/^guard:/,$d' /etc/buildfence/config.yaml
	systemctl reload buildfence.service || fail "no reload"
	! systemctl start "$AGENT_UNIT" 2>/dev/null || fail "it started"
	journalctl --unit="$AGENT_UNIT" --boot --no-pager --output=cat >/run/journal
	grep -qF "/system.slice/$AGENT_UNIT is not guarded; no entry of 'guard:'" /run/journal || { tail -n 5 /run/journal; fail "its log does not say why"; }
	mv /etc/buildfence/config.yaml.before /etc/buildfence/config.yaml
	systemctl reload buildfence.service || fail "no reload"
	wait_until 30 systemctl --quiet is-active "$AGENT_UNIT" || fail "it does not try again"
}

test_the_switch_lets_an_agent_start_without_the_daemon() {
	touch /etc/buildfence/agents-optional
	systemctl daemon-reload
	systemctl mask --quiet --runtime --now buildfence.service
	systemctl restart "$AGENT_UNIT" || fail "it does not start"
	property_is "$AGENT_UNIT" ActiveState active
	rm /etc/buildfence/agents-optional
	systemctl unmask --quiet --runtime buildfence.service
	systemctl daemon-reload
	systemctl start buildfence.service
	systemctl restart "$AGENT_UNIT"
}

# Nothing of the unit may act on what runs in its subtree: the device that root may read anywhere is
# readable there too.
test_the_unit_leaves_jobs_the_rights_they_had() {
	local cgroup=/sys/fs/cgroup/system.slice/buildfence.service/rights
	property_is buildfence.service DevicePolicy auto
	property_is buildfence.service DeviceAllow ''
	property_is buildfence.service IPAddressDeny ''
	property_is buildfence.service TasksMax infinity
	property_is buildfence.service MemoryMax infinity
	mkdir $cgroup
	bash -c "echo \$\$ >$cgroup/cgroup.procs && exec head --bytes=512 /dev/vda >/dev/null" || fail "a device cannot be read there"
	rmdir $cgroup
}

test_agents_inside_the_vm_agents_unit_are_covered_and_it_is_never_guarded() {
	local cgroup
	{ echo "$PROBES" && cat; } <<-'END' >/run/steps
		try https://dev.azure.com/
		try http://203.0.113.66/
		try http://168.63.129.16/
		until [ -e /run/jobs-may-end ]; do sleep 0.1; done
	END
	rm -f /run/jobs-may-end
	job_queue azscale scaled nightly-scaled </run/steps
	job_says azscale scaled '168.63.129.16'
	cgroup=$(job_cgroup azscale scaled)
	[[ $cgroup == /system.slice/buildfence.service/job-* ]] || fail "the job is in '$cgroup'"
	[ "$(sed -n 's/^0:://p' "/proc/$(pgrep -u azscale -x Agent.Listener)/cgroup")" = /azure.slice/walinuxagent.service ] ||
		fail "the listener was moved"
	! buildfence status --cgroup /azure.slice/walinuxagent.service >/dev/null || fail "the VM agent is guarded"
	touch /run/jobs-may-end
	job_ended azscale scaled
	job_said azscale scaled 'first connect: Operation not permitted' || { job_log azscale scaled; fail "it connected"; }
	job_said azscale scaled 'reached https://dev.azure.com/' && job_said azscale scaled "refused http://$EVIL/" &&
		job_said azscale scaled 'refused http://168.63.129.16/' || { job_log azscale scaled; fail "not its policy"; }
	! grep -q 'cut off' /run/waagent.log || fail "the VM agent was cut off $(grep -c 'cut off' /run/waagent.log) times"
	grep -q reached /run/waagent.log || fail "the VM agent reached nothing"
}

test_uninstalling_leaves_nothing() {
	make --silent uninstall PREFIX=/usr/local || fail "make uninstall fails"
	[ "$(property buildfence.service LoadState)" = not-found ] || fail "the unit is still known"
	[ -z "$(property "$AGENT_UNIT" DropInPaths)" ] || fail "the agent's unit still has its drop-in"
	[ ! -e /sys/fs/bpf/buildfence ] || fail "pins are left"
	[ ! -e /run/buildfence ] || fail "/run/buildfence is left"
	# Configuration that was changed stays, and so do records.
	left=$(find / -xdev -iname '*buildfence*' -not -path '/proc/*' -not -path '/root/*' \
		-not -path /var/log/buildfence -not -path /etc/buildfence | head)
	[ -z "$left" ] || fail "left: $left"
	systemctl restart "$AGENT_UNIT" || fail "the agent does not start any more"
}
