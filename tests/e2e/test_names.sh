# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Verdicts by name: what DNS answers teach, and what may not be asked.

policy_names() {
	policy <<-END
	version: 1
	organization: contoso
	presets: [azure-devops]
	allow:
	  - https://feed.example
	  - tcp://feed.example:8080
	  - udp://feed.example:9999
	  - tcp://v6only.example:8080
	  - tcp://many.example:8080
	  - tcp://link0.example:8080
	  - tcp://feed.corp.example:8080
	  - tcp://*.wild.example:8080
	  - tcp://*.synth.example:8080
	END
}

fetch() { echo curl -sS --max-time $((10 * SLOW)) --cacert "$WORLD/ca.pem" "$@"; }

test_a_name_of_the_preset_is_fetched_over_tls() {
	local name
	policy_names
	for name in dev.azure.com pkgs.dev.azure.com contosoartifacts.blob.core.windows.net login.microsoftonline.com; do
		guarded -- $(fetch "https://$name/")
		status_is 0
		prints "hello from $name"
		not_recorded
	done
}

test_an_allowed_name_is_reached_over_ipv4_and_ipv6() {
	policy_names
	guarded -- bash -c "$(fetch -4 https://feed.example/) && $(fetch -6 https://feed.example/)"
	status_is 0
	arrived "tcp.* > $FEED4.443 "
	arrived "tcp.* > $FEED6.443 "
	guarded -- $JOB tcp v6only.example 8080
	status_is 0
	guarded -- $JOB udp-connected feed.example 9999
	status_is 0
	guarded -- $JOB sendmsg feed.example 9999
	status_is 0
	not_recorded
}

test_an_alias_ten_links_long_leads_to_its_address() {
	policy_names
	guarded -- $JOB tcp link0.example 8080
	status_is 0
	not_recorded
	guarded -- $JOB ask link5.example
	status_is 1
	not_asked link5.example
}

test_every_address_of_a_name_with_sixty_is_reached() {
	attack <<-'END'
	import job, socket
	found = {entry[4][0] for entry in socket.getaddrinfo("many.example", 8080, socket.AF_INET, socket.SOCK_STREAM)}
	assert len(found) == 60, found
	for address in found:
	    job.tcp(address, 8080)
	END
	policy_names
	guarded -- "${ATTACK[@]}"
	status_is 0
	not_recorded
	# The answer did not fit into a datagram, so the whole way over TCP was taken.
	arrived "tcp.* > $DNS4.53 .*many.example"
}

test_search_domains_do_not_end_the_search() {
	policy_names
	printf 'nameserver %s\nsearch corp.example lan.example\noptions ndots:2\n' $DNS4 >"$WORLD/resolv.conf"
	guarded -- bash -c "$JOB tcp feed 8080 && $(fetch https://feed.example/)"
	status_is 0
	prints "hello from feed.example"
	unguarded "$BUILDFENCE" policy explain "$CASE/policy.yaml" https://feed.example.corp.example
	printf 'nameserver %s\n' $DNS4 >"$WORLD/resolv.conf"
	status_is 0
	prints "as feed.example, by the search domain corp.example"
}

test_a_resolver_made_by_hand_is_learned_from_too() {
	policy_names
	guarded -- bash -c "$JOB ask feed.example && $JOB tcp $FEED4 8080"
	status_is 0
	prints $FEED4
	guarded -- bash -c "$JOB ask-tcp feed.example && $JOB tcp $FEED4 8080"
	status_is 0
	guarded -- bash -c "$JOB ask feed.example AAAA $DNS4 && $JOB tcp $FEED6 8080"
	status_is 0
	not_recorded
}

test_a_question_over_tcp_is_read_whole_however_it_is_split() {
	local piece
	policy_names
	for piece in 1 2 3 7 13 20; do
		guarded -- $JOB ask-tcp feed.example $piece
		status_is 0
		guarded -- $JOB ask-tcp "paste.example" $piece
		status_is_not 0
		recorded Reason=dns-name "DstFQDN=paste.example"
		not_asked paste.example
	done
}

test_names_in_odd_case_are_one_name() {
	attack <<-'END'
	import job
	print(*job.addresses(job.ask(job.question("FeeD.eXAMPLE"))))
	job.tcp("198.51.100.20", 8080)
	END
	policy_names
	guarded -- "${ATTACK[@]}"
	status_is 0
	guarded -- $JOB ask PaStE.eXaMpLe
	status_is 1
	not_asked paste.example
}

test_a_name_that_is_not_allowed_is_never_asked() {
	local name
	policy_names
	for name in paste.example sub.feed.example xfeed.example feed.example.evil.example wild.example \
		wild.example.evil.example notwild.example dev.azure.com.evil.example evildev.azure.com example; do
		new_secret
		guarded -- $JOB ask "$name"
		status_is 1
		not_asked "$name"
		recorded Reason=dns-name "DstFQDN=$name" Mode=enforce DvcAction=D*
		says "blocked .*-> $name"
		guarded --mode audit -- $JOB ask "$name"
		asked "$name"
		recorded Reason=dns-name "DstFQDN=$name" Mode=audit EventResultDetails=Simulation
	done
}

test_a_wildcard_covers_every_name_below_it() {
	local name
	policy_names
	for name in a.wild.example a.b.c.wild.example A.WILD.example x-1.wild.example; do
		guarded -- $JOB tcp $name 8080
		status_is 0
	done
}

test_a_refused_name_fails_at_once_in_every_resolver() {
	policy_names
	attack <<-'END'
	import socket, sys, time
	begin = time.monotonic()
	try:
	    socket.getaddrinfo("paste.example", 443)
	    sys.exit("resolved")
	except socket.gaierror:
	    print(time.monotonic() - begin)
	END
	refused_at_once "${ATTACK[@]}"
	status_is 0
	refused_at_once curl -sS -o /dev/null -w '%{time_total}' https://paste.example/
	status_is_not 0
	if command -v node >/dev/null; then
		refused_at_once node -e '(async () => {
			const { lookup, resolve4 } = require("dns").promises;
			let begin;
			for (const round of ["node is compiling", "counts"]) {
				begin = performance.now();
				for (const ask of [resolve4, lookup])
					await ask("paste.example").then(() => process.exit(1), () => {});
			}
			console.log((performance.now() - begin) / 1000);
		})();'
		status_is 0
	fi
	not_asked paste.example
}

test_an_address_is_reached_only_after_its_name_was_asked() {
	policy_names
	verdict not-allowed $JOB tcp $FEED4 8080
	guarded -- bash -c "$JOB ask feed.example && $JOB tcp $FEED4 8080"
	status_is 0
	# Learning belongs to the job: the next one starts with nothing.
	guarded -- $JOB tcp $FEED4 8080
	status_is_not 0
}

test_a_learned_address_is_open_on_the_ports_of_its_rule_only() {
	policy_names
	MAY_ARRIVE="> $DNS4.53 " verdict port $JOB tcp feed.example 9000
	MAY_ARRIVE="> $DNS4.53 " verdict port $JOB udp feed.example 123
}

test_a_learned_address_expires() {
	attack <<-'END'
	import job, socket, time
	job.addresses(job.ask(job.question("short.example")))
	old = socket.create_connection(("198.51.100.40", 8080), 5)
	time.sleep(4.5)
	try:
	    job.tcp("198.51.100.40", 8080)
	    raise SystemExit("still open")
	except PermissionError:
	    pass
	# The connection that was there before goes on.
	old.sendall(b"still here")
	assert old.recv(10) == b"still here"
	job.addresses(job.ask(job.question("short.example")))
	job.tcp("198.51.100.40", 8080)
	END
	policy <<-END
	version: 1
	allow: [ "tcp://short.example:8080" ]
	min_ttl: 2s
	END
	guarded -- "${ATTACK[@]}"
	status_is 0
	recorded DstIpAddr=198.51.100.40
}

test_a_short_ttl_is_held_for_the_policys_minimum() {
	policy <<-END
	version: 1
	allow: [ "tcp://short.example:8080" ]
	END
	guarded -- bash -c "$JOB ask short.example && sleep 2.5 && $JOB tcp 198.51.100.40 8080"
	status_is 0
}

test_an_ipv6_resolver_is_learned_from_too() {
	policy_names
	echo "nameserver $DNS6" >"$WORLD/resolv.conf"
	guarded -- $JOB tcp feed.example 8080
	echo "nameserver $DNS4" >"$WORLD/resolv.conf"
	status_is 0
	arrived "> $DNS6.53 .*feed.example"
}

test_ten_thousand_names_asked_and_reached_at_once_never_fail() {
	attack <<-'END'
	import os, socket, sys
	# By turns a name with an address of its own, and one of many names of the same address.
	def client(number):
	    for turn in range(1250 * int(os.environ["LOAD"]) // 100):
	        name = "n2001-db8-a-77--%x.synth.example" % (number << 12 | turn)
	        if turn % 2:
	            name = "n%d-%d.wild.example" % (number, turn)
	        family, _, _, _, address = socket.getaddrinfo(name, 8080, 0, socket.SOCK_STREAM)[0]
	        with socket.socket(family, socket.SOCK_STREAM) as sock:
	            sock.connect(address)
	children = []
	for number in range(8):
	    child = os.fork()
	    if not child:
	        client(number)
	        os._exit(0)
	    children.append(child)
	sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
	END
	policy_names
	LIMIT=120 guarded -- "${ATTACK[@]}"
	status_is 0
	not_recorded
	[ "$(seen 'tcp\[S\].* > (198.51.100.50|2001:db8:a:77::[0-9a-f]*).8080' | wc -l)" -ge $((8 * (1250 * LOAD / 100))) ] ||
		fail "not every connection was made"
}
