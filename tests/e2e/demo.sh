#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The demo: a job under buildfence in the test world (see world.sh), then a look at what the outside
# got of it. Exit status 0 only if all was as it should be.

. "$(cd "$(dirname "$0")" && pwd)/world.sh"
world_reexec demo "$@"
world_make

BUILDFENCE=$(cd "$WORLD_TOP" && realpath "${O:-build}/buildfence")
export DEMO=$WORLD CA=$WORLD/ca.pem TOKEN=token$RANDOM$RANDOM PYTHON
events=$WORLD/events
wrong=0

# The attacker's knock, as soon as the job listens.
(
	wait_until 30 test -e "$WORLD/listening"
	in_outside timeout 0.5 bash -c "exec 3<>/dev/tcp/$AGENT4/8000" 2>/dev/null && touch "$WORLD/got-in"
	touch "$WORLD/knocked"
) &

# expect TEXT FIELD=VALUE...: there must be a record with these.
expect() {
	local what=$1 sum
	shift
	sum=$($PYTHON "$WORLD_TOP/tests/e2e/records.py" "$events" DvcAction=D* SrcProcessName=?* "$@")
	[ "$sum" -gt 0 ] 2>/dev/null && return
	echo "WRONG: no record of $what"
	wrong=1
}

# One question a name, so that each attempt below is one line.
echo "options attempts:1" >>"$WORLD/resolv.conf"

echo '$ cat demo.yaml'
grep -v '^#' "$WORLD_TOP/tests/e2e/demo.yaml"
echo '$ buildfence run --policy demo.yaml -- ./job.sh'
in_agent "$BUILDFENCE" run --policy "$WORLD_TOP/tests/e2e/demo.yaml" --job demo --events "$events" -- \
	bash "$WORLD_TOP/tests/e2e/demo-job.sh" || { echo "WRONG: the job ended with status $?"; wrong=1; }

expect "the name" Reason=dns-name DstFQDN=paste.example
expect "the tunnel" Reason=dns-name "DstFQDN=$TOKEN.evil.example"
expect "the address" Reason=not-allowed DstIpAddr=$EVIL4
expect "IPv6" Reason=not-allowed DstIpAddr=$EVIL6
expect "the port" Reason=port DstIpAddr=198.51.100.11 DstPortNumber=8081
expect "the metadata service" Reason=metadata DstIpAddr=169.254.169.254
sum=$($PYTHON "$WORLD_TOP/tests/e2e/records.py" "$events" Reason=inbound NetworkProtocol=TCP SrcIpAddr=192.0.2.1)
[ "$sum" -gt 0 ] || { echo "WRONG: no record of the knock"; wrong=1; }

outside_settle || wrong=1
fetches=$(grep -c -E 'tcp\[S\] .* > 198.51.100.1[12].443 ' "$WORLD/sniffed")
leaks=$(grep -c -E "$TOKEN|> (203\.0\.113\.|2001:db8:e:|169\.254\.)|198.51.100.11.8081" "$WORLD/sniffed")
[ "$fetches" = 2 ] && [ "$leaks" = 0 ] && [ ! -e "$WORLD/got-in" ] || wrong=1
echo "what the outside saw: $fetches fetches over TLS, $leaks packets of the poisoned step," \
	"$([ -e "$WORLD/got-in" ] && echo "an open" || echo "no") back door"
[ $wrong = 0 ] || { echo "the demo did NOT go as expected"; exit 1; }
