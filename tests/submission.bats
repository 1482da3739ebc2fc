#!/usr/bin/env bats
# Submission as mail programs do it: real clients, TLS that they verify, AUTH against a file of hashes, both on the
# port where TLS is asked for (587: start) and where it is there from the first byte (465: wrap).

# shellcheck disable=SC2030,SC2031 # each test is a process of its own
bats_require_minimum_version 1.5.0
load helpers
load peers

setup_file() {
	command -v openssl >/dev/null || return 0
	cd "$BATS_FILE_TMPDIR" || return 1
	mkdir mx.example.org
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=mx.example.org \
		-addext subjectAltName=DNS:mx.example.org,IP:127.0.0.1 -addext extendedKeyUsage=serverAuth \
		-keyout mx.example.org/privkey.pem -out mx.example.org/fullchain.pem 2>/dev/null
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	PATH=$BIN:$PATH
	requires openssl openssl
	requires python3 python3
	unset SMTPAUTH SMTPAUTHTLS SMTPAUTHUSER SMTPS TLS_ALPN TLS_TIMEOUT
	own_folder memory
	mail_home "$OWN/home"
	CERTIFICATE=$BATS_FILE_TMPDIR/mx.example.org/fullchain.pem
	export CHECKPASSWORD_FILE=$PWD/users
	(umask 077; echo secret | checkpassword-file --hash joe >users)
	printf 'From: a@b.example\r\nSubject: x\r\n\r\nx\r\n' >mail
}

teardown() {
	stop_postfix
	stop_all
	remove_own_folder
}

# submission MODE: a server. Its clients may relay when it knows them.
submission() {
	[ -z "${SERVER-}" ] || stop "$SERVER"
	start_server -vRHl0 --tls "$BATS_FILE_TMPDIR" --tls-mode="$1" 127.0.0.1 0 smtpd checkpassword-file true
}

files() {
	find "$MAILDIR/new" -type f | wc -l
}

has_arrived() {
	[ "$(files)" -ge "$1" ]
}

# arrived COUNT WORD: so many messages have come, each by that protocol with TLS. The next ones are counted anew.
arrived() {
	wait_for has_arrived "$1"
	[ "$(files)" = "$1" ]
	[ "$(grep -lE "^  by .* with $2 \(TLSv1\.[23] [A-Z0-9_-]+\); " "$MAILDIR"/new/* | wc -l)" = "$1" ]
	rm "$MAILDIR"/new/*
}

# known COUNT: such messages are of joe.
known() {
	[ "$(grep -l '^Received: from .* (joe@127\.0\.0\.1)$' "$MAILDIR"/new/* | wc -l)" = "$1" ]
	arrived "$1" ESMTPSA
}

# nothing: no message has come, and so many wrong passwords were told of.
nothing() {
	[ "$(files)" = 0 ]
	[ "$(grep -c 'stage=auth code=535 ' log)" = "$1" ]
}

# ---- mail programs -----------------------------------------------------------------------------------------------

swaks_joe() {
	swaks --server 127.0.0.1 --port "$PORT" --helo client.example --from a@b.example --to u@elsewhere.example \
		--timeout 20 --tls-verify --tls-ca-path "$CERTIFICATE" "$@"
}

@test "swaks: STARTTLS and TLS from the start, PLAIN and LOGIN, right, wrong and none" {
	requires swaks swaks
	local mode mechanism tls

	for mode in start wrap; do
		submission $mode
		tls=--tls
		[ $mode = start ] || tls=--tls-on-connect
		for mechanism in PLAIN LOGIN; do
			run -0 swaks_joe $tls --auth $mechanism --auth-user joe --auth-password secret
			grep -qE '^<~  250-AUTH PLAIN LOGIN' <<<"$output"
			run ! grep -E '^<-  .*(AUTH|235)' <<<"$output"
		done
		known 2
		run -28 swaks_joe $tls --auth PLAIN --auth-user joe --auth-password wrong
		run -28 swaks_joe $tls --auth LOGIN --auth-user jim --auth-password secret
		run -24 swaks_joe $tls
		grep -q '^<~\* 553 5.7.1 ' <<<"$output"
		nothing 2
	done
}

@test "swaks without TLS finds no AUTH, and may not relay" {
	requires swaks swaks
	submission start
	run -28 swaks_joe --auth PLAIN --auth-user joe --auth-password secret
	grep -q '^<-  250-STARTTLS' <<<"$output"
	run ! grep AUTH= <<<"$output"
	run ! grep -E '250.AUTH' <<<"$output"
	run -24 swaks_joe
	nothing 0
	run -0 swaks_joe --to u@example.org
	grep -qE '^  by .* with ESMTP; ' "$MAILDIR"/new/*
}

# msmtp_joe PASSWORD OPTION...
msmtp_joe() {
	local password=$1
	shift

	msmtp --file=/dev/null --host=127.0.0.1 --port="$PORT" --user=joe --passwordeval="echo $password" \
		--tls-trust-file="$CERTIFICATE" --from=a@b.example --timeout=20 "$@" u@elsewhere.example <mail
}

@test "msmtp: STARTTLS and TLS from the start, PLAIN and LOGIN, right, wrong and none" {
	requires msmtp msmtp
	local mode mechanism tls

	for mode in start wrap; do
		submission $mode
		tls=--tls-starttls=on
		[ $mode = start ] || tls=--tls-starttls=off
		for mechanism in plain login; do
			run -0 msmtp_joe secret --tls=on $tls --auth=$mechanism
		done
		known 2
		run -77 msmtp_joe wrong --tls=on $tls --auth=plain
		run -77 msmtp_joe wrong --tls=on $tls --auth=login
		run ! msmtp_joe secret --tls=on $tls --auth=off
		[[ "$output" = *'553 5.7.1 '* ]]
		nothing 2
	done
	submission start
	run -69 msmtp_joe secret --tls=off --auth=plain
	[[ "$output" = *'does not support authentication'* ]]
	nothing 0
}

@test "curl: smtp: with --ssl-reqd, and smtps:, PLAIN and LOGIN, right, wrong and none" {
	requires curl curl
	local mode mechanism scheme

	curl_joe() {
		curl -sS -v --max-time 20 --ssl-reqd --cacert "$CERTIFICATE" --url "$scheme://127.0.0.1:$PORT/client.example" \
			--mail-from a@b.example --mail-rcpt u@elsewhere.example -T mail "$@"
	}
	for mode in start wrap; do
		submission $mode
		scheme=smtp
		[ $mode = start ] || scheme=smtps
		for mechanism in PLAIN LOGIN; do
			run -0 curl_joe --user joe:secret --login-options AUTH=$mechanism
			[ "$(grep -c '^< 250-AUTH' <<<"$output")" = 1 ] # of two EHLO the second
			[ "$(grep -c '^< 250-STARTTLS' <<<"$output")" = "$([ $mode = start ] && echo 1 || echo 0)" ]
		done
		known 2
		run -67 curl_joe --user joe:wrong
		run -55 curl_joe
		[[ "$output" = *'< 553 5.7.1 '* ]]
		nothing 1
	done
}

@test "Python's smtplib: starttls and SMTP_SSL, PLAIN and LOGIN, right, wrong and none" {
	local mode

	for mode in start wrap; do
		submission $mode
		run -0 timeout 60 python3 -B "$BATS_TEST_DIRNAME/submission.py" $mode "$PORT" "$CERTIFICATE"
		known 4
		nothing 2
	done
}

@test "nodemailer: requireTLS and secure, PLAIN and LOGIN, right, wrong and none" {
	requires node nodejs
	export NODE_PATH=${NODE_PATH:+$NODE_PATH:}/usr/share/nodejs
	node -e 'require("nodemailer")' 2>/dev/null || skip 'needs nodemailer: apt install node-nodemailer'
	local mode

	for mode in start wrap; do
		submission $mode
		run -0 timeout 60 node "$BATS_TEST_DIRNAME/submission.js" $mode "$PORT" "$CERTIFICATE"
		known 2
		nothing 2
	done
}

# ---- by hand -----------------------------------------------------------------------------------------------------

# hear CODE: the next reply, in REPLY.
hear() {
	local line

	REPLY=
	while IFS= read -r -t 10 -u 6 line && REPLY+=$line$'\n' && [[ "$line" = ???-* ]]; do :; done
	[ "${line:0:3}" = "$1" ] || { echo "heard: $REPLY$line"; false; }
}

tell() {
	printf '%s\n' "$1" >&5 # -crlf puts the CR
	hear "$2"
}

@test "openssl s_client, by hand: AUTH is offered behind the handshake, and relays" {
	local mode starttls

	for mode in start wrap; do
		submission $mode
		starttls=()
		[ $mode = wrap ] || starttls=(-starttls smtp -name client.example)
		coproc TALK { exec timeout 30 openssl s_client -quiet -crlf -verify_return_error -CAfile "$CERTIFICATE" \
			-verify_hostname mx.example.org "${starttls[@]}" -connect "127.0.0.1:$PORT" 2>>openssl.log 3>&-; }
		exec 5>&"${TALK[1]}" 6<&"${TALK[0]}"
		[ $mode = start ] || hear 220 # before STARTTLS s_client hears it itself
		tell 'EHLO client.example' 250
		[[ "$REPLY" = *$'\n250-AUTH PLAIN LOGIN\r\n'* && "$REPLY" != *STARTTLS* ]]
		tell 'MAIL FROM:<a@b.example>' 250
		tell 'RCPT TO:<u@elsewhere.example>' 553
		tell RSET 250
		tell "AUTH PLAIN $(printf '\0joe\0wrong' | base64)" 535
		tell "AUTH PLAIN $(printf '\0joe\0secret' | base64)" 235
		tell 'MAIL FROM:<a@b.example>' 250
		tell 'RCPT TO:<u@elsewhere.example>' 250
		tell DATA 354
		tell $'Subject: x\n\nx\n.' 250
		tell QUIT 221
		exec 5>&- 6<&-
		known 1
		nothing 1
	done
}

# ---- another server ----------------------------------------------------------------------------------------------

@test "Postfix relays to us by TLS only, and without AUTH no further" {
	requires_postfix
	local mode wrap

	for mode in start wrap; do
		submission $mode
		wrap=no
		[ $mode = start ] || wrap=yes
		start_postfix "$(free_port 127.0.0.1)" "smtp_tls_security_level = encrypt
smtp_tls_wrappermode = $wrap
smtp_tls_CAfile = $CERTIFICATE
smtp_tls_loglevel = 1"
		helper inject "$POSTFIX_PORT" 5
		arrived 5 ESMTPS
		grep -q 'Trusted TLS connection established to 127.0.0.1' "$OWN/postfix/log"
		timeout 20 python3 -c 'import smtplib, sys
smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=10).sendmail("", "u@elsewhere.example", "Subject: x\r\n\r\nx\r\n")' \
			"$POSTFIX_PORT"
		wait_for grep -q 'to=<u@elsewhere.example>.* status=bounced (host .* said: 553 5.7.1 ' "$OWN/postfix/log"
		[ "$(files)" = 0 ]
		stop_postfix
		rm -r "$OWN/postfix"
	done
}

# ---- what is offered ---------------------------------------------------------------------------------------------

# scan OPTION...: what sslscan finds: nothing old, and no cipher that is not AEAD with a key of its own.
scan() {
	run -0 timeout 60 sslscan --no-colour "$@" "127.0.0.1:$PORT"
	for line in 'SSLv2 *disabled' 'SSLv3 *disabled' 'TLSv1\.0 *disabled' 'TLSv1\.1 *disabled' 'TLSv1\.2 *enabled' \
		'TLSv1\.3 *enabled' 'Server supports TLS Fallback SCSV' \
		'Session renegotiation not supported' 'TLSv1\.2 not vulnerable to heartbleed'; do
		grep -qE "^$line" <<<"$output" || { echo "no $line in: $output"; false; }
	done
	[[ "$output" != *'Compression enabled'* ]]
	accepted=$(grep -E '^(Preferred|Accepted) ' <<<"$output")
	[ "$(wc -l <<<"$accepted")" -ge 5 ]
	run ! grep -vE ' (256|128) bits +(TLS_(AES_(128|256)_GCM_SHA(256|384)|CHACHA20_POLY1305_SHA256)|ECDHE-(RSA|ECDSA)-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)) ' <<<"$accepted"
}

@test "sslscan: no protocol before TLS 1.2, no weak cipher, no compression, in both modes" {
	requires sslscan sslscan
	local mode

	submission start
	scan --starttls-smtp
	submission wrap
	scan
}
