# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Whatever is broken, nothing opens: empty and bad policies, full tables, unreadable packets.

# closed: the job can reach nothing but loopback.
closed() {
	guarded -- bash -c "! $JOB tcp $FEED4 8080 && ! $JOB udp $FEED4 9999 && ! $JOB ask feed.example"
	status_is 0
	nothing_arrived "$FEED4|feed.example|$SECRET"
	recorded DstIpAddr=$FEED4 EventResult=Failure
	recorded DstFQDN=feed.example Reason=dns-name
}

test_an_empty_allowlist_allows_nothing() {
	printf 'version: 1\nallow: []\n' | policy
	closed
	printf 'version: 1\n' | policy
	closed
	printf 'version: 1\nallow:\n' | policy
	closed
}

# One bad entry among good ones: the whole file is refused, with its place.
test_one_bad_entry_refuses_the_whole_policy() {
	local entry
	while read -r entry; do
		printf 'version: 1\nallow:\n  - https://feed.example\n  - %s\n' "$entry" | policy
		MAY_FAIL=1 guarded -- touch "$CASE/ran"
		status_is 125
		says 'policy.yaml:4:'
		[ ! -e "$CASE/ran" ] || fail "the command ran"
	done <<-'END'
	https://feed..example
	"tcp://192.0.2.0/33:80"
	"tcp://192.0.2.1:99999"
	"gopher://feed.example"
	"https://*"
	{ to: "https://feed.example", expire: 2027-01-01 }
	END
}

test_an_expired_rule_is_gone() {
	policy <<-END
	version: 1
	allow:
	  - { to: "tcp://$FEED4:8080", expires: 2020-01-01 }
	  - { to: "tcp://feed.example:8080", expires: 2020-01-01 }
	END
	verdict expired $JOB tcp $FEED4 8080
	guarded -- $JOB ask feed.example
	status_is_not 0
	not_asked feed.example
}

# Questions that the reader cannot make sense of never leave, whatever is in them.
test_a_question_that_cannot_be_read_is_refused() {
	local shape
	attack <<-'END'
	import socket, struct, sys
	import job
	secret = job.SECRET
	good = job.question("feed.example", number=7)
	shapes = {
	    "no question": struct.pack("!6H", 7, 0x0100, 0, 0, 0, 0) + secret,
	    "two questions": struct.pack("!6H", 7, 0x0100, 2, 0, 0, 0) + good[12:] + job.question([secret, b"evil", b"example"])[12:],
	    "short": good[:12] + bytes([60]) + secret,
	    "pointer": good[:12] + b"\xc0\x0c\0\1\0\1" + secret,
	    "long label": good[:12] + bytes([64]) + secret.ljust(64, b"a") + b"\0\0\1\0\1",
	    "control bytes": job.question([secret, b"x\7example", b"feed"]),
	    "trailing": good + secret,
	    "answer": struct.pack("!6H", 7, 0x8180, 1, 0, 0, 0) + good[12:] + secret,
	    "update": struct.pack("!6H", 7, 0x2800, 1, 0, 0, 0) + good[12:] + secret,
	    "chaos class": good[:-2] + b"\0\3" + secret,
	    "tiny": secret[:11],
	}
	if sys.argv[1] == "list":
	    print(*shapes, sep="\n")
	    sys.exit(0)
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.sendto(shapes[sys.argv[1]], ("192.0.2.53", 53))
	END
	policy_feed
	"${ATTACK[@]}" list >"$CASE/shapes"
	while read -r shape; do
		new_secret
		# What fits into 11 bytes.
		SECRET=${SECRET:0:11}
		echo "# shape: $shape"
		guarded -- "${ATTACK[@]}" "$shape"
		status_is_not 0
		nothing_arrived "$SECRET"
		recorded Reason=dns-*
		guarded --mode audit -- "${ATTACK[@]}" "$shape"
		status_is 0
		arrived "$SECRET"
		recorded Reason=dns-* EventResultDetails=Simulation
	done <"$CASE/shapes"
}

test_a_kernel_that_mixes_up_jobs_is_refused() {
	ldd "$BUILDFENCE" >/dev/null 2>&1 || skip "this build is static: it cannot be told of another kernel"
	policy_feed
	export LD_PRELOAD=$TOOLS/e2e/old_kernel
	MAY_FAIL=1 guarded -- touch "$CASE/ran"
	status_is 125
	says "by another job's policy: boot a kernel of 5.15 or newer"
	[ ! -e "$CASE/ran" ] || fail "the command ran"
}
