#!/usr/bin/env bats
# tcpserver: what ucspi-tcp's has not: limits, sockets, being replaced, the log in JSON.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, so what it sets is its own
bats_require_minimum_version 1.5.0
load helpers

py() {
	python3 -B "$BATS_TEST_DIRNAME/server.py" "$@"
}

# ---- limits

@test "-C: so many at once from one address; another address is served" {
	start_server -v -HRl0 -C 2 0 0 sh -c 'echo hello; cat'
	run -0 py crowd "$PORT" 127.0.0.2 4 127.0.0.3 1
	[ "$output" = '127.0.0.2: 2 served, 2 refused
127.0.0.3: 1 served, 0 refused' ]
	wait_for logged '^tcpserver: limit [0-9]* address$' 2
	wait_for logged '^tcpserver: deny [0-9]* 0:127.0.0.1:[0-9]* :127.0.0.2::[0-9]*$' 2
}

@test "--net: so many at once from one network" {
	start_server -v -HRl0 --net 24:3 0 0 sh -c 'echo hello; cat'
	run -0 py crowd "$PORT" 127.0.2.1 2 127.0.2.2 2 127.0.3.1 1
	[ "$output" = '127.0.2.1: 2 served, 0 refused
127.0.2.2: 1 served, 1 refused
127.0.3.1: 1 served, 0 refused' ]
	wait_for logged '^tcpserver: limit [0-9]* net$'
}

@test "--rate: so many new ones in so long" {
	start_server -v -HRl0 --rate 3/60 0 0 echo hello
	run -0 py crowd "$PORT" 127.0.0.2 5 127.0.0.3 1
	[ "$output" = '127.0.0.2: 3 served, 2 refused
127.0.0.3: 1 served, 0 refused' ]
	wait_for logged '^tcpserver: limit [0-9]* rate$' 2
}

@test "MAXCONNIP, MAXCONNC and RATE in a rule, with DIEMSG for who is refused" {
	rules r <<-'EOF'
		127.0.0.2:allow,MAXCONNIP="1",DIEMSG="421 one is enough"
		127.0.0.3:allow,RATE="2/60",DIEMSG="421 slowly"
		127.0.4.:allow,MAXCONNC="1"
		127.0.5.:allow,MAXCONNNET="24:1"
		127.0.0.9:deny,DIEMSG="554 go away"
		:allow
	EOF
	start_server -v -HRl0 -x r.cdb 0 0 sh -c 'echo hello; cat'
	run -0 py crowd "$PORT" 127.0.0.2 2 127.0.0.3 3 127.0.4.1 1 127.0.4.2 1 127.0.5.1 2 127.0.0.4 3
	[ "$output" = '127.0.0.2: 1 served, 1 refused with 421 one is enough
127.0.0.3: 2 served, 1 refused with 421 slowly
127.0.4.1: 1 served, 0 refused
127.0.4.2: 0 served, 1 refused
127.0.5.1: 1 served, 1 refused
127.0.0.4: 3 served, 0 refused' ]
	run -0 py crowd "$PORT" 127.0.0.9 1
	[ "$output" = '127.0.0.9: 0 served, 1 refused with 554 go away' ]
}

@test "a limit in a rule that is no number lets nobody in, and says so" {
	rules r <<<':allow,MAXCONNIP="many"'
	start_server -v -HRl0 -x r.cdb 0 0 echo hello
	run -0 py crowd "$PORT" 127.0.0.1 1
	[ "$output" = '127.0.0.1: 0 served, 1 refused' ]
	wait_for logged 'warning: dropping connection, r.cdb: the value of MAXCONNIP is none'
}

@test "--penalty: who made the program end badly waits" {
	start_server -v -HRl0 --penalty 7:60 0 0 sh -c 'echo hello; exit 7'
	[ "$(connect "$PORT")" = hello ]
	wait_for logged 'end [0-9]* status 1792'
	run -0 py crowd "$PORT" 127.0.0.1 1 127.0.0.2 1
	[ "$output" = '127.0.0.1: 0 served, 1 refused
127.0.0.2: 1 served, 0 refused' ]
	wait_for logged '^tcpserver: limit [0-9]* penalty$'
}

@test "wrong values of the new options are refused" {
	local text
	for text in '-C 0' '--net 24' '--net 33:5' '--rate 5' '--rate 0/5' '--penalty 300:5' '--log xml' '--drain -1' '--resident 0' '--ready-fd x'; do
		# shellcheck disable=SC2086 # an option and its value
		run timeout 5 tcpserver $text 0 0 true
		[ "$status" -eq 100 ] || { echo "$text: $status $output"; false; }
	done
}

# ---- pressure

@test "who must make room sees the end of his connection, and his program the end of its input" {
	start_server -v -HRl0 -c 2 0 0 sh -c 'trap "" TERM; echo hello; cat; echo "$TCPREMOTEIP" >>ended'
	run -0 py crowd_out "$PORT" 127.0.0.2 2 127.0.0.3
	[ "$output" = 'served, and the other one reads the end' ]
	wait_for logged '^tcpserver: shed '
	[ "$(head -n 1 ended)" = 127.0.0.2 ]
}

@test "a connection that was reset before its turn costs no process, and no line" {
	start_server -v -HRl0 0 0 echo hello
	kill -STOP "$SERVER"
	run -0 py resets "$PORT" 20
	kill -CONT "$SERVER"
	[ "$(connect "$PORT")" = hello ]
	wait_for logged '^tcpserver: end '
	[ "$(grep -c '^tcpserver: pid ' log)" -eq 1 ]
}

# ---- sockets

@test "any: both families, each its own socket; --listen: further ones" {
	[ -e /proc/net/if_inet6 ] || skip 'no IPv6 here'
	start_server -v -HRl0 --listen unix:sock any 0 sh -c 'echo "$PROTO $TCPREMOTEIP$UNIXLOCALPATH $UNIXREMOTEEUID"'
	[ "$(connect "$PORT")" = 'TCP 127.0.0.1 ' ]
	[ "$(connect "$PORT" '' ::1)" = 'TCP ::1 ' ]
	run -0 py unix sock
	[ "$output" = "UNIX sock $(id -u)" ]
	wait_for logged '^tcpserver: ok [0-9]* 0:unix:0 :unix::0$'
}

@test "a Unix socket alone, with rules for it; a socket that nobody listens on any more is taken over" {
	rules r <<<'unix:allow,HELLO="you"'
	start_server -v -HRl0 -x r.cdb unix:sock sh -c 'echo "$HELLO"'
	run -0 py unix sock
	[ "$output" = you ]
	run timeout 5 tcpserver -HRl0 unix:sock true
	[ "$status" -eq 111 ]
	kill -KILL "$SERVER"
	start_server -HRl0 unix:sock echo again
	run -0 py unix sock
	[ "$output" = again ]
}

@test "systemd-socket-activate starts it with the socket open" {
	requires systemd-socket-activate systemd
	PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	background systemd-socket-activate -l "127.0.0.1:$PORT" -E "PATH=$PATH" \
		tcpserver -HRl0 0 1 sh -c 'echo "hello $LISTEN_FDS$LISTEN_PID"'
	wait_for grep -q "$(printf ':%04X' "$PORT") 00000000:0000 0A" /proc/net/tcp
	[ "$(connect "$PORT")" = 'hello ' ]
}

@test "readiness: --ready-fd and NOTIFY_SOCKET, which the program does not see" {
	background py notify notify.sock ready
	wait_for test -S notify.sock
	NOTIFY_SOCKET=$PWD/notify.sock start_server --ready-fd 1 -HRl0 0 0 sh -c 'echo "<$NOTIFY_SOCKET>"'
	wait_for grep -qx READY=1 ready
	[ "$(wc -l <port)" -eq 2 ]
	[ "$(connect "$(head -n 1 port)")" = '<>' ]
}

@test "an address that is not there yet is waited for, with one line" {
	background tcpserver -HRl0 192.0.2.1 0 true 2>log
	wait_for grep -q '192.0.2.1 is no address of this machine yet' log
	kill -0 "$PID"
}

@test "an address that comes later is served without a restart" {
	requires ip iproute2
	unshare -rn true 2>/dev/null || skip 'needs unshare -rn (user namespaces are off)'
	# shellcheck disable=SC2016 # it is the inner shell that expands
	run -0 unshare -rn sh -c '
		ip link set lo up
		tcpserver -HRl0 192.0.2.1 2525 echo hello 2>log &
		until grep -q "no address" log; do sleep 0.1; done
		ip addr add 192.0.2.1/32 dev lo
		python3 -c "import socket; print(socket.create_connection((\"192.0.2.1\", 2525), 30).recv(10))"
		kill $!'
	[ "$output" = "b'hello\\n'" ]
}

# ---- ending, and being replaced

@test "--drain: SIGTERM ends no session, and no new client is taken" {
	start_server -HRl0 --drain 10 0 0 sh -c 'echo in; read x; echo "$x"'
	run -0 py drain "$PORT" "$SERVER"
	[ "$output" = 'in, refused, bye' ]
	reap "$SERVER"
}

@test "--drain: a second SIGTERM ends at once, and so does --drain 0" {
	local seconds
	for seconds in 60 0; do
		start_server -HRl0 --drain $seconds 0 0 sh -c 'echo in; read x'
		exec 4<>"/dev/tcp/127.0.0.1/$PORT"
		read -r line <&4
		[ "$line" = in ]
		kill -TERM "$SERVER"
		if [ $seconds = 60 ]; then
			sleep 0.2
			kill -0 "$SERVER"
			kill -TERM "$SERVER"
		fi
		SECONDS=0
		reap "$SERVER"
		[ "$SECONDS" -lt 8 ]
		exec 4>&-
	done
}

@test "SIGUSR2: a new binary in the same process, no client refused, sessions go on and are counted" {
	start_server -v -HRl0 -c 100 0 0 sh -c 'echo in; read x; echo "$x"'
	run -0 py replace "$PORT" "$SERVER" "${REPLACE_CLIENTS:-1000}"
	[ "$output" = "${REPLACE_CLIENTS:-1000} served, 0 refused, the old session goes on" ]
	wait_for logged '^tcpserver: status: 0/100$' 2
	[ "$(grep -c '^tcpserver: ok ' log)" -eq "$(grep -c '^tcpserver: end ' log)" ]
}

@test "SIGUSR2: who was there before counts for -C, and no longer than he is there" {
	start_server -v -HRl0 -C 1 0 0 sh -c 'echo hello; cat'
	exec 4<>"/dev/tcp/127.0.0.1/$PORT"
	read -r line <&4
	kill -USR2 "$SERVER"
	wait_for logged '^tcpserver: status: 1/40$' 2
	run -0 py crowd "$PORT" 127.0.0.1 1
	[ "$output" = '127.0.0.1: 0 served, 1 refused' ]
	exec 4>&-
	wait_for logged '^tcpserver: status: 0/40$' 2
	run -0 py crowd "$PORT" 127.0.0.1 1
	[ "$output" = '127.0.0.1: 1 served, 0 refused' ]
}

@test "SIGUSR2 with a binary that cannot run: the old server goes on" {
	cp "$BIN/tcpserver" tcpserver
	background ./tcpserver -1 -HRl0 0 0 echo hello >port 2>log
	wait_for test -s port
	rm tcpserver
	mkdir tcpserver
	kill -USR2 "$PID"
	wait_for logged 'no new server takes over, unable to run ./tcpserver: '
	[ "$(connect "$(cat port)")" = hello ]
}

# ---- log

@test "--log=json: the same facts, and a reason" {
	rules r <<<$'127.0.0.2:deny\n:allow'
	start_server -v --log json -HRl0 -C 1 -x r.cdb 0 0 sh -c 'echo hello; cat'
	run -0 py crowd "$PORT" 127.0.0.1 2 127.0.0.2 1
	wait_for logged '"event":"end"' 3
	run -0 py json log
	[ "$output" = 'deny address
deny rule
end
limit address
ok rule
pid
status' ]
}

@test "a log that nobody reads does not stop the server; what is lost is counted" {
	run -0 py deaf_log "$BIN/tcpserver" 3000
	[[ "$output" =~ ^'3000 served, the log tells of '[1-9][0-9]*' dropped lines'$ ]]
}

@test "LD_PRELOAD in a rule lets nobody in, unless --unsafe-env" {
	rules r <<<':allow,LD_PRELOAD="/x.so",OK="yes"' 2>/dev/null
	start_server -HRl0 -x r.cdb 0 0 sh -c 'echo "$OK"'
	run -0 py crowd "$PORT" 127.0.0.1 1
	[ "$output" = '127.0.0.1: 0 served, 1 refused' ]
	wait_for logged 'a rule sets LD_PRELOAD'
	stop "$SERVER"
	start_server --unsafe-env -HRl0 -x r.cdb 0 0 sh -c 'echo "$OK"'
	[ "$(connect "$PORT")" = yes ]
}

@test "BANNER in a rule" {
	rules r <<<':allow,BANNER="220 you are special"'
	start_server -HRl0 -x r.cdb 0 0 true
	[ "$(connect "$PORT")" = '220 you are special' ]
}
