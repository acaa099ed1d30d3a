# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# First boot: the machine as it comes, a guarded job in a unit, and the installation.

test_systemd_is_running() {
	machine_is_running
	[ "$(cat /proc/1/comm)" = systemd ] || fail "PID 1 is $(cat /proc/1/comm)"
	echo "# $(systemctl --version | head -n 1); $(systemd-analyze time | head -n 1)"
}

# What `buildfence run` promises holds where systemd owns the cgroups: the end-to-end cases, as a unit.
test_a_unit_runs_guarded_jobs() {
	systemd-run --quiet --wait --pipe --collect --same-dir --unit=guarded-jobs --setenv=SLOW="${SLOW:-1}" --setenv=BUILDFENCE="$PWD/installed/usr/local/bin/buildfence" \
		tests/e2e/run tests/e2e/test_run.sh -k "exit_status|nothing_stays_behind|can_be_suggested" >cases.log 2>&1 || { cat cases.log; fail "cases failed in a unit"; }
	grep -q '^ok - ' cases.log || fail "no case ran"
	echo "# $(grep -c '^ok - ' cases.log) cases passed, $(grep -c '^skip - ' cases.log) skipped, in a unit"
}

setup_installing_puts_everything_in_place() {
	cp -a installed/. /
	systemctl daemon-reload
	[ "$(property buildfence.service LoadState)" = loaded ] || fail "systemd does not find buildfence.service"
	systemd-analyze verify --man=no buildfence.service || fail "systemd-analyze verify complains"
}

# KCM is in Debian's kernel for clouds, L2TP only in its others.
test_no_socket_loads_a_family_that_passes_no_hook_but_its_name_does() {
	local try='import socket; socket.socket(41, socket.SOCK_DGRAM)'
	[ -n "$(modprobe --config /dev/null --dry-run --show-depends net-pf-41)" ] || skip "this kernel has no KCM"
	! runuser -u nobody -- python3 -c "$try" || fail "KCM was loaded"
	modprobe kcm || fail "KCM cannot be loaded by its name"
	runuser -u nobody -- python3 -c "$try" || fail "KCM is loaded, but not there"
	buildfence doctor | grep -q 'sockets that pass no hook: KCM is there' || fail "the doctor does not see it"
	modprobe --remove kcm
	buildfence doctor | grep -q 'sockets that pass no hook: none' || fail "the doctor sees others"
}

# An agent by its own unit, as svc.sh installs it, and one of a scale set, which the Azure VM agent's
# extension starts inside walinuxagent.service.
setup_agents_are_installed() {
	agent_make azagent build-7
	agent_make azscale scale-0
	agent_unit azagent
	cat >/usr/sbin/waagent <<-'END'
		#!/bin/bash
		# What the VM agent does all day, and what the scale set's extension does once.
		runuser -u azscale -- /home/azscale/agent/run.sh &
		while sleep 0.5; do
			curl --silent --max-time 50 --output /dev/null http://168.63.129.16/ &&
				echo reached || echo "cut off"
		done >/run/waagent.log 2>&1
	END
	chmod 755 /usr/sbin/waagent
	cat >/etc/systemd/system/walinuxagent.service <<-'END'
		[Unit]
		Description=Azure Linux Agent
		After=network-online.target
		Wants=network-online.target

		[Service]
		Type=simple
		ExecStart=/usr/sbin/waagent -daemon
		Restart=always
		Slice=azure.slice
		CPUAccounting=yes
		MemoryAccounting=yes

		[Install]
		WantedBy=multi-user.target
	END
	cat >/etc/systemd/system/outside.service <<-END
		[Unit]
		Description=The outside
		DefaultDependencies=no
		After=local-fs.target network-pre.target
		Wants=network-pre.target network.target
		Before=network.target network-online.target

		[Service]
		Type=oneshot
		RemainAfterExit=yes
		TimeoutStartSec=3min
		Delegate=yes
		ExecStart=/root/outside/tests/systemd/outside.sh

		[Install]
		WantedBy=multi-user.target network-online.target
	END
	mkdir -p /root/outside
	cp -a tests /root/outside/
	systemctl daemon-reload
	systemctl enable walinuxagent.service outside.service
}

# What is only installed holds up no agent, and starts nothing.
test_an_agent_does_not_wait_for_a_guard_that_is_not_enabled() {
	[ -z "$(property "$AGENT_UNIT" DropInPaths)" ] || fail "a drop-in for $AGENT_UNIT: $(property "$AGENT_UNIT" DropInPaths)"
	systemctl start "$AGENT_UNIT" || fail "the agent does not start"
	wait_until 10 pgrep -u azagent -x Agent.Listener || fail "the agent does not run"
	property_is buildfence.service ActiveState inactive
	systemctl stop "$AGENT_UNIT"
}

test_the_installed_units_have_a_good_security_score() {
	systemd-analyze security --no-pager buildfence.service | tail -n 1 | sed 's/^/# /'
	systemd-analyze security --threshold=50 --no-pager buildfence.service >/dev/null ||
		fail "the score is above 5.0: $(systemd-analyze security --no-pager buildfence.service | grep -F '✗')"
}

setup_the_daemon_is_configured_and_enabled() {
	buildfence daemon --help >/dev/null 2>&1 || skip "this buildfence has no daemon yet"
	[ -e /etc/buildfence/config.yaml ] || fail "no configuration was installed"
	cat >/etc/buildfence/release.yaml <<-'END'
		version: 1
		presets: [azure-devops]
		allow: [ "http://feed.example" ]
	END
	cat >/etc/buildfence/config.yaml <<-'END'
		version: 1
		policy: azure-devops
		policies:
		  - { definition: "release-*", policy: /etc/buildfence/release.yaml }
		guard:
		  - { cgroup: "/system.slice/vsts.agent.*.service", policy: azure-devops, name: agent }
	END
	buildfence daemon --check || fail "the daemon refuses its configuration"
	systemctl enable buildfence.service
}

# `systemctl enable` and `disable` reload, and so run the generator.
test_an_agents_unit_waits_for_the_guard_and_others_do_not() {
	local unit
	property "$AGENT_UNIT" DropInPaths | grep -q '/50-buildfence.conf' || fail "no drop-in for $AGENT_UNIT"
	property "$AGENT_UNIT" ExecStartPre | grep -q 'buildfence status --cgroup self' || fail "no check in $AGENT_UNIT"
	property "$AGENT_UNIT" After | grep -qw buildfence.service || fail "$AGENT_UNIT is not after the daemon"
	for unit in walinuxagent.service rsyslog.service; do
		[ -z "$(property $unit DropInPaths)" ] || fail "a drop-in for $unit: $(property $unit DropInPaths)"
	done
	systemctl disable buildfence.service
	[ -z "$(property "$AGENT_UNIT" DropInPaths)" ] || fail "disabled, $AGENT_UNIT still has its drop-in"
	systemctl enable buildfence.service
	property "$AGENT_UNIT" DropInPaths | grep -q '/50-buildfence.conf' || fail "no drop-in after it was enabled again"
}
