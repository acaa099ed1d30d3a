# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# The job's cgroup is its guard: without root on the host there is no way out of it.

test_without_root_a_job_cannot_leave_its_cgroup() {
	needs setpriv
	policy_feed
	chmod 755 "$CASE"
	cat >"$CASE/leave" <<-'END'
	echo $$ >"$1/cgroup.procs" && echo moved
	mkdir "$1/mine" && echo made
	unshare --user --map-root-user --cgroup --mount bash -c 'echo $$ >'"$1"'/cgroup.procs && echo moved'
	grep . /proc/self/cgroup
	true
	END
	guarded -- setpriv --reuid 65534 --regid 65534 --clear-groups bash "$CASE/leave" "$CASE_CGROUP"
	status_is 0
	! grep -q 'moved\|made' "$CASE/out" || fail "the job left its cgroup"
	grep -q "^0::.*/${CASE_CGROUP##*/}/." "$CASE/out" || fail "the job was not in a cgroup of its own"
}
