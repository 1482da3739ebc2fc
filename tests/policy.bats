#!/usr/bin/env bats
# Policies: each answer at each stage, each way to fail, texts that change, programs that stay and sockets.
# shellcheck disable=SC2154 # envelope and mail are those of policy.bash

bats_require_minimum_version 1.5.0
load policy

@test "what is asked, stage by stage, and that each question repeats what is known" {
	policy connect,helo,mail,rcpt,data,end
	export TCPREMOTEHOST=client.example TCPLOCALIP=192.0.2.1 TCPLOCALPORT=25
	run -0 say "${mail[@]}" QUIT
	[[ "${lines[-2]}" = '250 2.0.0 ok '* ]]
	local peer='client_address=192.0.2.7 client_name=client.example client_port=4711 server_address=192.0.2.1 server_port=25'
	local more="$peer helo=client.example protocol=ESMTP"
	local from="$more sender=s@client.example sender_parameters=SIZE=9"
	run -0 sed -E 's/ session=[0-9]+\.[0-9]+\.1 / /' asked
	[ "${lines[0]}" = "stage=connect $peer protocol=SMTP" ]
	[ "${lines[1]}" = "stage=helo $more" ]
	[ "${lines[2]}" = "stage=mail $from size=9" ]
	[ "${lines[3]}" = "stage=rcpt $from recipient=u@example.org size=9" ]
	[ "${lines[4]}" = "stage=data $from recipients=1 size=9" ]
	[ "${lines[5]}" = "stage=end $from recipients=1 size=9 bytes=18" ]
	[ "${lines[6]}" = "stage=close $more" ]
	[ "${#lines[@]}" = 7 ]
}

@test "each action at each stage" {
	local stage action code
	while read -r stage action code; do
		rm -rf home/Maildir/new/*
		policy "$stage" "$stage:=$action"
		run -0 say "${mail[@]}" QUIT
		printf '%s\n' "${lines[@]}" | grep -q "^$code" || { echo "$stage $action:"; printf '%s\n' "${lines[@]}"; false; }
		case $code in
		250*) [ "$(count)" = 1 ] || [ "$action" = discard ] ;;
		*) [ "$(count)" = 0 ] || { echo "$stage $action: queued"; false; } ;;
		esac
		if [ "$action" = discard ]; then
			[ "$(count)" = 0 ] || { echo "$stage $action: queued"; false; }
		fi
	done <<-'TABLE'
		connect continue 250 2.0.0 ok
		helo accept 250 2.0.0 ok
		mail continue 250 2.0.0 ok
		rcpt accept 250 2.0.0 ok
		data continue 250 2.0.0 ok
		end accept 250 2.0.0 ok
		connect reject 554 sorry, refused by policy (#5.7.1)$
		helo reject 550 5.7.1 sorry, refused by policy (#5.7.1)$
		mail reject 550 5.7.1 sorry, refused by policy (#5.7.1)$
		rcpt reject 550 5.7.1 sorry, refused by policy (#5.7.1)$
		data reject 550 5.7.1 sorry, refused by policy (#5.7.1)$
		end reject 550 5.7.1 sorry, refused by policy (#5.7.1)$
		connect defer 421 sorry, try again later (#4.7.1)$
		helo defer 451 4.7.1 sorry, try again later (#4.7.1)$
		mail defer 451 4.7.1 sorry, try again later (#4.7.1)$
		rcpt defer 451 4.7.1 sorry, try again later (#4.7.1)$
		data defer 451 4.7.1 sorry, try again later (#4.7.1)$
		end defer 451 4.7.1 sorry, try again later (#4.7.1)$
		connect discard 250 2.0.0 ok
		helo discard 250 2.0.0 ok
		mail discard 250 2.0.0 ok
		rcpt discard 250 2.0.0 ok
		data discard 250 2.0.0 ok
		end discard 250 2.0.0 ok
		connect drop 554 sorry, refused by policy (#5.7.1)$
		helo drop 554 5.7.1 sorry, refused by policy (#5.7.1)$
		mail drop 554 5.7.1 sorry, refused by policy (#5.7.1)$
		rcpt drop 554 5.7.1 sorry, refused by policy (#5.7.1)$
		data drop 554 5.7.1 sorry, refused by policy (#5.7.1)$
		end drop 554 5.7.1 sorry, refused by policy (#5.7.1)$
	TABLE
}

@test "queue sends a message to another queue of control/queues, and only that one" {
	mkdir -p home/other/{tmp,new,cur}
	echo "quarantine $BIN/queue-maildir $PORTERO_HOME/other" >home/control/queues
	policy rcpt,data 'rcpt@recipient=q@example.org:=continue|queue=quarantine' 'rcpt@recipient=n@example.org:=continue|queue=nowhere'
	run -0 say 'EHLO c' 'MAIL FROM:<>' 'RCPT TO:<q@example.org>' DATA x . 'MAIL FROM:<>' 'RCPT TO:<u@example.org>' DATA y . \
		'MAIL FROM:<>' 'RCPT TO:<n@example.org>' DATA QUIT
	last '451 4.3.5 mail server is configured wrongly (#4.3.5)'
	grep -qx x home/other/new/*
	grep -qx y home/Maildir/new/*
	[ "$(count)" = 1 ]
	logged 'trouble=queues .*a policy names a queue that is not in control/queues'
	echo quarantine >home/control/queues
	run say QUIT
	[ "${lines[0]}" = '421 unable to read controls (#4.3.0)' ]
	logged 'trouble=queues .*a line is NAME COMMAND'
}

# say_tls LINE...: the same as say, with a helper of TLS that shuffles no bytes; a text is one line. The log is "log".
say_tls() {
	timeout 30 python3 - "$@" 2>>log <<-'END'
		import os
		import socket
		import subprocess
		import sys

		control, other = socket.socketpair()
		from_us, to_smtpd = os.pipe()
		from_smtpd, to_us = os.pipe()
		theirs = [other.fileno(), from_us, to_us]
		env = dict(os.environ, **{"SSLCTLFD": str(theirs[0]), "SSLREADFD": str(theirs[1]), "SSLWRITEFD": str(theirs[2])})
		smtpd = subprocess.Popen(["smtpd"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=theirs, env=env)
		put, get = smtpd.stdin, smtpd.stdout

		def reply():
		    line = get.readline()
		    while line[3:4] == b"-":
		        line = get.readline()
		    print(line.decode().rstrip())

		reply()
		for line in sys.argv[1:]:
		    put.write(line.encode() + b"\r\n")
		    put.flush()
		    reply()
		    if line == "STARTTLS":
		        assert control.recv(1) == b"Y"
		        control.sendall(b"SSL_PROTOCOL=TLSv1.3\0\0")
		        put, get = os.fdopen(to_smtpd, "wb"), os.fdopen(from_smtpd, "rb")
		smtpd.wait()
	END
}

@test "what was said at HELO is forgotten at STARTTLS, what was said at connect is not" {
	local after=('MAIL FROM:<s@client.example>' 'RCPT TO:<u@example.org>' DATA $'Subject: x\r\n\r\nhello\r\n.' QUIT)
	policy connect,helo 'connect:=continue|tag=early' 'helo@helo=before:=continue|tag=said|header=X-Said%3a%20yes' \
		helo@helo=refused:=reject helo@helo=thrown:=discard
	run -0 say_tls 'EHLO before' STARTTLS "${after[@]}"
	last "$(printf '%s\n' "${lines[@]}" | grep '^250 ok [0-9]* qp [0-9]*$')"
	run -0 message
	[[ "$output" != *X-Said* ]]
	grep -q 'reason=queued .* tags=early ' log
	run -0 say_tls 'EHLO thrown' STARTTLS "${after[@]}"
	run -0 say_tls 'EHLO refused' STARTTLS "${after[@]}"
	[ "$(count)" = 3 ]
	# within TLS it is as before
	run -0 say_tls 'EHLO good' STARTTLS 'EHLO refused' 'MAIL FROM:<s@client.example>' QUIT
	last '503 5.5.1 you were refused: QUIT (#5.5.1)'
	run -0 say_tls 'EHLO good' STARTTLS 'EHLO before' "${after[@]}"
	[ "$(message | grep -c '^X-Said: yes')" = 1 ]
}

@test "drop ends the session, reject does not" {
	policy mail 'mail@sender=s@:=drop|code=421|status=4.7.0|text=busy'
	run -0 say "${envelope[@]}" NOOP QUIT
	[ "${lines[-1]}" = '421 4.7.0 busy (#4.7.0)' ]
	policy mail mail@sender=s@:=reject
	run -0 say "${envelope[@]:0:2}" 'MAIL FROM:<other@client.example>' QUIT
	[ "${lines[-3]:0:3}" = 550 ]
	last '250 2.1.0 ok'
}

@test "code, status and text are the policy's, the class is the action's" {
	local answer want
	while IFS=';' read -r answer want; do
		policy rcpt "rcpt:=$answer"
		run -0 say "${envelope[@]}" QUIT
		last "$want"
	done <<-'TABLE'
		reject|code=553|status=5.1.1|text=nobody%20here;553 5.1.1 nobody here (#5.1.1)
		reject|code=450|status=4.1.1|text=no;550 5.7.1 no (#5.7.1)
		defer|code=550|status=5.1.1|text=no;451 4.7.1 no (#4.7.1)
		defer|code=450|status=4.2.0|text=no%20(#4.2.0);450 4.2.0 no (#4.2.0)
		reject|text=a%0Ab%e9;550 5.7.1 a?b? (#5.7.1)
	TABLE
}

@test "a session that was refused: 503 to everything but QUIT" {
	policy connect connect:=reject
	run -0 say "${envelope[@]}" NOOP 'BDAT 4' QUIT
	[ "${lines[0]}" = '554 sorry, refused by policy (#5.7.1)' ]
	[ "${lines[1]}" = '503 you were refused: QUIT (#5.5.1)' ]
	[ "${lines[3]}" = "${lines[1]}" ]
	[ "${lines[4]}" = "${lines[1]}" ]
}

@test "a HELO that was refused allows no MAIL, another one does" {
	policy helo helo@helo=client:=reject
	run -0 say "${envelope[@]:0:2}" 'EHLO better.example' 'MAIL FROM:<>' QUIT
	[ "${lines[1]:0:3}" = 550 ]
	[ "${lines[2]:0:3}" = 503 ]
	last '250 2.1.0 ok'
}

@test "accept spares the policies behind it, at that stage" {
	policies "rcpt,data defer 10 $POLICY $PWD/one rcpt:=accept" "rcpt,data defer 10 $POLICY $PWD/two rcpt:=reject"
	run -0 say "${mail[@]}" QUIT
	[ "$(count)" = 1 ]
	run -0 grep -c stage=data two
	run -1 grep stage=rcpt two
}

@test "what smtpd refuses itself no policy is asked about; who may relay is told" {
	policy rcpt rcpt:=accept
	run -0 say "${envelope[@]:0:2}" 'RCPT TO:<u@elsewhere.example>' QUIT
	[ "${lines[-2]:0:3}" = 553 ]
	[ ! -s asked ] || ! grep stage=rcpt asked
	RELAYCLIENT='' run -0 say "${envelope[@]:0:2}" 'RCPT TO:<u@elsewhere.example>' QUIT
	last '250 2.1.5 ok'
	grep -q 'stage=rcpt .*relay=1' asked
}

@test "headers stand above ours, each once, and belong to their session, HELO or message" {
	policy connect,helo,mail,rcpt 'connect:=continue|header=X-C:%201' 'helo:=continue|header=X-H:%202%0A%09more' \
		'mail@sender=s@:=continue|header=X-M:%203|tag=m' 'rcpt:=continue|header=X-R:%204|tag=r|tag=m'
	run -0 say "${envelope[@]}" 'RCPT TO:<v@example.org>' DATA one . QUIT
	[ "$(message | head -n 9)" = "Return-Path: <s@client.example>
Delivered-To: u@example.org
Delivered-To: v@example.org
X-C: 1
X-H: 2
	more
X-M: 3
X-R: 4
Received: from unknown (HELO client.example) (192.0.2.7)" ]
	logged 'reason=queued.* tags=m,r session='
	rm home/Maildir/new/*
	run -0 say 'HELO other' "${mail[@]}" 'MAIL FROM:<t@client.example>' 'RCPT TO:<v@example.org>' DATA two . QUIT
	[ "$(count)" = 2 ]
	# of the first message and the first HELO nothing is left
	[ "$(grep -l '^two' home/Maildir/new/* | xargs grep -c '^X-')" = 3 ]
	[ "$(cat home/Maildir/new/* | grep -c '^X-H')" = 2 ]
}

@test "a delay is kept, and is no longer than said" {
	local start=$EPOCHREALTIME took
	policy mail 'mail:=continue|delay=700'
	run -0 say "${envelope[@]}" QUIT
	took=$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))
	((took >= 700 && took < 5000))
}

@test "a text that is changed is the message; what smtpd judges is what was sent" {
	echo 20 >home/control/databytes
	policy text 'end:=continue|header=X-End:%20yes'
	run -0 say "${mail[@]}" "${envelope[@]:1}" DATA 'more than the limit allows' . QUIT
	[ "${lines[-2]:0:3}" = 552 ]
	[ "$(count)" = 1 ]
	run -0 message
	[ "${lines[2]}" = 'X-End: yes' ]
	[ "${lines[3]}" = 'RECEIVED: FROM UNKNOWN (HELO CLIENT.EXAMPLE) (192.0.2.7)' ]
	[ "${lines[-1]}" = HELLO ]
	run -0 grep -v 'stage=text' asked
	[[ "${lines[0]}" = 'stage=end'* ]]
	[[ "${lines[1]}" = 'stage=reset'* ]]
	[[ "${lines[2]}" = 'stage=close'* ]]
}

@test "texts go from one policy to the next, whatever their length" {
	command -v sha256sum >/dev/null
	policies "text defer 20 $POLICY $PWD/one" "end defer 20 $POLICY $PWD/two" "text defer 20 $POLICY $PWD/three"
	{ head -c 3000000 /dev/zero | tr '\0' z | fold -w 60 && echo; } >body
	run -0 raw_body
	[ "$(count)" = 1 ]
	[ "$(message | tail -n 49999 | head -n 49990 | sha256sum)" = "$(tr z Z <body | head -n 49990 | sha256sum)" ]
	[ "$(grep -c stage=text one)" -gt 10 ]
	[ "$(grep -c stage=text three)" -gt 10 ]
}

raw_body() {
	{
		printf '%s\r\n' "${envelope[@]}" DATA ''
		sed 's/$/\r/' body
		printf '.\r\nQUIT\r\n'
	} | smtpd 2>>log
}

@test "a policy of the text may refuse, discard, or be spared" {
	local action want
	for action in reject defer discard; do
		policies "text defer 10 $POLICY $PWD/one end:=$action" "text defer 10 $POLICY $PWD/two"
		run -0 say "${mail[@]}" QUIT
		[ "$(count)" = 0 ]
		[[ "$action ${lines[-2]:0:3}" =~ ^(reject 550|defer 451|discard 250)$ ]]
	done
	policies "text defer 10 $POLICY $PWD/one end:=accept" "text defer 10 $POLICY $PWD/three"
	run -0 say "${mail[@]}" QUIT
	[ "$(count)" = 1 ]
	[ ! -e three ] || ! grep -E 'stage=(text|end)' three
}

@test "a message in chunks, and one that is binary, take the same way" {
	policy data,text 'data:=continue|header=x-a:%201%0A%202'
	export QUEUECAN='8BITMIME BINARYMIME'
	{
		printf 'EHLO c\r\nMAIL FROM:<s@client.example>\r\nRCPT TO:<u@example.org>\r\nBDAT 4\r\nab\r\nBDAT 5 LAST\r\ncd\r\ne'
		printf 'QUIT\r\n'
	} | smtpd 2>>log >out
	grep -q '^250 2.0.0 ok [0-9]* qp' out
	[ "$(message | tail -n 3)" = $'AB\nCD\nE' ]
	policy data data:=reject
	{
		printf 'EHLO c\r\nMAIL FROM:<s@client.example>\r\nRCPT TO:<u@example.org>\r\nBDAT 4\r\nab\r\nBDAT 5 LAST\r\ncd\r\ne'
		printf 'QUIT\r\n'
	} | smtpd 2>>log | tr -d '\r' >out
	[ "$(tail -n 3 out | cut -c 1-3 | tr '\n' ' ')" = '550 503 221 ' ]
}

# ---- failing --------------------------------------------------------------------------------------------

@test "each way to fail: told to try again later, and the log names the policy" {
	local fault
	for fault in hang crash garbage twice flood control tag=x continue%7Cx 'continue|message=5'; do
		: >log
		printf 'rcpt defer 1 %s %s rcpt@u@:=%s\n' "$POLICY" "$PWD/asked" "$fault" >home/control/policies
		run -0 say "${mail[@]:0:3}" 'RCPT TO:<v@example.org>' QUIT
		[ "${lines[-3]}" = '451 4.7.1 sorry, try again later (#4.7.1)' ] || { echo "$fault: ${lines[*]}"; false; }
		last '451 4.7.1 sorry, try again later (#4.7.1)' # it is not asked again
		logged 'stage=rcpt trouble=python3 session=.* text=policy .*: asks to try again later$' || { echo "$fault: $(cat log)"; false; }
		logged 'stage=rcpt code=451 reason=policy policy=python3' 2
		run ! grep 'recipient=v' asked
	done
}

@test "each way to fail: mail goes on without it when its line says so" {
	local fault
	for fault in hang crash garbage flood; do
		: >log
		rm -f home/Maildir/new/*
		printf 'rcpt accept 1 %s %s rcpt:=%s\n' "$POLICY" "$PWD/asked" "$fault" >home/control/policies
		run -0 say "${mail[@]}" QUIT
		[ "$(count)" = 1 ] || { echo "$fault: ${lines[*]}"; false; }
		logged 'trouble=python3 session=.* text=policy .*: goes on without it$'
	done
}

@test "what a policy says that has failed does not count: neither accept nor discard" {
	policies "rcpt accept 10 $POLICY $PWD/one rcpt:=accept|message=5" "rcpt defer 10 $POLICY $PWD/two rcpt:=reject"
	run -0 say "${envelope[@]}" QUIT
	last '550 5.7.1 sorry, refused by policy (#5.7.1)'
	logged 'text=policy sends a message that is not wanted: goes on without it$'
	{
		printf 'action=discard\n'
		for i in {1..30}; do printf 'header=X-%d: %01000d\n' "$i" 0; done
		echo
	} >answer
	printf '#!/bin/sh\nwhile read -r line; do [ -n "$line" ] || cat %s/answer; done\n' "$PWD" >many
	chmod +x many
	policies "data accept 10 $PWD/many"
	run -0 say "${mail[@]}" QUIT
	[ "$(count)" = 1 ]
	logged 'text=policy has too many headers: goes on without it$'
	run ! grep -q '^X-' home/Maildir/new/*
}

@test "a policy that is not there at all" {
	local where
	for where in /nonexistent unix:/nonexistent; do
		: >log
		policies "rcpt defer 1 $where"
		run -0 say "${mail[@]:0:3}" QUIT
		last '451 4.7.1 sorry, try again later (#4.7.1)'
		logged 'trouble=.*nonexistent session=.* text=policy No such file'
		policies "rcpt accept 1 $where"
		run -0 say "${mail[@]}" QUIT
		rm home/Maildir/new/*
		policies "text defer 1 $where"
		run -0 say "${mail[@]:0:4}" QUIT
		last '451 4.7.1 sorry, try again later (#4.7.1)'
	done
}

@test "a text that is lost is never taken, whatever the line says" {
	local fault seconds # time to start is not what fails here
	for fault in end:=hang end:=crash end:=garbage 'end:=continue|message=99999' end:=keep; do
		case $fault in
		*hang | *99999) seconds=3 ;;
		*) seconds=20 ;;
		esac
		printf 'text accept %s %s %s %s\n' "$seconds" "$POLICY" "$PWD/asked" "$fault" >home/control/policies
		run -0 say "${mail[@]}" QUIT
		last '451 4.7.1 sorry, try again later (#4.7.1)'
		[ "$(count)" = 0 ]
	done
}

@test "an answer to what is not answered is a fault" {
	policy mail,rcpt reset:=unasked
	run -0 timeout 20 bash -c '
		{ printf "EHLO c\r\nMAIL FROM:<a@b.example>\r\nRSET\r\n"; until grep -q stage=reset asked; do sleep 0.05; done; printf "MAIL FROM:<c@d.example>\r\nQUIT\r\n"; } |
			smtpd 2>>log | tr -d "\r"'
	last '451 4.7.1 sorry, try again later (#4.7.1)'
	logged "speaks without being asked\|answers more than once"
}

@test "a line that is wrong refuses every session and is named with the remedy" {
	local line want
	while IFS=';' read -r line want; do
		: >log
		policies "$line"
		run -0 say QUIT
		[ "${lines[0]}" = '421 unable to read controls (#4.3.0)' ]
		grep -qF " text=\"$line\": $want" log && grep -q "trouble=policies " log || { cat log; false; }
	done <<-'TABLE'
		rcpt defer 5;WHERE is missing
		rcpt;a line is STAGES FAIL SECONDS WHERE
		rcpt,what defer 5 true;STAGES is a list of
		close defer 5 true;STAGES is a list of
		rcpt deny 5 true;FAIL is defer or accept
		rcpt defer 0 true;SECONDS is a number from 1 to 600
		rcpt defer 601 true;SECONDS is a number from 1 to 600
		rcpt defer 5 unix:;unix: is followed by a path
		rcpt defer 5 unix:/x y;nothing stands behind unix:PATH
	TABLE
	for line in {1..17}; do echo "rcpt accept 5 true"; done >home/control/policies
	run -0 say QUIT
	grep -q 'there are more than 16 policies' log
}

@test "SMTPPOLICIES names another file, or none; a file that must be there is" {
	policy rcpt rcpt:=reject
	SMTPPOLICIES='' run -0 say "${envelope[@]}" QUIT
	last '250 2.1.5 ok'
	printf '# a line for people\n\n' >home/control/others
	SMTPPOLICIES=others run -0 say "${envelope[@]}" QUIT
	last '250 2.1.5 ok'
	SMTPPOLICIES=missing run -0 say QUIT
	[ "${lines[0]}" = '421 unable to read controls (#4.3.0)' ]
	SMTPPOLICIES=../control/others run -0 say QUIT
	[ "${lines[0]}" = '421 unable to read controls (#4.3.0)' ]
	rm home/control/policies
	mkdir home/control/policies
	run -0 say QUIT
	[ "${lines[0]}" = '421 unable to read controls (#4.3.0)' ]
}

@test "when smtpd has ended its policies have, and one that stays does not keep it" {
	cat >children.py <<-'PYTHON'
		import ctypes, os, signal, subprocess, time
		ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
		start = time.monotonic()
		subprocess.run(["smtpd"], input=b"QUIT\r\n", stdout=subprocess.DEVNULL)
		took = time.monotonic() - start
		try:
		    print("left" if os.waitpid(-1, os.WNOHANG)[0] == 0 else "zombie", took < 15)
		    for child in open("/proc/self/task/%d/children" % os.getpid()).read().split():
		        os.kill(int(child), signal.SIGKILL)
		except ChildProcessError:
		    print("none", took < 15)
	PYTHON
	policy mail
	run -0 python3 children.py
	[ "$output" = 'none True' ]
	policies 'mail defer 5 sleep 30'
	run -0 python3 children.py
	[ "$output" = 'left True' ]
}

is_alone() {
	! pgrep -P "$1" >/dev/null
}

# ---- staying --------------------------------------------------------------------------------------------

# one SESSION ...: through the server of start_server
one() {
	dialogue "$PORT" "$(printf '%s\r\n' "$@")"$'\n' | tr -d '\r'
}

@test "resident: the same program is asked session after session" {
	policies "connect,rcpt defer 10 $POLICY $PWD/asked"
	start_server --resident 1 -HRl0 127.0.0.1 0 smtpd

	for _ in 1 2 3; do
		run -0 one "${mail[@]}" QUIT
		[[ "${lines[-2]}" = '250 2.0.0 ok '* ]] || { cat log; false; }
	done
	stop "$SERVER" || true
	[ "$(count)" = 3 ]
	[ "$(grep -c stage=close asked)" = 3 ]
	# one smtpd, three sessions
	[ "$(sed -nE 's/.*stage=connect.*session=[0-9]+\.([0-9]+)\.[0-9]+ .*/\1/p' asked | sort -u | wc -l)" = 1 ]
	[ "$(sed -nE 's/.* session=[0-9.]+\.([0-9]+) .*/\1/p' asked | sort -u | wc -l)" = 3 ]
}

@test "resident: a policy that failed ends its smtpd with the session, and a fresh one asks a fresh one" {
	policies "rcpt defer 10 $POLICY $PWD/asked rcpt@recipient=c:=crash"
	start_server --resident 1 -HRl0 127.0.0.1 0 smtpd
	run -0 one "${envelope[@]:0:2}" 'RCPT TO:<crash@example.org>' 'RCPT TO:<u@example.org>' QUIT
	[ "${lines[-2]:0:3}" = 451 ]
	run -0 one "${envelope[@]}" QUIT
	last '250 2.1.5 ok'
	stop "$SERVER" || true
}

@test "a policy behind a socket: asked alike, and found again when its server has begun anew" {
	policies "connect,rcpt defer 10 unix:$PWD/sock"
	policy_server() {
		local fd
		for fd in "/proc/$BASHPID/fd"/*; do
			if [ "${fd##*/}" -gt 2 ]; then eval "exec ${fd##*/}>&-"; fi
		done
		exec tcpserver -HRl0 unix:sock python3 "$BATS_TEST_DIRNAME/policy.py" "$PWD/asked" rcpt@recipient=bad:=reject
	}
	background policy_server
	local policy_pid=$PID
	wait_for test -S sock
	start_server --resident 1 -HRl0 127.0.0.1 0 smtpd
	for _ in 1 2; do
		run -0 one "${envelope[@]}" 'RCPT TO:<bad@example.org>' QUIT
		last '550 5.7.1 sorry, refused by policy (#5.7.1)'
	done
	[ "$(sed -nE 's/.*session=[0-9]+\.([0-9]+)\.[0-9]+ .*/\1/p' asked | sort -u | wc -l)" = 1 ]
	pkill -P "$policy_pid" # the one that talks to smtpd, not its server
	wait_for is_alone "$policy_pid"
	run -0 one "${envelope[@]}" QUIT
	last '250 2.1.5 ok'
	run ! grep trouble log
	[ "$(sed -nE 's/.*session=[0-9]+\.([0-9]+)\.[0-9]+ .*/\1/p' asked | sort -u | wc -l)" = 2 ]
	stop "$SERVER" || true
}

@test "the policy of portero-policy(7) does what the page says" {
	local page=$BATS_TEST_DIRNAME/../smtpd/portero-policy.7
	sed -n '/^#!\/bin\/sh/,/^\.Ed/p' "$page" | grep -v '^\.Ed' | sed 's/\\e/\\/g' >jane
	chmod +x jane
	policies "rcpt defer 10 $PWD/jane"
	run -0 say "${envelope[@]}" 'RCPT TO:<jane@example.org>' QUIT
	[ "${lines[-3]}" = '250 2.1.5 ok' ]
	last '550 5.7.1 Jane has left (#5.7.1)'
}

# ---- what smtpd itself lists ----------------------------------------------------------------------------

@test "badmailfrom and badrcptto: addresses, domains, patterns, exceptions" {
	cat >home/control/badmailfrom <<-'LIST'
		# a line for people
		One@Bad.example
		@all.example
		!nice@all.example
		*-bulk@?.many.example
		@.below.example
		info@*
	LIST
	printf 'old@example.org\n*.left@example.org\n!boss.left@example.org\n' >home/control/badrcptto
	local sender recipient code
	while read -r sender recipient code; do
		run -0 say "MAIL FROM:<${sender#-}>" "RCPT TO:<$recipient@example.org>" QUIT
		[ "${lines[2]:0:3}" = "$code" ] || { echo "$sender $recipient: ${lines[2]}"; false; }
	done <<-'TABLE'
		one@bad.example u 553
		two@bad.example u 250
		x@ALL.example u 553
		nice@all.example u 250
		x@sub.all.example u 250
		x-bulk@a.many.example u 553
		x-bulk@ab.many.example u 250
		x@a.below.example u 553
		x@below.example u 250
		info@anywhere.example u 553
		- u 250
		a@b.example OLD 553
		a@b.example old.er 250
		a@b.example jane.left 553
		a@b.example boss.left 250
	TABLE
	RELAYCLIENT='' run -0 say 'EHLO c' 'MAIL FROM:<a@b.example>' 'RCPT TO:<old@example.org>' QUIT
	last '553 5.7.1 sorry, this address is in my badrcptto list (#5.7.1)'
	logged 'code=553 reason=badrcptto'
}
