#!/usr/bin/env bats
# smtpd on a pipe: dialogues, control files, and what it says to its log.

bats_require_minimum_version 1.5.0

setup() {
	BIN=${BIN:-$BATS_TEST_DIRNAME/../build/bin}
	export PORTERO_HOME=$BATS_TEST_TMPDIR/home
	export QMAILQUEUE="$BIN/queue-maildir $PORTERO_HOME/Maildir"
	export TCPREMOTEIP=192.0.2.7
	unset RELAYCLIENT RBLSMTPD DATABYTES TCPREMOTEHOST TCPREMOTEINFO TCPLOCALHOST TCPLOCALIP
	mkdir -p "$PORTERO_HOME"/control "$PORTERO_HOME"/Maildir/{tmp,new,cur}
	echo mx.example.org >"$PORTERO_HOME/control/me"
	echo example.org >"$PORTERO_HOME/control/rcpthosts"
}

# say LINE ...: each with CR LF behind it; the replies without CR, the log in $PORTERO_HOME/log.
say() {
	printf '%s\r\n' "$@" | raw
}

# Whatever comes on stdin, as it is.
raw() {
	"$BIN/smtpd" 2>>"$PORTERO_HOME/log" | tr -d '\r'
}

envelope=('MAIL FROM:<s@client.example>' 'RCPT TO:<u@example.org>' DATA)

count() {
	find "$PORTERO_HOME/Maildir/$1" -type f | wc -l
}

message() {
	cat "$PORTERO_HOME"/Maildir/new/*
}

@test "a message goes into the Maildir, with its envelope in front" {
	run -0 say 'EHLO client.example' "${envelope[@]}" 'Subject: x' '' 'hello' '.' QUIT
	[ "${lines[0]}" = '220 mx.example.org ESMTP' ]
	[[ "${lines[-2]}" =~ ^'250 2.0.0 ok '[0-9]+' qp '[0-9]+$ ]]
	[ "${lines[-1]}" = '221 2.0.0 mx.example.org' ]
	[ "$(count new)" = 1 ]
	[ "$(count tmp)" = 0 ]
	run -0 message
	[ "${lines[0]}" = 'Return-Path: <s@client.example>' ]
	[ "${lines[1]}" = 'Delivered-To: u@example.org' ]
	[ "${lines[2]}" = 'Received: from unknown (HELO client.example) (192.0.2.7)' ]
	[[ "${lines[3]}" =~ ^'  by unknown with ESMTP; '[0-9]+' '[A-Z][a-z][a-z]' 20'[0-9][0-9]' '..:..:..' -0000'$ ]]
	[ "${lines[4]}" = 'Subject: x' ]
	[ "${lines[5]}" = 'hello' ]
}

@test "EHLO announces what works, and nothing else" {
	run -0 say 'EHLO client.example' QUIT
	[ "${lines[1]}" = '250-mx.example.org' ]
	[ "${lines[2]}" = '250-PIPELINING' ]
	[ "${lines[3]}" = '250-SIZE 0' ]
	[ "${lines[4]}" = '250-8BITMIME' ]
	[ "${lines[5]}" = '250-CHUNKING' ]
	[ "${lines[6]}" = '250-LIMITS RCPTMAX=1000' ]
	[ "${lines[7]}" = '250 ENHANCEDSTATUSCODES' ]
	[ "${#lines[@]}" = 9 ]
}

@test "without EHLO the words are qmail's to the letter" {
	run -0 say HELP 'VRFY x' NOOP RSET 'MAIL FROM:<s@client.example>' 'RCPT TO:<u@elsewhere.example>' \
		'RCPT TO:<u@example.org>' DATA 'x' '.' WHAT QUIT
	[ "${lines[2]}" = "252 send some mail, i'll try my best" ]
	[ "${lines[3]}" = '250 ok' ]
	[ "${lines[4]}" = '250 flushed' ]
	[ "${lines[5]}" = '250 ok' ]
	[ "${lines[6]}" = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)" ]
	[ "${lines[7]}" = '250 ok' ]
	[ "${lines[8]}" = '354 go ahead' ]
	[[ "${lines[9]}" =~ ^'250 ok '[0-9]+' qp '[0-9]+$ ]]
	[ "${lines[10]}" = '502 unimplemented (#5.5.1)' ]
	[ "${lines[11]}" = '221 mx.example.org' ]
}

# table: COMMANDS separated by '|', and the code that the last of them gets.
@test "commands out of order, and commands of a wrong form" {
	while IFS='	' read -r commands code; do
		IFS='|' read -ra list <<<"$commands"
		# every list is behind EHLO, and NOOP shows that the session goes on
		run -0 say 'EHLO c' "${list[@]}" NOOP QUIT
		[ "${lines[-2]}" = '250 2.0.0 ok' ] || { echo "$commands: ${lines[*]}"; false; }
		[ "${lines[-3]:0:3}" = "$code" ] || { echo "$commands: ${lines[-3]}"; false; }
	done <<-'TABLE'
		RCPT TO:<a@example.org>	503
		DATA	503
		MAIL FROM:<a@b.example>|DATA	503
		MAIL FROM:<a@b.example>|MAIL FROM:<a@b.example>	503
		MAIL FROM:<a@b.example>|RSET|RCPT TO:<a@example.org>	503
		MAIL FROM:<a@b.example>|EHLO c|RCPT TO:<a@example.org>	503
		MAIL FROM:<>	250
		mail from:<a@b.example>	250
		MAIL FROM: <a@b.example>	250
		MAIL FROM:<a@b.example> 	250
		MAIL FROM:<a@b.example> SIZE=1 BODY=8BITMIME	250
		MAIL FROM:<a@b.example> size=1 body=7bit	250
		MAIL	501
		MAIL TO:<a@b.example>	501
		MAIL FROM:a@b.example	501
		MAIL FROM:<a@b.example>x	501
		MAIL FROM:<a@b@c.example>	501
		MAIL FROM:<a@b.example> SIZE=abc	501
		MAIL FROM:<a@b.example> SIZE=	501
		MAIL FROM:<a@b.example> SIZE	501
		MAIL FROM:<a@b.example> SIZE=-1	501
		MAIL FROM:<a@b.example> SIZE=123456789012345678901	501
		MAIL FROM:<a@b.example> SIZE=1 SIZE=1	501
		MAIL FROM:<a@b.example> BODY=9BIT	501
		MAIL FROM:<a@b.example> WHAT=1	555
		MAIL FROM:<a@b.example> SMTPUTF8	555
		MAIL FROM:<a@b.example>|RCPT TO:<>	501
		MAIL FROM:<a@b.example>|RCPT TO:<a@>	501
		MAIL FROM:<a@b.example>|RCPT TO:<a@example.org> NOTIFY=NEVER	555
		MAIL FROM:<a@b.example>|RCPT TO:<Postmaster>	250
		MAIL FROM:<a@b.example>|RCPT TO:<"a b"@example.org>	250
		MAIL FROM:<a@b.example>|RCPT TO:<@r.example:a@example.org>	250
		HELO	501
		EHLO	501
		VRFY	501
		RSET now	501
		NOOP now	250
		HELP me	214
		STARTTLS	502
	TABLE
}

@test "an empty line, and a verb behind a blank" {
	run -0 say 'EHLO c' '' ' NOOP' QUIT
	[ "${lines[8]:0:3}" = 502 ]
	[ "${lines[9]:0:3}" = 502 ]
}

@test "QUIT with an argument is refused, and the session goes on" {
	run -0 say 'QUIT now' QUIT
	[ "${lines[1]:0:3}" = 501 ]
	[ "${lines[2]:0:3}" = 221 ]
}

@test "a client that just goes away: exit 1, silently" {
	run -1 "$BIN/smtpd" </dev/null
	[ "${lines[0]%%[[:cntrl:]]}" = '220 mx.example.org ESMTP' ]
	[ "${#lines[@]}" = 1 ]
}

@test "dots: one is removed, and only CR LF . CR LF ends the text" {
	run -0 say "${envelope[@]}" '..' '.x' 'a.' '. ' '.' QUIT
	run -0 message
	[ "${lines[-4]}" = '.' ]
	[ "${lines[-3]}" = 'x' ]
	[ "${lines[-2]}" = 'a.' ]
	[ "${lines[-1]}" = ' ' ]
}

@test "no form of smuggling makes a second message: one 550 at the true end" {
	local end
	for end in '\n.\n' '\n.\r\n' '\r\n.\n' '\r.\r' '\r.\r\n' '\r\n.\r' '\r\r\n.\r\r\n' '\r\n.\r\r\n' '\n\n.\n\n'; do
		: >"$PORTERO_HOME/log"
		# the sequence alone, then with commands behind it
		run -0 raw < <(
			printf '%s\r\n' "${envelope[@]}"
			printf '%b' "one$end"
			printf 'MAIL FROM:<evil@client.example>\r\nRCPT TO:<u@example.org>\r\nDATA\r\ntwo\r\n.\r\nQUIT\r\n'
		)
		[ "${lines[4]:0:3}" = 550 ] || { echo "$end: ${lines[*]}"; false; }
		[ "${#lines[@]}" = 6 ]
		[ "$(count new)" = 0 ]
		grep -q 'stage=data code=550 reason=bare-newline' "$PORTERO_HOME/log"
	done
}

@test "the answer to a bare newline names its place" {
	run -0 raw < <(printf '%s\r\n' 'EHLO c' "${envelope[@]}"; printf 'abc\r\nd\ne\r\n.\r\nQUIT\r\n')
	[ "${lines[-2]}" = '550 5.6.11 lines must end in CR LF (#5.6.11): bare LF at byte 6 of the text' ]
}

# text END: a message with that sequence in the middle, and with commands behind it.
text() {
	printf '%s\r\n' "${envelope[@]}"
	printf '%b' "one$1"
	printf 'MAIL FROM:<evil@client.example>\r\nRCPT TO:<u@example.org>\r\nDATA\r\ntwo\r\n.\r\nQUIT\r\n'
}

@test "SMTPNEWLINE keep, fix and drop: a bare newline ends no text either" {
	local mode end
	for mode in keep fix drop; do
		for end in '\n.\n' '\n.\r\n' '\r\n.\n' '\r.\r' '\r.\r\n' '\r\n.\r' '\r\r\n.\r\r\n' '\n\n.\n\n'; do
			rm -f "$PORTERO_HOME"/Maildir/new/*
			run -0 env SMTPNEWLINE=$mode bash -c '"$0" 2>>"$1" | tr -d "\r"' "$BIN/smtpd" "$PORTERO_HOME/log" < <(text "$end")
			if [ $mode = drop ]; then
				[ "${lines[4]}" = '451 See http://pobox.com/~djb/docs/smtplf.html.' ]
				[ "${#lines[@]}" = 5 ]
				[ "$(count new)" = 0 ]
			else
				[ "${lines[4]:0:6}" = '250 ok' ]
				[ "${#lines[@]}" = 6 ]
				[ "$(count new)" = 1 ]
				message | grep -aq 'MAIL FROM:<evil@client.example>'
			fi
		done
	done
}

@test "SMTPNEWLINE=fix makes lines of them, keep leaves them, any other word refuses" {
	export SMTPNEWLINE=fix
	raw >/dev/null < <(printf 'EHLO c\n'; printf '%s\n' "${envelope[@]}"; printf 'a\rb\n..c\r\n.\r\nQUIT\n')
	[ "$(message | tail -n 3)" = $'a\nb\n.c' ]
	rm "$PORTERO_HOME"/Maildir/new/*
	export SMTPNEWLINE=keep
	raw >/dev/null < <(printf '%s\r\n' "${envelope[@]}"; printf 'a\rb\n..c\r\n.\r\nQUIT\r\n')
	[ "$(message | tail -n 2)" = $'a\rb\n..c' ]
	rm "$PORTERO_HOME"/Maildir/new/*
	export SMTPNEWLINE=Keep
	run -0 raw < <(printf '%s\r\n' "${envelope[@]}"; printf 'a\rb\r\n.\r\nQUIT\r\n')
	[ "${lines[-2]:0:3}" = 550 ]
}

@test "NUL and 8-bit bytes of a text arrive as they are" {
	raw >/dev/null < <(printf '%s\r\n' "${envelope[@]}"; printf 'a\0b\377\303\251\r\n.\r\nQUIT\r\n')
	message | tail -n 1 | od -An -tx1 | grep -q '61 00 62 ff c3 a9 0a'
}

@test "commands with NUL, control and 8-bit bytes are answered and not obeyed" {
	run -0 raw < <(printf 'EHLO c\r\nMAIL FROM:<a@b.example\0@c.example>\r\nNOOP\001\r\n'
		printf 'MAIL FROM:<\351@b.example>\r\nMAIL FROM:<a@b.example>\rRSET\r\n\377\376\r\nNOOP\r\nQUIT\r\n')
	[ "${lines[8]:0:3}" = 501 ]
	[ "${lines[9]:0:3}" = 501 ]
	[ "${lines[10]:0:3}" = 501 ]
	[ "${lines[11]:0:3}" = 501 ]
	[ "${lines[12]:0:3}" = 502 ]
	[ "${lines[13]:0:3}" = 250 ]
}

@test "a command that ends in LF alone is not obeyed" {
	run -0 raw < <(printf 'EHLO c\nNOOP\r\nQUIT\r\n')
	[ "${lines[1]:0:3}" = 500 ]
	[ "${lines[2]:0:3}" = 250 ]
}

@test "a long command line: one 500, and the session goes on" {
	run -0 raw < <(head -c 10000 /dev/zero | tr '\0' x; printf '\r\nNOOP\r\nQUIT\r\n')
	[ "${lines[1]:0:3}" = 500 ]
	[ "${lines[2]:0:3}" = 250 ]
	# 2048 octets with CR LF are the limit
	run -0 raw < <(printf 'NOOP '; head -c 2041 /dev/zero | tr '\0' x; printf '\r\nQUIT\r\n')
	[ "${lines[1]:0:3}" = 250 ]
	run -0 raw < <(printf 'NOOP '; head -c 2042 /dev/zero | tr '\0' x; printf '\r\nQUIT\r\n')
	[ "${lines[1]:0:3}" = 500 ]
}

@test "a line of 4 MiB ends the session, in constant memory" {
	run -0 raw < <(head -c 4194304 /dev/zero | tr '\0' x; printf '\r\nNOOP\r\n')
	[ "${lines[1]:0:3}" = 421 ]
	[ "${#lines[@]}" = 2 ]
}

@test "HTTP, TLS and SSH openings end the session at once" {
	local opening
	for opening in 'GET / HTTP/1.1\r\n' 'POST / HTTP/1.1\r\n' 'SSH-2.0-x\r\n' '\026\003\001\002\000'; do
		run -0 raw < <(printf '%b' "$opening"; printf 'MAIL FROM:<a@b.example>\r\n'; sleep 0.1)
		[ "${lines[1]:0:3}" = 421 ] || { echo "$opening"; false; }
		[ "${#lines[@]}" = 2 ]
	done
	# a client that speaks SMTP may mention them
	run -0 say 'EHLO c' 'GET /' QUIT
	[ "${lines[-2]:0:3}" = 502 ]
}

# code_of: smtpd's exit code for what comes on standard input.
code_of() {
	"$BIN/smtpd" >/dev/null 2>&1 || echo "$?"
}

@test "the exit code tells a client that left from one that was sent away" {
	[ -z "$(printf 'QUIT\r\n' | code_of)" ]
	[ "$(printf 'NOOP\r\n' | code_of)" = 1 ]
	[ "$(printf 'GET / HTTP/1.1\r\n' | code_of)" = 3 ]
	[ "$(for _ in {1..20}; do printf 'WHAT\r\n'; done | code_of)" = 3 ]
	[ "$(head -c 70000 /dev/zero | code_of)" = 3 ]
}

@test "twenty errors end the session" {
	run -0 raw < <(for _ in $(seq 30); do printf 'WHAT\r\n'; done)
	[ "${#lines[@]}" = 21 ]
	[ "${lines[19]:0:3}" = 502 ]
	[ "${lines[20]:0:3}" = 421 ]
}

@test "pipelining: everything in one packet, answered in order" {
	run -0 say 'EHLO c' "${envelope[@]}" one . "${envelope[@]}" two . QUIT
	[ "${#lines[@]}" = 17 ]
	[ "$(count new)" = 2 ]
}

@test "SIZE: announced, obeyed at MAIL, and counted as qmail counts" {
	echo 6 >"$PORTERO_HOME/control/databytes"
	run -0 say 'EHLO c' 'MAIL FROM:<a@b.example> SIZE=7' "${envelope[@]}" 12345 . "${envelope[@]}" 123456 . QUIT
	[ "${lines[3]}" = '250-SIZE 6' ]
	[ "${lines[8]}" = '552 5.3.4 sorry, that message size exceeds my databytes limit (#5.3.4)' ]
	[[ "${lines[12]}" = '250 2.0.0 ok '* ]]
	[ "${lines[16]:0:3}" = 552 ]
	[ "$(count new)" = 1 ]
	DATABYTES=7 run -0 say "${envelope[@]}" 123456 . QUIT
	[[ "${lines[4]}" = '250 ok '* ]]
}

@test "a hundred hops are too many, ninety-nine are not" {
	run -0 raw < <(printf '%s\r\n' "${envelope[@]}"; for _ in $(seq 99); do printf 'Received: x\r\n'; done
		printf '\r\nReceived: body\r\n.\r\nQUIT\r\n')
	[[ "${lines[4]}" = '250 ok '* ]]
	run -0 raw < <(printf '%s\r\n' "${envelope[@]}"; for _ in $(seq 50); do printf 'Received: x\r\nDelivered-To: y\r\n'; done
		printf '\r\n.\r\nQUIT\r\n')
	[ "${lines[4]}" = '554 too many hops, this message is looping (#5.4.6)' ]
	[ "$(count new)" = 1 ]
}

@test "rcpthosts: whole domains, suffixes, morercpthosts.cdb; without it nobody" {
	printf 'Example.ORG\n.sub.example\n# comment\n\n' >"$PORTERO_HOME/control/rcpthosts"
	# keys without data, as qmail-newmrh makes them
	printf 'more.example:allow\n.under.example:allow\n' |
		"$BIN/tcprules" "$PORTERO_HOME/control/morercpthosts.cdb" "$PORTERO_HOME/control/tmp"
	run -0 say 'EHLO c' 'MAIL FROM:<>' 'RCPT TO:<u@EXAMPLE.org>' 'RCPT TO:<u@a.sub.example>' \
		'RCPT TO:<u@sub.example>' 'RCPT TO:<u@b.example.org>' 'RCPT TO:<u>' \
		'RCPT TO:<u@More.example>' 'RCPT TO:<u@a.under.example>' 'RCPT TO:<u@under.example>' QUIT
	[ "${lines[9]:0:3}" = 250 ]
	[ "${lines[10]:0:3}" = 250 ]
	[ "${lines[11]:0:3}" = 553 ]
	[ "${lines[12]:0:3}" = 553 ]
	[ "${lines[13]:0:3}" = 250 ]
	[ "${lines[14]:0:3}" = 250 ]
	[ "${lines[15]:0:3}" = 250 ]
	[ "${lines[16]:0:3}" = 553 ]
	: >"$PORTERO_HOME/control/morercpthosts.cdb"
	run -0 say 'EHLO c' 'MAIL FROM:<>' 'RCPT TO:<u@more.example>' 'RCPT TO:<u@example.org>' QUIT
	[ "${lines[9]:0:3}" = 451 ]
	[ "${lines[10]:0:3}" = 250 ]
	rm "$PORTERO_HOME/control/rcpthosts"
	run -0 say 'MAIL FROM:<>' 'RCPT TO:<u@example.org>' QUIT
	[ "${lines[2]:0:3}" = 553 ]
	RELAYCLIENT='' run -0 say 'MAIL FROM:<>' 'RCPT TO:<u@example.org>' QUIT
	[ "${lines[2]:0:3}" = 250 ]
}

@test "RBLSMTPD: recipients are refused with its text, and the log says whose mail it was" {
	while IFS='|' read -r value hello replies; do
		RBLSMTPD=$value run -0 say "$hello c" 'MAIL FROM:<s@client.example>' 'RCPT TO:<u@example.org>' \
			'RCPT TO:<postmaster>' DATA QUIT
		got=$(printf '%s\n' "${lines[@]}" | sed '/^220 /d; /^250[- ]/d; /^221 /d' | paste -sd '|')
		[ "$got" = "$replies" ] || { echo "$value: $got"; false; }
	done <<-'TABLE'
		listed at bl.example|HELO|451 listed at bl.example|451 listed at bl.example|503 RCPT first (#5.5.1)
		listed at bl.example|EHLO|451 4.7.1 listed at bl.example|451 4.7.1 listed at bl.example|503 5.5.1 RCPT first (#5.5.1)
		-go away|EHLO|553 5.7.1 go away|553 5.7.1 go away|503 5.5.1 RCPT first (#5.5.1)
		-|HELO|553 |553 |503 RCPT first (#5.5.1)
		 -x|HELO|451  -x|451  -x|503 RCPT first (#5.5.1)
		|HELO|354 go ahead
	TABLE
	head -n 1 "$PORTERO_HOME/log" | grep -qE '^smtpd: client=192.0.2.7 stage=rcpt code=451 reason=listed helo=c from=<s@client.example> to=<u@example.org> session=[0-9.]* text=listed at bl.example$'
	RBLSMTPD=$'-a\r\n\x80'$(printf 'y%.0s' {1..300}) run -0 say 'HELO c' 'MAIL FROM:<>' 'RCPT TO:<u@example.org>' QUIT
	[ "${lines[3]}" = "553 a???$(printf 'y%.0s' {1..196})" ]
	RBLSMTPD=-no RELAYCLIENT='' run -0 say 'HELO c' "${envelope[@]}" x . QUIT
	[[ "${lines[-2]}" = '250 ok '* ]]
	RBLSMTPD=-no run -0 "$BIN/smtpd" --check
	[[ "$output" = *'ok       RBLSMTPD       refuses this client, 553: no'* ]]
	RBLSMTPD=later RELAYCLIENT='' run -0 "$BIN/smtpd" --check
	[[ "$output" = *'ok       RBLSMTPD       would refuse this client, 451, but for RELAYCLIENT: later'* ]]
}

@test "RELAYCLIENT is put behind the recipient" {
	RELAYCLIENT=@fix.example run -0 say 'MAIL FROM:<>' 'RCPT TO:<u@elsewhere.example>' DATA x . QUIT
	grep -q '^Delivered-To: u@elsewhere.example@fix.example$' "$PORTERO_HOME"/Maildir/new/*
}

@test "badmailfrom: an address or a domain, judged at RCPT, for relays too" {
	printf 'bad@client.example\n@spam.example\n' >"$PORTERO_HOME/control/badmailfrom"
	RELAYCLIENT='' run -0 say 'MAIL FROM:<Bad@client.example>' 'RCPT TO:<u@example.org>' RSET \
		'MAIL FROM:<x@SPAM.example>' 'RCPT TO:<u@example.org>' RSET \
		'MAIL FROM:<good@client.example>' 'RCPT TO:<u@example.org>' QUIT
	[ "${lines[1]}" = '250 ok' ]
	[ "${lines[2]}" = '553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)' ]
	[ "${lines[5]:0:3}" = 553 ]
	[ "${lines[8]:0:3}" = 250 ]
}

@test "localiphost: an address literal of ours is a name" {
	echo example.org >"$PORTERO_HOME/control/localiphost"
	run -0 say 'MAIL FROM:<>' 'RCPT TO:<u@[127.0.0.1]>' 'RCPT TO:<u@[203.0.113.9]>' DATA x . QUIT
	[ "${lines[2]:0:3}" = 250 ]
	[ "${lines[3]:0:3}" = 553 ]
	grep -q '^Delivered-To: u@example.org$' "$PORTERO_HOME"/Maildir/new/*
}

@test "smtpgreeting replaces me in the greeting" {
	echo 'mail.example.org No UCE' >"$PORTERO_HOME/control/smtpgreeting"
	run -0 say QUIT
	[ "${lines[0]}" = '220 mail.example.org No UCE ESMTP' ]
}

@test "controls that cannot be read: 421, exit 1, and the log names the file" {
	rm "$PORTERO_HOME/control/me"
	run -1 --separate-stderr "$BIN/smtpd" </dev/null
	[[ "${lines[0]}" = '421 unable to read controls (#4.3.0)'* ]]
	# shellcheck disable=SC2154 # set by run --separate-stderr
	[[ "$stderr" = *'trouble=me '*' text=No such file'* ]]
	echo mx >"$PORTERO_HOME/control/me"
	mkdir "$PORTERO_HOME/control/databytes"
	run -1 --separate-stderr "$BIN/smtpd" </dev/null
	[[ "${lines[0]}" = '421 '* ]]
	[[ "$stderr" = *'trouble=databytes '*' text=Is a directory'* ]]
	PORTERO_HOME=/nonexistent run -1 --separate-stderr "$BIN/smtpd" </dev/null
	[[ "${lines[0]}" = '421 '* ]]
}

@test "timeoutsmtpd: 451 and exit 1" {
	echo 1 >"$PORTERO_HOME/control/timeoutsmtpd"
	run -1 --separate-stderr "$BIN/smtpd" < <(sleep 5)
	[[ "${lines[1]}" = '451 timeout (#4.4.2)'* ]]
}

@test "a thousand recipients are taken, and one message is made; more are told to come again" {
	run -0 raw < <(printf 'EHLO c\r\nMAIL FROM:<s@client.example>\r\n'
		for i in $(seq 1001); do printf 'RCPT TO:<u%d@example.org>\r\n' "$i"; done
		printf 'DATA\r\nx\r\n.\r\nQUIT\r\n')
	[ "${lines[1008]:0:3}" = 250 ]
	[ "${lines[1009]}" = '452 4.5.3 too many recipients (#4.5.3)' ]
	[ "$(count new)" = 1 ]
	[ "$(grep -c '^Delivered-To: ' "$PORTERO_HOME"/Maildir/new/*)" = 1000 ]
}

# ---- the queue's door ------------------------------------------------------------------------------------

# queue_program BODY: a shell script that speaks the qmail-queue protocol.
queue_program() {
	printf '#!/bin/sh\n%s\n' "$1" >"$PORTERO_HOME/q"
	chmod +x "$PORTERO_HOME/q"
	export QMAILQUEUE="$PORTERO_HOME/q"
}

@test "any qmail-queue program: message on 0, envelope on 1" {
	queue_program 'exec 5<&1; cat >message; tr "\000" "|" <&5 >envelope'
	run -0 say "${envelope[@]:0:2}" 'RCPT TO:<v@example.org>' DATA 'Subject: x' '' y . QUIT
	[[ "${lines[5]}" = '250 ok '* ]]
	[ "$(cat "$PORTERO_HOME/envelope")" = 'Fs@client.example|Tu@example.org|Tv@example.org||' ]
	[ "$(tail -n 3 "$PORTERO_HOME/message")" = $'Subject: x\n\ny' ]
}

@test "exit codes of a queue program become qmail's words" {
	while IFS='	' read -r code reply; do
		queue_program "cat >/dev/null; cat <&1 >/dev/null; exit $code"
		run -0 say 'EHLO c' "${envelope[@]}" x . QUIT
		[ "${lines[-2]}" = "$reply" ] || { echo "$code: ${lines[-2]}"; false; }
	done <<-'TABLE'
		11	554 5.1.3 envelope address too long for qq (#5.1.3)
		31	554 5.3.0 mail server permanently rejected message (#5.3.0)
		40	554 5.3.0 qq permanent problem (#5.3.0)
		51	451 4.3.0 qq out of memory (#4.3.0)
		52	451 4.3.0 qq timeout (#4.3.0)
		53	451 4.3.0 qq write error or disk full (#4.3.0)
		54	451 4.3.0 qq read error (#4.3.0)
		61	451 4.3.0 qq trouble in home directory (#4.3.0)
		63	451 4.3.0 qq trouble creating files in queue (#4.3.0)
		71	451 4.3.0 mail server temporarily rejected message (#4.3.0)
		72	451 4.4.1 connection to mail server timed out (#4.4.1)
		74	451 4.4.2 communication with mail server failed (#4.4.2)
		81	451 4.3.0 qq internal bug (#4.3.0)
		82	451 4.3.0 qq temporary problem (#4.3.0)
		91	451 4.3.0 qq internal bug (#4.3.0)
		99	451 4.3.0 qq temporary problem (#4.3.0)
		120	451 4.3.0 unable to exec qq (#4.3.0)
	TABLE
}

@test "exit 82 with a text on descriptor 6 or 4 is that text" {
	queue_program 'cat >/dev/null; echo "Dno thanks (#5.7.9)" >&6; exit 82'
	run -0 say 'EHLO c' "${envelope[@]}" x . QUIT
	[ "${lines[-2]}" = '554 5.7.9 no thanks (#5.7.9)' ]
	queue_program 'cat >/dev/null; printf "Zlater\001, perhaps" >&4; exit 82'
	run -0 say 'EHLO c' "${envelope[@]}" x . QUIT
	[ "${lines[-2]}" = '451 4.3.0 later?, perhaps' ]
}

@test "a queue program that dies, that is missing, that is not named: 451, and nothing is lost" {
	queue_program 'kill -9 $$'
	run -0 say 'EHLO c' "${envelope[@]}" x . QUIT
	[ "${lines[-2]}" = '451 4.3.0 qq crashed (#4.3.0)' ]
	QMAILQUEUE=/nonexistent run -0 say 'EHLO c' "${envelope[@]}" QUIT
	[ "${lines[-2]}" = '451 4.3.0 unable to exec qq (#4.3.0)' ]
	QMAILQUEUE=unix:/nonexistent run -0 say 'EHLO c' "${envelope[@]}" QUIT
	[ "${lines[-2]}" = '451 4.3.0 qqt failure (#4.3.0)' ]
}

@test "a queue program that says yes without the envelope is not believed" {
	queue_program 'exit 0'
	run -0 raw < <(printf '%s\r\n' "${envelope[@]}"; head -c 300000 /dev/zero | tr '\0' x; printf '\r\n.\r\nQUIT\r\n')
	[ "${lines[4]:0:3}" = 451 ]
}

@test "a refused message reaches no queue: the program gets no envelope" {
	queue_program 'cat >/dev/null; cat <&1 >envelope'
	run -0 raw < <(printf '%s\r\n' "${envelope[@]}"; printf 'a\nb\r\n.\r\nQUIT\r\n')
	[ "${lines[4]:0:3}" = 550 ]
	[ ! -s "$PORTERO_HOME/envelope" ]
}

@test "control/queue names the program when QMAILQUEUE does not" {
	unset QMAILQUEUE
	echo "$BIN/queue-maildir ./Maildir" >"$PORTERO_HOME/control/queue"
	run -0 say "${envelope[@]}" x . QUIT
	[ "$(count new)" = 1 ]
}

@test "the queue program has a clean start: no descriptor of the session, no signal of ours" {
	queue_program 'ls /proc/self/fd >fds; grep -E "Sig(Blk|Ign)|Seccomp:" /proc/self/status >status; cat >/dev/null'
	run -0 say "${envelope[@]}" x . QUIT
	# whoever starts a program without smtpd between gives it these; 4 and 6 are the texts of errors
	(cd "$PORTERO_HOME" && ls /proc/self/fd >plain && printf '4\n6\n' >>plain)
	[ "$(sort -nu "$PORTERO_HOME/fds")" = "$(sort -nu "$PORTERO_HOME/plain")" ]
	# as whoever started us has them; smtpd itself ignores PIPE
	grep -E 'Sig(Blk|Ign)|Seccomp:' /proc/self/status | diff - "$PORTERO_HOME/status"
}

@test "smtpd is locked when it greets" {
	mkfifo "$PORTERO_HOME/in" "$PORTERO_HOME/out"
	"$BIN/smtpd" <"$PORTERO_HOME/in" >"$PORTERO_HOME/out" 2>/dev/null 3>&- &
	local pid=$! greeting
	exec 8>"$PORTERO_HOME/in" 9<"$PORTERO_HOME/out"
	read -r -t 5 greeting <&9
	[[ "$greeting" = 220* ]]
	run -0 grep -E 'Seccomp:|NoNewPrivs' "/proc/$pid/status"
	[[ "${lines[0]}" =~ NoNewPrivs:.*1 ]]
	[[ "${lines[1]}" =~ Seccomp:.*2 ]]
	exec 8>&- 9<&-
	wait "$pid" || true
}

@test "when smtpd has ended nothing of it is left behind for process 1" {
	command -v python3 >/dev/null || skip 'needs python3: apt install python3'
	run -0 python3 - "$BIN/smtpd" <<-'PYTHON'
		import ctypes, os, subprocess, sys
		ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans become ours
		talk = b"MAIL FROM:<s@client.example>\r\nRCPT TO:<u@example.org>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"
		for text in (talk, b"QUIT\r\n", b""):
		    p = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
		    p.communicate(text)
		    try:
		        os.waitpid(-1, os.WNOHANG)
		        sys.exit("a process was left")
		    except ChildProcessError:
		        pass
	PYTHON
	[ "$(count new)" = 1 ]
}

@test "memory does not grow with what the client sends" {
	command -v python3 >/dev/null || skip 'needs python3: apt install python3'
	run -0 python3 "$BATS_TEST_DIRNAME/smtpd_memory.py" "$BIN/smtpd"
	echo "$output" >&3
}

@test "--help and --version; an unknown option is a usage error" {
	run -0 "$BIN/smtpd" --version
	[[ "$output" = 'portero '* ]]
	run -0 "$BIN/smtpd" --help
	run -100 "$BIN/smtpd" --what
	run -0 say QUIT
}

# ---- an administrator looks ------------------------------------------------------------------------------------

@test "--check says what the files mean, and what is wrong with them" {
	run -0 "$BIN/smtpd" --check
	[[ "$output" = *'ok       greeting       mx.example.org'* ]]
	[[ "$output" = *'ok       rcpthosts      1 domains'* ]]
	[[ "$output" = *"ok       queue          $QMAILQUEUE"* ]]
	[[ "$output" = *'warning  databytes      no limit'* ]]
	rm "$PORTERO_HOME/control/rcpthosts"
	QUEUECAN='DSN BIG' run -0 "$BIN/smtpd" --check
	[[ "$output" = *'warning  rcpthosts      is not there'*"echo your.domain >$PORTERO_HOME/control/rcpthosts"* ]]
	[[ "$output" = *'warning  queuecan       BIG: none of'* ]]
	QMAILQUEUE=/nonexistent run -100 "$BIN/smtpd" --check
	[[ "$output" = *'error    queue          /nonexistent: it cannot be run; every message is answered 451'* ]]
	rm "$PORTERO_HOME/control/me"
	run -100 "$BIN/smtpd" --check
	[[ "$output" = *'error    me '*'421; write this host'* ]]
}

@test "--as-client shows what a client at an address would see" {
	cd "$BATS_TEST_TMPDIR"
	printf '192.0.2.1:allow,RELAYCLIENT="",DATABYTES="77"\n192.0.2.2:deny\n' | "$BIN/tcprules" rules.cdb rules.tmp
	look() {
		printf 'EHLO c\nMAIL FROM:<>\nRCPT TO:<u@elsewhere.example>\nQUIT\n' | "$BIN/smtpd" --as-client "$@" 2>&1 | tr -d '\r'
	}
	run -0 look 192.0.2.1 -x rules.cdb
	[[ "$output" = *'250-SIZE 77'*'250 2.1.5 ok'* ]]
	run -0 look 2001:db8::1 -x=rules.cdb
	[[ "$output" = *'250-SIZE 0'* ]]
	[[ "$output" = *'client=2001:db8::1 stage=rcpt code=553 reason=rcpthosts'* ]]
	RELAYCLIENT='' run -0 look 192.0.2.9
	[[ "$output" = *'553 5.7.1'* ]]
	printf '192.0.2.1:allow,RBLSMTPD="-no mail from you"\n' | "$BIN/tcprules" rules.cdb rules.tmp
	run -0 look 192.0.2.1 -x rules.cdb
	[[ "$output" = *'553 5.7.1 no mail from you'* ]]
	printf '192.0.2.2:deny\n' | "$BIN/tcprules" rules.cdb rules.tmp
	run "$BIN/smtpd" --as-client 192.0.2.2 -x rules.cdb
	[ "$status" = 0 ]
	[ "$output" = 'smtpd: fatal: 192.0.2.2 is denied by the rules of rules.cdb' ]
	run -111 "$BIN/smtpd" --as-client 192.0.2.2 -x nothing.cdb
	run -100 "$BIN/smtpd" --as-client nobody
	run -100 "$BIN/smtpd" -x rules.cdb
	run -100 "$BIN/smtpd" --as-client
}

@test "every line of the log has the session it belongs to; --log=json has the same names" {
	run -0 say 'EHLO c' WHAT "${envelope[@]}" x . QUIT
	[ "$(grep -c ' session=[0-9]*\.[0-9]*\.1$' "$PORTERO_HOME/log")" = 2 ]
	[ "$(grep -o 'session=.*' "$PORTERO_HOME/log" | sort -u | wc -l)" = 1 ]
	printf '%s\r\n' $'EHLO c"\\' WHAT 'MAIL FROM:<"a\"b c"@b.example>' 'RCPT TO:<x@elsewhere.example>' \
		'RCPT TO:<u@example.org>' DATA x . QUIT | "$BIN/smtpd" --log=json 2>"$PORTERO_HOME/json" >/dev/null
	run -0 python3 - "$PORTERO_HOME/json" <<-'END'
		import json, sys
		lines = [json.loads(line) for line in open(sys.argv[1])]
		assert [line["code"] for line in lines] == [502, 553, 250], lines
		assert lines[1]["from"] == 'a"b c@b.example' and lines[1]["to"] == "x@elsewhere.example", lines[1]
		assert lines[2]["helo"] == 'c"\\' and lines[2]["rcpts"] == 1 and lines[2]["reason"] == "queued", lines[2]
		assert all(line["program"] == "smtpd" and line["client"] == "192.0.2.7" for line in lines)
		assert len({line["session"] for line in lines}) == 1
	END
}

@test "a line of the log stays whole, however long what it tells" {
	local long
	long=$(printf 'x%.0s' {1..800})
	printf '%s\r\n' "EHLO $long" "MAIL FROM:<$long@b.example>" "RCPT TO:<$long@elsewhere.example>" QUIT |
		"$BIN/smtpd" --log=json 2>"$PORTERO_HOME/json" >/dev/null
	python3 -c 'import json, sys; assert all(json.loads(line)["session"] for line in open(sys.argv[1]))' "$PORTERO_HOME/json"
}
