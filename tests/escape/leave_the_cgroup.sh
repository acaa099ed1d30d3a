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

# A terminal of a user's own systemd is in a cgroup that the user may write: so the job's is made above.
test_a_job_cannot_leave_into_a_cgroup_of_its_users() {
	needs setpriv
	policy_feed
	chmod 755 "$CASE"
	cat >"$CASE/leave" <<-'END'
	grep . /proc/self/cgroup
	echo $$ >"$1/cgroup.procs" && echo moved
	true
	END
	mkdir -p "$CASE_CGROUP/users/app"
	chown -R 65534 "$CASE_CGROUP/users"
	# Guarded from inside: buildfence itself is where the user's shell would be.
	in_agent bash -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' - "$CASE_CGROUP/users/app" "$BUILDFENCE" run \
		--policy "$CASE/policy.yaml" -- setpriv --reuid 65534 --regid 65534 --clear-groups \
		bash "$CASE/leave" "$CASE_CGROUP/users/app" >"$CASE/out" 2>"$CASE/err" </dev/null
	rmdir "$CASE_CGROUP/users/app" "$CASE_CGROUP/users"
	grep -q '^0::' "$CASE/out" || fail "the job did not begin"
	! grep -q moved "$CASE/out" || fail "the job left its cgroup"
	! grep -q "^0::.*/users" "$CASE/out" || fail "its cgroup is below its user's"
}
