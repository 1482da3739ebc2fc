#!/usr/bin/env bats
# The door of the queue: smtpd and qmail-queue hand in by a socket; queue-sink and a server of the tests take it.

bats_require_minimum_version 1.5.0
load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	PATH=$BIN:$PATH
	export PORTERO_HOME=$PWD/home TCPREMOTEIP=192.0.2.7 PROTO=TCP
	unset RELAYCLIENT DATABYTES TCPREMOTEHOST TCPREMOTEINFO TCPLOCALHOST TCPLOCALIP QMAILQUEUE QUEUECAN XCLIENT
	mkdir -p home/control home/run
	echo mx.example.org >home/control/me
	echo example.org >home/control/rcpthosts
}

# played WHAT...: the server of door.py, at the default place.
played() {
	rm -f home/run/queue
	background timeout 60 python3 "$BATS_TEST_DIRNAME/door.py" home/run/queue "$@"
	SERVED=$PID
	wait_for test -S home/run/queue
}

sink() {
	background timeout 60 queue-sink "$@" home/run/queue 2>sunk
	SINK=$PID
	wait_for test -S home/run/queue
}

# say LINE ...: a line @FILE stands for the lines of that file.
say() {
	local line

	for line in "$@"; do
		case $line in
		@*) sed 's/$/\r/' "${line#@}" ;;
		*) printf '%s\r\n' "$line" ;;
		esac
	done | timeout 20 smtpd 2>>log | tr -d '\r'
}

one=('MAIL FROM:<s@client.example>' 'RCPT TO:<u@example.org>' DATA)

# ---- smtpd ---------------------------------------------------------------------------------------------

@test "smtpd hands in by the socket at its default place; the reply names the number of the message" {
	played
	run -0 say 'EHLO c' "${one[@]}" 'Subject: x' '' hello . "${one[@]}" second . QUIT
	[[ "${lines[-6]}" =~ ^'250 2.0.0 ok '[0-9]+' qp 4711'$ ]]
	[[ "${lines[-2]}" =~ ^'250 2.0.0 ok '[0-9]+' qp 4712'$ ]]
	[ "$(tail -n 3 got.1)" = $'Subject: x\n\nhello' ]
	[[ "$(head -n 1 got.1)" = 'Received: from '* ]]
	[ "$(cat got.1.envelope)" = 'Fs@client.example|Tu@example.org||' ]
	[ "$(tail -n 1 got.2)" = second ]
	grep -q 'code=250 reason=queued .*qp=4711 ' log
}

@test "QMAILQUEUE and control/queue name a socket" {
	played
	mv home/run/queue other
	QMAILQUEUE=unix:$PWD/other run -0 say "${one[@]}" a . QUIT
	[[ "${lines[-2]}" = *'qp 4711' ]]
	echo unix:../other >home/control/queue
	run -0 say "${one[@]}" a . QUIT
	[[ "${lines[-2]}" = *'qp 4712' ]]
}

@test "messages of every size arrive byte for byte" {
	local size
	played
	for size in 1 100 8000 8192 16000 16384 65536 1048576 3000000; do
		head -c "$size" /dev/urandom | base64 -w 100 >text
		run -0 say "${one[@]}" @text . QUIT
		[[ "${lines[-2]}" = '250 ok '*' qp '* ]]
		number=${lines[-2]##* }
		tail -n +3 "got.$((number - 4710))" | cmp - text
	done
}

@test "Z and D of the server are the reply, and the session goes on" {
	played 'Zqueue is full (#4.3.1)' 'Dnot here (#5.7.1)' K
	run -0 say 'EHLO c' "${one[@]}" a . "${one[@]}" b . "${one[@]}" c . QUIT
	[ "${lines[-10]}" = '451 4.3.1 queue is full (#4.3.1)' ]
	[ "${lines[-6]}" = '554 5.7.1 not here (#5.7.1)' ]
	[[ "${lines[-2]}" = '250 2.0.0 ok '* ]]
}

@test "a refused message is void: nothing of it is in the next one" {
	played
	yes "$(printf '%0100d' 0)" | head -n 1000 >long
	run -0 say "${one[@]}" first$'\nsecond' . "${one[@]}" @long bare$'\n'lf . "${one[@]}" third . QUIT
	[ "${lines[4]:0:3}" = 550 ]
	[ "${lines[8]:0:3}" = 550 ]
	[[ "${lines[12]}" = '250 ok '*' qp 4711' ]]
	[ "$(tail -n +3 got.1)" = third ]
}

@test "no server, a server that dies, one that talks nonsense: 451, and nothing is kept" {
	run -0 say "${one[@]}" QUIT
	[ "${lines[3]}" = '451 qqt failure (#4.3.0)' ]
	grep -q 'trouble=unix:.*/run/queue .*there is no such socket' log
	played end
	run -0 say "${one[@]}" a . "${one[@]}" QUIT
	[ "${lines[4]}" = '451 communication with mail server failed (#4.4.2)' ]
	[ "${lines[7]}" = '451 qqt failure (#4.3.0)' ]
	run -0 say "${one[@]}" QUIT
	[ "${lines[3]}" = '451 qqt failure (#4.3.0)' ]
	grep -q 'trouble=unix:.*/run/queue .*nobody listens on this socket' log
	played close
	yes "$(printf '%0900d' 0)" | head -n 3000 >long
	run -0 say "${one[@]}" @long . QUIT
	[ "${lines[4]}" = '451 communication with mail server failed (#4.4.2)' ]
	stop "$SERVED" || :
	played wrong
	run -0 say "${one[@]}" a . QUIT
	[ "${lines[4]}" = '451 communication with mail server failed (#4.4.2)' ]
}

@test "what a server says before it closes is the reply" {
	played 'full:Ztoo many connections (#4.3.2)'
	run -0 timeout 20 smtpd 2>log < <(printf 'EHLO c\r\n'; sleep 0.3; printf '%s\r\n' "${one[@]}" QUIT)
	[ "${lines[-2]}" = $'451 4.3.2 too many connections (#4.3.2)\r' ]
}

@test "--check says whether somebody answers" {
	run -100 smtpd --check
	[[ "$output" = *"error    queue          unix:$PORTERO_HOME/run/queue: there is no such socket"*'451'* ]]
	played
	run -0 smtpd --check
	[[ "$output" = *"ok       queue          unix:$PORTERO_HOME/run/queue"* ]]
}

@test "smtpd starts no process for a message, and calls what its lock allows" {
	[[ "$BIN" != *sanitize* ]] || skip 'a sanitizer cannot be traced'
	requires strace strace
	played
	printf '%s\r\n' "${one[@]}" a . "${one[@]}" b . QUIT |
		strace -f -o trace smtpd >out 2>log || skip 'strace may not trace here'
	[ "$(grep -c '^250 ok .* qp' out)" = 2 ]
	run ! grep -E 'EPERM|clone|fork' trace
	[ "$(grep -c 'sendto(.*"[0-9]*:M' trace)" = 2 ] # Received, text and envelope together
}

# ---- resident ------------------------------------------------------------------------------------------

resident_server() {
	tcpserver --help | grep -q -- --resident || skip 'this tcpserver has no --resident'
	start_server -v -R -H -l0 --resident 1 127.0.0.1 0 smtpd
}

send() {
	dialogue "$PORT" "$(printf '%s\r\n' 'HELO x' "${one[@]}" "$1" . QUIT)"$'\n'
}

pids() {
	sed -n 's/^tcpserver: pid \([0-9]*\) from .*/\1/p' log | sort -u | wc -l
}

@test "a resident smtpd has one connection to the queue for all of its sessions" {
	played
	resident_server
	for round in 1 2 3; do
		run -0 send x
		[[ "$output" == *' qp '$((4710 + round))* ]]
		wait_for logged '^tcpserver: end [0-9]* status 0$' "$round"
	done
	[ "$(pids)" = 1 ]
}

@test "a resident smtpd keeps no byte of a former client, at its door neither" {
	! grep -q __asan_init "$BIN/smtpd" || skip 'the sanitizer keeps shadows of what was there'
	sink
	QUEUE_DOOR=unix:$PWD/home/run/queue run timeout 60 python3 "$BATS_TEST_DIRNAME/resident.py" "$BIN" memory
	[ "$status" = 0 ] || { echo "$output"; false; }
	stop "$SINK" || :
	[[ "$(cat sunk)" = *' 2 messages, '* ]]
}

@test "a queue server that was started anew meanwhile costs no session its message" {
	played
	resident_server
	run -0 send x
	[[ "$output" == *' qp 4711'* ]]
	wait_for logged '^tcpserver: end [0-9]* status 0$'
	stop "$SERVED" || :
	played
	run -0 send y
	[[ "$output" == *' qp 4711'* ]]
	[ "$(tail -n 1 got.1)" = y ]
}

@test "a server that is gone: each session is told 451 until it is back" {
	resident_server
	for round in 1 2; do
		run -0 send x
		[[ "$output" == *$'\n451 '* ]]
		wait_for logged '^tcpserver: end [0-9]* status' "$round"
	done
	played
	run -0 send x
	[[ "$output" == *' qp 4711'* ]]
}

# ---- qmail-queue ---------------------------------------------------------------------------------------

envelope() {
	printf '%b' "$1" >envelope # NULs are written as \0 there
}

queue() {
	timeout 20 qmail-queue <message 1<envelope 2>log 4>/dev/null 6>error
}

@test "qmail-queue hands in what it reads, of every size" {
	local size n=0
	played
	envelope 'Fs@a.example\0Tr@b.example\0Tq@c.example\0\0behind it'
	for size in 0 1 8191 16384 65536 65537 10000000; do
		head -c "$size" /dev/urandom >message
		run -0 queue
		cmp message "got.$((++n))"
		[ "$(cat "got.$n.envelope")" = 'Fs@a.example|Tr@b.example|Tq@c.example||' ]
	done
	[ ! -s log ] && [ ! -s error ]
}

@test "qmail-queue: an envelope that was cut, at any byte: 54, and nothing is handed in" {
	local n
	played
	printf 'x\n' >message
	envelope 'Fs@a.example\0Tr@b.example\0\0'
	cp envelope whole
	for n in $(seq 0 $(($(stat -c %s whole) - 1))); do
		head -c "$n" whole >envelope
		run -54 queue
	done
	run -54 timeout 20 bash -c 'exec qmail-queue <message 1>&-'
	run -54 timeout 20 bash -c 'exec qmail-queue <&- 1<whole'
	cp whole envelope
	run -0 queue
	[ "$(ls got.?)" = got.1 ]
}

@test "qmail-queue: wrong envelopes are 91, 11 and 82; no server 56, no home 61" {
	played
	printf 'x\n' >message
	envelope 'Ta\0\0'
	run -91 queue
	(printf F; head -c 1003 /dev/zero | tr '\0' a; printf '\0Tr\0\0') >envelope
	run -11 queue
	(printf 'Fs\0'; yes "$(printf 'T%01000d' 0)" | head -n 4500 | tr '\n' '\0'; printf '\0') >envelope
	run -82 queue
	[ "$(cat error)" = 'Denvelope is larger than this queue takes (#5.5.3)' ]
	(printf 'Fs\0'; yes "$(printf 'T%01000d' 0)" | head -n 4100 | tr '\n' '\0'; printf '\0') >envelope
	run -0 queue
	tr '\0' '|' <envelope | cmp - got.1.envelope
	PORTERO_HOME=$PWD/nowhere run -61 queue
	rm home/run/queue
	run -56 queue
}

@test "qmail-queue: the answers of a server, as exit codes and as text on 6 or 4" {
	played 'Zqueue is full (#4.3.1)' 'Dnot here (#5.7.1)' 'Zqq write error or disk full (#4.3.0)' \
		'Denvelope address too long for qq (#5.1.3)' 'Zsix (#4.3.0)' 'Dfour (#5.0.0)' 'Znobody (#4.0.0)' \
		'Dnobody (#5.0.0)' wrong
	printf 'x\n' >message
	envelope 'Fs\0Tr\0\0'
	run -82 queue
	[ "$(cat error)" = 'Zqueue is full (#4.3.1)' ]
	run -82 queue
	[ "$(cat error)" = 'Dnot here (#5.7.1)' ]
	run -53 queue
	run -11 queue
	[ ! -s error ]
	run -82 timeout 20 bash -c 'exec qmail-queue <message 1<envelope 6>error 4>&-'
	[ "$(cat error)" = 'Zsix (#4.3.0)' ]
	run -82 timeout 20 bash -c 'exec qmail-queue <message 1<envelope 4>error 6>&- 3>&-'
	[ "$(cat error)" = 'Dfour (#5.0.0)' ]
	# its own socket comes to lie on 3, 4 or 6: that is nobody who reads
	run -71 timeout 20 bash -c 'exec qmail-queue <message 1<envelope 3</dev/null 4>&- 5</dev/null 6>&-'
	run -31 timeout 20 bash -c 'exec qmail-queue <message 1<envelope 3</dev/null 4</dev/null 5</dev/null 6>&-'
	run -74 queue
}

@test "qmail-queue with the message of usual size: one send, one read" {
	[[ "$BIN" != *sanitize* ]] || skip 'a sanitizer cannot be traced'
	requires strace strace
	played
	head -c 4000 /dev/zero >message
	envelope 'Fs\0Tr\0\0'
	strace -o trace qmail-queue <message 1<envelope 2>log || skip 'strace may not trace here'
	[ "$(grep -c '^send' trace)" = 1 ]
	[ "$(wc -l <trace)" -lt 30 ]
}

# ---- the server's side ---------------------------------------------------------------------------------

@test "queue-sink takes what smtpd and qmail-queue hand in" {
	sink
	run -0 say "${one[@]}" a . "${one[@]}" b . QUIT
	[[ "${lines[4]}" = '250 ok '*' qp 1' ]]
	[[ "${lines[8]}" = '250 ok '*' qp 2' ]]
	printf 'x\n' >message
	envelope 'Fs\0Tr\0\0'
	run -0 queue
	stop "$SINK"
	grep -q 'queue-sink: 3 messages, ' sunk
	[ ! -e home/run/queue ]
}

@test "queue-sink: the mode of its socket, a place that is taken, wrong usage" {
	sink -m 622
	[ "$(stat -c %a home/run/queue)" = 622 ]
	run -111 queue-sink home/run/queue
	[[ "$output" = *'home/run/queue: cannot bind: Address'* ]]
	run -100 queue-sink
	run -100 queue-sink -m 9 x
	run -100 queue-sink -c 0 x
}

@test "one user does not take all places, and whoever gets none is told 451" {
	sink -c 4
	exec 7> >(timeout 20 smtpd >/dev/null 2>&1) 8> >(timeout 20 smtpd >/dev/null 2>&1)
	wait_for eval '[ "$(find "/proc/$(pgrep -P "$SINK")/fd" -lname "socket:*" | wc -l)" = 3 ]' # one of them listens
	# the server may say so before DATA or while the text comes
	run -0 say 'EHLO c' "${one[@]}" a . QUIT
	exec 7>&- 8>&-
	grep -qx '451 4.3.2 too many connections to the queue (#4.3.2)' <<<"$output"
	grep -q 'refused: too many connections' sunk
}

@test "the client of portero-queue(7) does what the page says" {
	local page=$BATS_TEST_DIRNAME/../queue/portero-queue.7
	sed -n '/^import socket/,/^\.Ed/p' "$page" | sed '/^\.Ed/d; s/\\e/\\/g' >client.py
	sink
	run -0 timeout 20 python3 client.py home/run/queue s@a.example r@b.example <<<'Subject: x'
	[[ "$output" =~ ^'Kok '[0-9]+' qp 1'$ ]]
	stop "$SINK" || :
	played
	printf '13:MSubject: x\n\n,28:EFs@a.example\0Tr@b.example\0\0,' >want
	[ "$(sed -n 's/\\en/\\n/g; s/\\e0/\\0/g; /^13:M/p' "$page")" = "$(tr '\0' '~' <want | sed ':a;N;$!ba; s/\n/\\n/g; s/~/\\0/g')" ]
	python3 - <<-'END'
		import socket
		s = socket.socket(socket.AF_UNIX)
		s.connect("home/run/queue")
		s.sendall(open("want", "rb").read())
		assert s.recv(99) == b"22:Kok 1763930000 qp 4711,"
	END
	[ "$(cat got.1)" = 'Subject: x' ]
}
