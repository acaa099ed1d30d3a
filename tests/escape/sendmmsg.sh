# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# sendmmsg() sends to several destinations in one call: allowed ones first, the attacker's between.

test_a_forbidden_destination_between_allowed_ones_gets_nothing() {
	policy_feed
	MAY_ARRIVE="> 198.51.100.70.9999 .*innocent" verdict not-allowed "$TOOLS/escape/sendmmsg" 198.51.100.70 $EVIL4 9999
}
