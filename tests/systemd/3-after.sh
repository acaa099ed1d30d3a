# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Third boot, after it was uninstalled: the machine is as if it had never been there.

test_the_machine_runs_without_it() {
	machine_is_running
	property_is "$AGENT_UNIT" ActiveState active
	job_queue azagent free nightly-free <<<'curl --silent --max-time 50 http://203.0.113.66/ && echo free'
	job_ended azagent free
	job_said azagent free '^free' || { job_log azagent free; fail "something still guards"; }
}
