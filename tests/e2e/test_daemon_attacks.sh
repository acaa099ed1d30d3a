# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# The daemon under attack from the jobs that it guards, and from who else may talk to it.

. "$HERE/daemon.sh"

# slowest_status SECONDS: asks for the status all that time; $slowest is what the longest answer took, in ms.
slowest_status() {
	local end=$((SECONDS + $1)) begin took
	slowest=0
	while [ $SECONDS -lt $end ]; do
		begin=$EPOCHREALTIME
		ctl status >"$CASE/out" 2>&1 || fail "no status: $(cat "$CASE/out")"
		took=$(((${EPOCHREALTIME/./} - ${begin/./}) / 1000))
		[ $took -le $slowest ] || slowest=$took
		sleep 0.05
	done
}

# Whoever floods the socket, a job of root's or somebody, costs neither records nor answers nor memory.
test_daemon_hostile_clients_change_nothing() {
	daemon_with_feed
	mkdir "$CASE_CGROUP/other"
	ctl attach --job other --cgroup "$CASE_CGROUP/other" || fail "cannot attach"
	cat >"$CASE/steps" <<-END
	until [ -e "$CASE/over" ]; do (exec 3<>/dev/tcp/$EVIL4/8080) 2>/dev/null || echo refused >>"$CASE/refused"; sleep 0.1; done
	END
	forge alpha bash "$CASE/steps" &
	local job=$! hostile=() slowest
	wait_until 20 test -s "$CASE/refused" || fail "the job did not begin"
	# Less of the processor than the daemon, which has its service's share: what waits is its own doing.
	inside "$CASE_CGROUP/other" nice -n 10 $PYTHON "$TOOLS/hostile.py" "$SOCKET" 5 300 >"$CASE/hostile-root" 2>&1 &
	hostile+=($!)
	setpriv --reuid 65534 --regid 65534 --clear-groups nice -n 10 $PYTHON "$TOOLS/hostile.py" "$SOCKET" 5 300 \
		>"$CASE/hostile-nobody" 2>&1 &
	hostile+=($!)
	slowest_status 5
	wait "${hostile[@]}" || fail "an answer was odd: $(cat "$CASE/hostile-root" "$CASE/hostile-nobody")"
	touch "$CASE/over"
	wait $job
	local memory
	memory=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$DAEMON/status")
	echo "# status took at most $slowest ms, memory at most $memory KiB; $(cat "$CASE/hostile-root" "$CASE/hostile-nobody")"
	[ $slowest -lt $((1000 * SLOW)) ] || fail "status took $slowest ms"
	[ "$memory" -lt 32768 ] || fail "the daemon had $memory KiB"
	ctl detach --job other || fail "cannot detach"
	rmdir "$CASE_CGROUP/other"
	nothing_left
	count ForgeJobId=alpha EventResult=Failure
	[ "$COUNT" = "$(wc -l <"$CASE/refused")" ] || fail "$(wc -l <"$CASE/refused") attempts, $COUNT recorded"
}

# Its own memory locked, as by a page fault on a file system that does not answer: who reads its command
# line waits.
test_daemon_a_process_that_cannot_be_read_holds_up_nobody() {
	needs mkfs.ext4
	local image=$CASE/image disk=$CASE/disk job begin
	truncate -s 16M "$image" && mkfs.ext4 -q "$image" && mkdir "$disk" && mount -o loop "$image" "$disk" 2>"$CASE/err2" ||
		skip "no file system can be made in a file here: $(cat "$CASE/err2")"
	chmod 777 "$disk"
	daemon_with_feed
	cat >"$CASE/stuck.py" <<-'END'
	import ctypes, os, socket, struct, sys, threading, time
	libc = ctypes.CDLL(None)
	libc.mmap.restype = ctypes.c_void_p
	libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
	libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
	case, evil = os.environ["CASE"], socket.inet_aton(sys.argv[1])
	# What the main thread does while the memory is locked must need none: it would wait for itself.
	sockets = [socket.socket() for _ in range(3)]
	def address(ip, port):
	    return ctypes.create_string_buffer(struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + ip, 16)
	attempts = [(sockets[0].fileno(), address(socket.inet_aton("127.0.0.1"), 9)),
	            (sockets[1].fileno(), address(evil, 9001)), (sockets[2].fileno(), address(evil, 9002))]
	file = os.open(case + "/disk/file", os.O_RDWR | os.O_CREAT)
	os.ftruncate(file, 4096)
	memory = libc.mmap(None, 4096, 3, 1, file, 0)
	ctypes.string_at(memory, 1)
	os.mkdir(case + "/mapped")
	while not os.path.exists(case + "/frozen"):
	    time.sleep(0.02)
	libc.connect(*attempts[0], 16)
	libc.mlockall(1)
	threading.Thread(target=lambda: ctypes.memset(memory, 1, 1)).start()
	time.sleep(0.2)
	threading.Thread(target=lambda: libc.munmap(memory, 4096)).start()
	time.sleep(0.2)
	libc.connect(*attempts[1], 16)
	libc.connect(*attempts[2], 16)
	END
	forge stuck $PYTHON "$CASE/stuck.py" "$EVIL4" &
	job=$!
	wait_until 20 test -e "$CASE/mapped" || fail "the job did not begin"
	(sleep $((20 * SLOW)); fsfreeze -u "$disk") 2>/dev/null &
	fsfreeze -f "$disk"
	touch "$CASE/frozen"
	wait_until 15 recorded_is DstPortNumber=9002 || thawed_fail "its attempts are not recorded"
	begin=$EPOCHREALTIME
	ctl status >/dev/null || thawed_fail "the daemon does not answer"
	echo "# the daemon answered within $(((${EPOCHREALTIME/./} - ${begin/./}) / 1000)) ms"
	kill -0 $job || thawed_fail "the job was not stuck"
	# Nor the one that follows, which looks at every process of the machine.
	daemon_kill KILL
	daemon_spawn
	wait_until 10 daemon_answers || thawed_fail "the next daemon does not come up"
	kill -0 $job || thawed_fail "the job was not stuck any more"
	fsfreeze -u "$disk"
	wait $job
	umount "$disk"
	# It lives until it was recorded: of who is gone, nobody knows a command line.
	forge alpha bash -c "exec 3<>/dev/tcp/$EVIL4/9003; until [ -e $CASE/over ]; do sleep 0.1; done" 2>/dev/null &
	job=$!
	wait_until 10 recorded_is DstPortNumber=9003 || fail "what follows is not recorded"
	touch "$CASE/over"
	wait $job
	recorded DstPortNumber=9003 'ProcessCommandLine=*9003*'
	count DstPortNumber=9001 'ProcessCommandLine=*stuck*'
	[ "$COUNT" = 0 ] || fail "it was read after all, so nothing was tried"
	nothing_left
}
thawed_fail() {
	fsfreeze -u "$CASE/disk"
	umount -l "$CASE/disk"
	fail "$@"
}
recorded_is() { count "$@"; [ "$COUNT" -gt 0 ]; }

# Whoever can mount in a namespace of his own decides what an agent's folder is. Here reading .agent never
# ends, and who reads cannot be killed; nor may that keep anything of the daemon's alive that the next one
# needs.
test_daemon_an_agents_file_that_is_never_read_holds_up_nobody() {
	local before server agent
	policy_feed
	AZURE=on config </dev/null
	forge_make
	daemon_start
	records_are
	mkdir "$CASE/silent"
	cp /bin/sh "$CASE/bin/Agent.Listener"
	cp /bin/sh "$CASE/bin/Agent.Worker"
	cat >"$CASE/false" <<-END
	$PYTHON "$TOOLS/fuse.py" "$CASE/silent" .agent "{}" >"$CASE/mounted" 2>"$CASE/unmounted" &
	echo \$! >"$CASE/server"
	until [ -s "$CASE/mounted" ]; do kill -0 \$! || exit 77; sleep 0.02; done
	cd "$CASE/silent"
	exec "$CASE/bin/Agent.Listener" -c '"$CASE/bin/Agent.Worker" -c "until [ -e $CASE/over ]; do sleep 0.1; done; :"; :'
	END
	inside "$AGENT_CGROUP" unshare -m bash "$CASE/false" &
	agent=$!
	wait_until 10 test -s "$CASE/server" && server=$(cat "$CASE/server")
	trap 'false_agent_end $server' EXIT
	wait_until 10 grep -q "job 'azure.* begins" "$CASE/err" || false_agent_fail "the false worker has no guard"
	grep -q "its agent's file .agent could not be read in time" "$CASE/err" || fail "it was read, so nothing was tried"
	daemon_answers_soon
	forge alpha $JOB tcp "$EVIL4" 9001 && fail "a job was not refused"
	recorded ForgeJobId=alpha DstPortNumber=9001
	before=$DAEMON
	kill -KILL $before
	daemon_spawn
	wait_until 10 daemon_answers || fail "the next daemon does not come up"
	kill -0 $before || fail "the reader could be killed, so nothing was tried"
	forge beta $JOB tcp "$EVIL4" 9002 && fail "a job of the next daemon was not refused"
	touch "$CASE/over"
	kill -KILL $server
	wait $before $agent
	nothing_left
	recorded ForgeJobId=beta DstPortNumber=9002
}
false_agent_end() {
	local status=$?
	kill -KILL $1 2>/dev/null
	(exit $status)
	daemon_clean
}
false_agent_fail() {
	[ ! -s "$CASE/unmounted" ] || skip "$(tail -n 1 "$CASE/unmounted")"
	fail "$@"
}

# The daemon's answer takes the time of a turn of its loop, not more.
daemon_answers_soon() {
	local begin=$EPOCHREALTIME took
	ctl status >/dev/null || fail "the daemon does not answer"
	took=$(((${EPOCHREALTIME/./} - ${begin/./}) / 1000))
	echo "# the daemon answered within $took ms"
	[ $took -lt $((2000 * SLOW)) ] || fail "the daemon answered after $took ms"
}

# Who is guarded shall not take the guard off, root or not.
test_daemon_root_in_a_job_may_change_nothing() {
	daemon_with_feed
	mkdir "$CASE_CGROUP/other"
	ctl attach --job other --cgroup "$CASE_CGROUP/other" || fail "cannot attach"
	cat >"$CASE/steps" <<-END
	[ "\$(id -u)" = 0 ] || exit 9
	mkdir -p $CGROUP2\$(sed -n 's/^0:://p' /proc/self/cgroup)/box || exit 8
	ask() { ! "$BUILDFENCE" "\$@" --socket "$SOCKET" >"$CASE/said" 2>&1 && grep -q "is for root only" "$CASE/said"; }
	all() {
		ask attach --job mine --cgroup "$AGENT_CGROUP" && ask attach --job mine --cgroup self &&
			ask detach --job other && ask detach --job "\$1" && ask reload && ask jobs
	}
	name=forge-1.\$PPID
	all "\$name" || exit 1
	echo \$\$ >$CGROUP2\$(sed -n 's/^0:://p' /proc/self/cgroup)/box/cgroup.procs || exit 7
	all "\$name" || exit 2
	"$BUILDFENCE" status --socket "$SOCKET" --cgroup self >/dev/null || exit 3
	exit 0
	END
	forge alpha bash "$CASE/steps" || fail "root in a job ($?): $(cat "$CASE/said")"
	jobs_know 1 '"name": "other"' || fail "the other job is gone"
	inside "$CASE_CGROUP/other" bash "$CASE/steps" || fail "root in an attached cgroup ($?): $(cat "$CASE/said")"
	ctl detach --job other || fail "root outside cannot detach"
	rmdir "$CASE_CGROUP/other/box" "$CASE_CGROUP/other"
	nothing_left
}

# The process that connected is gone when the daemon looks: nobody knows whose the request is.
test_daemon_root_whose_process_ended_may_change_nothing() {
	daemon_with_feed
	cat >"$CASE/ask.py" <<-'END'
	import os, socket, sys, time
	open(os.environ["CASE"] + "/begun", "w")
	while not os.path.exists(os.environ["CASE"] + "/stopped"):
	    time.sleep(0.02)
	client = socket.socket(socket.AF_UNIX)
	child = os.fork()
	if not child:
	    client.connect(sys.argv[1])
	    client.sendall(b'{"request":"jobs"}\n')
	    os._exit(0)
	os.waitpid(child, 0)
	open(os.environ["CASE"] + "/asked", "w")
	print(client.makefile().readline())
	END
	forge alpha $PYTHON "$CASE/ask.py" "$SOCKET" >"$CASE/answer" &
	local job=$!
	wait_until 20 test -e "$CASE/begun" || fail "the job did not begin"
	kill -STOP $DAEMON
	touch "$CASE/stopped"
	wait_until 20 test -e "$CASE/asked" || { kill -CONT $DAEMON; fail "nobody asked"; }
	kill -CONT $DAEMON
	wait $job
	grep -q '"ok": *false.*only' "$CASE/answer" || fail "it was answered: $(cat "$CASE/answer")"
	nothing_left
}

# As many kinds of attempts as fit, of a process with as many threads as it takes to look for the one that
# tried: the daemon describes them all, but not all at once.
test_daemon_thousands_of_kinds_of_attempts_leave_others_their_turn() {
	daemon_with_feed
	cat >"$CASE/kinds.py" <<-'END'
	import ctypes, os, socket, sys, threading, time
	case, evil, kinds = os.environ["CASE"], sys.argv[1], int(sys.argv[2])
	over = threading.Event()
	for _ in range(300):
	    threading.Thread(target=over.wait, daemon=True).start()
	def attempts():
	    ctypes.CDLL(None).prctl(15, b"last-of-many", 0, 0, 0)
	    sock, count = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0
	    while not os.path.exists(case + "/over"):
	        for port in range(1, kinds + 1):
	            try:
	                sock.sendto(b"x", (evil, port))
	            except PermissionError:
	                count += 1
	        open(case + "/began", "w")
	        time.sleep(1)
	    with open(case + "/refused", "w") as out:
	        out.write(str(count))
	thread = threading.Thread(target=attempts)
	thread.start()
	thread.join()
	END
	forge alpha "$PYTHON" "$CASE/kinds.py" "$EVIL4" $((40 * LOAD)) &
	local job=$! slowest
	wait_until 30 test -e "$CASE/began" || fail "the job did not begin"
	slowest_status 6
	touch "$CASE/over"
	wait $job
	echo "# status took at most $slowest ms beside $(cat "$CASE/refused") attempts of $((40 * LOAD)) kinds"
	[ $slowest -lt $((2500 * SLOW)) ] || fail "status took $slowest ms"
	wait_until 60 no_jobs || fail "the job does not end"
	nothing_left
	count ForgeJobId=alpha EventResult=Failure
	[ "$COUNT" = "$(cat "$CASE/refused")" ] || fail "$(cat "$CASE/refused") attempts, $COUNT recorded"
}
