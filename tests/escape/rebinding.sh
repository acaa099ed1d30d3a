# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# An allowed name whose answer points inwards: loopback, the metadata service, a v4-mapped address.

test_an_answer_with_an_address_of_the_machine_itself_opens_nothing() {
	local name host
	while read -r name host; do
		new_secret
		printf 'version: 1\nloopback: deny\nallow: [ "tcp://%s:8080" ]\n' "$name" | policy
		echo "# row: $name"
		guarded -- bash -c "$JOB ask $name AAAA || $JOB ask $name; $JOB tcp $host 8080"
		status_is_not 0
		nothing_arrived "$SECRET|$EVIL4|169.254"
	done <<-END
	rebind.example 127.0.0.1
	rebind-meta.example 169.254.169.254
	rebind-mapped.example ::ffff:$EVIL4
	rebind-mapped.example $EVIL4
	END
}

test_private_answers_can_be_denied() {
	policy <<-END
	version: 1
	private_answers: deny
	allow: [ "tcp://private.example:8080" ]
	END
	guarded -- $JOB tcp private.example 8080
	status_is_not 0
	recorded DstIpAddr=10.1.2.3
	nothing_arrived 10.1.2.3
	policy <<-END
	version: 1
	allow: [ "tcp://private.example:8080" ]
	END
	guarded -- $JOB tcp private.example 8080
	arrived "tcp.* > 10.1.2.3.8080"
}
