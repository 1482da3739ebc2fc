#!/usr/bin/env bats
# tcpserver: what it does differently from ucspi-tcp's, and what a comparison cannot show. The rest is
# tests/differential.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, so what it sets is its own
load helpers

# name_server ZONE...: see peers.py. Sets DNSCACHEIP.
name_server() {
	requires python3 python3
	rm -f dns.port
	background python3 "$BATS_TEST_DIRNAME/peers.py" dns "$@" >dns.port
	wait_for test -s dns.port
	DNSCACHEIP=127.0.0.1:$(cat dns.port)
	export DNSCACHEIP
}

# children: the processes of the server.
children() {
	cat "/proc/$SERVER/task/$SERVER/children"
}

has_children() {
	[ -n "$(children)" ]
}

ms() {
	date +%s%3N
}

# clients N: that many at once, each with its output in outN, until all were served.
clients() {
	local i pids=()

	for ((i = 1; i <= $1; i++)); do
		background connect "$PORT" >"out$i"
		pids+=("$PID")
	done
	for i in "${pids[@]}"; do
		reap "$i" || :
	done
}

refused() { # TEXT ARGUMENTS...
	local text=$1

	shift
	run timeout 5 tcpserver "$@" 0 0 true
	[ "$status" -eq 100 ] && [ "$output" = "tcpserver: fatal: $text" ]
}

# ---- command line

@test "numbers that are none are refused, not read as 0" {
	refused '-c: "0" is too small (1 to 1000000)' -c 0
	refused '-c: "abc" is not a decimal number (1 to 1000000)' -c abc
	refused '-c: "-5" is not a decimal number (1 to 1000000)' -c -5
	refused '-t: "5s" is not a decimal number (0 to 86400)' -t 5s
	refused '-b: "99999999999999999999" is too large (0 to 1000000)' -b 99999999999999999999
}

@test "a port above 65535 is refused" {
	run timeout 5 tcpserver 0 65536 true
	[ "$status" -eq 100 ]
	[ "$output" = 'tcpserver: fatal: port: "65536" is too large (0 to 65535)' ]
}

@test "names for -u and -g are looked up, and unknown ones refused" {
	refused '-u: "no-such-user" is no user of this system' -u no-such-user
	refused '-g: "no-such-group" is no group of this system' -g no-such-group
	refused '-u: "12x" is not a decimal number' -u 12x
	refused '-u: "4294967295" is too large' -u 4294967295
}

@test "-u nobody -g daemon is nobody in daemon" {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	chmod 755 .
	start_server -HRl0 -u nobody -g daemon 0 0 sh -c 'id -un; id -gn; id -Gn'
	[ "$(connect "$PORT" | tr '\n' ' ')" = "nobody daemon daemon " ]
}

@test "-U without UID or GID is refused" {
	run env -u UID -u GID timeout 5 tcpserver -U 0 0 true
	[ "$status" -eq 100 ]
	[[ $output == "tcpserver: fatal: -U: UID is not set"* ]]
	run env -u GID UID=0 timeout 5 tcpserver -U 0 0 true
	[ "$status" -eq 100 ]
}

@test "--help, --version, other long options" {
	run tcpserver --help
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == "tcpserver: usage: "* ]]
	run tcpserver --version
	[ "$status" -eq 0 ]
	run tcpserver --nonsense 0 0 true
	[ "$status" -eq 100 ]
	[[ $output == "tcpserver: usage: "* ]]
}

# ---- addresses

@test ":: is IPv6 only, and IPv6 stands in brackets in the log" {
	[ -e /proc/net/if_inet6 ] || skip "no IPv6 here"
	start_server -v -HRl0 :: 0 sh -c 'echo $TCPREMOTEIP $TCPLOCALIP $PROTO'
	[ "$(connect "$PORT" '' ::1)" = "::1 ::1 TCP" ]
	run connect "$PORT"
	[ "$status" -ne 0 ]
	wait_for logged '^tcpserver: status: 0/40$' 2
	grep -q '^tcpserver: pid [0-9]* from \[::1\]$' log
	grep -q "^tcpserver: ok [0-9]* 0:\[::1\]:$PORT :\[::1\]::[0-9]*\$" log
}

@test "an address and a name as host" {
	start_server -HRl0 127.0.0.1 0 sh -c 'echo $TCPLOCALIP'
	[ "$(connect "$PORT")" = 127.0.0.1 ]
	stop "$SERVER"
	start_server -HRl0 localhost 0 sh -c 'echo $TCPLOCALIP'
	[ "$(connect "$PORT")" = 127.0.0.1 ]
	run timeout 10 tcpserver no-such-host.invalid 0 true
	[ "$status" -eq 111 ]
}

# ---- rules

@test "a refused client costs no process, and its number is above every pid" {
	echo '127.:deny' | rules x
	start_server -v -HRl0 -x x.cdb 0 0 true
	connect "$PORT"
	connect "$PORT"
	wait_for logged '^tcpserver: status: 0/40$' 3
	max=$(cat /proc/sys/kernel/pid_max)
	grep -qx "tcpserver: pid $((max + 1)) from 127.0.0.1" log
	grep -q "^tcpserver: deny $((max + 1)) 0:127.0.0.1:" log
	grep -qx "tcpserver: end $((max + 1)) status 25600" log
	grep -qx "tcpserver: end $((max + 2)) status 25600" log
	[ -z "$(children)" ]
}

@test "replaced rules count from the next connection" {
	echo '127.:deny' | rules x
	start_server -HRl0 -x x.cdb 0 0 echo in
	[ "$(connect "$PORT")" = "" ]
	echo '127.:allow' | rules x
	[ "$(connect "$PORT")" = in ]
	rm x.cdb
	[ "$(connect "$PORT")" = "" ]
	echo ':allow' | rules x
	[ "$(connect "$PORT")" = in ]
}

@test "rules that are a directory, cut, empty or damaged let nobody in, and the server lives on" {
	start_server -v -HRl0 -X -x x.cdb 0 0 echo in
	[ "$(connect "$PORT")" = in ]
	mkdir x.cdb
	[ "$(connect "$PORT")" = "" ]
	grep -qx 'tcpserver: warning: dropping connection, unable to read x.cdb: is a directory' log
	rmdir x.cdb
	echo '10.:deny' | rules x
	[ "$(connect "$PORT")" = in ]
	truncate -s -1 x.cdb
	[ "$(connect "$PORT")" = "" ]
	grep -qx 'tcpserver: warning: dropping connection, unable to read x.cdb: protocol error' log
	: >x.cdb
	[ "$(connect "$PORT")" = "" ]
	rm x.cdb
	[ "$(connect "$PORT")" = in ]
}

@test "without -v the reason of drops is given once a minute" {
	start_server -HRl0 -x missing.cdb 0 0 true
	connect "$PORT"
	connect "$PORT"
	connect "$PORT"
	[ "$(cat log)" = 'tcpserver: warning: dropping connection, unable to read missing.cdb: file does not exist' ]
}

# ---- names

@test "a name, in lower case, and its addresses confirm it" {
	name_server 1.0.0.127.in-addr.arpa=ptr:Mail.Example.COM mail.example.com=a:127.0.0.1
	printf '%s\n' '=mail.example.com:allow,R="1"' '=:allow,R="2"' ':allow,R="3"' | rules x
	start_server -v -R -x x.cdb 0 0 sh -c 'echo $TCPREMOTEHOST $TCPLOCALHOST $R'
	[ "$(connect "$PORT")" = "mail.example.com mail.example.com 1" ]
	wait_for logged '^tcpserver: status: 0/40$' 2
	grep -q "^tcpserver: ok [0-9]* mail.example.com:127.0.0.1:$PORT mail.example.com:127.0.0.1::" log
}

@test "a name that its addresses do not confirm is shown, but no rule hangs on it" {
	name_server 1.0.0.127.in-addr.arpa=ptr:friend.example friend.example=a:10.0.0.1
	printf '%s\n' '=friend.example:allow,R="1"' '=:allow,R="2"' ':allow,R="3"' | rules x
	start_server -R -x x.cdb 0 0 sh -c 'echo $TCPREMOTEHOST $R'
	[ "$(connect "$PORT")" = "friend.example 3" ]
	stop "$SERVER"
	start_server -Rp -x x.cdb 0 0 sh -c 'echo ${TCPREMOTEHOST-unset} $R'
	[ "$(connect "$PORT")" = "unset 3" ]
}

@test "without rules and -p nobody asks for the addresses of a name" {
	name_server 1.0.0.127.in-addr.arpa=ptr:friend.example friend.example=a:127.0.0.1
	start_server -Rl0 0 0 sh -c 'echo $TCPREMOTEHOST'
	[ "$(connect "$PORT")" = friend.example ]
	[ "$(cat asked)" = "1.0.0.127.in-addr.arpa 12" ]
}

@test "an IPv6 client has a name too" {
	[ -e /proc/net/if_inet6 ] || skip "no IPv6 here"
	local arpa

	arpa=1$(printf '.0%.0s' {1..31}).ip6.arpa
	name_server "$arpa=ptr:six.example" six.example=a:::1
	printf '%s\n' '=six.example:allow,R="1"' ':allow,R="3"' | rules x
	start_server -R -x x.cdb :: 0 sh -c 'echo $TCPREMOTEHOST $R'
	[ "$(connect "$PORT" '' ::1)" = "six.example 1" ]
}

@test "a name with bytes that are not printable is none" {
	for name in 'a\\x1b[2J.example' 'sp ace.example' 'e\\xff.example' 'nu\\x00l.example'; do
		name_server "1.0.0.127.in-addr.arpa=ptr:$name"
		start_server -Rl0 0 0 sh -c 'printf %s "${TCPREMOTEHOST-unset}"'
		run connect "$PORT"
		# a resolver may write such a byte as \DDD: what arrives is printable or nothing
		[[ $output == unset || $output != *[^!-~]* ]]
		[ -n "$output" ]
		stop "$SERVER"
	done
}

@test "a name server that says nothing holds a client for -t seconds, and nobody else" {
	name_server 1.0.0.127.in-addr.arpa=silent
	start_server -R -t 1 0 0 sh -c 'echo ${TCPREMOTEHOST-unset}'
	start=$(ms)
	clients 5
	took=$(($(ms) - start))
	[ "$(cat out1 out2 out3 out4 out5 | sort -u)" = unset ]
	[ "$took" -ge 900 ]
	[ "$took" -le 3500 ]
}

@test "the default deadline of all look-ups is 5 seconds" {
	name_server 1.0.0.127.in-addr.arpa=silent
	start_server -R 0 0 echo in
	start=$(ms)
	[ "$(connect "$PORT")" = in ]
	took=$(($(ms) - start))
	[ "$took" -ge 4500 ]
	[ "$took" -le 7500 ]
}

@test "while some wait for their names, they count against -c" {
	name_server 1.0.0.127.in-addr.arpa=silent
	start_server -v -R -t 2 -c 2 0 0 echo in
	clients 3
	grep -q '^tcpserver: status: 2/2$' log
	[ "$(grep -c 'status: 3/2' log)" -eq 0 ]
	wait_for logged '^tcpserver: end' 3
}

@test "the look-up process dies: who waits is served without names, and the next has one" {
	name_server 1.0.0.127.in-addr.arpa=silent
	start_server -v -R -t 5 0 0 sh -c 'echo ${TCPREMOTEHOST-unset}'
	background connect "$PORT" >out
	wait_for logged '^tcpserver: status: 1/40$'
	wait_for has_children
	helper=$(children | tr -d ' ')
	start=$(ms)
	kill -KILL "$helper"
	wait_for logged '^tcpserver: ok '
	[ $(($(ms) - start)) -lt 3000 ]
	[ "$(cat out)" = unset ]
	kill -0 "$SERVER"
	sleep 1.1 # at most one new helper a second
	background connect "$PORT" >out2
	wait_for has_children
}

@test "a stopped look-up process holds nobody for ever" {
	name_server 1.0.0.127.in-addr.arpa=ptr:a.example
	start_server -R -t 1 0 0 sh -c 'echo ${TCPREMOTEHOST-unset}'
	[ "$(connect "$PORT")" = a.example ]
	helper=$(children | tr -d ' ')
	kill -STOP "$helper"
	[ "$(connect "$PORT")" = unset ]
	kill -CONT "$helper"
	[ "$(connect "$PORT")" = a.example ]
}

@test "the look-up process ends with its server, even by SIGKILL" {
	name_server 1.0.0.127.in-addr.arpa=ptr:a.example
	start_server -R 0 0 true
	connect "$PORT"
	helper=$(children | tr -d ' ')
	kill -KILL "$SERVER"
	wait_for eval '! kill -0 $helper 2>/dev/null'
}

# in_namespace TEXT OPTIONS...: a server with ident in a network of its own, where port 113 is nobody's.
in_namespace() {
	requires python3 python3
	unshare -rn true 2>/dev/null || skip "needs unshare -rn (user namespaces are off)"
	cat >inside <<-EOF
		python3 "$BATS_TEST_DIRNAME/peers.py" ident "\$1" >ready &
		ident=\$!
		shift
		until [ -s ready ]; do sleep 0.02; done
		tcpserver -1v -Hl0 "\$@" >port 2>log &
		server=\$!
		until [ -s port ]; do sleep 0.02; done
		exec 4<>"/dev/tcp/127.0.0.1/\$(cat port)"
		timeout 9 cat <&4
		kill \$server \$ident
	EOF
	run timeout 20 unshare -rn python3 "$BATS_TEST_DIRNAME/peers.py" lo bash inside "$@"
}

@test "ident: the user of the client" {
	in_namespace '1, 2 : USERID : UNIX : jo e:x\r\n' 0 0 sh -c 'echo "[$TCPREMOTEINFO]$TCPREMOTEPORT , $TCPLOCALPORT"'
	[ "$output" = "[joe:x]$(tr -d '\r' <asked)" ]
	grep -q '^tcpserver: ok [0-9]* 0:127.0.0.1:[0-9]* :127.0.0.1:joe?x:[0-9]*$' log
}

@test "ident: an error is an empty user, which is set" {
	in_namespace '1, 2 : ERROR : NO-USER\r\n' 0 0 sh -c 'echo "[${TCPREMOTEINFO-unset}]"'
	[ "$output" = "[]" ]
}

@test "ident: bytes that are not printable are no answer" {
	in_namespace '1, 2 : USERID : UNIX : \x1b[2Jroot\r\n' 0 0 sh -c 'echo "[${TCPREMOTEINFO-unset}]"'
	[ "$output" = "[unset]" ]
}

@test "ident: a host that says nothing costs -t seconds" {
	in_namespace silent -t 1 0 0 sh -c 'echo "[${TCPREMOTEINFO-unset}]"'
	[ "$output" = "[unset]" ]
}

@test "ident: a rule for a user" {
	echo 'joe@127.0.0.1:deny' | rules x
	in_namespace 'a:b:c:joe\n' -x x.cdb 0 0 echo in
	[ "$output" = "" ]
	grep -q '^tcpserver: deny ' log
}

# ---- life

@test "SIGHUP does not end the server" {
	start_server -HRl0 0 0 echo in
	kill -HUP "$SERVER"
	[ "$(connect "$PORT")" = in ]
	kill -0 "$SERVER"
}

@test "SIGTERM ends it with 0, at once, and children live on" {
	start_server -HRl0 0 0 sh -c 'echo in; read x; echo still $x'
	exec 4<>"/dev/tcp/127.0.0.1/$PORT"
	read -r -t 5 line <&4
	[ "$line" = in ]
	stop "$SERVER"
	echo here >&4
	read -r -t 5 line <&4
	[ "$line" = "still here" ]
	exec 4>&-
}

@test "SIGTERM serves those who wait for their names first" {
	name_server 1.0.0.127.in-addr.arpa=silent
	start_server -v -R -t 1 0 0 echo in
	background connect "$PORT" >out
	wait_for logged '^tcpserver: status: 1/40$'
	stop "$SERVER"
	wait_for test -s out
	[ "$(cat out)" = in ]
}

@test "started with descriptors 0 to 2 closed it serves, and does not spin" {
	background sh -c 'exec tcpserver -HRl0 127.0.0.1 '"$((20000 + RANDOM % 10000))"' sh -c "ls -l /proc/self/fd" <&- >&- 2>&-'
	SERVER=$PID
	wait_for eval 'grep -q tcpserver /proc/$SERVER/comm'
	wait_for eval 'ls -l /proc/$SERVER/fd | grep -q signalfd'
	sleep 0.2
	read -r _ _ _ _ _ _ _ _ _ _ _ _ _ user system _ <"/proc/$SERVER/stat"
	[ $((user + system)) -le 10 ]
	for fd in 0 1 2; do
		[ "$(readlink "/proc/$SERVER/fd/$fd")" = /dev/null ]
	done
}

@test "out of descriptors it pauses, does not spin, and recovers" {
	name_server 1.0.0.127.in-addr.arpa=silent
	rm -f port
	background bash -c 'ulimit -n 12; exec tcpserver -1v -Rl0 -t 2 0 0 echo in >port 2>log'
	SERVER=$PID
	wait_for test -s port
	PORT=$(cat port)
	for i in 1 2 3 4 5 6 7 8; do
		background connect "$PORT" >"out$i"
	done
	wait_for logged 'unable to accept: process cannot open more files'
	read -r _ _ _ _ _ _ _ _ _ _ _ _ _ user system _ <"/proc/$SERVER/stat"
	before=$((user + system))
	sleep 0.5
	read -r _ _ _ _ _ _ _ _ _ _ _ _ _ user system _ <"/proc/$SERVER/stat"
	[ $((user + system - before)) -le 15 ]
	wait_for logged '^tcpserver: end [0-9]* status 0$' 8
	kill -0 "$SERVER"
}

@test "a child gets keepalive, and no other descriptor of ours" {
	requires python3 python3
	start_server -HRl0 0 0 python3 -c '
import os, socket
s = socket.socket(fileno=0)
print(s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
      s.getsockopt(socket.IPPROTO_IP, socket.IP_TOS), os.get_blocking(0), flush=True)'
	[ "$(connect "$PORT")" = "1 0 0 True" ]
	stop "$SERVER"
	start_server -D -HRl0 0 0 ls /proc/self/fd
	[ "$(connect "$PORT" | tr '\n' ' ')" = "0 1 2 3 " ] # 3 is what ls reads
}

@test "IP options of a client are cleared with -O and kept with -o, and its TOS is nobody's business" {
	requires python3 python3
	cat >client.py <<-'EOF'
		import socket, sys
		s = socket.socket()
		s.setsockopt(socket.IPPROTO_IP, 4, b"\x07\x07\x04\0\0\0\0\0")  # record route
		s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
		s.connect(("127.0.0.1", int(sys.argv[1])))
		print(s.makefile().read(), end="")
	EOF
	show='import socket; print(len(socket.socket(fileno=0).getsockopt(0, 4, 40)), flush=True)'
	start_server -HRl0 0 0 python3 -c "$show"
	run timeout 10 python3 client.py "$PORT"
	[ "$output" = 0 ]
	stop "$SERVER"
	start_server -o -HRl0 0 0 python3 -c "$show"
	run timeout 10 python3 client.py "$PORT"
	[ "$status" -ne 0 ] || [ "$output" != 0 ] || skip "the loopback of this kernel carries no IP options"
}

@test "the backlog is 1024 unless -b says less" {
	requires ss iproute2
	start_server -HRl0 127.0.0.1 0 true
	[ "$(ss -Hltn "sport = :$PORT" | awk '{ print $3 }')" -ge 1024 ]
	stop "$SERVER"
	start_server -b 7 -HRl0 127.0.0.1 0 true
	[ "$(ss -Hltn "sport = :$PORT" | awk '{ print $3 }')" -eq 7 ]
}

# softlimit -m 2000000 of the guides to qmail, -d 300000 of axfrdns: a run script is not changed for us.
@test "it serves within the limits of the classic run scripts" {
	requires prlimit util-linux
	[[ "$BIN" != *sanitize* ]] || skip 'a sanitizer needs more memory'
	requires musl-gcc musl-tools # without it we are linked dynamic
	echo '127.:allow,A="b"' | rules allow
	local limits
	for limits in '--data=300000' '--data=2000000 --stack=2000000 --memlock=2000000 --as=2000000'; do
		# shellcheck disable=SC2086 # several words
		background prlimit $limits "$BIN/tcpserver" -1HRl0 -x allow.cdb 127.0.0.1 0 \
			"$BIN/addcr" --version >port
		wait_for test -s port
		[[ $(connect "$(cat port)") == portero* ]]
		kill "$PID"
		reap "$PID"
		rm port
	done
}
