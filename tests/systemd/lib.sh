# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the cases in the machine with systemd share. Every helper ends the case when what it checks
# does not hold. Lines with # at their beginning are shown.

fail() {
	echo "# $*"
	exit 1
}

skip() { echo "# skip: $*"; exit 77; }

# wait_until SECONDS COMMAND...: polls; fails when the time, multiplied by SLOW, is over.
wait_until() {
	local end=$((SECONDS + $1 * ${SLOW:-1}))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}

# property UNIT NAME: what systemd says of a unit.
property() { systemctl show --property="$2" --value "$1"; }

property_is() {
	local value
	value=$(property "$1" "$2")
	[ "$value" = "$3" ] || fail "$2 of $1 is '$value', not '$3'"
}

# Nothing failed while the machine came up.
machine_is_running() {
	local state
	state=$(systemctl is-system-running --wait)
	[ "$state" = running ] || {
		systemctl --failed --no-legend | sed 's/^/# /'
		systemctl list-jobs --no-legend | sed 's/^/# /'
		fail "the machine is $state"
	}
}

# As svc.sh names it: vsts.agent.ORGANISATION.POOL.AGENT, escaped.
AGENT_UNIT='vsts.agent.contoso.Default.build\x2d7.service'
RECORDS=/var/log/buildfence/records.ndjson
EVIL=203.0.113.66

. tests/systemd/agent.sh
