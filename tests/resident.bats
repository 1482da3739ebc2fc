#!/usr/bin/env bats
# Programs that stay for the next connection: smtpd with a server played by resident.py, then with tcpserver.

bats_require_minimum_version 1.5.0
load helpers

# played SCENARIO: resident.py says in TAP what it saw; it is shown when something is wrong.
played() {
	run timeout 60 python3 "$BATS_TEST_DIRNAME/resident.py" "$BIN" "$1"
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	[[ "$output" == *ok* ]]
}

@test "smtpd serves connection after connection, each as its first" {
	played serves
}

@test "smtpd keeps no byte of a former client" {
	! grep -q __asan_init "$BIN/smtpd" || skip 'the sanitizer keeps shadows of what was there'
	played memory
}

@test "the bound on connections is kept" {
	played bound
}

@test "a control file that changed counts from the next connection" {
	played controls
}

@test "the environment is replaced as a whole, for smtpd and for its queue program" {
	played environment
}

@test "a packet that is wrong ends the program, and a program that ends is seen" {
	played packets
}

@test "while a queue program runs, the end of smtpd is seen" {
	played broker
}

@test "RESIDENT without such a socket is nobody's" {
	played stranger
}

@test "the program of portero-resident(7) does what the page says" {
	requires cc gcc
	played example
}

# ---- with tcpserver -------------------------------------------------------------------------------------

resident_server() {
	tcpserver --help | grep -q -- --resident || skip 'this tcpserver has no --resident'
	export PORTERO_HOME=$PWD/home
	export QMAILQUEUE="$BIN/queue-maildir $PORTERO_HOME/Maildir"
	unset RELAYCLIENT
	mkdir -p home/control home/Maildir/{tmp,new,cur}
	echo mx.example.org >home/control/me
	echo example.org >home/control/rcpthosts
	start_server -v -R -H -l0 "$@"
}

session() {
	dialogue "$PORT" $'HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<u@example.net>\r\nQUIT\r\n'
}

pids() {
	sed -n 's/^tcpserver: pid \([0-9]*\) from .*/\1/p' log
}

@test "tcpserver hands the next connection to the process that is there" {
	resident_server --resident 2 127.0.0.1 0 smtpd
	for round in 1 2 3; do
		run -0 session
		[[ "$output" == *$'\n221 '* ]]
		wait_for logged '^tcpserver: end [0-9]* status 0$' "$round"
	done
	[ "$(pids | wc -l)" = 3 ]
	[ "$(pids | sort -u | wc -l)" = 1 ]
	kill -0 "$(pids | head -n 1)"
	stop "$SERVER"
	wait_for eval '! kill -0 "$(pids | head -n 1)" 2>/dev/null'
}

@test "tcpserver: a crash costs one connection" {
	resident_server --resident 2 127.0.0.1 0 smtpd
	session >/dev/null
	wait_for logged '^tcpserver: end [0-9]* status 0$'
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	read -r -t 10 -u 5 greeting
	[[ "$greeting" == 220* ]]
	kill -KILL "$(pids | tail -n 1)"
	wait_for logged '^tcpserver: end [0-9]* status 9$'
	exec 5>&-
	run -0 session
	[[ "$output" == *$'\n221 '* ]]
	wait_for logged '^tcpserver: end [0-9]* status 0$' 2
	[ "$(pids | sort -u | wc -l)" = 2 ]
}

@test "tcpserver: the bound, and a changed control file" {
	resident_server --resident 2:2 127.0.0.1 0 smtpd
	for round in 1 2 3; do
		session >/dev/null
		wait_for logged '^tcpserver: end [0-9]* status 0$' "$round"
	done
	[ "$(pids | sort -u | wc -l)" = 2 ]
	run -0 session
	[[ "$output" == *$'\n553 '* ]]
	wait_for logged '^tcpserver: end [0-9]* status 0$' 4
	session >/dev/null
	wait_for logged '^tcpserver: end [0-9]* status 0$' 5
	echo example.net >home/control/rcpthosts
	run -0 session
	[[ "$output" != *$'\n553 '* ]]
	wait_for logged '^tcpserver: end [0-9]* status 0$' 6
}

@test "tcpserver: what a rule gave to one client, the next one has not" {
	printf '%s\n' '127.0.0.2:allow,RELAYCLIENT=""' ':allow' | rules rules
	resident_server --resident 2 -x rules.cdb 0 0 smtpd
	text=$'HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<u@example.net>\r\nQUIT\r\n'
	run -0 dialogue "$PORT" "$text"
	[[ "$output" == *$'\n553 '* ]]
	wait_for logged '^tcpserver: end [0-9]* status 0$'
	run -0 tcpclient -R -H -l0 -i 127.0.0.2 127.0.0.1 "$PORT" sh -c 'printf "%s" "$0" >&7; cat <&6' "$text"
	[[ "$output" != *$'\n553 '* ]]
	wait_for logged '^tcpserver: end [0-9]* status 0$' 2
	run -0 dialogue "$PORT" "$text"
	[[ "$output" == *$'\n553 '* ]]
	[ "$(pids | sort -u | wc -l)" = 1 ]
}

@test "tcpserver: a program of one connection serves as ever, and is told of once" {
	resident_server --resident 2 127.0.0.1 0 sh -c 'echo "$TCPREMOTEIP"'
	for round in 1 2; do
		run -0 connect "$PORT"
		[ "$output" = 127.0.0.1 ]
		wait_for logged '^tcpserver: end [0-9]* status 0$' "$round"
	done
	[ "$(pids | sort -u | wc -l)" = 2 ]
	[ "$(grep -c '^tcpserver: warning' log)" = 1 ]
}

# Who comes without a pause left none for a look at who was free: every third client started a program.
@test "tcpserver: clients without a pause are handed to programs that are free again" {
	resident_server --resident 8 127.0.0.1 0 smtpd
	python3 - "$PORT" <<-'END'
		import socket, sys
		from concurrent.futures import ThreadPoolExecutor

		def session(_):
		    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) as s:
		        s.recv(1000)
		        s.sendall(b"QUIT\r\n")
		        while s.recv(1000):
		            pass

		with ThreadPoolExecutor(8) as pool:
		    list(pool.map(session, range(400)))
	END
	wait_for logged '^tcpserver: end [0-9]* status 0$' 400
	[ "$(pids | wc -l)" = 400 ]
	[ "$(pids | sort -u | wc -l)" -lt 30 ] || { pids | sort -u | wc -l; false; }
}
