#!/usr/bin/env bats
# policy-spf on a pipe, with a name server of our own: what it answers, what it refuses, and a DNS that is no help.

bats_require_minimum_version 1.5.0
load helpers
load peers

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	PATH=$BIN:$PATH
	export PORTERO_HOME=$BATS_TEST_TMPDIR
	mkdir control
	unset DNSCACHEIP RELAYCLIENT SMTPPOLICIES DATABYTES TCPREMOTEHOST TCPREMOTEINFO TCPLOCALHOST TCPLOCALIP
}

# request ADDRESS HELO SENDER [LINE...]
request() {
	printf 'stage=mail\nclient_address=%s\nhelo=%s\nsender=%s\n' "$1" "$2" "$3"
	shift 3
	if (($# > 0)); then
		printf '%s\n' "$@"
	fi
	echo
}

# ask "ADDRESS HELO SENDER [LINE...]" OPTION...: the answer to one request; - is nothing
ask() {
	local -a words
	local i
	read -ra words <<<"$1"
	shift
	for i in "${!words[@]}"; do
		[ "${words[i]}" != - ] || words[i]=
	done
	request "${words[@]}" | timeout 30 policy-spf "$@"
}

# says LINE...: each of these is in the answer
says() {
	local line
	for line in "$@"; do
		grep -qxF -- "$line" <<<"$output" || { echo "missing: $line"; echo "$output"; false; }
	done
}

usual=(
	'a.example TXT v=spf1 ip4:192.0.2.1 -all exp=why.a.example'
	'why.a.example TXT %{i} is none of %{d}; ask %{r}'
	'b.example TXT v=spf1 ip4:192.0.2.1 -all'
	'soft.example TXT v=spf1 ~all'
	'neutral.example TXT v=spf1 ?all'
	'bad.example TXT v=spf1 foo'
	'down.example SERVFAIL'
)

@test "a verdict is a tag and a field" {
	zone "${usual[@]}"
	echo mx.example.org >control/me
	run -0 ask '192.0.2.1 h.example joe@a.example'
	[ "$output" = 'action=continue
tag=spf=pass
header=Received-SPF: pass%0A%09identity=mailfrom;%0A%09client-ip=192.0.2.1;%0A%09envelope-from="joe@a.example";%0A%09helo=h.example;%0A%09receiver=mx.example.org;%0A%09mechanism="ip4:192.0.2.1"' ]
	run -0 ask '2001:db8::1 h.example joe@soft.example' --receiver other.example
	says action=continue tag=spf=softfail
	[[ "$output" = *'client-ip="2001:db8::1";'*'receiver=other.example;'* ]]
	run -0 ask '192.0.2.2 h.example joe@neutral.example'
	says action=continue tag=spf=neutral
	run -0 ask '192.0.2.2 h.example joe@none.example'
	says action=continue tag=spf=none
	[[ "$output" != *mechanism* ]]
	run -0 ask '192.0.2.2 h.example joe@bad.example'
	says action=continue tag=spf=permerror
	[[ "$output" = *'problem="has an unknown mechanism"' ]]
	run -0 ask '192.0.2.2 h.example joe@down.example'
	says action=continue tag=spf=temperror
}

@test "a fail is refused, in the words of the domain" {
	zone "${usual[@]}"
	run -0 ask '192.0.2.2 h.example joe@a.example' --receiver mx.example.org
	says action=reject code=550 status=5.7.23 tag=spf=fail \
		'text=SPF of MAIL FROM: a.example explains: 192.0.2.2 is none of a.example; ask mx.example.org'
	run -0 ask '192.0.2.2 h.example joe@b.example'
	says action=reject code=550 'text=SPF of MAIL FROM: b.example does not let 192.0.2.2 send its mail'
	run -0 ask '192.0.2.2 h.example joe@b.example' --mark
	says action=continue tag=spf=fail
}

@test "the others are refused when that is asked for" {
	zone "${usual[@]}"
	run -0 ask '192.0.2.2 h.example joe@down.example' --defer-temperror
	says action=defer code=451 status=4.4.3 tag=spf=temperror
	run -0 ask '192.0.2.2 h.example joe@bad.example' --reject-permerror
	says action=reject code=550 status=5.7.24 'text=SPF of MAIL FROM: bad.example, in its record: has an unknown mechanism'
	run -0 ask '192.0.2.2 h.example joe@soft.example' --reject-permerror --defer-temperror
	says action=continue
	run -0 ask '192.0.2.2 h.example joe@none.example' --reject-permerror --defer-temperror
	says action=continue
}

@test "the HELO name: of a null sender, and with --helo" {
	zone "${usual[@]}"
	run -0 ask '192.0.2.2 a.example -'
	says action=reject tag=spf=fail
	run -0 ask '192.0.2.2 a.example joe@soft.example'
	says action=continue
	run -0 ask '192.0.2.2 b.example joe@soft.example' --helo
	says action=reject tag=spf_helo=fail 'text=SPF of HELO: b.example does not let 192.0.2.2 send its mail'
	run -0 ask '192.0.2.1 b.example joe@soft.example' --helo
	says action=continue tag=spf_helo=pass tag=spf=softfail
	[ "$(grep -c '^header=' <<<"$output")" = 2 ]
	run -0 ask '192.0.2.1 b.example -' --helo
	says tag=spf=pass
	[ "$(grep -c '^header=' <<<"$output")" = 1 ]
}

@test "who is not judged: who may relay, who is private, who is trusted, other stages" {
	local a
	zone "${usual[@]}"
	run -0 ask '192.0.2.2 h.example joe@a.example relay=1'
	[ "$output" = action=continue ]
	for a in 127.0.0.1 ::1 10.1.2.3 172.31.0.1 192.168.7.7 169.254.1.1 100.64.0.1 fe80::1 fd00::1 ::ffff:10.0.0.1 ''; do
		run -0 ask "${a:--} h.example joe@a.example"
		[ "$output" = action=continue ]
	done
	for a in 172.32.0.1 11.0.0.1 2001:db8::1; do
		run -0 ask "$a h.example joe@a.example"
		says action=reject
	done
	run -0 ask '127.0.0.1 h.example joe@a.example' --private
	says action=reject
	printf '# forwarders\n192.0.2.2\n\n2001:db8::/32 \n' >trusted
	for a in 192.0.2.2 2001:db8:ffff::1; do
		run -0 ask "$a h.example joe@a.example" --trusted trusted
		[ "$output" = action=continue ]
	done
	run -0 ask '192.0.2.3 h.example joe@a.example' --trusted trusted
	says action=reject
	run -0 policy-spf < <(printf 'stage=%s\nclient_address=192.0.2.2\nsender=joe@a.example\nhelo=h\n\n' connect helo rcpt data end reset close)
	[ "$output" = "$(printf 'action=continue\n\n%.0s' 1 2 3 4 5)" ]
}

@test "many requests, one process" {
	local i
	zone "${usual[@]}"
	for i in {1..100}; do
		request "192.0.2.$((i % 2 + 1))" h.example "joe$i@a.example"
	done >many
	run -0 policy-spf --mark <many
	[ "$(grep -c '^tag=spf=pass$' <<<"$output")" = 50 ]
	[ "$(grep -c '^tag=spf=fail$' <<<"$output")" = 50 ]
}

@test "a hostile sender and HELO name make no line of their own" {
	zone "${usual[@]}"
	run -0 policy-spf --receiver r < <(request 192.0.2.1 'x%0D%0Aaction=accept%22%5C' 'a"b\c%0A%01\xff@soft.example')
	[ "$(grep -c '^action=' <<<"$output")" = 1 ]
	[[ "$output" = *'envelope-from="a\"b\\c??\\xff@soft.example";'* ]]
	[[ "$output" = *'helo="x??action=accept\"\\";'* ]]
	run -0 policy-spf --receiver r < <(request 192.0.2.1 "$(printf 'h%.0s' {1..2000})" "$(printf 'x%.0s' {1..800})@soft.example")
	says tag=spf=softfail
	[[ "$output" != *envelope-from* && "$output" != *helo=* ]]
}

@test "a long record comes by TCP, within the sandbox" {
	local long
	long=$(printf 'ip4:198.51.100.%d ' {1..200})
	zone "long.example TXT v=spf1 $long-all" 'long.example TXT another text'
	run -0 ask '198.51.100.200 h.example joe@long.example'
	says action=continue tag=spf=pass
	run -0 ask '198.51.100.201 h.example joe@long.example'
	says action=reject tag=spf=fail
}

@test "64 kilobytes of records, thousands of addresses" {
	requires python3 python3
	awk 'BEGIN { # in one process: bats looks at each command of a test
		x = sprintf("%080d", 0)
		for (i = 1; i <= 3500; i++)
			printf "many.example\tA\t198.51.%d.%d\n", i / 250, i % 250 + 1
		for (i = 1; i <= 600; i++)
			printf "texts.example\tTXT\ttext %d %s\n", i, x
		for (i = 1; i <= 2000; i++)
			printf "mx.example\tMX\t%d m%d.example\n", i, i
		for (i = 1; i <= 1500; i++)
			printf "7.2.0.192.in-addr.arpa\tPTR\tp%d.example\n", i
	}' >zone
	cat >>zone <<-'ZONE'
		many.example	TXT	v=spf1 a -all
		texts.example	TXT	v=spf1 ip4:192.0.2.1 -all
		mx.example	TXT	v=spf1 mx -all
		ptr.example	TXT	v=spf1 ptr -all
		p3.example	A	192.0.2.7
	ZONE
	background serve_zone
	wait_for test -s dns.port
	DNSCACHEIP=127.0.0.1:$(cat dns.port)
	export DNSCACHEIP
	run -0 ask '198.51.14.1 h.example joe@many.example'
	says tag=spf=pass
	run -0 ask '198.51.99.1 h.example joe@many.example'
	says tag=spf=fail
	run -0 ask '192.0.2.1 h.example joe@texts.example'
	says tag=spf=pass
	run -0 ask '192.0.2.1 h.example joe@mx.example'
	says tag=spf=permerror
	run -0 ask '192.0.2.7 h.example joe@ptr.example'
	says tag=spf=fail
	[ "$(grep -c '^p[0-9]*.example 1$' asked)" = 0 ] # only names below the domain are worth a question
}

@test "loops of aliases and of includes end" {
	zone 'a.example TXT v=spf1 a:loop.example mx:loop.example exists:loop.example -all' 'loop.example CNAME loop2.example' \
		'loop2.example CNAME loop.example' 'b.example TXT v=spf1 include:c.example -all' \
		'c.example TXT v=spf1 include:b.example -all' 'd.example TXT v=spf1 redirect=d.example'
	run -0 ask '192.0.2.1 h.example joe@a.example' --time 5
	[[ "$output" = *tag=spf=permerror* || "$output" = *tag=spf=temperror* ]]
	run -0 ask '192.0.2.1 h.example joe@b.example'
	says tag=spf=permerror
	run -0 ask '192.0.2.1 h.example joe@d.example'
	says tag=spf=permerror
	[[ "$output" = *'problem="more than 10 terms ask the DNS"' ]]
}

@test "silence has its end, for all look-ups together" {
	local start
	zone 'a.example SILENT' 'b.example TXT v=spf1 a:a.example mx:a.example exists:a.example -all'
	start=$SECONDS
	run -0 ask '192.0.2.1 a.example joe@a.example' --time 1
	says action=continue tag=spf=temperror
	run -0 ask '192.0.2.1 a.example joe@b.example' --time 2 --helo --defer-temperror
	says action=defer tag=spf_helo=temperror
	((SECONDS - start < 15))
	# nobody listens there
	DNSCACHEIP=127.0.0.1:1 run -0 ask '192.0.2.1 a.example joe@a.example' --time 1
	says tag=spf=temperror
}

@test "nonsense in options and files" {
	run -100 policy-spf --time 0
	[ "$output" = 'policy-spf: fatal: --time: "0" is too small (1 to 300)' ]
	run -100 policy-spf --foo
	[[ "$output" = 'policy-spf: usage: '* ]]
	run -100 policy-spf argument
	run -100 policy-spf --time
	echo 192.0.2.0/33 >trusted
	run -100 policy-spf --trusted trusted
	[[ "$output" = 'policy-spf: fatal: trusted: "192.0.2.0/33" '* ]]
	run -100 policy-spf --trusted missing
	DNSCACHEIP=nonsense run -111 policy-spf
}

# smtp LINE...: real smtpd with policy-spf as its policy; the replies without CR
smtp() {
	printf '%s\r\n' "$@" | TCPREMOTEIP=${CLIENT-192.0.2.2} QMAILQUEUE="$BIN/queue-maildir $PWD/Maildir" smtpd 2>>log | tr -d '\r'
}

@test "behind smtpd: refused at MAIL, marked in the log and in the message" {
	zone "${usual[@]}"
	mkdir -p Maildir/{tmp,new,cur}
	echo mx.example.org >control/me
	echo example.org >control/rcpthosts
	echo 'mail defer 25 policy-spf' >control/policies
	run -0 smtp 'EHLO h.example' 'MAIL FROM:<joe@a.example>' 'MAIL FROM:<joe@soft.example>' 'RCPT TO:<u@example.org>' DATA \
		'Subject: x' '' hello . QUIT
	says '550 5.7.23 SPF of MAIL FROM: a.example explains: 192.0.2.2 is none of a.example; ask mx.example.org (#5.7.23)'
	[ "$(find Maildir/new -type f | wc -l)" = 1 ]
	run -0 cat Maildir/new/*
	says 'Received-SPF: softfail' $'\tclient-ip=192.0.2.2;' $'\tenvelope-from="joe@soft.example";' $'\tmechanism=~all'
	grep -q spf=softfail log
	grep -q "stage=mail code=550 reason=policy policy=policy-spf" log
	CLIENT=192.0.2.1 run -0 smtp 'EHLO h.example' 'MAIL FROM:<joe@a.example>' QUIT
	[[ "${lines[-2]}" = 250* ]]
}
