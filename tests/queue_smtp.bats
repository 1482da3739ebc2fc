#!/usr/bin/env bats
# queue-smtp and queue-lmtp: what leaves, and which answer of the server becomes which answer of ours.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own
bats_require_minimum_version 1.5.0
load helpers
load peers

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	PATH=$BIN:$PATH
	requires python3 python3
	unset SMTPNEWLINE SMTPAUTH TMPDIR
	export PORTERO_HOME=$PWD/none
	printf 'Subject: x\n\nhello\n' >message
	envelope 's@a.example' 'r@b.example'
}

teardown() {
	stop_all
	remove_own_folder
}

# envelope SENDER RECIPIENT...: \0 in them begins a note
envelope() {
	printf 'F%b\0' "$1" >envelope
	shift
	[ $# = 0 ] || printf 'T%b\0' "$@" >>envelope
	printf '\0' >>envelope
}

# queue PROGRAM ARGUMENT...: message and envelope from the files of that name; "error" is descriptor 6. Its exit code.
queue() {
	timeout 60 "$@" <message 1<envelope 2>log.txt 4>/dev/null 6>error
}

# shellcheck disable=SC2120 # answer has some for it
smtp() {
	queue queue-smtp --helo out.example "$@" 127.0.0.1 "$PEER_PORT"
}

# peer STEP...: smtp_peer.py. Sets PEER_PORT.
peer() {
	[ -z "${PEER-}" ] || stop "$PEER" || :
	rm -f got peer.port
	background python3 -B "$BATS_TEST_DIRNAME/smtp_peer.py" "$@" >peer.port
	PEER=$PID
	wait_for test -s peer.port
	PEER_PORT=$(cat peer.port)
}

# greeting WORD...: the steps up to the answer to EHLO, which offers those words. Sets HELLO.
greeting() {
	local word

	HELLO=('>220 peer' '<EHLO out.example\r\n' '>250-peer')
	for word in "$@"; do
		HELLO+=(">250-$word")
	done
	HELLO+=('>250 HELP')
}

# answer CODE TEXT OPTION...: the program ends with that code, and says that text (a pattern) on descriptor 6.
answer() {
	local code=$1 text=$2
	shift 2

	run "-$code" smtp "$@"
	text=${text//\(/[(]} # no pattern of bash's own
	# shellcheck disable=SC2053 # a pattern
	[[ "$(cat error)" == $text ]] || { cat error log.txt; false; }
}

# ---- what leaves -------------------------------------------------------------------------------------------------

@test "one recipient, pipelined: MAIL, RCPT and DATA leave together, and the message is as it was" {
	greeting PIPELINING 8BITMIME 'SIZE 100000'
	peer "${HELLO[@]}" '<DATA\r\n' '>250 ok' '>250 ok' '>354 go' '<\r\n.\r\n' '>250 2.0.0 as 4711' '<QUIT'
	printf 'Subject: caf\351\n\n.\n..\nx' >message
	smtp
	[ ! -s error ]
	grep -qF "127.0.0.1 [127.0.0.1]:$PEER_PORT: taken: 250 2.0.0 as 4711" log.txt
	wait_for grep -q QUIT got
	printf '%s\r\n' 'EHLO out.example' 'MAIL FROM:<s@a.example> SIZE=27 BODY=8BITMIME' 'RCPT TO:<r@b.example>' DATA \
		"$(printf 'Subject: caf\351')" '' .. ... x . QUIT | cmp - got
}

@test "a server that offers nothing gets one command at a time and no parameter; HELO where EHLO is not known" {
	peer '>220 peer' '<EHLO out.example\r\n' '>502 what' '<HELO out.example\r\n' '>250 peer' '<MAIL FROM:<s@a.example>\r\n' \
		. '>250 ok' '<RCPT TO:<r@b.example>\r\n' . '>250 ok' '<DATA\r\n' . '>354 go' '<\r\n.\r\n' '>250 ok'
	printf 'Subject: caf\351\n\n' >message
	smtp
	[ "$(wc -l <got)" = 8 ] || wait_for grep -q QUIT got
}

@test "several recipients: DATA waits for all of them" {
	greeting PIPELINING
	envelope '' r@b.example q@b.example
	peer "${HELLO[@]}" '<q@b.example>\r\n' '>250 ok' '>250 ok' . '>250 ok' '<DATA\r\n' '>354 go' '<\r\n.\r\n' '>250 ok'
	smtp
	[ "$(sed -n '2,5p' got | tr -d '\r')" = 'MAIL FROM:<>
RCPT TO:<r@b.example>
RCPT TO:<q@b.example>
DATA' ]
}

@test "DSN, SMTPUTF8: the notes of the envelope go where they are understood, and nowhere else" {
	greeting PIPELINING DSN SMTPUTF8
	envelope 's@a.example\0iabc+2B\0rHDRS' 'r\303\251@b.example\0nSUCCESS,DELAY\0orfc822;x@b.example'
	peer "${HELLO[@]}" '<DATA\r\n' '=250 ok\r\n250 ok\r\n354 go\r\n' '<\r\n.\r\n' '>250 ok'
	smtp
	[ "$(sed -n '2,3p' got | tr -d '\r')" = 'MAIL FROM:<s@a.example> SMTPUTF8 RET=HDRS ENVID=abc+2B
RCPT TO:<ré@b.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@b.example' ]
	greeting PIPELINING
	peer "${HELLO[@]}"
	answer 82 'D*SMTPUTF8*(#5.6.7)'
	envelope 's@a.example\0iabc\0rHDRS' 'r@b.example\0nNEVER'
	peer "${HELLO[@]}" '<DATA\r\n' '=250 ok\r\n250 ok\r\n354 go\r\n' '<\r\n.\r\n' '>250 ok'
	smtp
	[ "$(sed -n '2,3p' got | tr -d '\r')" = 'MAIL FROM:<s@a.example>
RCPT TO:<r@b.example>' ]
}

@test "no address and no note is a command" {
	local to

	greeting PIPELINING DSN
	peer "${HELLO[@]}"
	for to in 'r@b.example>\r\nDATA\r\n' 'r@b.example\nx' 'r@b.example> SIZE=0' 'r@b.example x' '' 'r@' 'r\177@b.example' \
		'r@b.example\0nNEVER\r\nRSET' 'r@b.example\0orfc822;x y'; do
		envelope s@a.example "$to"
		answer 82 'D*(#5.[15].[34])'
		envelope "$to" r@b.example
		[ -z "$to" ] || [[ "$to" = *\\0* ]] || answer 82 'D*(#5.1.3)'
	done
	envelope 's@a.example\0iab\r\nRSET' r@b.example
	answer 82 'D*(#5.5.4)'
	run ! grep -E 'MAIL|RCPT|DATA|RSET' got
	envelope 'a"b\\c@d@a.example' 'x y@b.example' .r@b.example r..s@b.example postmaster 'u@[192.0.2.1]'
	peer "${HELLO[@]}" '<[192.0.2.1]>\r\n' '=250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n' '<DATA\r\n' '>354 go' \
		'<\r\n.\r\n' '>250 ok'
	smtp
	[ "$(sed -n '2,7p' got | tr -d '\r')" = 'MAIL FROM:<"a\"b\\c@d"@a.example>
RCPT TO:<"x y"@b.example>
RCPT TO:<".r"@b.example>
RCPT TO:<"r..s"@b.example>
RCPT TO:<postmaster>
RCPT TO:<u@[192.0.2.1]>' ]
}

@test "messages of every size come through, into our own smtpd" {
	local size

	own_folder memory
	mail_home "$OWN/home"
	echo 5000000 >"$PORTERO_HOME/control/databytes"
	start_server -vRHl0 127.0.0.1 0 smtpd
	PEER_PORT=$PORT
	envelope s@client.example u@example.org v@example.org
	for size in 0 1 4095 4096 262142 262143 262144 262145 3000000; do
		rm -f "$MAILDIR"/new/*
		(printf '\n'; head -c "$size" /dev/urandom | tr '\r\n' '.x' | sed 's/............................/&\n/g') >message
		echo >>message
		smtp
		sed '1,/^$/d' "$MAILDIR"/new/* | cmp - <(tail -n +2 message)
	done
	head -c 5000001 /dev/zero >message
	answer 82 'D*larger*(#5.3.4)'
	[ -z "$(find /tmp -maxdepth 1 -name 'queue.*')" ]
}

@test "a thousand recipients, which pipeline in groups" {
	program_of postfix /usr/sbin/smtp-sink
	PEER_PORT=$(free_port 127.0.0.1)
	mapfile -t many < <(seq -f '%.0f@b.example' 1000)
	envelope s@a.example "${many[@]}"
	background "$PROGRAM" -u "$(id -un)" -c "127.0.0.1:$PEER_PORT" 10 >sink 2>&1
	wait_for listens 127.0.0.1 "$PEER_PORT"
	smtp
}

# ---- which answer becomes which ------------------------------------------------------------------------------------

@test "what the server says is what we say: D for ever, Z for now, its own status code" {
	greeting PIPELINING
	peer "${HELLO[@]}" '<DATA\r\n' '=250 ok\r\n550-5.1.1 no such\r\n550 5.1.1 user\r\n503 5.5.1 nobody\r\n'
	answer 82 'D127.0.0.1 does not like <r@b.example>: 550 5.1.1 no such user (#5.1.1)'
	peer "${HELLO[@]}" '<DATA\r\n' '=250 ok\r\n450 full\r\n503 nobody\r\n'
	answer 82 'Z127.0.0.1 does not like <r@b.example>: 450 full (#4.1.0)'
	peer "${HELLO[@]}" '<DATA\r\n' '=553 5.7.1 not you\r\n503 no\r\n503 no\r\n'
	answer 82 'D127.0.0.1 does not like the sender: 553 5.7.1 not you (#5.7.1)'
	peer "${HELLO[@]}" '<DATA\r\n' '=250 ok\r\n250 ok\r\n451 4.3.1 later\r\n'
	answer 82 'Z127.0.0.1 does not take the message: 451 4.3.1 later (#4.3.1)'
	peer "${HELLO[@]}" '<DATA\r\n' '=250 ok\r\n250 ok\r\n354 go\r\n' '<\r\n.\r\n' '>554 5.7.1 spam'
	answer 82 'D127.0.0.1 does not take the message: 554 5.7.1 spam (#5.7.1)'
	peer "${HELLO[@]}" '<DATA\r\n' '=250 ok\r\n250 ok\r\n354 go\r\n' '<\r\n.\r\n' '>554 4.7.1 odd'
	answer 82 'D*554 4.7.1 odd (#5.3.0)' # a code of another class is none
}

@test "what is about us is for now: the greeting, EHLO, a login that is asked for" {
	peer '>554 5.7.1 go away'
	answer 82 'Z127.0.0.1 does not serve us: 554 5.7.1 go away (#4.3.0)'
	peer '>220 x' '<EHLO' '>501 what' '<HELO' '>501 5.5.4 no name'
	answer 82 'Z127.0.0.1 does not serve us: 501 5.5.4 no name (#4.3.0)'
	greeting PIPELINING
	peer "${HELLO[@]}" '<DATA\r\n' '=530 5.7.0 log in first\r\n503 no\r\n503 no\r\n'
	answer 82 'Z127.0.0.1 does not like the sender: 530 5.7.0 log in first (#4.1.0)'
}

@test "some recipients are refused: nobody gets it, and nothing is half done" {
	greeting PIPELINING
	envelope s@a.example a@b.example b@b.example c@b.example
	peer "${HELLO[@]}" '<c@b.example>\r\n' '=250 ok\r\n450 full\r\n550 unknown\r\n250 ok\r\n'
	answer 82 'D127.0.0.1 does not like <b@b.example>: 550 unknown (#5.1.0)'
	wait_for grep -q QUIT got
	run ! grep -E 'DATA|hello' got
	greeting # one at a time
	peer "${HELLO[@]}" '<MAIL' '>250 ok' '<a@' '>250 ok' '<b@' '>451 busy' '<c@' '>250 ok'
	answer 82 'Z127.0.0.1 does not like <b@b.example>: 451 busy (#4.1.0)'
	wait_for grep -q QUIT got
	run ! grep -E 'DATA|hello' got
}

@test "a server that has nobody to send to and still says 354 gets a dot, and no message" {
	greeting PIPELINING
	peer "${HELLO[@]}" '<DATA\r\n' '=250 ok\r\n550 no\r\n354 go\r\n' '<.\r\n' '>250 taken' '<QUIT'
	answer 82 'D*550 no (#5.1.0)'
	run ! grep hello got
}

@test "nobody there: 73; no address: 56; no such message: an answer for nobody is 0" {
	PEER_PORT=$(free_port 127.0.0.1)
	run -73 smtp
	grep -q 'refused' log.txt
	DNSCACHEIP=127.0.0.1:1 run -56 queue queue-smtp nobody.example 25
	envelope s@a.example
	run -0 smtp
	printf 'Fs@a.example\0Tr@b.example\0' >envelope
	run -54 smtp
	printf 'X' >envelope
	run -91 smtp
	run -100 queue-smtp
	run -100 queue-smtp --time 0 127.0.0.1 25
	run -100 queue-lmtp
}

# ---- servers that mean ill -----------------------------------------------------------------------------------------

@test "a server that hangs up, at any step: 74, or what it said before; behind the dot a possible duplicate" {
	greeting PIPELINING
	local n end

	for end in '!' '='; do
		for n in 1 2 3 4; do
			peer "${HELLO[@]:0:n}" "$end" '!'
			run -74 smtp
		done
		peer "${HELLO[@]}" '<DATA\r\n' '>250 ok' "$end" '!'
		run -74 smtp
		peer "${HELLO[@]}" '<DATA\r\n' '=250 ok\r\n250 ok\r\n354 go\r\n' '<\r\n.\r\n' "$end" '!'
		answer 82 'Z*Possible duplicate! (#4.4.2)'
	done
	peer "${HELLO[@]}" '<DATA\r\n' '=250 ok\r\n421 4.3.2 I go\r\n' '.'
	answer 82 'Z*421 4.3.2 I go (#4.3.2)'
	peer "${HELLO[@]}" '<DATA\r\n' '=250 ok\r\n250 ok\r\n421 4.3.2 I go\r\n' '.'
	answer 82 'Z*421 4.3.2 I go (#4.3.2)'
	peer '>421 4.3.2 not now'
	answer 82 'Z*421 4.3.2 not now (#4.3.2)'
	head -c 2000000 /dev/zero | tr '\0' '\n' >message # it says no in the middle of it, and reads on
	peer "${HELLO[@]}" '<DATA\r\n' '=250 ok\r\n250 ok\r\n354 go\r\n' '<\r\n\r\n' '>552 5.3.4 too large'
	answer 82 'D*552 5.3.4 too large (#5.3.4)'
	peer "${HELLO[@]}" '<DATA\r\n' '=250 ok\r\n250 ok\r\n354 go\r\n' '<\r\n\r\n' '>552 5.3.4 too large' . '!' # or hangs up with it
	run smtp
	[[ "$status" = 74 || "$(cat error)" = D*'552 5.3.4 too large (#5.3.4)' ]] # the kernel may have thrown it away
}

@test "replies that are none, that have no end, and that are very long: 74, in little time and memory" {
	local reply

	for reply in '>hello' '=\n' '>22 x' '>2200 x' '>999 x' '>220-x\r\n250 y' '>220\tx' '=\0\0\0\n' '*220-x' '=220-' ; do
		peer "$reply" . '!'
		run -74 smtp
	done
	peer "=220 $(printf 'x%.0s' {1..60000})" '>' '<EHLO' '>250 ok' '<MAIL' '>250 ok' '<RCPT' '>250 ok' '<DATA' '>354' '<\r\n.\r\n' '>250'
	run -0 smtp
	greeting PIPELINING
	peer "${HELLO[@]}" '<DATA' '=250 ok\r\n550 5.1.1 ' "=$(printf 'x\\x00\\x1b%.0s' {1..300})" '>' '>503 x'
	answer 82 'D127.0.0.1 does not like <r@b.example>: 550 5.1.1 x[?][?]x[?][?]*(#5.1.1)'
	[ "$(stat -c %s error)" -le 255 ]
	envelope s@a.example "$(printf 'x%.0s' {1..980})@b.example" # an address that leaves little room
	peer "${HELLO[@]}" '<DATA' '=250 ok\r\n550 5.1.1 no\r\n503 x\r\n'
	answer 82 'D127.0.0.1 does not like <xxx*x>: 550 5.1.1 no (#5.1.1)'
}

@test "replies to a group come in pieces, or a byte at a time: they are the same replies" {
	greeting PIPELINING
	peer "${HELLO[@]}" '<DATA\r\n' '=25' . '=0 ok\r\n2' . '=50-a\r' '=\n250 ok\r\n35' . '=4 go\r\n' '<\r\n.\r\n' '>250 ok'
	smtp
	peer '~220 peer\r\n' '<EHLO' '~250-x\r\n250 PIPELINING\r\n' '<DATA\r\n' '~250 ok\r\n250 ok\r\n354\r\n' '<\r\n.\r\n' '~250 ok\r\n'
	smtp
}

@test "a server that says nothing, or a byte now and then: 72 when the time is over" {
	local start=$SECONDS

	peer '<never'
	run -72 smtp --time 1
	peer '>220-x' '<never'
	run -72 smtp --time 1
	peer '~220-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'
	run -72 smtp --time 1
	greeting PIPELINING
	peer "${HELLO[@]}" '<DATA\r\n' '=250 ok\r\n250 ok\r\n354 go\r\n' '<\r\n.\r\n'
	answer 82 'Zno answer to the message. Possible duplicate! (#4.4.2)' --time 1
	head -c 30000000 /dev/zero >message # it reads no more
	peer "${HELLO[@]}" '<DATA\r\n' '=250 ok\r\n250 ok\r\n354 go\r\n' . . . . . .  . . . . . .
	run -72 smtp --time 1
	[ $((SECONDS - start)) -lt 25 ]
}

# ---- who we are ----------------------------------------------------------------------------------------------------

@test "AUTH: PLAIN before LOGIN, by a file that not everybody reads; a wrong password is for now" {
	(umask 077; printf 'joe\nsesame\n' >secret)
	greeting 'AUTH LOGIN PLAIN'
	peer "${HELLO[@]}" '<AUTH PLAIN AGpvZQBzZXNhbWU=\r\n' '>235 ok' '<MAIL' '>250 ok' '<RCPT' '>250 ok' '<DATA' '>354 go' '<\r\n.\r\n' '>250 ok'
	run -0 smtp --auth secret
	greeting AUTH=LOGIN
	peer "${HELLO[@]}" '<AUTH LOGIN\r\n' '>334 VXNlcm5hbWU6' '<am9l\r\n' '>334 UGFzc3dvcmQ6' '<c2VzYW1l\r\n' '>235 ok' '<MAIL' '>250 ok' \
		'<RCPT' '>250 ok' '<DATA' '>354 go' '<\r\n.\r\n' '>250 ok'
	run -0 smtp --auth secret
	greeting 'AUTH PLAIN'
	peer "${HELLO[@]}" '<AUTH' '>535 5.7.8 wrong'
	answer 82 'Z127.0.0.1 does not let us in: 535 5.7.8 wrong (#4.3.0)' --auth secret
	greeting 'AUTH CRAM-MD5'
	peer "${HELLO[@]}"
	run -55 smtp --auth secret
	chmod o+r secret
	run -55 smtp --auth secret
	grep -q 'everybody may read it' log.txt
	chmod o-r secret
	printf 'joe\n' >secret
	run -55 smtp --auth secret
	run -55 smtp --auth nowhere
	run ! grep sesame log.txt error
}

# ---- LMTP ----------------------------------------------------------------------------------------------------------

lmtp() {
	queue queue-lmtp --lhlo out.example "$PWD/lmtp"
}

# lmtp_peer STEP...: the same server, by a Unix socket.
lmtp_peer() {
	peer '>220 peer' '<LHLO out.example\r\n' '>250-peer' '>250 PIPELINING' "$@"
	rm -f lmtp
	background python3 -B -c 'import socket, sys, threading
def carry(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
unix = socket.socket(socket.AF_UNIX)
unix.bind("lmtp")
unix.listen()
one = unix.accept()[0]
other = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
threading.Thread(target=carry, args=(one, other), daemon=True).start()
carry(other, one)' "$PEER_PORT"
	wait_for test -S lmtp
}

@test "LMTP: an answer for each recipient, and the worst that can be mended is ours" {
	envelope s@a.example a@b.example b@b.example c@b.example
	lmtp_peer '<c@b.example>\r\n' '=250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n' '<DATA\r\n' '>354 go' '<\r\n.\r\n' '>250 ok' . '>250 ok' '>250 ok'
	run -0 lmtp
	lmtp_peer '<c@b.example>\r\n' '=250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n' '<DATA\r\n' '>354 go' '<\r\n.\r\n' '>250 ok' '>550 5.2.1 gone' \
		'>452 4.2.2 full'
	run -82 lmtp
	[ "$(cat error)" = 'ZLMTP server does not deliver to <c@b.example>: 452 4.2.2 full (#4.2.2)' ]
	grep -q '1 of 3 recipients have the message' log.txt
	lmtp_peer '<c@b.example>\r\n' '=250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n' '<DATA\r\n' '>354 go' '<\r\n.\r\n' '>250 ok' '>550 5.2.1 gone' \
		'>250 ok'
	run -82 lmtp
	[ "$(cat error)" = 'DLMTP server does not deliver to <b@b.example>: 550 5.2.1 gone (#5.2.1)' ]
	lmtp_peer '<c@b.example>\r\n' '=250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n' '<DATA\r\n' '>354 go' '<\r\n.\r\n' '>250 ok' '!'
	run -82 lmtp
	[[ "$(cat error)" = Z*'Possible duplicate!'* ]]
	rm lmtp
	run -73 lmtp
}

@test "LMTP: smtp-sink -L takes messages one by one" {
	program_of postfix /usr/sbin/smtp-sink
	envelope s@a.example a@b.example b@b.example
	background "$PROGRAM" -u "$(id -un)" -L -c "unix:$PWD/lmtp" 10 >sink 2>&1
	wait_for test -S lmtp
	run -0 lmtp
	run -0 lmtp
}
