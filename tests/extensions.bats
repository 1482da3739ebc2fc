#!/usr/bin/env bats
# What EHLO offers, one extension after another, over a queue program that writes down what it is given.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, so what it sets is its own
bats_require_minimum_version 1.5.0
load helpers

setup() {
	BIN=${BIN:-$BATS_TEST_DIRNAME/../build/bin}
	cd "$BATS_TEST_TMPDIR" || return 1
	export PORTERO_HOME=$PWD/home TCPREMOTEIP=192.0.2.7
	unset RELAYCLIENT DATABYTES TCPREMOTEHOST TCPREMOTEINFO TCPLOCALHOST TCPLOCALIP QUEUECAN XCLIENT RBLSMTPD SMTPS SSLCTLFD
	mkdir -p home/control
	echo mx.example.org >home/control/me
	echo example.org >home/control/rcpthosts
	printf '#!/bin/sh\ncat >%s/text; tr "\\0" "|" <&1 >%s/envelope\n' "$PWD" "$PWD" >queue
	chmod +x queue
	export QMAILQUEUE=$PWD/queue
}

# raw: standard input to smtpd; the codes of its replies in one line, the EHLO's continuation lines left out.
raw() {
	"$BIN/smtpd" 2>>log | tr -d '\r' >replies
	grep -v '^...-' replies | cut -c1-3 | tr '\n' ' '
}

say() {
	printf '%s\r\n' "$@" | raw
}

# offered: the words of EHLO.
offered() {
	printf 'EHLO c\r\nQUIT\r\n' | "$BIN/smtpd" 2>>log | tr -d '\r' | sed -n 's/^250[- ]//p' | sed 1d
}

start=('EHLO c' 'MAIL FROM:<s@client.example>' 'RCPT TO:<u@example.org>')

# ---- CHUNKING ------------------------------------------------------------------------------------------------

@test "BDAT: chunks of any size make one text, dots and all" {
	run -0 raw < <(printf '%s\r\n' "${start[@]}"
		printf 'BDAT 9\r\nSubject: BDAT 7\r\n x\r\n\r\n.BDAT 0\r\nBDAT 9 LAST\r\n\r\n.\r\n..\r\nQUIT\r\n')
	[ "$output" = '220 250 250 250 250 250 250 250 221 ' ]
	sed 1,2d text | diff - <(printf 'Subject:  x\n\n.\n.\n..\n')
	[ "$(cat envelope)" = 'Fs@client.example|Tu@example.org||' ]
	grep 'stage=bdat code=250 reason=queued' log
}

@test "BDAT: a text without a last line end gets one; a CR cut from its LF is none" {
	run -0 raw < <(printf '%s\r\n' "${start[@]}"; printf 'BDAT 2\r\na\rBDAT 2 LAST\r\n\nbQUIT\r\n')
	[ "$output" = '220 250 250 250 250 250 221 ' ]
	sed 1,2d text | diff - <(printf 'a\nb\n')
}

@test "BDAT: a bare CR or LF is refused, also the last byte" {
	for chunk in 'BDAT 3 LAST\r\na\nb' 'BDAT 3 LAST\r\na\rb' 'BDAT 2 LAST\r\na\r' 'BDAT 5 LAST\r\n\n.\r\nx'; do
		rm -f envelope
		run -0 raw < <(printf '%s\r\n' "${start[@]}"; printf %b "$chunk" 'NOOP\r\nQUIT\r\n')
		[ "$output" = '220 250 250 250 550 250 221 ' ] || { echo "$chunk: $output"; false; }
		[ ! -s envelope ]
	done
}

@test "BDAT: what a refused chunk holds is no command" {
	# no transaction, no recipient, a text that is too large, and the rest of its chunks
	run -0 raw < <(printf 'EHLO c\r\nBDAT 6\r\nQUIT\r\nMAIL FROM:<>\r\nBDAT 6 LAST\r\nQUIT\r\nQUIT\r\n')
	[ "$output" = '220 250 503 250 503 221 ' ]
	DATABYTES=4 run -0 raw < <(printf '%s\r\n' "${start[@]}"
		printf 'BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\nQUIT\r\n')
	[ "$output" = '220 250 250 250 552 503 250 221 ' ]
	[ ! -s envelope ]
}

@test "BDAT: a size that is none ends the session: nobody knows where commands begin" {
	for argument in x -1 '' '6 FIRST' 0x6 '6LAST' '99999999999999999999 LAST' '+6' '6 LAST LAST'; do
		run raw < <(printf '%s\r\n' "${start[@]}"; printf 'BDAT %s\r\nQUIT\r\nQUIT\r\n' "$argument")
		case $output in
		'220 250 250 250 521 ' | '220 250 250 250 501 502 221 ' | '220 250 250 250 501 221 ') ;;
		*) echo "$argument: $output"; false ;;
		esac
	done
	run raw < <(printf '%s\r\n' "${start[@]}"; printf 'BDAT -1\r\nQUIT\r\n')
	[ "$output" = '220 250 250 250 521 ' ]
}

@test "BDAT: between chunks there is no MAIL, RCPT or DATA; RSET and EHLO forget them" {
	run -0 raw < <(printf '%s\r\n' "${start[@]}"; printf 'BDAT 3\r\nx\r\nMAIL FROM:<>\r\nRCPT TO:<v@example.org>\r\n'
		printf 'DATA\r\nRSET\r\nBDAT 3 LAST\r\nx\r\n'
		printf '%s\r\n' "${start[@]:1}"; printf 'BDAT 3\r\nx\r\nEHLO c\r\n'
		printf '%s\r\n' "${start[@]:1}"; printf 'BDAT 3 LAST\r\ny\r\nQUIT\r\n')
	[ "$output" = '220 250 250 250 250 503 503 503 250 503 250 250 250 250 250 250 250 221 ' ]
	sed 1,2d text | diff - <(printf 'y\n')
}

@test "BDAT: a client that leaves in mid-chunk, or between two, has sent nothing" {
	for rest in 'BDAT 100 LAST\r\nx\r\n' 'BDAT 3\r\nx\r\n' 'BDAT 3\r\nx\r\nQUIT\r\n'; do
		rm -f envelope text
		raw < <(printf '%s\r\n' "${start[@]}"; printf %b "$rest") || :
		wait_for test -e envelope
		[ ! -s envelope ]
	done
}

@test "BDAT: the queue does not start: the chunk is read, and the answer is its" {
	QMAILQUEUE=/nonexistent run -0 raw < <(printf '%s\r\n' "${start[@]}"; printf 'BDAT 6 LAST\r\nQUIT\r\nQUIT\r\n')
	[ "$output" = '220 250 250 250 451 221 ' ]
}

@test "BINARYMIME: only for a queue that says so; the text goes as it came" {
	run -0 say 'EHLO c' 'MAIL FROM:<> BODY=BINARYMIME' QUIT
	[ "$output" = '220 250 501 221 ' ]
	export QUEUECAN='BINARYMIME'
	offered | grep -qx BINARYMIME
	run -0 raw < <(printf 'EHLO c\r\nMAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<u@example.org>\r\nDATA\r\n'
		printf 'BDAT 8\r\na\nb\rc\r\n\0BDAT 1 LAST\r\n\rQUIT\r\n')
	[ "$output" = '220 250 250 250 503 250 250 221 ' ]
	[ "$(cat envelope)" = 'F|bBINARYMIME|Tu@example.org||' ]
	tail -c 9 text | cmp - <(printf 'a\nb\rc\r\n\0\r')
	head -n 1 text | grep -q $'\r$'
}

# ---- SMTPUTF8, DSN, REQUIRETLS, LIMITS -----------------------------------------------------------------------

@test "SMTPUTF8: addresses beyond ASCII, when the queue can and the client says so" {
	run -0 say 'EHLO c' 'MAIL FROM:<é@b.example> SMTPUTF8' QUIT
	[ "$output" = '220 250 555 221 ' ]
	export QUEUECAN=smtputf8
	offered | grep -qx SMTPUTF8
	run -0 say 'EHLO c' 'MAIL FROM:<é@b.example>' 'MAIL FROM:<é@bü.example> SMTPUTF8' 'RCPT TO:<ñ@example.org>' DATA x . \
		'MAIL FROM:<>' 'RCPT TO:<ñ@example.org>' QUIT
	[ "$output" = '220 250 553 250 250 354 250 250 553 221 ' ]
	[ "$(cat envelope)" = 'Fé@bü.example|Tñ@example.org||' ]
	grep -q 'with UTF8SMTP; ' text
	run -0 say 'EHLO c' $'MAIL FROM:<\351@b.example> SMTPUTF8' 'MAIL FROM:<> SMTPUTF8=1' QUIT
	[ "$output" = '220 250 501 501 221 ' ]
}

@test "DSN: offered for a queue that can, checked, and noted in the envelope" {
	run -0 say 'EHLO c' 'MAIL FROM:<> RET=HDRS' 'MAIL FROM:<>' 'RCPT TO:<u@example.org> NOTIFY=NEVER' QUIT
	[ "$output" = '220 250 555 250 555 221 ' ]
	export QUEUECAN='DSN, SMTPUTF8'
	offered | grep -qx DSN
	run -0 say 'EHLO c' 'MAIL FROM:<s@b.example> RET=HDRS ENVID=Q+2B1' 'RCPT TO:<u@example.org> NOTIFY=success,DELAY' \
		'RCPT TO:<v@example.org> NOTIFY=NEVER ORCPT=rfc822;v+3Dw@example.org' 'RCPT TO:<w@example.org>' DATA x . QUIT
	[ "$output" = '220 250 250 250 250 250 354 250 221 ' ]
	[ "$(cat envelope)" = 'Fs@b.example|rHDRS|iQ+2B1|Tu@example.org|nsuccess,DELAY|Tv@example.org|nNEVER|orfc822;v+3Dw@example.org|Tw@example.org||' ]
}

@test "DSN: values that are wrong" {
	export QUEUECAN=DSN
	local long
	long=$(printf 'x%.0s' {1..101})
	for wrong in RET= RET=ALL 'RET=FULL RET=FULL' RET ENVID= ENVID=a+2 ENVID=a+2b ENVID=a=b "ENVID=$long"; do
		run -0 say 'EHLO c' "MAIL FROM:<> $wrong" QUIT
		[ "$output" = '220 250 501 221 ' ] || { echo "$wrong: $output"; false; }
	done
	for wrong in NOTIFY= NOTIFY NOTIFY=NEVER,SUCCESS NOTIFY=SUCCESS,SUCCESS 'NOTIFY=SUCCESS,' NOTIFY=,SUCCESS NOTIFY=x \
		ORCPT= ORCPT=rfc822 'ORCPT=;x' 'ORCPT=rfc822;' ORCPT=rfc822\;a+zz 'NOTIFY=NEVER NOTIFY=NEVER'; do
		run -0 say 'EHLO c' 'MAIL FROM:<>' "RCPT TO:<u@example.org> $wrong" QUIT
		[ "$output" = '220 250 250 501 221 ' ] || { echo "$wrong: $output"; false; }
	done
}

@test "LIMITS says how many recipients; REQUIRETLS needs TLS" {
	export QUEUECAN=REQUIRETLS
	offered | grep -qx 'LIMITS RCPTMAX=1000'
	offered | { ! grep -qx REQUIRETLS; }
	run -0 say 'EHLO c' 'MAIL FROM:<> REQUIRETLS' QUIT
	[ "$output" = '220 250 555 221 ' ]
	export SMTPS=1 SSL_PROTOCOL=TLSv1.3 SSL_CIPHER=TLS_AES_256_GCM_SHA384
	offered | grep -qx REQUIRETLS
	run -0 say 'EHLO c' 'MAIL FROM:<> REQUIRETLS' 'RCPT TO:<u@example.org>' DATA x . QUIT
	[ "$output" = '220 250 250 250 354 250 221 ' ]
	[ "$(cat envelope)" = 'F|q|Tu@example.org||' ]
	grep -q 'with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384); ' text
}

@test "what the queue can may stand in control/queuecan" {
	echo 'DSN SMTPUTF8' >home/control/queuecan
	offered | grep -qx DSN
	QUEUECAN='' offered | { ! grep -qx DSN; }
}

# ---- XCLIENT -------------------------------------------------------------------------------------------------

@test "XCLIENT: only where a rule says so" {
	run -0 say 'EHLO c' 'XCLIENT ADDR=192.0.2.99' QUIT
	[ "$output" = '220 250 550 221 ' ]
	offered | { ! grep -q XCLIENT; }
}

@test "XCLIENT: the session begins anew, as the client's" {
	export XCLIENT=1 RELAYCLIENT='' TCPREMOTEINFO=proxy
	offered | grep -qx 'XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT'
	run -0 say 'EHLO proxy' 'XCLIENT ADDR=IPV6:2001:db8::7 NAME=a+2Eb.example PORT=77' 'EHLO c' 'MAIL FROM:<>' \
		'RCPT TO:<x@elsewhere.example>' 'RCPT TO:<u@example.org>' DATA x . QUIT
	[ "$output" = '220 250 220 250 250 553 250 354 250 221 ' ]
	head -n 1 text | grep -qxF 'Received: from a.b.example (HELO c) ([IPv6:2001:db8::7])'
	grep -q '^smtpd: client=2001:db8::7 .*reason=rcpthosts' log
	run -0 say 'EHLO proxy' 'XCLIENT ADDR=192.0.2.3 LOGIN=joe NAME=[UNAVAILABLE]' 'EHLO c' 'MAIL FROM:<>' \
		'RCPT TO:<x@elsewhere.example>' DATA x . QUIT
	[ "$output" = '220 250 220 250 250 250 354 250 221 ' ]
	head -n 1 text | grep -qxF 'Received: from unknown (HELO c) (joe@192.0.2.3)'
	grep -q 'with ESMTPA; ' text
}

@test "XCLIENT: what is known against the proxy is not known against its client" {
	export XCLIENT=1 RBLSMTPD=-no
	run -0 say 'EHLO proxy' 'MAIL FROM:<>' 'RCPT TO:<u@example.org>' RSET 'XCLIENT ADDR=192.0.2.3' 'EHLO c' \
		'MAIL FROM:<>' 'RCPT TO:<u@example.org>' QUIT
	[ "$output" = '220 250 250 553 250 220 250 250 250 221 ' ]
}

@test "XCLIENT: what is not understood ends the session" {
	export XCLIENT=1
	for wrong in ADDR=1.2.3 ADDR= ADDR PORT=65536 PORT=x NAME=a+ NAME=a+0A PROTO=LMTP COLOUR=red 'ADDR=192.0.2.3 x'; do
		run say 'EHLO c' "XCLIENT $wrong" NOOP QUIT
		[ "$output" = '220 250 501 ' ] || { echo "$wrong: $output"; false; }
	done
	run -0 say 'EHLO c' 'MAIL FROM:<>' 'XCLIENT ADDR=192.0.2.3' QUIT
	[ "$output" = '220 250 250 503 221 ' ]
}

# ---- limits --------------------------------------------------------------------------------------------------

@test "ten recipients refused one after another end the session; one that is taken begins anew" {
	bad=() good=('RCPT TO:<u@example.org>')
	for i in {1..9}; do bad+=("RCPT TO:<u$i@elsewhere.example>"); done
	run say 'EHLO c' 'MAIL FROM:<>' "${bad[@]}" 'RCPT TO:<x@elsewhere.example>' NOOP QUIT
	[ "$output" = '220 250 250 553 553 553 553 553 553 553 553 553 421 ' ]
	run -0 say 'EHLO c' 'MAIL FROM:<>' "${bad[@]}" "${good[@]}" "${bad[@]}" QUIT
	[ "$(grep -c ^553 replies)" = 18 ]
	[ "$(tail -n 1 replies)" = '221 2.0.0 mx.example.org' ]
}

# early TEXT: a client on a socket that has said TEXT before smtpd begins; what it hears.
early() {
	python3 - "$BIN/smtpd" "$1" <<-'END'
		import socket, subprocess, sys
		ours, theirs = socket.socketpair()
		ours.settimeout(10)
		ours.sendall(sys.argv[2].encode())
		smtpd = subprocess.Popen([sys.argv[1]], stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
		theirs.close()
		print(ours.recv(4096).decode(), end="")
		ours.close()
		smtpd.wait(10)
	END
}

@test "a client that talks before the greeting is refused; one that may relay is not" {
	for opening in $'EHLO c\r\n' x $'GET / HTTP/1.1\r\n'; do
		run -0 early "$opening"
		[ "${output%%$'\r'*}" = '554 you talked before my greeting (#5.5.0)' ] || { echo "$output"; false; }
	done
	export RELAYCLIENT=
	run -0 early $'EHLO c\r\n'
	[[ "$output" = '220 '* ]]
}
