#!/usr/bin/env bats
# What the RFCs ask of an SMTP server (tests/conformance), asked of smtpd in every way that it is started in, and
# of a server with planted faults, each of which must be noticed.

bats_require_minimum_version 1.5.0
load helpers
load peers

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	PATH=$BIN:$PATH
	requires python3 python3
	own_folder memory
	mail_home "$OWN/home"
	echo 1000000 >"$PORTERO_HOME/control/databytes"
	unset TCPREMOTEHOST TCPREMOTEINFO TCPREMOTEIP TCPLOCALHOST TCPLOCALIP SMTPNEWLINE SMTPAUTH SMTPAUTHTLS SMTPAUTHUSER
	export QUEUECAN='SMTPUTF8 DSN BINARYMIME REQUIRETLS' # so that these are asked for too
	export DNSCACHEIP=127.0.0.1:1 # tcp-env asks for names: nobody answers there, at once
}

teardown() {
	stop_all
	remove_own_folder
}

# What the way of starting could change: a process for each client is the whole cost of these tests, so grammar is
# judged where it is cheap.
NOT_GRAMMAR='^(greeting|ehlo|helo|quit|split|order|text|trace|pipelining.*[^t]$|bdat|foreign|limit|hops)'

# conforms AT_LEAST ARGUMENT...: so many cases are passed, and none is failed.
conforms() {
	local passed least=$1
	shift

	python3 -B "$BATS_TEST_DIRNAME/conformance" --valid user@example.org --maildir "$MAILDIR" "$@" >out || {
		cat out
		return 1
	}
	passed=$(sed -n 's/^\([0-9]*\) passed, 0 failed.*/\1/p' out)
	[ "$passed" -ge "$least" ]
	echo "# $(tail -n 1 out)" >&3
}

@test "smtpd alone" {
	TCPREMOTEIP=192.0.2.7 conforms 200 --spawn "$BIN/smtpd" --only "$NOT_GRAMMAR"
}

@test "smtpd under tcpserver" {
	start_server -H -R -l0 127.0.0.1 0 smtpd
	conforms 200 --port "$PORT" --only "$NOT_GRAMMAR"
}

@test "smtpd under tcpserver --resident" {
	start_server -H -R -l0 --resident 8 127.0.0.1 0 smtpd
	conforms 600 --port "$PORT"
}

# A key for the helper of --tls, in the folder "tls".
certificate() {
	requires openssl openssl
	mkdir -p tls/mx.example.org
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=mx.example.org \
		-keyout tls/mx.example.org/privkey.pem -out tls/mx.example.org/fullchain.pem 2>/dev/null
}

# A user for the checker, and for --auth.
user() {
	export CHECKPASSWORD_FILE=$PWD/users
	(umask 077; echo secret | checkpassword-file --hash joe >users)
}

@test "smtpd under tcpserver --tls" {
	certificate
	user
	start_server -H -R -l0 --tls tls --tls-mode=start 127.0.0.1 0 smtpd checkpassword-file true
	conforms 110 --port "$PORT" --auth joe:secret --only '^(starttls|requiretls|ehlo|auth)'
}

@test "smtpd under tcpserver --tls-mode=wrap" {
	certificate
	user
	start_server -H -R -l0 --tls tls --tls-mode=wrap 127.0.0.1 0 smtpd checkpassword-file true
	conforms 90 --port "$PORT" --tls wrap --auth joe:secret --only '^(wrap|requiretls|ehlo|auth)'
}

@test "smtpd under tcpserver, with SMTPAUTH=clear" {
	user
	export SMTPAUTH=clear
	start_server -H -R -l0 --resident 8 127.0.0.1 0 smtpd checkpassword-file true
	conforms 50 --port "$PORT" --auth joe:secret --only '^auth\.(?!not-in-plain-text)' # that is what clear asks for
}

@test "smtpd under inetd" {
	program_of openbsd-inetd /usr/sbin/inetd
	echo "$QMAILQUEUE" >"$PORTERO_HOME/control/queue"
	unset QMAILQUEUE
	PORT=$(free_port 127.0.0.1)
	# .N: so many a minute
	echo "127.0.0.1:$PORT stream tcp nowait.100000 $(id -un) $BIN/tcp-env tcp-env -R $BIN/qmail-smtpd" >inetd.conf
	background "$PROGRAM" -d -E "$PWD/inetd.conf" 2>log
	wait_for listens 127.0.0.1 "$PORT"
	conforms 200 --port "$PORT" --only "$NOT_GRAMMAR"
}

@test "the cases have names, sections and sentences, and are more than 300" {
	run -0 python3 -B "$BATS_TEST_DIRNAME/conformance" --list
	[[ "${lines[-1]}" =~ ^([0-9]+)' cases'$ ]]
	[ "${BASH_REMATCH[1]}" -gt 300 ]
	[ "$(grep -cP '^\S+\tRFC \d{4,5}( [\d.]+)?\t\S.*[.)]$' <<<"$output")" = "${BASH_REMATCH[1]}" ]
}

@test "a fault is noticed, and a server without one passes" {
	requires openssl openssl
	python3 -B "$BATS_TEST_DIRNAME/conformance/faulty.py" >faults || {
		grep -A 10 '^not ok' faults
		false
	}
	echo "# $(grep -c '^ok .*noticed' faults) planted faults noticed" >&3
}
