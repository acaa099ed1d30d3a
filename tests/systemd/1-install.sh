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
	systemd-run --quiet --wait --pipe --collect --same-dir --unit=guarded-jobs --setenv=BUILDFENCE="$PWD/installed/usr/local/bin/buildfence" \
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
