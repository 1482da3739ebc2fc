#!/usr/bin/env bats
# rblsmtpd: who is refused and how, with a name server of our own. What it shares with that of ucspi-tcp is
# compared in differential/rblsmtpd.py.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, so what it sets is its own
bats_require_minimum_version 1.5.0
load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	PATH=$BIN:$PATH
	[ -x "$BIN/rblsmtpd" ] || return 1 # not that of ucspi-tcp
	unset RBLSMTPD DNSCACHEIP
	export TCPREMOTEIP=1.2.3.4
}

# name_server ZONE...: see peers.py. Sets DNSCACHEIP.
name_server() {
	requires python3 python3
	background python3 "$BATS_TEST_DIRNAME/peers.py" dns "$@" >dns.port
	wait_for test -s dns.port
	DNSCACHEIP=127.0.0.1:$(cat dns.port)
	export DNSCACHEIP
}

program='echo "run [${RBLSMTPD-unset}]"'

# talk ARGUMENT...: rblsmtpd, which must not take long. Its log, with N for the pid, is the file "log"; CR is
# taken away from what it says.
talk() {
	local code

	timeout 20 rblsmtpd "$@" 2>log | tr -d '\r'
	code=${PIPESTATUS[0]}
	sed -i 's/ pid [0-9][0-9]*:/ pid N:/' log
	return "$code"
}

# ask OPTION...: one recipient.
ask() {
	talk "$@" sh -c "$program" < <(printf 'RCPT TO:<a@b>\r\nQUIT\r\n')
}

# refused TEXT OPTION...
refused() {
	local text=$1
	shift
	run -0 ask "$@"
	[ "$output" = "220 rblsmtpd.local"$'\n'"$text"$'\n'"221 rblsmtpd.local" ]
	[ "$(cat log)" = "rblsmtpd: ${LOGGED-$TCPREMOTEIP} pid N: $text" ]
}

# runs VALUE OPTION...: the program runs, and RBLSMTPD is VALUE there
runs() {
	local value=$1
	shift
	run -0 ask "$@"
	[ "$output" = "run [$value]" ]
	[ ! -s log ]
}

@test "RBLSMTPD: a text refuses for now, a hyphen for ever, nothing lets in; no list is asked" {
	name_server 4.3.2.1.bl.x=txt:listed
	RBLSMTPD='go away' refused '451 go away' -r bl.x
	RBLSMTPD='go away' refused '451 go away' -b -r bl.x
	RBLSMTPD='-go away' refused '553 go away' -r bl.x
	RBLSMTPD='-' refused '553 ' -r bl.x
	RBLSMTPD='' runs '' -r bl.x
	[ ! -e asked ]
}

@test "the conversation: polite to commands that cost nothing, no to the rest, one reply a line" {
	export RBLSMTPD=no
	run -0 talk false < <(printf '%s\r\n' 'HELO x' EHLO 'mail from:<>' 'RCPT TO:<a>' DATA Rset noop \
		'NOOP  x' VRFY '' ' noop' $'noop\tx' "quit$(printf '\r')" 'QUIT now' 'HELO after')
	[ "${lines[*]}" = "220 rblsmtpd.local 250 rblsmtpd.local 250 rblsmtpd.local 250 rblsmtpd.local \
451 no 451 no 250 rblsmtpd.local 250 rblsmtpd.local 250 rblsmtpd.local 451 no 451 no 451 no 451 no 451 no \
221 rblsmtpd.local" ]
	[ "$(grep -c . log)" = 1 ]
}

@test "the conversation: lines of any length and without CR" {
	export RBLSMTPD=no
	run -0 talk false < <(
		head -c 100000 /dev/zero | tr '\0' a
		printf '\nMAIL FROM:<'
		head -c 100000 /dev/zero | tr '\0' a
		printf '>\nquit\n'
	)
	[ "${lines[*]}" = "220 rblsmtpd.local 451 no 250 rblsmtpd.local 221 rblsmtpd.local" ]
}

@test "-t: the whole conversation has this time; 0 says one line and reads nothing" {
	export RBLSMTPD=no
	run -0 talk -t 0 false <<<'QUIT'
	[ "$output" = '451 no' ]
	mkfifo mute
	exec 5<>mute # a client that never says anything and stays
	run -0 talk -t 1 false <&5
	[ "$output" = '220 rblsmtpd.local' ]
}

@test "a list that names the client: its text; -b and -B hold for what follows" {
	name_server 4.3.2.1.bl.x=txt:listed
	refused '451 listed' -r bl.x
	refused '451 listed' -r none.x -r bl.x
	refused '553 listed' -b -r bl.x
	refused '451 listed' -r bl.x -b
	refused '451 listed' -bB -r bl.x
	refused '451 listed' -r .bl..x.
	runs unset -r none.x
	runs unset
	runs unset -r bl.x:text # it has no A record
}

@test "the exit code and the environment are the program's own" {
	name_server x=none
	run -7 rblsmtpd -r bl.x sh -c 'exit 7'
	run -111 rblsmtpd -r bl.x ./missing
	[ "$output" = "rblsmtpd: fatal: unable to run ./missing: file does not exist" ]
}

@test "a text of our own needs an A record; %IP% is the client" {
	name_server 4.3.2.1.a.x=a:127.0.0.2 4.3.2.1.txt.x=txt:listed
	refused '451 see http://x/?1.2.3.4,1.2.3.4 100% %I %ip%' -r 'a.x:see http://x/?%IP%,%IP% 100% %I %ip%'
	refused '553 1.2.3.4%' -b -r 'a.x:%IP%%'
	runs unset -r txt.x:text
	runs unset -r a.x
	grep -q '^4.3.2.1.a.x 1$' asked
}

@test "lists that allow win over what follows, and lose to what precedes" {
	name_server 4.3.2.1.bl.x=txt:listed 4.3.2.1.wl.x=a:127.0.0.2 4.3.2.1.six.x=aaaa:::1
	runs unset -a wl.x -r bl.x
	refused '451 listed' -r bl.x -a wl.x
	refused '451 listed' -a none.x -r bl.x
	refused '451 listed' -a six.x -r bl.x
	runs unset -r none.x -a wl.x -r bl.x
}

@test "fail open, fail closed, and never for ever after a failure" {
	name_server 4.3.2.1.bl.x=txt:listed 4.3.2.1.fail.x=servfail 4.3.2.1.a.x=a:127.0.0.2
	local failed='451 temporary RBL lookup error'
	runs unset -r fail.x
	refused "$failed" -c -r fail.x
	refused "$failed" -c -b -r fail.x
	refused "$failed" -c -r fail.x:text
	refused "$failed" -b -c -r fail.x -C
	runs unset -r fail.x -c
	runs unset -a fail.x -r bl.x
	refused '451 listed' -c -b -a fail.x -r bl.x
	refused '451 listed' -b -r fail.x -r bl.x
	refused '553 listed' -b -r bl.x -r fail.x
	runs unset -c -a fail.x -C -a a.x -r bl.x
}

@test "all lists are asked at once, and still the first of the command line wins" {
	name_server 4.3.2.1.one.x=after:4.3.2.1.four.x:txt:one 4.3.2.1.two.x=after:4.3.2.1.four.x:txt:two \
		4.3.2.1.three.x=a:127.0.0.2 4.3.2.1.four.x=txt:four
	refused '451 one' --lookup-timeout 10 -r one.x -r two.x -a three.x -r four.x
	refused '451 two' --lookup-timeout 10 -r none.x -r two.x -a three.x -r four.x
	runs unset --lookup-timeout 10 -r none.x -a three.x -r two.x -r four.x
}

@test "an answer that decides nothing any more is not waited for" {
	name_server 4.3.2.1.bl.x=txt:listed 4.3.2.1.mute.x=silent
	refused '451 listed' --lookup-timeout 300 -r bl.x -r mute.x
}

@test "one deadline for all lists: what is silent has failed" {
	name_server 4.3.2.1.bl.x=txt:listed 4.3.2.1.mute.x=silent 4.3.2.1.{mute2,mute3}.x=silent
	runs unset --lookup-timeout 1 -r mute.x -r mute2.x -r mute3.x
	refused '451 temporary RBL lookup error' --lookup-timeout 1 -c -r mute.x -r bl.x
	refused '451 listed' --lookup-timeout 1 -b -r mute.x -r bl.x
}

@test "IPv6 clients: nibbles under the base, brackets in the log; mapped ones are IPv4" {
	local nibbles=1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2
	name_server $nibbles.bl.x=txt:six $nibbles.a.x=a:127.0.0.2 4.3.2.1.bl.x=txt:four
	export TCPREMOTEIP=2001:db8::1
	LOGGED='[2001:db8::1]'
	refused '451 six' -r bl.x
	refused '451 <2001:db8::1>' -r 'a.x:<%IP%>'
	runs unset -a a.x -r bl.x
	TCPREMOTEIP=::ffff:1.2.3.4
	LOGGED=1.2.3.4
	refused '451 four' -r bl.x
}

@test "a client without an address: every list has failed" {
	name_server x=txt:base bl.x=txt:base 4.3.2.1.bl.x=txt:listed
	unset TCPREMOTEIP
	run -0 ask -r bl.x
	[ "$output" = "run [unset]" ]
	[ "$(cat log)" = "rblsmtpd:  pid N: TCPREMOTEIP is not an address: no list was asked" ]
	export TCPREMOTEIP=1.2.3
	run -0 ask -c -r bl.x
	[ "${lines[1]}" = '451 temporary RBL lookup error' ]
	export TCPREMOTEIP=$'1.2.3.4 pid 5: 553 x\nrblsmtpd: 6.7.8.9 pid 6: 553 y'
	RBLSMTPD=no run -0 ask
	[ "$(cat log)" = "rblsmtpd: 1.2.3.4?pid?5:?553?x?rblsmtpd:?6.7.8.9?pid?6:? pid N: 451 no" ]
	[ ! -e asked ]
}

@test "texts: printable bytes only, 200 at most, from lists and from the environment" {
	local y
	y=$(printf 'y%.0s' {1..300})
	name_server '4.3.2.1.ctl.x=txt:a\r\n250 ok\x00\x1b[2J\xff.' 4.3.2.1.long.x="txt:$y" 4.3.2.1.two.x=txts:'a|b' \
		4.3.2.1.two.x=txt:c 4.3.2.1.empty.x=txt: 4.3.2.1.cut.x=raw:16:05616263 4.3.2.1.none.x=raw:16:
	refused '451 a??250 ok??[2J?.' -r ctl.x
	refused "451 ${y:0:200}" -r long.x
	refused '451 abc' -r two.x
	runs unset -c -r empty.x
	refused '451 temporary RBL lookup error' -c -r cut.x
	runs unset -c -r none.x
	RBLSMTPD=$'a\r\n\x80'$y refused "451 a???${y:0:196}"
	RBLSMTPD=-$y refused "553 ${y:0:200}"
}

@test "--environment: the verdict goes to the program" {
	name_server 4.3.2.1.bl.x=txt:listed 4.3.2.1.wl.x=a:127.0.0.2 4.3.2.1.fail.x=servfail 4.3.2.1.hy.x=txt:-x
	runs listed --environment -r bl.x
	runs -listed --environment -b -r bl.x
	runs ' -x' --environment -r hy.x
	runs '--x' --environment -b -r hy.x
	runs '' --environment -a wl.x -r bl.x
	runs '' --environment -r none.x
	runs '' --environment -r fail.x
	runs 'temporary RBL lookup error' --environment -c -b -r fail.x
	runs unset --environment
	RBLSMTPD=-told runs -told --environment -r bl.x
	RBLSMTPD='' runs '' --environment -r bl.x
	run -111 rblsmtpd --environment -r bl.x ./missing
}

@test "--environment before smtpd: refused by recipient; who logs in is spared; resident, each client is asked about" {
	local i said
	name_server 1.0.0.127.bl.x=txt:listed
	export PORTERO_HOME=$PWD/home QMAILQUEUE=queue-null SMTPAUTH=clear TCPREMOTEIP=127.0.0.1
	unset RELAYCLIENT
	mkdir -p home/control
	echo mx.example.org >home/control/me
	echo example.org >home/control/rcpthosts
	printf '#!/bin/sh\ncat <&3 >/dev/null\n' >checker
	chmod +x checker

	said=$(printf '%s\r\n' 'EHLO c' 'MAIL FROM:<a@b.example>' 'RCPT TO:<u@example.org>' RSET \
		"AUTH PLAIN $(printf '\0joe\0secret' | base64)" 'MAIL FROM:<a@b.example>' 'RCPT TO:<u@example.org>' QUIT |
		timeout 20 rblsmtpd --environment -b -r bl.x smtpd "$PWD/checker" 2>log | tr -d '\r' | sed '/^250/d')
	[ "$said" = $'220 mx.example.org ESMTP\n553 5.7.1 listed\n235 2.7.0 ok, go ahead (#2.0.0)\n221 2.0.0 mx.example.org' ]
	logged 'code=553 reason=listed helo=c from=<a@b.example> to=<u@example.org> .* text=listed$'

	start_server -vRHl0 --resident 1 127.0.0.1 0 rblsmtpd --environment -r bl.x smtpd
	for i in 1 2 3; do
		run -0 dialogue "$PORT" $'HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<u@example.org>\r\nQUIT\r\n'
		[[ "$output" = *'451 listed'* ]]
	done
	[ "$(grep -c '^1.0.0.127.bl.x ' asked)" = 4 ]
}

@test "a base: as long as a name allows, and no nonsense" {
	local label base
	label=$(printf 'l%.0s' {1..63})
	base=$label.$label.${label:0:61}
	name_server x=none
	export TCPREMOTEIP=2001:db8::1
	runs unset -c -r "$base"
	grep -q "^1[.0]*.8.b.d.0.1.0.0.2.$base 16$" asked
	for bad in '' . "${base}l" "l$label.x" 'a b' $'a\nb' 'a\046b' ':text' 'x:'; do
		run -100 rblsmtpd -r "$bad" true
		[[ "$output" = "rblsmtpd: fatal: -r: \"$bad\" "* ]]
	done
	run -100 rblsmtpd -a 'a b' true
}

@test "64 lists, and not one more; nonsense in options" {
	local lists=() i
	for i in {1..63}; do
		lists+=(-r "l$i.x")
	done
	name_server 4.3.2.1.last.x=txt:last
	refused '451 last' "${lists[@]}" -r last.x
	[ "$(sort -u asked | wc -l)" = 64 ]
	run -100 rblsmtpd "${lists[@]}" -r last.x -r more.x true
	[[ "$output" = *"one list too many"* ]]
	run -100 rblsmtpd -t 1x true
	run -100 rblsmtpd --lookup-timeout 0 true
	run -100 rblsmtpd -z true
	[ "${lines[0]}" = "rblsmtpd: illegal option -- z" ]
	run -100 rblsmtpd -r
	[ "${lines[0]}" = "rblsmtpd: option requires an argument -- r" ]
	run -100 rblsmtpd -b
	[[ "$output" = "rblsmtpd: usage: "* ]]
}

@test "closed descriptors and a client who leaves harm nobody" {
	name_server 4.3.2.1.bl.x=txt:listed
	run -0 bash -c 'exec timeout 20 rblsmtpd -r bl.x false <&- 2>log'
	[ "$output" = $'220 rblsmtpd.local\r' ]
	grep -q '^rblsmtpd: 1.2.3.4 pid [0-9]*: 451 listed$' log
	run -0 bash -c 'RBLSMTPD=no rblsmtpd false </dev/null >/dev/full'
	[[ "$output" = "rblsmtpd: 1.2.3.4 pid "*": 451 no" ]]
	run -0 bash -c 'exec timeout 20 rblsmtpd -r bl.x false <&- >&- 2>&-'
}

@test "behind tcpserver, with rules" {
	name_server 1.0.0.127.bl.x=txt:listed
	printf '127.0.0.1:allow,RBLSMTPD="-by rule"\n' | rules r
	start_server -vRHl0 -x r.cdb 0 0 rblsmtpd -r bl.x echo run
	run -0 connect "$PORT" $'RCPT TO:<a>\r\nQUIT\r\n'
	[ "${lines[1]}" = $'553 by rule\r' ]
	logged '^rblsmtpd: 127.0.0.1 pid [0-9]*: 553 by rule$'
	stop "$SERVER" || :
	start_server -vRHl0 0 0 rblsmtpd -r bl.x echo run
	run -0 connect "$PORT" $'RCPT TO:<a>\r\nQUIT\r\n'
	[ "${lines[1]}" = $'451 listed\r' ]
}
