# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Two threads on one socket, one with allowed questions and one with refused ones: a judge that
# keeps the name under judgement where another packet can overwrite it lets some of them through.

# race CPU COUNT RUNNER...: $HEARD is how many of the refused questions the resolver got.
race() {
	local cpu=$1 count=$2 refused=refused-and-longer.evil.example listener
	shift 2
	# Header, name with its length bytes and the root, type and class.
	mkfifo "$CASE/until" 2>/dev/null
	$AGENT "$TOOLS/escape/race" listen $((12 + ${#refused} + 2 + 4)) <"$CASE/until" >"$CASE/listener" &
	listener=$!
	exec 8>"$CASE/until"
	wait_until 5 grep -q listening "$CASE/listener" || fail "the listener did not start"
	LIMIT=300 "$@" "$TOOLS/escape/race" send feed.example $refused $count $cpu
	exec 8>&-
	wait $listener
	HEARD=$(sed -n 's/ heard//p' "$CASE/listener")
}

test_of_a_million_refused_questions_on_a_shared_socket_none_leaves() {
	local cpu count=$((10000 * LOAD))
	policy_feed
	for cpu in one-cpu any-cpu; do
		echo "# row: $cpu"
		# At this pace the listener keeps up, which shows that it would hear them.
		race $cpu 100 unguarded
		[ "$HEARD" = 100 ] || fail "unguarded, $HEARD of 100 were heard"
		race $cpu $count guarded --
		status_is 0
		prints "^$count allowed, 0 refused\$"
		[ "$HEARD" = 0 ] || fail "$HEARD refused questions were heard"
		count Reason=dns-name
		[ "$COUNT" = $count ] || fail "the records count $COUNT attempts"
	done
}
