#!/usr/bin/env bats
# AUTH: dialogues with smtpd, its checkers, and clients that other people wrote.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, so what it sets is its own
bats_require_minimum_version 1.5.0
load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	PATH=$BIN:$PATH
	export PORTERO_HOME=$PWD/home
	export QMAILQUEUE="queue-maildir $PWD/home/Maildir"
	export TCPREMOTEIP=192.0.2.7 SMTPAUTH=clear
	unset RELAYCLIENT DATABYTES TCPREMOTEHOST TCPREMOTEINFO TCPLOCALHOST TCPLOCALIP TCPLOCALPORT SMTPAUTHTLS \
		SMTPAUTHUSER CHECKPASSWORD_FILE SMTPS SSL_PROTOCOL
	mkdir -p home/control home/Maildir/{tmp,new,cur}
	echo mx.example.org >home/control/me
	echo example.org >home/control/rcpthosts
	CHECKER=("$PWD/checker" true)
	checker '[ "$user" = joe ] && [ "$password" = secret ] && exec "$@"; exit 1'
}

# checker SCRIPT: a checkpassword in DJB's manner: user, password and rest are what came on descriptor 3
checker() {
	cat >checker.new <<-SCRIPT
		#!/bin/bash
		{ IFS= read -r -d '' user; IFS= read -r -d '' password; IFS= read -r -d '' rest; extra=\$(cat | od -c); } <&3
		exec 3<&-
		$1
	SCRIPT
	chmod +x checker.new
	mv checker.new checker
}

# b64 TEXT: with the escapes of printf
b64() {
	# shellcheck disable=SC2059 # they are wanted
	printf "$1" | base64 -w 0
}

joe() {
	b64 '\0joe\0secret'
}

# say LINE ...: each with CR LF behind it; the replies without CR
say() {
	printf '%s\r\n' "$@" | smtpd "${CHECKER[@]}" 2>>log | tr -d '\r'
}

# rest LINE ...: what is answered behind EHLO, without QUIT's
rest() {
	say 'EHLO c' "$@" QUIT | sed -e '/^220 /d' -e '/^250-/d' -e '/^250 ENHANCED/d' -e '/^221 /d'
}

# replies LINE ...: the codes of that, in one line
replies() {
	rest "$@" | cut -c -3 | xargs
}

@test "--check says what SMTPAUTH means, and whether the checker can be run" {
	while IFS='|' read -r code words command want; do
		if [ "$words" = - ]; then unset SMTPAUTH; else export SMTPAUTH=$words; fi
		# shellcheck disable=SC2086 # words
		run "-$code" smtpd --check $command
		got=$(sed -n 's/^\([a-z]*\)  *\(checker\|SMTPAUTH\)  */\1 \2 /p' <<<"$output" | paste -sd ';')
		[ "$got" = "$want" ] || { echo "$words $command: $output"; false; }
	done <<-TABLE
		0|-||ok checker none: no AUTH
		0|-|$PWD/checker true|ok checker $PWD/checker;ok SMTPAUTH PLAIN LOGIN, within TLS only, not on port 25
		0|clear,login,require|mx.example.org $PWD/checker true|ok checker $PWD/checker;ok SMTPAUTH LOGIN, without encryption, too, required before MAIL
		0|plain|true|ok checker true;ok SMTPAUTH PLAIN, within TLS only
		0|off|$PWD/checker true|ok checker $PWD/checker, which SMTPAUTH turns off;ok SMTPAUTH no AUTH
		100|-|$PWD/nothing true|error checker $PWD/nothing cannot be run: every AUTH is answered 454;ok SMTPAUTH PLAIN LOGIN, within TLS only, not on port 25
		100|require||error checker none: no AUTH, but SMTPAUTH requires it: every MAIL is answered 530
		100|require,off|true|ok checker true, which SMTPAUTH turns off;error SMTPAUTH no AUTH, but it is required: every MAIL is answered 530
		100|require,of|true|error SMTPAUTH require,of: a word in it is not known; every MAIL is answered 451
	TABLE
}

@test "PLAIN with an initial response: relay, Received, log, and the queue program's environment" {
	cat >queue <<-'SCRIPT'
		#!/bin/sh
		env >env.seen
		exec queue-maildir "$PORTERO_HOME/Maildir"
	SCRIPT
	chmod +x queue
	QMAILQUEUE=$PWD/queue run -0 say 'EHLO c' "AUTH PLAIN $(joe)" 'MAIL FROM:<a@b.example>' \
		'RCPT TO:<u@elsewhere.example>' DATA 'Subject: x' '' x . QUIT
	[[ "$output" == *$'\n235 2.7.0 ok, go ahead (#2.0.0)\n'* ]]
	[[ "$output" == *$'\n250 2.1.5 ok\n354 '* ]]
	grep -qx 'Received: from unknown (HELO c) (joe@192.0.2.7)' home/Maildir/new/*
	grep -qx 'smtpd: client=192.0.2.7 stage=auth code=235 reason=ok mech=PLAIN session=[0-9.]* user=joe' log
	grep -q 'stage=data code=250 reason=queued helo=c .* user=joe$' log
	grep -qx 'SMTPAUTHUSER=joe' home/env.seen
	grep -qx 'TCPREMOTEINFO=joe' home/env.seen
	grep -qx 'RELAYCLIENT=' home/env.seen
	grep -qx 'TCPREMOTEIP=192.0.2.7' home/env.seen
	[ "$(grep -c '^TCPREMOTEINFO=' home/env.seen)" = 1 ]
	run ! grep secret log home/env.seen
}

@test "without AUTH the queue program is told of no user, whatever the environment says" {
	export SMTPAUTHUSER=root
	printf '#!/bin/sh\nenv >env.seen\nexit 31\n' >queue
	chmod +x queue
	QMAILQUEUE=$PWD/queue run -0 say 'EHLO c' 'MAIL FROM:<a@b.example>' 'RCPT TO:<u@example.org>' DATA x . QUIT
	run ! grep SMTPAUTHUSER home/env.seen
}

@test "a RELAYCLIENT that is set stays what it is" {
	RELAYCLIENT=.gate.example run -0 say 'EHLO c' "AUTH PLAIN $(joe)" 'MAIL FROM:<a@b.example>' \
		'RCPT TO:<u@elsewhere.example>' DATA x . QUIT
	grep -qx 'Delivered-To: u@elsewhere.example.gate.example' home/Maildir/new/*
}

# table: LINES separated by '|', and the codes that follow
@test "PLAIN and LOGIN: every way to say it, right and wrong" {
	local commands codes list
	while IFS=$'\t' read -r commands codes; do
		IFS='|' read -ra list <<<"$commands"
		run -0 replies "${list[@]}" NOOP
		[ "$output" = "$codes 250" ] || { echo "$commands: $output"; cat log; false; }
	done <<-TABLE
		AUTH PLAIN $(joe)	235
		auth plain $(joe)	235
		AUTH PLAIN|$(joe)	334 235
		AUTH PLAIN $(b64 'joe\0joe\0secret')	235
		AUTH LOGIN|$(b64 joe)|$(b64 secret)	334 334 235
		AUTH LOGIN $(b64 joe)|$(b64 secret)	334 235
		auth Login $(b64 joe)|$(b64 secret)	334 235
		AUTH PLAIN $(joe)|EHLO d|MAIL FROM:<a@b.example>|RCPT TO:<x@elsewhere.example>	235 250 250
		AUTH PLAIN $(joe)|AUTH PLAIN $(joe)	235 503
		AUTH PLAIN|*	334 501
		AUTH LOGIN|*	334 501
		AUTH LOGIN|$(b64 joe)|*	334 334 501
		AUTH PLAIN|*|AUTH PLAIN $(joe)	334 501 235
		AUTH PLAIN =	501
		AUTH PLAIN| 	334 501
		AUTH PLAIN x	501
		AUTH PLAIN|!!!!	334 501
		AUTH PLAIN $(joe) x	501
		AUTH PLAIN $(joe)=	501
		AUTH PLAIN $(b64 'joe\0secret')	501
		AUTH PLAIN $(b64 '\0joe\0secret\0')	501
		AUTH PLAIN $(b64 '\0joe\0secret\0x')	501
		AUTH LOGIN|$(b64 'joe\0x')	334 501
		AUTH LOGIN|$(b64 joe)|$(b64 'secret\0')	334 334 501
		AUTH LOGIN|$(b64 joe)|x	334 334 501
		AUTH	501
		AUTH CRAM-MD5	504
		AUTH PLAINX $(joe)	504
		MAIL FROM:<a@b.example>|AUTH PLAIN $(joe)	250 503
		AUTH PLAIN $(joe)|MAIL FROM:<a@b.example> AUTH=<>	235 250
		AUTH PLAIN $(joe)|MAIL FROM:<a@b.example> AUTH=e+3Dmc2@example.com	235 250
		AUTH PLAIN $(joe)|MAIL FROM:<a@b.example> AUTH=e+3dmc2@example.com	235 501
		MAIL FROM:<a@b.example> AUTH=<>	250
		MAIL FROM:<a@b.example> AUTH=e+3	501
		MAIL FROM:<a@b.example> AUTH=e=mc2@b.example	501
		MAIL FROM:<a@b.example> AUTH=	501
		MAIL FROM:<a@b.example> AUTH	501
		MAIL FROM:<a@b.example> AUTH=a AUTH=b	501
	TABLE
}

@test "prompts, words and status codes" {
	run -0 rest 'AUTH LOGIN' '*' 'AUTH PLAIN' 'x' 'AUTH X' "AUTH PLAIN $(b64 '\0joe\0bad')" \
		"AUTH PLAIN $(joe)" "AUTH PLAIN $(joe)"
	[ "${lines[0]}" = '334 VXNlcm5hbWU6' ]
	[ "${lines[1]}" = '501 5.7.0 auth exchange canceled (#5.7.0)' ]
	[ "${lines[2]}" = '334 ' ]
	[ "${lines[3]}" = '501 5.5.2 malformed auth input: not base64 (#5.5.2)' ]
	[ "${lines[4]}" = '504 5.5.4 auth type unimplemented (#5.5.4)' ]
	[ "${lines[5]}" = '535 5.7.8 authentication failed (#5.7.8)' ]
	[ "${lines[6]}" = '235 2.7.0 ok, go ahead (#2.0.0)' ]
	[ "${lines[7]}" = "503 5.5.1 you're already authenticated (#5.5.1)" ]
	run -0 rest "AUTH LOGIN $(b64 joe)" "$(b64 secret)"
	[ "${lines[0]}" = '334 UGFzc3dvcmQ6' ]
}

@test "before EHLO, and after HELO, AUTH is out of order" {
	run -0 say "AUTH PLAIN $(joe)" 'HELO c' "AUTH PLAIN $(joe)" QUIT
	[ "${lines[1]}" = '503 EHLO first (#5.5.1)' ]
	[ "${lines[3]}" = '503 EHLO first (#5.5.1)' ]
}

@test "AUTH is offered exactly when it works" {
	local setting line
	offered() {
		say 'EHLO c' "AUTH PLAIN $(joe)" QUIT | sed -n -e 's/^250-\(AUTH.*\)/\1/p' -e 's/^\([2345][0-9][0-9]\) [245]\.[0-9.]* [aoey].*/\1/p' | xargs
	}
	while IFS='|' read -r setting line; do
		unset SMTPAUTH TCPLOCALPORT
		eval "export $setting"
		run -0 offered
		[ "$output" = "$line" ] || { echo "$setting: $output"; false; }
	done <<-'TABLE'
		TCPLOCALPORT=587|538
		TCPLOCALPORT=25|503
		TCPLOCALPORT=25 SMTPAUTH=|538
		TCPLOCALPORT=25 SMTPAUTH=+|538
		TCPLOCALPORT=25 SMTPAUTH=-|503
		TCPLOCALPORT=25 SMTPAUTH=clear|AUTH PLAIN LOGIN 235
		SMTPAUTH=clear|AUTH PLAIN LOGIN 235
		SMTPAUTH=CLEAR|AUTH PLAIN LOGIN 235
		SMTPAUTH=clear,plain|AUTH PLAIN 235
		SMTPAUTH='clear login'|AUTH LOGIN 504
		SMTPAUTH='clear, login plain'|AUTH PLAIN LOGIN 235
		SMTPAUTH=clear,off|503
		SMTPAUTH=-|503
		SMTPAUTH=claer|503
	TABLE
	SMTPAUTH=clear
	CHECKER=()
	run -0 offered
	[ "$output" = 503 ]
}

@test "SMTPAUTH=require: no MAIL before AUTH" {
	local word
	for word in require '!' 'plain !'; do
		SMTPAUTH="clear,$word" run -0 replies 'MAIL FROM:<a@b.example>' "AUTH PLAIN $(joe)" 'MAIL FROM:<a@b.example>'
		[ "$output" = '530 235 250' ]
	done
	SMTPAUTH=clear,require run -0 rest 'MAIL FROM:<a@b.example>'
	[ "$output" = '530 5.7.0 authentication required (#5.7.0)' ]
}

@test "a word in SMTPAUTH that is not known refuses all mail, and says so" {
	SMTPAUTH=clear,requier run -0 replies 'MAIL FROM:<a@b.example>' "AUTH PLAIN $(joe)"
	[ "$output" = '451 503' ]
	grep -q 'trouble=SMTPAUTH .*text=' log
}

@test "command lines of the known patches: a host name in front of the checker" {
	CHECKER=(mx.example.org "$PWD/checker" /bin/true)
	run -0 replies "AUTH PLAIN $(joe)" "AUTH PLAIN $(joe)"
	[ "$output" = '235 503' ]
	CHECKER=("$PWD/checker" /bin/true)
	run -0 replies "AUTH PLAIN $(joe)"
	[ "$output" = 235 ]
	PATH=$PWD:$PATH
	CHECKER=(checker true)
	run -0 replies "AUTH PLAIN $(joe)"
	[ "$output" = 235 ]
}

@test "/bin/true is no checker, nor what stands in the checker's place by mistake" {
	local args
	PATH=$PWD:$PATH
	while read -r args; do
		read -ra CHECKER <<<"$args"
		run -0 replies "AUTH PLAIN $(b64 '\0joe\0wrong')" 'MAIL FROM:<>' 'RCPT TO:<x@elsewhere.example>'
		[[ "$output" = *' 250 553' && "$output" != *235* ]] || { echo "$args: $output"; false; }
	done <<-'TABLE'
		/bin/true
		true
		/bin/true /bin/true
		mx.example.org /bin/true /bin/true
		checker /bin/true
		checker /bin/sh -c true
		checker /bin/true /bin/true
	TABLE
	grep -q 'trouble=checker .*text=it says yes to a password that it has not read' log
}

@test "the checker gets user, password, an empty timestamp, the connection, and nothing of ours" {
	checker 'printf "%s\n" "$user" "$password" "[$rest]" >got; env >env.seen; exec "$@"'
	RELAYCLIENT='' TCPLOCALPORT=2525 run -0 replies "AUTH PLAIN $(b64 '\0joe@example.org\0s\303\244 cret')"
	[ "$output" = 235 ]
	[ "$(cat home/got)" = $'joe@example.org\nsä cret\n[]' ]
	grep -qx 'TCPREMOTEIP=192.0.2.7' home/env.seen
	grep -qx 'TCPLOCALPORT=2525' home/env.seen
	grep -qx 'SMTPAUTHTLS=0' home/env.seen
}

@test "the checker has no descriptor of the client's, nor another of ours" {
	checker 'ls -l /proc/$$/fd >fds; exec "$@"'
	submission
	run -0 dialogue "$PORT" $'EHLO x\r\nAUTH PLAIN '"$(joe)"$'\r\nQUIT\r\n'
	[[ "$output" = *$'\n235 '* ]]
	run ! grep -E 'socket|pipe:|inotify' home/fds
	grep -q ' 0 -> /dev/null' home/fds
	grep -q ' 1 -> /dev/null' home/fds
}

@test "a wrong answer takes a whole second, whoever is named, and the third ends the session" {
	local start took
	start=$(date +%s%N)
	run -0 rest "AUTH PLAIN $(b64 '\0joe\0bad')" "AUTH PLAIN $(b64 '\0nobody\0bad')" "AUTH PLAIN $(b64 '\0\0bad')" NOOP
	took=$((($(date +%s%N) - start) / 1000000))
	[ "${lines[0]:0:3}" = 535 ]
	[ "${lines[1]:0:3}" = 535 ]
	[ "${lines[2]}" = '421 4.7.0 too many failed authentications, closing (#4.7.0)' ]
	[ "${#lines[@]}" = 3 ]
	((took >= 3000))
	[ "$(grep -c 'code=535 reason=auth .* user=joe$' log)" = 1 ]
	[ "$(grep -c 'code=535 reason=auth' log)" = 3 ]
	grep -q 'code=421 reason=auth-failures' log
}

@test "who is never right is not asked about" {
	local response
	checker 'echo asked >asked; exec "$@"'
	for response in '\0joe\0' '\0\0secret' 'root\0joe\0secret' '\0jo\ne\0secret' '\0jo\rSMTPAUTHUSER=x\0secret' \
		"\\0joe\\0$(printf 'x%.0s' {1..510})" "\\0$(printf 'x%.0s' {1..256})\\0secret"; do
		run -0 replies "AUTH PLAIN $(b64 "$response")"
		[ "$output" = 535 ] || { echo "$response: $output"; false; }
	done
	[ ! -e home/asked ]
	run -0 replies "AUTH PLAIN $(b64 "\\0joe\\0$(printf 'x%.0s' {1..506})")"
	[ "$output" = 235 ]
}

@test "a line of the exchange has 12288 octets at most, and one without an end closes" {
	local long
	long=$(head -c 12286 /dev/zero | tr '\0' A)
	run -0 replies 'AUTH PLAIN' "${long:0:12284}" NOOP
	[ "$output" = '334 501 250' ]
	run -0 replies 'AUTH LOGIN' "${long:0:12284}" "$(b64 secret)" NOOP
	[ "$output" = '334 501 502 250' ]
	run -0 replies 'AUTH PLAIN' "${long}A" NOOP
	[ "$output" = '334 500 250' ]
	run -0 replies "AUTH PLAIN ${long:0:2050}" NOOP
	[ "$output" = '500 250' ]
	run -0 bash -c '{ printf "EHLO c\r\nAUTH PLAIN\r\n"; head -c 90000 /dev/zero | tr "\0" A; } | smtpd /nonexistent/checker true 2>/dev/null | tail -n 1'
	[[ "$output" = '421 4.7.0 line has no end'* ]]
}

@test "a checker in trouble is 454, and the session goes on" {
	local script
	for script in 'exit 111' 'exit 2' 'exit 100' 'exit 7' 'kill -SEGV $$' 'kill -KILL $$'; do
		checker "$script"
		run -0 replies "AUTH PLAIN $(joe)" NOOP
		[ "$output" = '454 250' ] || { echo "$script: $output"; false; }
	done
	CHECKER=("$PWD/missing" true)
	run -0 replies "AUTH PLAIN $(joe)" NOOP
	[ "$output" = '454 250' ]
	[ "$(grep -c 'trouble=checker .*text=' log)" = 7 ]
}

@test "a checker that hangs is killed in time, with what it has started" {
	echo 2 >home/control/timeoutsmtpd
	checker 'sleep 1000 & echo "$!" >child; sleep 1000'
	run -0 replies "AUTH PLAIN $(joe)" NOOP
	[ "$output" = '454 250' ]
	wait_for eval '! kill -0 "$(cat home/child)" 2>/dev/null'
}

@test "what a checker writes to 0 and 1 reaches nobody" {
	checker 'echo "250 mine"; echo "250 mine" >&0; exec "$@"'
	run -0 rest "AUTH PLAIN $(joe)"
	[ "$output" = '235 2.7.0 ok, go ahead (#2.0.0)' ]
}

# session COMMAND...: smtpd, started as that, on descriptors TO and FROM of ours; SMTPD is its process
session() {
	coproc REAL { exec "$@" 2>>log 3>&-; }
	SMTPD=$REAL_PID
	exec 5>&"${REAL[1]}" 6<&"${REAL[0]}"
	hear 220
}

# hear CODE: the next reply
hear() {
	REPLY=
	while IFS= read -r -t 10 -u 6 REPLY && [[ "$REPLY" = ???-* ]]; do :; done
	[ "${REPLY:0:3}" = "$1" ] || { echo "heard: $REPLY"; false; }
}

tell() {
	printf '%s\r\n' "$1" >&5
	hear "$2"
}

children() {
	cat "/proc/$1/task/$1/children"
}

@test "a broker that was killed: 454, then AUTH is not offered, and mail goes on" {
	local pids
	session smtpd "${CHECKER[@]}"
	tell 'EHLO c' 250
	read -ra pids <<<"$(children "$SMTPD")"
	[ "${#pids[@]}" = 2 ]
	kill -KILL "${pids[1]}"
	tell "AUTH PLAIN $(joe)" 454
	tell "AUTH PLAIN $(joe)" 503
	tell 'MAIL FROM:<a@b.example>' 250
	tell 'RCPT TO:<u@example.org>' 250
	tell DATA 354
	tell $'x\r\n.' 250
	tell QUIT 221
	exec 5>&- 6<&-
}

@test "no process is left when smtpd is killed while a checker runs" {
	local pids
	checker 'echo $$ >pid; read -r x </dev/zero'
	echo 5 >home/control/timeoutsmtpd
	session smtpd "${CHECKER[@]}"
	tell 'EHLO c' 250
	read -ra pids <<<"$(children "$SMTPD")"
	printf 'AUTH PLAIN %s\r\n' "$(joe)" >&5
	wait_for test -s home/pid
	pids+=("$(cat home/pid)")
	kill -KILL "$SMTPD"
	exec 5>&- 6<&-
	wait_for eval '! kill -0 "${pids[0]}" 2>/dev/null && ! kill -0 "${pids[1]}" 2>/dev/null && ! kill -0 "${pids[2]}" 2>/dev/null'
}

@test "the password is in no memory of smtpd, nor of its brokers" {
	! grep -q __asan_init "$BIN/smtpd" || skip 'the sanitizer keeps shadows of what was there'
	requires python3 python3
	local pids pid line
	session smtpd "${CHECKER[@]}"
	tell 'EHLO c' 250
	tell "AUTH PLAIN $(b64 '\0joe\0Tr0ub4dor-wrong')" 535
	# in pieces, with commands behind them
	line=$(b64 '\0joe\0Tr0ub4dor-other')
	tell 'AUTH PLAIN' 334
	printf '%s' "${line:0:9}" >&5
	wait_for idle "$SMTPD"
	printf '%s\r\nNOOP\r\n' "${line:9}" >&5
	hear 535
	hear 250
	tell 'AUTH LOGIN' 334
	tell "$(b64 joe)" 334
	tell "$(b64 secret)" 235
	read -ra pids <<<"$SMTPD $(children "$SMTPD")"
	for pid in "${pids[@]}"; do
		run -0 python3 - "$pid" Tr0ub4dor "$(b64 '\0joe\0Tr0ub4dor-wrong' | cut -c 9-28)" "${line:9:16}" "$(b64 secret)" <<-'SCRIPT'
			import re, sys
			pid, words = sys.argv[1], [w.encode() for w in sys.argv[2:]]
			with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
			    for line in maps:
			        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
			        if not m:
			            continue
			        start, end = (int(x, 16) for x in m.groups())
			        memory.seek(start)
			        data = memory.read(end - start)
			        for w in words:
			            if w in data:
			                sys.exit(f"{w} at {data.find(w):x} of {line}")
		SCRIPT
	done
	tell QUIT 221
	exec 5>&- 6<&-
}

# idle PID: it waits
idle() {
	[ "$(awk '/^State/ { print $2 }' "/proc/$1/status")" = S ]
}

# ---- a server, and clients of others --------------------------------------------------------------------

submission() {
	start_server -vRHl0 127.0.0.1 0 smtpd "${CHECKER[@]}"
}

@test "swaks: PLAIN and LOGIN, right and wrong" {
	requires swaks swaks
	local mechanism
	submission
	for mechanism in PLAIN LOGIN; do
		run -0 swaks --server 127.0.0.1 --port "$PORT" --from a@b.example --to u@elsewhere.example --auth "$mechanism" \
			--auth-user joe --auth-password secret --timeout 20
		run ! swaks --server 127.0.0.1 --port "$PORT" --from a@b.example --to u@elsewhere.example --auth "$mechanism" \
			--auth-user joe --auth-password wrong --timeout 20
	done
	[ "$(find home/Maildir/new -type f | wc -l)" = 2 ]
}

@test "Python's smtplib: PLAIN and LOGIN, with and without an initial response" {
	requires python3 python3
	submission
	run -0 python3 - "$PORT" <<-'SCRIPT'
		import smtplib, sys
		for mechanism in "PLAIN", "LOGIN":
		    for initial in True, False:
		        with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=20) as s:
		            s.ehlo()
		            s.user, s.password = "joe", "secret"
		            s.auth(mechanism, s.auth_plain if mechanism == "PLAIN" else s.auth_login, initial_response_ok=initial)
		            s.sendmail("a@b.example", ["u@elsewhere.example"], "Subject: x\r\n\r\nx\r\n")
		with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=20) as s:
		    try:
		        s.login("joe", "wrong", initial_response_ok=False)
		    except smtplib.SMTPAuthenticationError as e:
		        assert e.smtp_code == 535, e
		    else:
		        sys.exit("a wrong password was taken")
	SCRIPT
	[ "$(find home/Maildir/new -type f | wc -l)" = 4 ]
}

@test "curl and msmtp" {
	requires curl curl
	requires msmtp msmtp
	submission
	printf 'Subject: x\r\n\r\nx\r\n' >mail
	run -0 curl -sS --max-time 20 --url "smtp://127.0.0.1:$PORT" --user joe:secret --mail-from a@b.example \
		--mail-rcpt u@elsewhere.example -T mail
	run ! curl -sS --max-time 20 --url "smtp://127.0.0.1:$PORT" --user joe:wrong --mail-from a@b.example \
		--mail-rcpt u@elsewhere.example -T mail
	run -0 msmtp --file=/dev/null --host=127.0.0.1 --port="$PORT" --auth=plain --user=joe --passwordeval='echo secret' \
		--tls=off --from=a@b.example --timeout=20 u@elsewhere.example <mail
	run -0 msmtp --file=/dev/null --host=127.0.0.1 --port="$PORT" --auth=login --user=joe --passwordeval='echo secret' \
		--tls=off --from=a@b.example --timeout=20 u@elsewhere.example <mail
	[ "$(find home/Maildir/new -type f | wc -l)" = 3 ]
}

@test "--resident: one client's AUTH is not the next one's, and SMTPAUTH may differ by rule" {
	tcpserver --help | grep -q -- --resident || skip 'this tcpserver has no --resident'
	unset SMTPAUTH
	printf '%s\n' '127.0.0.1:allow,SMTPAUTH="clear"' '127.0.0.2:allow,SMTPAUTH="-"' | rules rules
	checker 'echo "$TCPREMOTEIP $user" >>asked; [ "$password" = secret ] && exec "$@"; exit 1'
	start_server -vRHl0 --resident 1 -x rules.cdb 0 0 smtpd "${CHECKER[@]}"
	local rcpt=$'MAIL FROM:<>\r\nRCPT TO:<u@elsewhere.example>\r\nQUIT\r\n'
	run -0 dialogue "$PORT" $'EHLO x\r\nAUTH PLAIN '"$(joe)"$'\r\n'"$rcpt"
	[[ "$output" = *$'\n235 '*$'\n250 2.1.5 '* ]]
	wait_for logged '^tcpserver: end [0-9]* status 0$'
	run -0 dialogue "$PORT" $'EHLO x\r\n'"$rcpt"
	[[ "$output" = *AUTH\ PLAIN* && "$output" = *$'\n553 '* && "$output" != *$'\n250 2.1.5 '* ]]
	wait_for logged '^tcpserver: end [0-9]* status 0$' 2
	run -0 tcpclient -R -H -l0 -i 127.0.0.2 127.0.0.1 "$PORT" sh -c 'read -r first <&6; printf "%s" "$0" >&7; cat <&6' \
		$'EHLO x\r\nAUTH PLAIN '"$(joe)"$'\r\n'"$rcpt"
	[[ "$output" != *AUTH\ PLAIN* && "$output" = *$'\n503 '* && "$output" = *$'\n553 '* ]]
	wait_for logged '^tcpserver: end [0-9]* status 0$' 3
	run -0 dialogue "$PORT" $'EHLO x\r\nAUTH PLAIN '"$(joe)"$'\r\n'"$rcpt"
	[[ "$output" = *$'\n235 '* ]]
	wait_for logged '^tcpserver: end [0-9]* status 0$' 4
	[ "$(sed -n 's/^tcpserver: pid \([0-9]*\) from .*/\1/p' log | sort -u | wc -l)" = 1 ]
	[ "$(cat home/asked)" = $'127.0.0.1 joe\n127.0.0.1 joe' ]
}

@test "--resident: a process whose checker's broker was killed serves nobody else" {
	tcpserver --help | grep -q -- --resident || skip 'this tcpserver has no --resident'
	checker '[ -e wanted ] && kill -KILL $PPID; exec "$@"'
	start_server -vRHl0 --resident 1 127.0.0.1 0 smtpd "${CHECKER[@]}"
	touch home/wanted
	run -0 dialogue "$PORT" $'EHLO x\r\nAUTH PLAIN '"$(joe)"$'\r\nQUIT\r\n'
	[[ "$output" = *$'\n454 '* ]]
	wait_for logged '^tcpserver: end [0-9]* status 0$'
	rm home/wanted
	run -0 dialogue "$PORT" $'EHLO x\r\nAUTH PLAIN '"$(joe)"$'\r\nQUIT\r\n'
	[[ "$output" = *$'\n235 '* ]]
	[ "$(sed -n 's/^tcpserver: pid \([0-9]*\) from .*/\1/p' log | sort -u | wc -l)" = 2 ]
}
