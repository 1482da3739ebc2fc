#!/usr/bin/env bats
# policy-milter between the policy protocol and milters: one made with libmilter that does what it is told, some of
# a few lines that break the rules, and those that people use. The tests themselves are in policy_milter.py.

bats_require_minimum_version 1.5.0
load helpers

driver() {
	BIN=$BIN PYTHONDONTWRITEBYTECODE=1 timeout 120 python3 "$BATS_TEST_DIRNAME/policy_milter.py" "$@"
}

# with_peer NAME: a test that needs Debian's Python with its libmilter.
with_peer() {
	/usr/bin/python3 -c 'import Milter' 2>/dev/null || skip 'needs python3-milter: apt install python3-milter'
	driver "$1"
}

@test "a milter hears of a session: commands, macros, header and body to the byte" {
	with_peer hears
}

@test "what a milter does not want to hear is not sent, what it does not answer is not waited for" {
	with_peer quiet
}

@test "clients of IPv6 and without an address, senders without one" {
	with_peer addresses
}

@test "reject, tempfail, discard and replies at every stage of a message" {
	with_peer refuses
}

@test "a recipient is refused, the others are not" {
	with_peer refuses_recipients
}

@test "a connection is refused, at once or at HELO, and so is all that follows" {
	with_peer refuses_connections
}

@test "after accept the milter is asked no more, and the text stays" {
	with_peer accepts
}

@test "skip ends the body" {
	with_peer skips
}

@test "fields are added, inserted, changed and deleted, by the indexes that milters count" {
	with_peer changes_header
}

@test "the body is replaced" {
	with_peer changes_body
}

@test "recipients are added and removed, the sender is changed" {
	with_peer changes_envelope
}

@test "quarantine: a field, or later" {
	with_peer quarantines
}

@test "several messages a session, several sessions a process" {
	with_peer sessions
}

@test "a policy that is asked at few stages tells the milter what came before" {
	with_peer late
}

@test "large bodies go in full chunks, and odd bytes come back" {
	with_peer sizes
}

@test "messages that are hardly one come back as they were" {
	with_peer odd
}

@test "what is too large is refused" {
	with_peer too_large
}

@test "a milter killed before any command of a message: no answer, 111" {
	with_peer killed
}

@test "a milter killed while it is asked: no answer, 111" {
	with_peer killed_while_asked
}

@test "a milter that does not answer in time: no answer, 111" {
	with_peer deaf
}

@test "progress prolongs the time for the end of a message" {
	with_peer progress
}

@test "no milter there: 111" {
	driver stays_away
}

@test "versions 2 to 6: what is offered, and what is sent" {
	driver versions
}

@test "what no milter says is not believed" {
	driver nonsense
}

@test "rspamd: GTUBE is rejected, spam is marked, a subject rewritten, a soft reject defers" {
	requires rspamd rspamd
	driver rspamd
}

@test "rspamd killed in the middle of a message: no answer, 111" {
	requires rspamd rspamd
	driver rspamd_killed
}

@test "opendkim signs, and what comes back verifies" {
	requires /usr/sbin/opendkim opendkim
	requires /usr/sbin/opendkim-genkey opendkim-tools
	driver opendkim
}

@test "opendkim killed in the middle of a message: no answer, 111" {
	requires /usr/sbin/opendkim opendkim
	driver opendkim_killed
}

@test "pyspf-milter says what it has not checked" {
	requires pyspf-milter pyspf-milter
	driver pyspf
}

# ---- through smtpd

# mail_system LINE: whose only policy is LINE, with @ for the milter's socket.
mail_system() {
	export PORTERO_HOME=$PWD/home QMAILQUEUE="$BIN/queue-maildir $PWD/home/Maildir"
	export TCPREMOTEIP=192.0.2.7 TCPREMOTEPORT=4711 TCPREMOTEHOST=client.example
	unset RELAYCLIENT DATABYTES TCPREMOTEINFO TCPLOCALHOST TCPLOCALIP SMTPPOLICIES XCLIENT
	mkdir -p home/control home/Maildir/{tmp,new,cur}
	echo mx.example.org >home/control/me
	echo example.org >home/control/rcpthosts
	echo "${1//@/unix:$PWD/peer}" >home/control/policies
}

# smtpd_with PEER-MODE LINE: the same, and the milter that does what it is told. Sets MILTER.
smtpd_with() {
	/usr/bin/python3 -c 'import Milter' 2>/dev/null || skip 'needs python3-milter: apt install python3-milter'
	mail_system "$2"
	background /usr/bin/python3 "$BATS_TEST_DIRNAME/milter_peer.py" "$1" "unix:$PWD/peer" heard
	MILTER=$PID
	wait_for test -S peer
}

# gone PID: those of libmilter take five seconds to end when they are asked to.
gone() {
	kill -KILL "$1"
	reap "$1" || :
}

say() {
	printf '%s\r\n' "$@" | timeout 60 smtpd 2>>log | tr -d '\r'
}

stages=connect,helo,mail,rcpt,data,text,end
envelope=('EHLO client.example' 'MAIL FROM:<s@client.example> SIZE=99' 'RCPT TO:<u@example.org>')

@test "smtpd: a milter changes header, body, sender and recipients" {
	smtpd_with plain "$stages defer 20 policy-milter @"
	run -0 say "${envelope[@]}" 'RCPT TO:<v@example.org>' DATA 'Subject: x' 'X-Do: ins 1 X-New a' \
		'X-Do: chg 1 Subject y' 'X-Do: body new|' 'X-Do: from f@client.example' 'X-Do: rcpt- u@example.org' \
		'X-Do: rcpt+ w@elsewhere.example' '' old . QUIT
	[[ "${lines[-2]}" = '250 2.0.0 ok '* ]]
	gone "$MILTER"
	[ "$(sed '/^X-Do/d; s/; .* -0000$//' home/Maildir/new/*)" = 'Return-Path: <f@client.example>
Delivered-To: v@example.org
Delivered-To: w@elsewhere.example
Received: from client.example (192.0.2.7)
  by unknown with ESMTP
X-New: a
Subject: y

new' ]
	grep -q '"<s@client.example>", "SIZE=99"' heard
}

@test "smtpd: a message whose recipients a milter took away is taken and kept by nobody" {
	smtpd_with plain "$stages defer 20 policy-milter @"
	run -0 say "${envelope[@]}" DATA 'X-Do: rcpt- u@example.org' '' x . QUIT
	[[ "${lines[-2]}" = '250 2.0.0 ok '* ]]
	gone "$MILTER"
	[ -z "$(ls home/Maildir/new)" ]
}

@test "smtpd: a milter refuses a recipient and a message, in its own words; what is aside is marked" {
	smtpd_with plain "$stages defer 20 policy-milter @"
	run -0 say "${envelope[@]}" 'RCPT TO:<code@example.org>' DATA 'Subject: x' '' x . \
		'MAIL FROM:<eom-code@client.example>' 'RCPT TO:<u@example.org>' DATA 'Subject: z' '' x . \
		'MAIL FROM:<s@client.example>' 'RCPT TO:<u@example.org>' DATA 'X-Do: quarantine odd' '' x . QUIT
	printf '%s\n' "${lines[@]}" >said
	gone "$MILTER"
	[ "$(grep -c '^554 5.7.7 100% no thanks (#5.7.7)$' said)" = 2 ]
	[ "$(cat home/Maildir/new/* | grep -c '^Subject: [xz]$')" = 1 ]
	[ "$(cat home/Maildir/new/* | grep '^X-Milter-Quarantine: ')" = 'X-Milter-Quarantine: odd' ]
	grep -q quarantine log
}

@test "smtpd: a milter that is gone in the middle of a message: defer says 451, accept goes on while it can" {
	for mode in defer accept; do
		rm -rf home peer heard
		smtpd_with slow "$stages $mode 20 policy-milter @"
		# it falls asleep at MAIL, and is killed there
		(wait_for grep -q '"mail"' heard && kill -KILL "$MILTER") &
		run -0 say "${envelope[@]}" DATA 'Subject: x' '' x . QUIT
		reap "$MILTER" || :
		printf '%s\n' "$mode" "${lines[@]}"
		if [ $mode = defer ]; then
			grep -q '^451 ' <(printf '%s\n' "${lines[@]}")
			[ -z "$(ls home/Maildir/new)" ]
		else
			[[ "${lines[-2]}" = '250 2.0.0 ok '* ]]
			[ "$(find home/Maildir/new -type f | wc -l)" = 1 ]
		fi
	done
	grep -q 'it closed the connection' log
}

# ---- milters that ask a name server, which is the first of /etc/resolv.conf, on port 53

# milter_with_names COMMAND...: in a network of its own, with a name server that has the records of the file
# "names", "NAME TYPE DATA". Sets MILTER.
milter_with_names() {
	local -a own=(unshare -rnmp --fork --kill-child)

	requires python3 python3
	"${own[@]}" mount --bind /dev/null /etc/resolv.conf 2>/dev/null ||
		skip 'needs unshare -rnm, for port 53 (user namespaces are off)'
	echo nameserver 127.0.0.1 >resolv.conf
	sed -i 's/ /\t/; s/ /\t/' names
	cat >inside <<-EOF
		mount --bind resolv.conf /etc/resolv.conf
		python3 "$BATS_TEST_DIRNAME/spf_server.py" 53 <names >names.port &
		until [ -s names.port ]; do sleep 0.02; done
		exec "\$@"
	EOF
	background "${own[@]}" python3 "$BATS_TEST_DIRNAME/peers.py" lo sh -e inside "$@"
	MILTER=$PID
	wait_for test -S peer
}

# send SENDER TEXT: one message; prints what the client hears of it from MAIL on.
send() {
	{
		printf '%s\r\n' 'EHLO client.example' "MAIL FROM:<$1>" 'RCPT TO:<u@example.org>' DATA
		sed 's/^\./../; s/$/\r/' <<<"$2"
		printf '.\r\nQUIT\r\n'
	} | timeout 60 smtpd 2>>log | tr -d '\r' | sed '1,/^250 /d'
}

kept() {
	find home/Maildir/new -type f | wc -l
}

@test "smtpd: opendkim signs, finds good, and refuses what is changed or signed with a key that nobody knows" {
	local signed text='From: <s@client.example>'$'\n''Subject: words'$'\n\n''body'
	requires /usr/sbin/opendkim opendkim
	requires /usr/sbin/opendkim-genkey opendkim-tools
	mail_system "connect,helo,mail,rcpt,data,text,end defer 20 policy-milter @"
	/usr/sbin/opendkim-genkey -b 2048 -d client.example -s sel
	echo "sel._domainkey.client.example TXT $(sed 's/;[^;"]*$//' sel.txt | grep -o '"[^"]*"' | tr -d '"\n')" >names
	echo 192.0.2.0/24 >internal
	cat >opendkim.conf <<-EOF
		Mode sv
		Domain client.example
		Selector sel
		KeyFile $PWD/sel.private
		InternalHosts $PWD/internal
		Nameservers 127.0.0.1
		AlwaysAddARHeader yes
		On-BadSignature reject
		On-KeyNotFound reject
		Socket local:$PWD/peer
		PidFile $PWD/opendkim.pid
		UMask 000
		Background no
		Syslog no
		RequireSafeKeys no
	EOF
	milter_with_names /usr/sbin/opendkim -f -x "$PWD/opendkim.conf"

	run -0 send s@client.example "$text"
	[[ "${lines[-2]}" = '250 2.0.0 ok '* ]]
	signed=$(sed -n '/^DKIM-Signature: /,$p' home/Maildir/new/*)
	[[ "$signed" = *"$text" ]]

	TCPREMOTEIP=198.51.100.9
	run -0 send s@client.example "$signed"
	[[ "${lines[-2]}" = '250 2.0.0 ok '* ]]
	grep -qrh 'dkim=pass' home/Maildir/new
	grep -qx 'sel._domainkey.client.example 16' asked
	[ "$(kept)" = 2 ]
	while IFS='|' read -r change said; do
		run -0 send s@client.example "$(sed "$change" <<<"$signed")"
		[ "${lines[-2]}" = "$said" ] || { echo "$change: $output"; false; }
	done <<-'TABLE'
		s/body/bodies/|550 5.7.0 bad DKIM signature data (#5.7.0)
		s/s=sel;/s=les;/|550 5.7.0 DKIM key retrieval failed (#5.7.0)
	TABLE
	gone "$MILTER"
	[ "$(kept)" = 2 ]
	[ "$(grep -c 'stage=data code=550 reason=policy' log)" = 2 ]
}

@test "smtpd: pyspf-milter refuses a sender whose domain does not let this client send, and marks another's" {
	requires pyspf-milter pyspf-milter
	mail_system "connect,helo,mail,rcpt,data,text,end defer 20 policy-milter @"
	printf '%s\n' 'client.example TXT v=spf1 -all' 'friend.example TXT v=spf1 ip4:192.0.2.7 -all' >names
	cat >spf.conf <<-EOF
		debugLevel = 0
		TestOnly = 1
		HELO_reject = False
		Mail_From_reject = Fail
		PermError_reject = False
		TempError_Defer = False
		Socket = local:$PWD/peer
		PidFile = $PWD/spf.pid
		UserID = nobody:nogroup
		InternalHosts = 198.51.100.9
	EOF
	# it gives up groups when it is root, which a namespace of one user does not allow
	milter_with_names unshare --user --map-user=65534 --map-group=65534 /usr/bin/python3 /usr/bin/pyspf-milter "$PWD/spf.conf"

	run -0 send s@client.example $'Subject: x\n\nbody'
	[[ "${lines[0]}" = '550 5.7.23 '*'SPF'* ]]
	[ "$(kept)" = 0 ]
	run -0 send s@friend.example $'Subject: x\n\nbody'
	[[ "${lines[-2]}" = '250 2.0.0 ok '* ]]
	TCPREMOTEIP=198.51.100.9
	run -0 send s@client.example $'Subject: x\n\nbody'
	[[ "${lines[-2]}" = '250 2.0.0 ok '* ]]
	gone "$MILTER"
	[ "$(kept)" = 2 ]
	[ "$(grep -rh -A1 '^Authentication-Results: ' home/Maildir/new | grep -c 'spf=pass')" = 1 ]
	grep -q "^smtpd: client=192.0.2.7 stage=mail code=550 reason=policy policy=policy-milter helo=client.example from=<s@client.example> session=" log
}

@test "where a milter is, and options, are checked at the start: 100" {
	while IFS='|' read -r words said; do
		# shellcheck disable=SC2086 # words
		run -100 --separate-stderr policy-milter $words </dev/null
		# shellcheck disable=SC2154 # of run
		[ "$stderr" = "policy-milter: fatal: $said" ] || { echo "$words: $stderr"; false; }
	done <<-'TABLE'
		run/s|milter run/s: the path of a socket begins with a slash
		unix:run/s|milter unix:run/s: the path of a socket begins with a slash
		inet:25|milter inet:25: it is inet:PORT@HOST
		inet:0@127.0.0.1|milter inet:0@127.0.0.1: the port is a number from 1 to 65535
		inet:25@mail.example|milter inet:25@mail.example: the host is an address or localhost
		tcp:25@127.0.0.1|milter tcp:25@127.0.0.1: it is unix:PATH or inet:PORT@HOST
		127.0.0.1 x|milter 127.0.0.1 x: the port is a number from 1 to 65535
		--quarantine hold unix:/s|--quarantine: "hold" is not header or defer
		--protocol 7 unix:/s|--protocol: "7" is too large (2 to 6)
		--command-timeout 0 unix:/s|--command-timeout: "0" is too small (1 to 3600)
	TABLE
	run -100 policy-milter </dev/null
	run -100 policy-milter 127.0.0.1 11332 more </dev/null
	run -0 policy-milter 127.0.0.1 11332 </dev/null
	run -0 policy-milter localhost 11332 </dev/null
}

@test "policy-milter(8) and --help have the same options" {
	page=$(sed -n 's/^\.It Fl -\([a-z-]*\).*/--\1/p' "$BATS_TEST_DIRNAME/../smtpd/policy-milter.8" | sort)
	help=$(policy-milter --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p' | sort)
	[ "$page" = "$help" ]
}
