# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# A job of another user has its caller's terminal, whose shell is root's.

# on_a_terminal SCRIPT: `run --user nobody` with a terminal of its own, whose output is in $CASE/out.
on_a_terminal() {
	policy_feed
	chmod 755 "$CASE"
	cat >"$CASE/job.py" <<<"$1"
	cat >"$CASE/terminal.py" <<-'END'
	import os, pty, sys
	pid, terminal = pty.fork()
	if not pid:
	    os.execv(sys.argv[1], sys.argv[1:])
	try:
	    while True:
	        piece = os.read(terminal, 4096)
	        if not piece:
	            break
	        os.write(1, piece)
	except OSError:
	    pass
	sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	END
	STATUS=0
	in_agent timeout -k 5 $((30 * SLOW)) "$PYTHON" "$CASE/terminal.py" "$BUILDFENCE" run --policy "$CASE/policy.yaml" \
		--events "$CASE/events" --user nobody -- "$PYTHON" "$CASE/job.py" "$EVIL4" >"$CASE/out" 2>"$CASE/err" </dev/null || STATUS=$?
	! grep -q "out of pty devices\|No such file or directory: '/dev/ptmx'" "$CASE/err" || skip "no terminals here: $(tail -n 1 "$CASE/err")"
}

test_a_job_of_another_user_types_nothing_for_its_callers_shell() {
	on_a_terminal 'import errno, fcntl, os
for request in (0x5412, 0x541C, 0x5412 | 1 << 40):
    try:
        fcntl.ioctl(0, request & 0xffffffff, b"x")
        print("typed")
    except OSError as error:
        print("refused", errno.errorcode[error.errno], os.getuid() != 0)'
	status_is 0
	! grep -q typed "$CASE/out" || fail "it typed: $(cat "$CASE/out")"
	[ "$(grep -c "refused EPERM True" "$CASE/out")" = 3 ] || fail "not refused by the guard: $(cat "$CASE/out")"
}

# A job that makes itself the terminal's foreground and has it stop who writes from behind.
test_a_job_cannot_stop_the_guards_lines() {
	on_a_terminal 'import os, signal, socket, sys, termios, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
os.setpgid(0, 0)
os.tcsetpgrp(0, os.getpgid(0))
modes = termios.tcgetattr(0)
modes[3] |= termios.TOSTOP
termios.tcsetattr(0, termios.TCSANOW, modes)
for port in (8080, 8081):
    try:
        socket.create_connection((sys.argv[1], port), 5)
    except OSError:
        pass
    time.sleep(1.5)'
	[ "$STATUS" != 124 ] && [ "$STATUS" != 137 ] || fail "the run was stopped: $(cat "$CASE/out")"
	prints "$EVIL4:8081"
	recorded DstPortNumber=8081
}
