#!/usr/bin/env bats
# conf/fail2ban: which lines of ours are attacks, and that no client can have somebody else banned. Asked with
# fail2ban-regex, which reads the filter and nothing of the system. 203.0.113.66 is who must never be banned.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, so what it sets is its own
bats_require_minimum_version 1.5.0

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	PATH=$BIN:$PATH
	unset RBLSMTPD DNSCACHEIP
	requires fail2ban-regex fail2ban
	CONF=$(cd "$BATS_TEST_DIRNAME/../conf/fail2ban" && pwd)
	DATA=$BATS_TEST_DIRNAME/data/fail2ban
}

# banned FILE: the addresses that the filter finds, one a line
banned() {
	fail2ban-regex -o ip --usedns=no "$1" "$CONF/filter.d/portero.conf"
}

# exactly ADDRESS... of FILE, which are all its lines if "all" stands first
exactly() {
	local file=$1
	shift
	run -0 banned "$file"
	[ "$output" = "$(printf '%s\n' "$@")" ] || {
		printf 'found:\n%s\nin:\n' "$output"
		cat "$file"
		false
	}
}

# What stands before a line: nothing, multilog, tai64nlocal, syslogd, rsyslogd, svlogd -tt. "%" is the program.
befores=('' '@4000000065a1b2c3d4e5f600 ' '2026-11-24 10:00:00.123456789 ' 'Nov 24 10:00:00 mx %[4711]: '
	'Nov 24 10:00:00 mx-1.example logger: ' '2026-11-24T10:00:00.123456+01:00 mx %[4711]: ' '2026-11-24_10:00:00.12345 ')

@test "every line of attack is found with its own address, whatever stands before it" {
	local before line
	cut -f 1 "$DATA/attacks" >wanted
	for before in "${befores[@]}"; do
		while IFS=$'\t' read -r _ line; do
			printf '%s%s\n' "${before//%/tcpserver}" "$line"
		done <"$DATA/attacks" >log
		[ "$(wc -l <log)" = 24 ]
		exactly log "$(cat wanted)"
	done
}

@test "no good line is found, whatever stands before it" {
	local before
	for before in "${befores[@]}"; do
		sed "s/^/${before//%/tcpserver}/" "$DATA/good" >log
		[ "$(wc -l <log)" = 27 ]
		run banned log
		[ "$output" = "" ] || { echo "$output"; false; }
	done
}

@test "the tag of syslog may be the program's only name" {
	printf '%s\n' 'Nov 24 10:00:00 mx smtpd[5]: client=198.51.100.1 stage=rcpt code=553 reason=rcpthosts helo=c' \
		'Nov 24 10:00:00 mx rblsmtpd[5]: 198.51.100.2 pid 5: 553 x' \
		'Nov 24 10:00:00 mx smtpd[5]: client=203.0.113.66 stage=start code=451 reason=timeout' >log
	exactly log 198.51.100.1 198.51.100.2
}

@test "tcpserver: whom a rule refuses, and nobody whom it lets in" {
	echo ':deny' | rules deny
	echo ':allow' | rules allow
	start_server -vRHl0 -x deny.cdb 0 0 true
	connect "$PORT"
	wait_for logged '^tcpserver: end'
	stop "$SERVER" || :
	exactly log 127.0.0.1
	start_server -vRHl0 -x allow.cdb 0 0 true
	connect "$PORT"
	wait_for logged '^tcpserver: end'
	stop "$SERVER" || :
	run banned log
	[ "$output" = "" ]
}

@test "tcpserver: IPv6" {
	(exec 4<>/dev/tcp/::1/1) 2>&1 | grep -q refused || skip 'no IPv6 here'
	echo ':deny' | rules deny
	start_server -vRHl0 -x deny.cdb ::1 0 true
	connect "$PORT" '' ::1
	wait_for logged '^tcpserver: end'
	stop "$SERVER" || :
	exactly log ::1
}

@test "tcpserver: a hostile name is not who is banned" {
	requires python3 python3
	background python3 "$BATS_TEST_DIRNAME/peers.py" dns '1.0.0.127.in-addr.arpa=ptr:[203.0.113.66]:203.0.113.66' >dns.port
	wait_for test -s dns.port
	DNSCACHEIP=127.0.0.1:$(cat dns.port)
	export DNSCACHEIP
	printf '=:deny\n:allow\n127.0.0.1:deny\n' | rules deny
	start_server -vRl0 -x deny.cdb 0 0 true
	connect "$PORT"
	wait_for logged '^tcpserver: end'
	stop "$SERVER" || :
	exactly log 127.0.0.1
}

@test "tcpserver --log=json" {
	tcpserver --help | grep -q -- '^  --log' || skip 'this tcpserver has no --log'
	echo ':deny' | rules deny
	start_server -vRHl0 --log=json -x deny.cdb 0 0 true
	connect "$PORT"
	wait_for logged '"event":"end"'
	stop "$SERVER" || :
	exactly log 127.0.0.1
}

@test "rblsmtpd: whom a list or a rule refuses, by IPv4 and IPv6" {
	local text='-x rblsmtpd: 203.0.113.66 pid 5: 553 x'
	printf 'QUIT\r\n' >quit
	RBLSMTPD=$text TCPREMOTEIP=198.51.100.1 rblsmtpd true <quit >out 2>log
	RBLSMTPD=$text TCPREMOTEIP=2001:db8::2 rblsmtpd true <quit >out 2>>log
	RBLSMTPD='' TCPREMOTEIP=203.0.113.66 rblsmtpd true <quit >out 2>>log
	TCPREMOTEIP=203.0.113.66 rblsmtpd ./missing <quit >out 2>>log || :
	TCPREMOTEIP="203.0.113.66 pid 5: 553 x" RBLSMTPD=no rblsmtpd ./missing <quit >out 2>>log || :
	[ "$(wc -l <log)" = 4 ]
	exactly log 198.51.100.1 2001:db8::2
}

# smtp ADDRESS LINE...: to smtpd from there; its log grows
smtp() {
	local client=$1
	shift
	printf '%s\r\n' "$@" | TCPREMOTEIP=$client timeout 20 smtpd >out 2>>log || :
}

@test "smtpd: attacks with their client, good mail and small mistakes not" {
	[ -x "$BIN/smtpd" ] && [ -x "$BIN/queue-null" ] || skip 'needs smtpd and queue-null'
	export PORTERO_HOME=$PWD/home QMAILQUEUE=$BIN/queue-null
	unset RELAYCLIENT DATABYTES TCPREMOTEHOST TCPREMOTEINFO
	mkdir -p home/control
	echo mx.example.org >home/control/me
	echo example.org >home/control/rcpthosts
	local evil='x client=203.0.113.66 stage=rcpt code=553 reason=rcpthosts'
	smtp 198.51.100.1 "HELO $evil" "MAIL FROM:<$evil>" 'MAIL FROM:<a@b.example>' 'RCPT TO:<c@d.example>' QUIT
	smtp 2001:db8::2 'EHLO c' 'MAIL FROM:<a@b.example>' "RCPT TO:<c@d.example>" QUIT
	smtp 198.51.100.3 'GET / HTTP/1.1' 'Host: 203.0.113.66'
	smtp 203.0.113.66 'EHLO c' 'MAIL FROM:<a@b.example>' 'RCPT TO:<u@example.org>' DATA 'Subject: x' '' "$evil" . QUIT
	smtp 203.0.113.66 'EHLO c' 'MAIL FROM:<a@b.example>' 'RCPT TO:<u@example.org' 'FOO' 'DATA' QUIT
	printf 'EHLO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<u@example.org>\r\nDATA\r\nx\ny\r\n.\r\nQUIT\r\n' |
		TCPREMOTEIP=198.51.100.4 timeout 20 smtpd >out 2>>log || :
	grep -q 'client=203.0.113.66 .*reason=queued' log
	[ "$(grep -c 'client=203.0.113.66 stage=' log)" -ge 3 ]
	run -0 banned log
	[ "$(sort -u <<<"$output")" = $'198.51.100.1\n198.51.100.3\n198.51.100.4\n2001:db8::2' ] || {
		cat log
		false
	}
}

@test "smtpd: wrong passwords with their client, whatever the user is called; right ones and a checker's trouble not" {
	[ -x "$BIN/smtpd" ] && [ -x "$BIN/checkpassword-file" ] || skip 'needs smtpd and checkpassword-file'
	export PORTERO_HOME=$PWD/home SMTPAUTH=clear CHECKPASSWORD_FILE=$PWD/passwords
	unset TCPREMOTEHOST TCPREMOTEINFO TCPLOCALPORT
	mkdir -p home/control
	echo mx.example.org >home/control/me
	echo secret | checkpassword-file --hash joe >passwords
	chmod 600 passwords
	plain() {
		# shellcheck disable=SC2059 # with the escapes of printf
		printf "$1" | base64 -w 0
	}
	attempt() {
		printf '%s\r\n' 'EHLO c' "AUTH PLAIN $(plain "$2")" QUIT | TCPREMOTEIP=$1 timeout 20 smtpd checkpassword-file true >out 2>>log
	}
	attempt 198.51.100.1 '\0joe\0wrong'
	attempt 2001:db8::2 '\0x client=203.0.113.66 stage=auth code=535 reason=auth\0wrong'
	attempt 203.0.113.66 '\0joe\0secret'
	CHECKPASSWORD_FILE=/nonexistent attempt 203.0.113.66 '\0joe\0secret'
	grep -q 'client=203.0.113.66 stage=auth code=235' log
	grep -q 'client=203.0.113.66 stage=auth code=454' log
	exactly log 198.51.100.1 2001:db8::2
}

@test "every reason of the filter is one of smtpd's" {
	local reason
	for reason in $(sed -n 's/^reasons = //p' "$CONF/filter.d/portero.conf" | tr '|' ' '); do
		grep -q "\"$reason\"" "$BATS_TEST_DIRNAME/../smtpd/replies.c" || { echo "$reason"; false; }
	done
}

@test "the jail is off, and sound when it is on" {
	requires fail2ban-client fail2ban
	[ -d /etc/fail2ban/action.d ] || skip 'needs /etc/fail2ban/action.d'
	cp -r /etc/fail2ban etc
	rm -f etc/jail.d/*
	cp -r "$CONF"/filter.d "$CONF"/jail.d etc
	run fail2ban-client -c "$PWD/etc" -d
	[[ "$output" != *portero* ]]
	printf '[portero]\nenabled = true\nbackend = auto\nlogpath = %s/log\n' "$PWD" >etc/jail.d/portero.local
	touch log
	run -0 fail2ban-client -c "$PWD/etc" -d
	[[ "$output" = *"['add', 'portero', 'auto']"* ]]
	[[ "$output" = *"'portero', 'addfailregex', "*stage=* || "$output" = *"'multi-set', 'portero', 'addfailregex'"* ]]
	printf '[portero]\nenabled = true\n' >etc/jail.d/portero.local
	run -0 fail2ban-client -c "$PWD/etc" -d
	[[ "$output" = *"['add', 'portero', 'systemd']"* ]]
	[[ "$output" = *SYSLOG_IDENTIFIER=tcpserver* ]]
}
