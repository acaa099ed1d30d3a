# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# The test world: an "agent" network namespace, where guarded jobs run, joined by a veth pair to an
# "outside" with a real DNS server, TLS, plain TCP and UDP services, and a sniffer that writes down
# every packet that gets there. There is no way from either to the real network.
#
# Everything hangs on two things that vanish together: a mount namespace of the run's own (so the
# named namespaces, resolv.conf and the BPF file system are private to it), and one cgroup, which
# holds all processes. What a killed run leaves is one empty cgroup and one folder; the next run
# collects them.

WORLD_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PYTHON=/usr/bin/python3
[ -x $PYTHON ] || PYTHON=$(command -v python3)
# By how much longer everything may take here than on a real CPU: vmtest says so where it emulates one.
export SLOW=${SLOW:-1}
# How much of its load a heavy case carries here, in percent. Names of cases tell the whole.
export LOAD=${LOAD:-100}
CGROUP2=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)

# Addresses: 198.51.100.0/24 and 2001:db8:a::/48 are services a policy may allow, 203.0.113.0/24
# and 2001:db8:e::/48 the attacker's. All of them, and the metadata addresses, are on the outside.
AGENT4=192.0.2.2
AGENT6=2001:db8:1::2
DNS4=192.0.2.53
DNS6=2001:db8:1::53
DNS_FORGER=192.0.2.54	# answers nothing, unless a test does
EVIL4=203.0.113.66
EVIL6=2001:db8:e::66
FEED4=198.51.100.20
FEED6=2001:db8:a::20

# world_reexec NAME ARGS...: starts the calling script again in a mount namespace of its own.
world_reexec() {
	local name=$1
	shift
	[ "$(id -u)" = 0 ] || { echo "$0: needs root: namespaces, cgroups and BPF" >&2; exit 1; }
	[ -n "$CGROUP2" ] || { echo "$0: no cgroup2 is mounted" >&2; exit 1; }
	[ -n "$WORLD_ID" ] && return
	world_collect
	export WORLD_ID=bf-$name-$$
	exec unshare --mount --propagation private "$0" "$@"
}

# Ends every process of a cgroup tree and removes it.
cgroup_remove() {
	local try
	[ -d "$1" ] || return 0
	for try in $(seq 50); do
		echo 1 2>/dev/null >"$1/cgroup.kill" ||
			find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null | xargs -r kill -9 2>/dev/null
		find "$1" -depth -type d -exec rmdir {} + 2>/dev/null
		[ -d "$1" ] || return 0
		sleep 0.1
	done
	echo "cannot remove cgroup $1" >&2
	return 1
}

# What runs that were killed left behind: their names end in a process id that is gone.
world_collect() {
	local left
	for left in "$CGROUP2"/bf-*-[0-9]* /tmp/bf-*-[0-9]*; do
		[ -d "$left" ] && [[ $left =~ /bf-[a-z0-9]+-([0-9]+)$ ]] || continue
		[ -d "/proc/${BASH_REMATCH[1]}" ] && continue
		case $left in
		/tmp/*) rm -rf "$left" ;;
		*) cgroup_remove "$left" ;;
		esac
	done
}

# As words, for background commands: then $! is the command itself, not a shell that waits for it.
AGENT="nsenter --net=/run/netns/agent"
OUTSIDE="nsenter --net=/run/netns/outside"
in_agent() { $AGENT "$@"; }
in_outside() { $OUTSIDE "$@"; }

# Where jobs run: a namespace of its own.
world_agent_side() { ip netns add agent; }

world_links() {
	mount -t tmpfs none /run/netns 2>/dev/null || { mkdir -p /run/netns && mount -t tmpfs none /run/netns; }
	world_agent_side
	ip netns add outside
	in_agent ip link set lo up
	in_outside ip link set lo up
	ip link add a0 netns agent type veth peer name o0 netns outside
	# No duplicate address detection: a new IPv6 address would not be usable for a second.
	in_agent sysctl -qw net.ipv6.conf.a0.accept_dad=0 net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.tcp_fastopen=3 'net.ipv4.ping_group_range=0 2147483647'
	in_outside sysctl -qw net.ipv6.conf.o0.accept_dad=0 net.ipv4.tcp_fastopen=3
	in_outside sysctl -qw net.mptcp.enabled=1 2>/dev/null
	in_agent ip addr add $AGENT4/24 dev a0
	in_agent ip addr add $AGENT6/64 dev a0
	in_outside ip addr add 192.0.2.1/24 dev o0
	in_outside ip addr add $DNS4/24 dev o0
	in_outside ip addr add $DNS_FORGER/24 dev o0
	in_outside ip addr add 2001:db8:1::1/64 dev o0
	in_outside ip addr add $DNS6/64 dev o0
	in_agent ip link set a0 up
	in_outside ip link set o0 up
	in_agent ip route add default via 192.0.2.1
	in_agent ip -6 route add default via 2001:db8:1::1
	in_outside ip route add default via $AGENT4
	in_outside ip -6 route add default via $AGENT6
	in_outside ip route add local 198.51.100.0/24 dev lo
	in_outside ip route add local 203.0.113.0/24 dev lo
	in_outside ip -6 route add local 2001:db8:a::/48 dev lo
	in_outside ip -6 route add local 2001:db8:e::/48 dev lo
	in_outside ip addr add 203.0.113.53/32 dev lo
	in_outside ip addr add 169.254.169.254/32 dev lo
	in_outside ip addr add 168.63.129.16/32 dev lo
	in_outside ip addr add 10.1.2.3/32 dev lo
	in_agent ip route add 169.254.169.254 via 192.0.2.1
}

# Every name the outside knows; address=/name/ also covers all names below, address=/#/ says that
# there are no others.
world_names() {
	local i
	cat <<-END
	host-record=dev.azure.com,198.51.100.10,2001:db8:a::10
	host-record=pkgs-front.msedge.example,198.51.100.11
	cname=pkgs.dev.azure.com,pkgs-front.msedge.example
	host-record=blob-ams07.store.core.windows.net,198.51.100.12
	cname=contosoartifacts.blob.core.windows.net,blob-ams07.store.core.windows.net
	host-record=login.microsoftonline.com,198.51.100.13
	host-record=feed.example,$FEED4,$FEED6
	host-record=other.example,198.51.100.21
	host-record=v6only.example,2001:db8:a::70
	host-record=short.example,198.51.100.40,1
	host-record=feed.corp.example,198.51.100.60
	host-record=rebind.example,127.0.0.1
	host-record=private.example,10.1.2.3
	host-record=rebind-meta.example,169.254.169.254
	host-record=rebind-mapped.example,::ffff:203.0.113.66
	address=/wild.example/198.51.100.50
	synth-domain=synth.example,2001:db8:a:77::/64,n
	host-record=paste.example,$EVIL4,$EVIL6
	address=/evil.example/$EVIL4
	txt-record=txt.feed.example,nothing to see
	host-record=link10.example,198.51.100.30
	address=/#/
	END
	for i in $(seq 0 9); do
		echo "cname=link$i.example,link$((i + 1)).example"
	done
	for i in $(seq 100 159); do
		echo "host-record=many.example,198.51.100.$i"
	done
}

# A certificate authority of a day, and one certificate for every name above.
world_certificates() {
	local names
	names=$(world_names | sed -n 's/^\(host-record\|cname\)=\([^,]*\),.*/DNS:\2/p' | sort -u | paste -sd,)
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj "/CN=test authority" \
		-keyout "$WORLD/ca.key" -out "$WORLD/ca.pem" 2>/dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=outside" \
		-keyout "$WORLD/outside.key" -out "$WORLD/outside.csr" 2>/dev/null
	openssl x509 -req -in "$WORLD/outside.csr" -CA "$WORLD/ca.pem" -CAkey "$WORLD/ca.key" -CAcreateserial \
		-days 1 -extfile <(echo "subjectAltName=$names") -out "$WORLD/outside.pem" 2>/dev/null
}

# wait_until SECONDS COMMAND...: polls; fails when the time is over.
wait_until() {
	local end=$((SECONDS + $1 * SLOW))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.02
	done
}

world_services() {
	world_names >"$WORLD/names"
	world_certificates
	mkdir "$WORLD_CGROUP/services"
	# One subshell, so that all services are born in their cgroup.
	(
		echo $BASHPID >"$WORLD_CGROUP/services/cgroup.procs"
		in_outside $PYTHON "$WORLD_TOP/tests/e2e/sniffer.py" o0 "$WORLD/sniffed" &
		in_outside $PYTHON "$WORLD_TOP/tests/e2e/server.py" "$WORLD/outside.pem" "$WORLD/outside.key" \
			"$WORLD/ready" &
		in_outside dnsmasq --keep-in-foreground --conf-file="$WORLD/names" --no-resolv --no-hosts --user=root \
			--pid-file= --listen-address=$DNS4,$DNS6,203.0.113.53 --bind-interfaces --cache-size=0 \
			--local-ttl=60 --log-queries --log-facility="$WORLD/dns.log" --dns-forward-max=5000 &
	) </dev/null >"$WORLD/services.log" 2>&1
	wait_until 10 test -e "$WORLD/ready" && wait_until 10 grep -q listening "$WORLD/sniffed" &&
		wait_until 10 grep -q started "$WORLD/dns.log" && wait_until 10 world_reaches || {
		echo "the outside did not start:" >&2
		cat "$WORLD/services.log" "$WORLD/dns.log" >&2
		exit 1
	}
}

# bind FILE ON: puts a file in the place of another, in this mount namespace only.
world_bind() {
	local target
	target=$(readlink -f "$2")
	[ -e "$target" ] || { mkdir -p "$(dirname "$target")" && touch "$target"; }
	mount --bind "$1" "$target"
}

# Builds all of it; WORLD is then the run's folder, WORLD_CGROUP its cgroup.
world_make() {
	WORLD=/tmp/$WORLD_ID
	WORLD_CGROUP=$CGROUP2/$WORLD_ID
	WORLD_HOME=$CGROUP2$(sed -n 's/^0:://p' /proc/self/cgroup)
	trap world_remove EXIT
	trap 'exit 130' INT TERM
	mkdir -m 755 "$WORLD" "$WORLD_CGROUP" "$WORLD_CGROUP/run"
	echo $$ >"$WORLD_CGROUP/run/cgroup.procs"
	world_links
	mount -t bpf bpf /sys/fs/bpf
	echo "nameserver $DNS4" >"$WORLD/resolv.conf"
	printf '%s\n' 'passwd: files' 'group: files' 'hosts: files dns' >"$WORLD/nsswitch.conf"
	printf '%s\n' '127.0.0.1 localhost' '::1 localhost' >"$WORLD/hosts"
	world_bind "$WORLD/resolv.conf" /etc/resolv.conf
	world_bind "$WORLD/nsswitch.conf" /etc/nsswitch.conf
	world_bind "$WORLD/hosts" /etc/hosts
	world_services
}

world_remove() {
	echo $$ >"$WORLD_HOME/cgroup.procs"
	cgroup_remove "$WORLD_CGROUP"
	rm -rf "$WORLD"
}

# The link is up some time after it was said to be, IPv6 the last.
world_reaches() { in_agent bash -c ": >/dev/tcp/$FEED4/80 && : >/dev/tcp/$FEED6/80" 2>/dev/null; }

# The outside has no connection that may still say something; those whose other end may not speak
# any more would stay for minutes, so nobody waits long for them.
outside_quiet() { wait_until 1 outside_is_quiet; }
outside_is_quiet() {
	# States of the kernel's tcp_states.h: TIME_WAIT, CLOSE, LISTEN.
	in_outside cat /proc/net/tcp /proc/net/tcp6 | awk '$4 !~ /^(st|06|07|0A)$/ { exit 1 }'
}

# Waits until the sniffer has written everything that was sent before: a packet of our own, sent
# last by an unguarded process, must appear in the log.
outside_settle() {
	local mark=mark-$RANDOM$RANDOM$RANDOM
	in_agent bash -c "echo $mark >/dev/udp/192.0.2.1/9"
	wait_until 10 grep -q "$mark" "$WORLD/sniffed" || { echo "the sniffer lost its mark" >&2; return 1; }
}
