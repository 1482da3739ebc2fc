#!/usr/bin/env bats
# shellcheck disable=SC2012,SC2030,SC2031,SC2034 # counting in /proc; run in subshells of bats; words for eval
# tcpserver --tls and its helper: a program of ours (tls_program.py) over real sessions, of Python's ssl and openssl.

bats_require_minimum_version 1.5.0
load helpers

# certificate FOLDER NAME KIND: a pair of files as certbot leaves them. KIND: rsa or ec.
certificate() {
	local kind=(rsa:2048)
	[ "$3" = rsa ] || kind=(ec -pkeyopt ec_paramgen_curve:P-256)
	mkdir -p "$1"
	openssl req -x509 -newkey "${kind[@]}" -nodes -keyout "$1/privkey.pem" -out "$1/fullchain.pem" -days 30 \
		-subj "/CN=$2" -addext "subjectAltName=DNS:$2" 2>/dev/null
}

setup_file() {
	command -v openssl >/dev/null || return 0
	cd "$BATS_FILE_TMPDIR" || return 1
	certificate mx.example.org+rsa mx.example.org rsa
	certificate mx.example.org+ecdsa mx.example.org ec
	certificate other.example.org other.example.org ec
	certificate _.wild.example.org '*.wild.example.org' ec
	certificate client client.example.org ec
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	PATH=$BIN:$PATH
	requires openssl openssl
	requires python3 python3
	unset TLS_ALPN TLS_TIMEOUT TLS_SESSIONS SSLCTLFD SSLREADFD SSLWRITEFD SMTPS
	mkdir dir
	cp -r "$BATS_FILE_TMPDIR"/{mx.example.org+*,other.example.org,_.wild.example.org} dir/
	PROGRAM=$BATS_TEST_DIRNAME/tls_program.py
}

# tls_server ARGUMENTS...: with --tls dir. Sets MASTER, the process that holds the keys.
tls_server() {
	start_server -v -RHl0 --tls dir "$@"
	find_master
}

keeper() {
	pgrep -P "$SERVER" -x tls | head -n 1
}

find_master() {
	MASTER=$(pgrep -P "$(keeper)" -x tls)
}

client() {
	run timeout 60 python3 "$BATS_TEST_DIRNAME/tls.py" "$@"
}

# says LINE: the last client's output has it.
says() {
	grep -qxF -- "$1" <<<"$output" || { echo "no \"$1\" in:"; echo "$output"; return 1; }
}

s_client() {
	timeout 20 openssl s_client -connect "127.0.0.1:$PORT" "$@" </dev/null 2>&1
}

# ---- what a program gets ---------------------------------------------------------------------------------------

@test "a program starts TLS when it says so, and hears what was agreed on" {
	tls_server 127.0.0.1 0 "$PROGRAM"
	client start "$PORT" name=mx.example.org
	[ "$status" = 0 ] || { echo "$output"; cat log; false; }
	says SSL_PROTOCOL=TLSv1.3
	says SSL_CIPHER=TLS_AES_256_GCM_SHA384
	says SSL_CIPHER_USEKEYSIZE=256
	says SSL_SESSION_RESUMED=0
	says SSL_TLS_SNI_SERVERNAME=mx.example.org
	says bye
	[[ "$output" != *FINGERPRINT* ]]
	wait_for logged '^tls: ok [0-9]* TLSv1.3 TLS_AES_256_GCM_SHA384 mx.example.org$'
	client start "$PORT" max=1.2
	says SSL_PROTOCOL=TLSv1.2
	[[ "$output" != *SERVERNAME* ]]
	client quiet "$PORT"
	says bye
	[[ "$output" != *SSL_* ]]
}

@test "wrap: plain text is on 0 and 1, the variables come when the handshake is done" {
	tls_server --tls-mode=wrap 127.0.0.1 0 "$PROGRAM"
	client wrap "$PORT" name=mx.example.org
	[ "$status" = 0 ] || { echo "$output"; cat log; false; }
	says SSL_PROTOCOL=TLSv1.3
	says SSL_TLS_SNI_SERVERNAME=mx.example.org
	says bye
	stop "$SERVER"
	start_server -RHl0 --tls dir --tls-mode=wrap 127.0.0.1 0 sh -c 'env | grep -E "^(SMTPS|SSL(CTL|READ|WRITE)FD)=" | sort'
	run -0 timeout 20 openssl s_client -quiet -connect "127.0.0.1:$PORT"
	says SMTPS=1
	says SSLCTLFD=4
	[[ "$output" != *SSLREADFD* ]]
}

@test "a program that never starts TLS costs no process, and nothing is kept of it" {
	tls_server 127.0.0.1 0 "$PROGRAM"
	before=$(ls "/proc/$MASTER/fd" | wc -l)
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	read -r -t 10 -u 5 greeting
	[[ "$greeting" == 220* ]]
	wait_for eval '[ "$(ls "/proc/$MASTER/fd" | wc -l)" = $((before + 3)) ]'
	[ -z "$(pgrep -P "$MASTER")" ]
	echo PLAIN >&5
	wait_for eval '[ "$(ls "/proc/$MASTER/fd" | wc -l)" = "$before" ]'
	exec 5>&-
}

@test "without --tls nothing is different: no variables, no helper" {
	start_server -RHl0 127.0.0.1 0 sh -c 'echo "${SSLCTLFD-none} ${SMTPS-none}"; ls /proc/self/fd | tr "\n" " "'
	run -0 connect "$PORT"
	[ "${lines[0]}" = 'none none' ]
	[ "${lines[1]}" = '0 1 2 3 ' ]
	[ -z "$(pgrep -P "$SERVER" -x tls)" ]
}

# ---- which certificate -------------------------------------------------------------------------------------------

@test "SNI chooses the certificate, in any case, with wildcards, else the first; default when there is one" {
	tls_server 127.0.0.1 0 "$PROGRAM"
	for pair in mx.example.org:mx.example.org OTHER.Example.ORG:other.example.org \
		a.wild.example.org:'*.wild.example.org' a.b.wild.example.org:'*.wild.example.org' nobody.example:'*.wild.example.org'; do
		client start "$PORT" "name=${pair%%:*}"
		[[ "$pair" != a.b.* ]] || { says 'certificate *.wild.example.org'; continue; } # by order, not by name
		says "certificate ${pair#*:}"
	done
	cp -r dir/other.example.org dir/default
	client start "$PORT" name=nobody.example
	says 'certificate other.example.org'
	client start "$PORT"
	says 'certificate other.example.org'
	client start "$PORT" name=a.wild.example.org
	says 'certificate *.wild.example.org'
}

@test "RSA and ECDSA side by side: the client's signature algorithms choose" {
	tls_server --tls-mode=wrap 127.0.0.1 0 "$PROGRAM"
	for version in -tls1_2 -tls1_3; do
		run s_client -servername mx.example.org "$version" -sigalgs RSA-PSS+SHA256:RSA+SHA256
		[[ "$output" == *'Peer signature type: RSA'* ]] || { echo "$output"; false; }
		run s_client -servername mx.example.org "$version" -sigalgs ECDSA+SHA256
		[[ "$output" == *'Peer signature type: ECDSA'* ]] || { echo "$output"; false; }
	done
}

@test "a folder with one pair serves as it is, for any name" {
	mkdir one
	cp dir/other.example.org/* one/
	start_server -RHl0 --tls one 127.0.0.1 0 "$PROGRAM"
	client start "$PORT" name=any.example
	says 'certificate other.example.org'
}

@test "a new certificate counts from the next connection; a broken one leaves the old, and says so once" {
	tls_server 127.0.0.1 0 "$PROGRAM"
	client start "$PORT" name=other.example.org
	says 'certificate other.example.org'
	certificate new changed.example.org ec
	cp new/privkey.pem dir/other.example.org/
	for round in 1 2; do
		client start "$PORT" name=other.example.org
		says 'certificate other.example.org'
	done
	logged '^tls: warning: dir/other.example.org/privkey.pem is not the key of the certificate beside it: .*stays in use$'
	[ "$(grep -c '^tls: warning' log)" = 1 ]
	cp new/fullchain.pem dir/other.example.org/
	client start "$PORT" name=other.example.org
	says 'certificate changed.example.org'
	echo rubbish >dir/other.example.org/fullchain.pem
	client start "$PORT" name=other.example.org
	says 'certificate changed.example.org'
	logged '^tls: warning: dir/other.example.org/fullchain.pem holds no certificate in PEM; the one before it stays in use$'
	ln -s "$PWD/new" dir/link.example.org
	client start "$PORT" name=link.example.org
	says 'certificate changed.example.org'
	certificate new again.example.org ec
	client start "$PORT" name=link.example.org
	says 'certificate again.example.org'
	rm -r dir/link.example.org
	client start "$PORT" name=link.example.org
	says 'certificate *.wild.example.org'
}

@test "no certificate, no server: exit 100 or 111, and a line that says what to do" {
	mkdir empty
	chmod 755 empty
	run -100 timeout 10 tcpserver --tls empty 127.0.0.1 0 true
	[[ "$output" == 'tls: fatal: no certificate in empty: put NAME/fullchain.pem and NAME/privkey.pem there' ]]
	run -111 timeout 10 tcpserver --tls nowhere 127.0.0.1 0 true
	[[ "$output" == 'tls: fatal: unable to read nowhere: '* ]]
	mkdir empty/broken
	cp dir/other.example.org/fullchain.pem empty/broken/
	cp dir/mx.example.org+rsa/privkey.pem empty/broken/
	run -100 timeout 10 tcpserver --tls empty 127.0.0.1 0 true
	[[ "${lines[0]}" == 'tls: warning: empty/broken/privkey.pem is not the key of the certificate beside it'* ]]
	run -100 timeout 10 tcpserver --tls dir --tls-mode=wrap -B hello 127.0.0.1 0 true
	run -100 timeout 10 tcpserver --tls dir --tls-mode=yes 127.0.0.1 0 true
	run -100 timeout 10 tcpserver --tls-mode=wrap 127.0.0.1 0 true
	run -100 "$BIN/tls" dir
	[[ "$output" == 'tls: fatal: descriptor 3 is no socket to tcpserver: use tcpserver --tls dir' ]]
}

@test "a key that everybody can read is warned of" {
	chmod o+r dir/other.example.org/privkey.pem
	tls_server 127.0.0.1 0 "$PROGRAM"
	[ "$(grep -c '^tls: warning: dir/other.example.org/privkey.pem can be read by everybody' log)" = 1 ]
}

# ---- resumption ----------------------------------------------------------------------------------------------------

# resumed: of the last client's sessions, each as 0 or 1.
resumed() {
	sed -n 's/^SSL_SESSION_RESUMED=//p' <<<"$output" | tr -d '\n'
}

# session_processes: those that are there.
session_processes() {
	pgrep -P "$MASTER" -x tls | sort
}

@test "a process serves one session after another, and no more than it is told" {
	export TLS_SESSIONS=3
	tls_server 127.0.0.1 0 "$PROGRAM"
	[ -z "$(session_processes)" ]
	client start "$PORT" name=mx.example.org
	wait_for eval '[ -n "$(session_processes)" ]'
	first=$(session_processes)
	client start "$PORT" name=other.example.org
	says 'certificate other.example.org'
	[ "$(session_processes)" = "$first" ]
	client start "$PORT" name=mx.example.org
	says 'certificate mx.example.org'
	wait_for eval '[ -z "$(session_processes)" ]'
	client start "$PORT" name=mx.example.org
	[ "$(session_processes)" != "$first" ]
}

@test "a process that waits ends when certificates change" {
	tls_server 127.0.0.1 0 "$PROGRAM"
	client start "$PORT" name=mx.example.org
	first=$(session_processes)
	[ -n "$first" ]
	cp "$BATS_FILE_TMPDIR"/client/* dir/other.example.org/
	client start "$PORT" name=other.example.org
	says 'certificate client.example.org'
	wait_for eval '! session_processes | grep -qx "$first"'
}

@test "a process whose certificates have changed meanwhile takes no other session" {
	tls_server 127.0.0.1 0 "$PROGRAM"
	background timeout 60 python3 "$BATS_TEST_DIRNAME/tls.py" held "$PORT"
	holder=$PID
	wait_for test -e held
	first=$(session_processes)
	cp "$BATS_FILE_TMPDIR"/client/* dir/other.example.org/
	client start "$PORT" name=other.example.org
	says 'certificate client.example.org'
	touch go
	reap "$holder"
	wait_for eval '! session_processes | grep -qx "$first"'
}

@test "every session but the first is resumed, in TLS 1.2 and 1.3, each by another process" {
	export TLS_SESSIONS=1
	tls_server 127.0.0.1 0 "$PROGRAM"
	for version in 1.2 1.3; do
		client start "$PORT" name=mx.example.org max=$version times=4
		[ "$(resumed)" = 0111 ] || { echo "$version: $output"; false; }
	done
	[ "$(grep -cx 'ticket new' <<<"$output")" = 4 ] # in 1.3 a ticket is for one use
	logged ' mx.example.org resumed$' 6
}

@test "tickets live through a restart and one change of their keys, not through two" {
	tls_server 127.0.0.1 0 "$PROGRAM"
	[ "$(stat -c %a dir/ticket.keys)" = 600 ]
	python3 - "$PORT" "$BATS_TEST_DIRNAME" >out <<-'END'
		import os, sys
		sys.path.insert(0, sys.argv[2])
		import tls

		os.umask(0o077)

		def age():
		    lines = open("dir/ticket.keys").read().split("\n")
		    second, key = lines[0].split()
		    lines[0] = "%d %s" % (int(second) - 13 * 3600, key)
		    with open("dir/new", "w") as f:
		        f.write("\n".join(lines))
		    os.rename("dir/new", "dir/ticket.keys")

		def once(ticket):
		    s = c.wrap_socket(tls.dial(sys.argv[1]), server_hostname="mx.example.org", session=ticket)
		    tls.until(s, b"\n\n")
		    s.sendall(b"BYE\n")
		    tls.rest(tls.end(s))
		    print(int(s.session_reused), end=" ")
		    return s.session

		c = tls.context({})
		first = once(None)
		age()
		second = once(first)
		once(second)
		age()
		once(first)
		once(second)
	END
	[ "$(cat out)" = '0 1 1 0 1 ' ] || { cat out log; false; }
	[ "$(wc -l <dir/ticket.keys)" = 2 ]
	run ! logged warning
}

@test "a file that holds no ticket keys is written anew; a folder that cannot be written is told of" {
	echo rubbish >dir/ticket.keys
	tls_server 127.0.0.1 0 "$PROGRAM"
	logged '^tls: warning: dir/ticket.keys holds no keys of tickets: it is written anew$'
	grep -qE '^[0-9]+ [0-9a-f]{160}$' dir/ticket.keys
	client start "$PORT" times=2
	[ "$(resumed)" = 01 ]
}

# ---- what is refused -------------------------------------------------------------------------------------------------

@test "old protocols, CBC, static RSA, anonymous ciphers and renegotiation are refused" {
	tls_server --tls-mode=wrap 127.0.0.1 0 "$PROGRAM"
	run s_client -tls1_1 -cipher ALL:@SECLEVEL=0
	[[ "$output" == *'Cipher is (NONE)'* ]] || { echo "$output"; false; }
	for offer in ECDHE-RSA-AES128-SHA256 AES256-GCM-SHA384 ECDHE-ECDSA-AES256-SHA aNULL DHE-RSA-AES128-GCM-SHA256; do
		run s_client -tls1_2 -cipher "$offer:@SECLEVEL=0"
		[[ "$output" == *'Cipher is (NONE)'* ]] || { echo "$offer: $output"; false; }
	done
	for good in 'ECDHE-ECDSA-AES128-GCM-SHA256' 'ECDHE-ECDSA-CHACHA20-POLY1305'; do
		run s_client -tls1_2 -cipher "$good"
		[[ "$output" == *"Cipher is $good"* ]]
	done
	(sleep 0.3; echo R; sleep 0.5) | timeout 10 openssl s_client -connect "127.0.0.1:$PORT" -tls1_2 >out 2>&1 || :
	grep -q 'no renegotiation' out
	[ "$(grep -c '^tls: failed' log)" -ge 5 ]
}

@test "ALPN: smtp is taken, a list without it is refused, none is as good; TLS_ALPN says others" {
	tls_server 127.0.0.1 0 "$PROGRAM"
	client start "$PORT" alpn=h2,smtp
	says bye
	client start "$PORT" alpn=h2,http/1.1
	[ "$status" = 1 ]
	wait_for logged '^tls: failed [0-9]* no application protocol$'
	stop "$SERVER"
	export TLS_ALPN=imap,h2
	tls_server 127.0.0.1 0 "$PROGRAM"
	client start "$PORT" alpn=smtp
	[ "$status" = 1 ]
	client start "$PORT" alpn=h2
	says bye
	stop "$SERVER"
	export TLS_ALPN=
	tls_server 127.0.0.1 0 "$PROGRAM"
	client start "$PORT" alpn=anything
	says bye
}

@test "a client's certificate is asked for with --tls-client-certs only, and never judged" {
	tls_server 127.0.0.1 0 "$PROGRAM"
	client start "$PORT" cert="$BATS_FILE_TMPDIR/client/fullchain.pem" key="$BATS_FILE_TMPDIR/client/privkey.pem"
	[[ "$output" != *FINGERPRINT* ]]
	stop "$SERVER"
	tls_server --tls-client-certs 127.0.0.1 0 "$PROGRAM"
	print=$(openssl x509 -in "$BATS_FILE_TMPDIR/client/fullchain.pem" -outform DER | sha256sum | cut -d' ' -f1)
	for version in 1.2 1.3; do
		client start "$PORT" max=$version times=2 \
			cert="$BATS_FILE_TMPDIR/client/fullchain.pem" key="$BATS_FILE_TMPDIR/client/privkey.pem"
		[ "$(grep -c "^SSL_CLIENT_CERT_FINGERPRINT=sha256:$print\$" <<<"$output")" = 2 ] || { echo "$output"; false; }
	done
	client start "$PORT"
	says bye
	[[ "$output" != *FINGERPRINT* ]]
}

@test "garbage instead of a hello ends the session, with a line" {
	tls_server 127.0.0.1 0 "$PROGRAM"
	client garbage "$PORT" $'EHLO hello hello hello\r\n'
	[ "$status" = 0 ]
	wait_for logged '^tls: failed [0-9]* [a-z ]*'
	wait_for logged '^tcpserver: end [0-9]* status 256$'
	client start "$PORT"
	says bye
}

@test "a handshake that takes too long is ended" {
	export TLS_SESSIONS=1
	export TLS_TIMEOUT=1
	tls_server 127.0.0.1 0 "$PROGRAM"
	client silent "$PORT"
	[[ "$output" =~ ^[12]\. ]] || { echo "$output"; false; }
	logged '^tls: failed [0-9]* the client took too long$'
	wait_for eval '[ -z "$(pgrep -P "$MASTER")" ]'
}

# ---- bytes --------------------------------------------------------------------------------------------------------

@test "100 MB there and 100 MB back; who does not read holds the other, at little cost" {
	tls_server 127.0.0.1 0 "$PROGRAM"
	[[ "$BIN" != *sanitize* ]] || skip 'the sanitizer has memory of its own'
	client bulk "$PORT" 104857600 "$MASTER"
	[ "$status" = 0 ] || { echo "$output"; false; }
	echo "# $output" >&3
}

@test "the client's end is the program's, and the other way round" {
	export TLS_SESSIONS=1
	tls_server 127.0.0.1 0 "$PROGRAM"
	client half "$PORT"
	[ "$output" = bye ]
	python3 "$BATS_TEST_DIRNAME/tls.py" cut "$PORT"
	wait_for logged '^tcpserver: end [0-9]* status' 2
	wait_for eval '[ -z "$(pgrep -P "$MASTER")" ]'
	stop "$SERVER"
	start_server -v -RHl0 --tls dir --tls-mode=wrap 127.0.0.1 0 sh -c 'echo all'
	run -0 timeout 10 openssl s_client -quiet -connect "127.0.0.1:$PORT"
	says all
}

@test "200 sessions: memory and descriptors are bounded, and given back" {
	tls_server -c 250 --tls-mode=wrap 127.0.0.1 0 cat
	[[ "$BIN" != *sanitize* ]] || skip 'the sanitizer has memory of its own'
	client crowd "$PORT" 200 "$MASTER"
	[ "$status" = 0 ] || { echo "$output"; false; }
	echo "# $output" >&3
}

# ---- when something dies -------------------------------------------------------------------------------------------

@test "the process with the keys is killed: sessions go on, programs that wait see it, the next one is served" {
	tls_server 127.0.0.1 0 "$PROGRAM"
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	read -r -t 10 -u 5 greeting
	kill -KILL "$MASTER"
	wait_for eval '! kill -0 "$MASTER" 2>/dev/null'
	echo STARTTLS >&5
	wait_for logged '^tcpserver: end [0-9]* status 256$' # EPIPE or an end of file: the program's exception
	exec 5>&-
	client start "$PORT"
	says bye
	logged '^tls: warning: the process that holds the keys ended with status 9: it is started again$'
}

@test "the whole helper is killed: tcpserver starts it again" {
	tls_server 127.0.0.1 0 "$PROGRAM"
	kill -KILL "$(keeper)" "$MASTER"
	wait_for eval 'client start "$PORT"; [ "$status" = 0 ]'
	logged '^tcpserver: warning: --tls: the helper has ended: it is started again$'
	says bye
}

@test "the server's end is the helper's, when the last session is over" {
	tls_server 127.0.0.1 0 "$PROGRAM"
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	read -r -t 10 -u 5 greeting
	stop "$SERVER"
	kill -0 "$MASTER"
	exec 5>&-
	wait_for eval '! kill -0 "$MASTER" 2>/dev/null'
}

@test "a new binary (SIGUSR2) keeps the helper" {
	tls_server 127.0.0.1 0 "$PROGRAM"
	kill -USR2 "$SERVER"
	wait_for logged '^tcpserver: status: 0/40$' 2
	client start "$PORT"
	says bye
	[ "$(pgrep -P "$(keeper)" -x tls)" = "$MASTER" ]
	kill -0 "$MASTER"
}

# ---- who may what -----------------------------------------------------------------------------------------------

@test "the program reaches neither the key nor the processes that have it" {
	[ "$(id -u)" = 0 ] || skip 'needs root'
	chmod -R go-rwx dir
	chmod 711 . "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR"
	cp "$PROGRAM" "$BATS_TEST_TMPDIR/program.py"
	export SPY_KEY=$BATS_TEST_TMPDIR/dir/other.example.org/privkey.pem
	for user in '' --tls-user=daemon; do
		# shellcheck disable=SC2086 # none or one
		tls_server -u 65533 -g 65533 $user 127.0.0.1 0 "$BATS_TEST_TMPDIR/program.py"
		client start "$PORT" word=SPY
		[[ "$output" != *REACHED* ]] || { echo "$output"; false; }
		says 'key: Permission denied'
		grep -E "^uid $([ -n "$user" ] && id -u daemon || echo 65533), mem: Permission denied$" <<<"$output"
		grep -E "^uid $([ -n "$user" ] && id -u daemon || echo 65533), ptrace: Operation not permitted$" <<<"$output"
		says 'uid 0, mem: Permission denied'
		stop "$SERVER"
	done
	chown 12345:12345 dir
	tls_server -u 65533 -g 65533 127.0.0.1 0 "$BATS_TEST_TMPDIR/program.py"
	client start "$PORT" word=SPY
	says 'uid 12345, mem: Permission denied'
}

@test "a session's process is locked: no new privileges, a filter, no groups, three descriptors and the log" {
	tls_server --tls-mode=wrap 127.0.0.1 0 cat
	coproc timeout 20 openssl s_client -quiet -connect "127.0.0.1:$PORT" 2>/dev/null
	wait_for logged '^tls: ok'
	talk=$(pgrep -P "$MASTER")
	grep -qE '^Seccomp:[[:space:]]2$' "/proc/$talk/status"
	grep -qE '^NoNewPrivs:[[:space:]]1$' "/proc/$talk/status"
	! [ "$(id -u)" = 0 ] || grep -qE '^CapEff:[[:space:]]0+$' "/proc/$talk/status"
	kill "$COPROC_PID"
}

# ---- smtpd, and programs that stay ---------------------------------------------------------------------------------

mail_home() {
	export PORTERO_HOME=$PWD/home
	export QMAILQUEUE="$BIN/queue-maildir $PORTERO_HOME/Maildir"
	unset RELAYCLIENT
	mkdir -p home/control home/Maildir/{tmp,new,cur}
	echo mx.example.org >home/control/me
	echo example.org >home/control/rcpthosts
}

# smtp PORT CLASS: a message by Python's smtplib.
smtp() {
	timeout 20 python3 - "$@" <<-'END'
		import smtplib, ssl, sys
		c = ssl.create_default_context()
		c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
		if sys.argv[2] == "wrap":
		    s = smtplib.SMTP_SSL("127.0.0.1", int(sys.argv[1]), "client.example", context=c, timeout=10)
		else:
		    s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "client.example", timeout=10)
		    if sys.argv[2] == "start":
		        s.starttls(context=c)
		s.sendmail("a@client.example", ["u@example.org"], "Subject: x\r\n\r\ntext\r\n")
		s.quit()
	END
}

@test "smtpd forgets what was said before STARTTLS, also the name and EHLO" {
	mail_home
	tls_server 127.0.0.1 0 smtpd
	run -0 timeout 20 python3 - "$PORT" "$BATS_TEST_DIRNAME" <<-'END'
		import sys
		sys.path.insert(0, sys.argv[2])
		import tls

		def say(s, line):
		    s.sendall(line + b"\r\n")
		    got = tls.until(s, b"\r\n")
		    while got.split(b"\r\n")[-2][3:4] == b"-":
		        got += tls.until(s, b"\r\n")
		    return got

		s = tls.dial(sys.argv[1], None)
		tls.until(s, b"\r\n")
		say(s, b"EHLO before.example")
		assert say(s, b"STARTTLS")[:3] == b"220"
		s = tls.context({}).wrap_socket(s)
		assert say(s, b"NOOP") == b"250 ok\r\n"  # no EHLO, no status code
		for line in (b"MAIL FROM:<a@client.example>", b"RCPT TO:<u@example.org>", b"DATA", b"text\r\n.", b"QUIT"):
		    assert say(s, line)[:1] in b"23", line
	END
	run -0 cat home/Maildir/new/*
	[[ "$output" != *before.example* ]]
	[[ "$output" = *' with SMTP ('* ]]
}

@test "smtpd stays for the next connection, with STARTTLS and without" {
	export TLS_SESSIONS=1
	mail_home
	tls_server --resident 2 127.0.0.1 0 smtpd
	count=0
	for how in start plain start start; do
		smtp "$PORT" $how
		count=$((count + 1))
		wait_for logged '^tcpserver: end [0-9]* status 0$' $count
	done
	[ "$(sed -n 's/^tcpserver: pid \([0-9]*\) from .*/\1/p' log | sort -u | wc -l)" = 1 ]
	[ "$(grep -c '^tls: ok' log)" = 3 ]
	[ "$(ls home/Maildir/new | wc -l)" = 4 ]
	wait_for eval '[ -z "$(pgrep -P "$MASTER")" ]'
}

@test "sessions while processes for others end and start lose nothing" {
	export TLS_SESSIONS=2
	mail_home
	tls_server -c 40 --resident 16 127.0.0.1 0 smtpd
	client churn "$PORT" 400
	[ "$output" = '400 of 400' ] || { echo "$output"; tail -n 5 log; false; }
}

@test "smtpd stays in wrap mode too, also when the next connection makes it start anew" {
	mail_home
	tls_server --tls-mode=wrap --resident 2 127.0.0.1 0 smtpd
	for count in 1 2; do
		smtp "$PORT" wrap
		wait_for logged '^tcpserver: end [0-9]* status 0$' $count
	done
	[ "$(sed -n 's/^tcpserver: pid \([0-9]*\) from .*/\1/p' log | sort -u | wc -l)" = 1 ]
	echo mx2.example.org >home/control/me
	smtp "$PORT" wrap
	[ "$(ls home/Maildir/new | wc -l)" = 3 ]
	wait_for logged '^tcpserver: end [0-9]* status 0$' 4 # one of them gave it back
	[ "$(sed -n 's/^tcpserver: pid \([0-9]*\) from .*/\1/p' log | sort -u | wc -l)" = 2 ]
	[ "$(grep -c '^tls: ok' log)" = 3 ]
}

@test "smtpd starts anew for a connection that it may not serve, and STARTTLS works there" {
	mail_home
	tls_server --resident 2 127.0.0.1 0 smtpd
	smtp "$PORT" start
	wait_for logged '^tcpserver: end [0-9]* status 0$'
	echo mx2.example.org >home/control/me
	smtp "$PORT" start
	[ "$(ls home/Maildir/new | wc -l)" = 2 ]
	[ "$(grep -c '^tls: ok' log)" = 2 ]
}
