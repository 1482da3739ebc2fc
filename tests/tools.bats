#!/usr/bin/env bats
# The small programs: what they do differently from ucspi-tcp's, and what a comparison cannot show. The rest
# is tests/differential.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, so what it sets is its own
# shellcheck disable=SC2016 # what is quoted is for another shell
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

has_ipv6() {
	grep -q '^0\{31\}1 ' /proc/net/if_inet6 2>/dev/null || skip 'needs IPv6'
}

# in_namespace SCRIPT ARGUMENTS...: bash in a network of its own, where all ports are free for it.
in_namespace() {
	requires python3 python3
	unshare -rn true 2>/dev/null || skip "needs unshare -rn (user namespaces are off)"
	run timeout 20 unshare -rn python3 "$BATS_TEST_DIRNAME/peers.py" lo bash "$@"
}

@test "--help and --version" {
	local p
	for p in tcpclient recordio fixcrio addcr delcr argv0 mconnect-io mconnect tcpcat who@ date@ finger@ http@; do
		run "$p" --help
		[ "$status" -eq 0 ]
		[[ ${lines[0]} == "$p: usage: $p"* ]]
		run "$p" --version
		[ "$status" -eq 0 ]
		[[ $output =~ ^'portero '[0-9.]+$ ]]
	done
}

@test "tcpclient: numbers that are none are refused" {
	local option
	for option in -Tx -T1+ -T+1 -T1+x -T1+1+1 -T-1 -T86401 -tx -t-1 -px -p65536 -p-1 -p1x; do
		run tcpclient -RHl0 "$option" 127.0.0.1 1 true
		[ "$status" -eq 100 ]
		[[ $output == "tcpclient: fatal: ${option:0:2}: \""* ]]
	done
	run tcpclient -RHl0 127.0.0.1 65536 true
	[ "$status" -eq 100 ]
	[[ $output == 'tcpclient: fatal: port: "65536" '* ]]
	run tcpclient -RHl0 127.0.0.1 '' true
	[ "$status" -eq 111 ]
	[ "$output" = "tcpclient: fatal: unable to figure out port number for " ]
}

@test "tcpclient: to an IPv6 address, and from one" {
	has_ipv6
	start_server -RHl0 ::1 0 sh -c 'echo "from $TCPREMOTEIP"'
	run tcpclient -v -RHl0 -i ::1 ::1 "$PORT" sh -c 'cat <&6; echo "$PROTO $TCPLOCALIP $TCPREMOTEIP $TCPREMOTEPORT"'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "tcpclient: connected to ::1 port $PORT" ]
	[ "${lines[1]}" = "from ::1" ]
	[ "${lines[2]}" = "TCP ::1 ::1 $PORT" ]
}

@test "tcpclient: from an address of the other family nothing can be reached" {
	run tcpclient -RHl0 -i ::1 127.0.0.1 1 true
	[ "$status" -eq 111 ]
	[ "$output" = "tcpclient: fatal: unable to bind socket: address family not supported" ]
}

@test "tcpclient: all addresses of a name, IPv6 first, in the order of the answer" {
	has_ipv6
	start_server -RHl0 127.0.0.1 0 echo hello
	name_server all.test=a:127.0.0.9 all.test=a:127.0.0.1 all.test=aaaa:::1
	run tcpclient -v -RHl0 all.test "$PORT" sh -c 'cat <&6'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "tcpclient: unable to connect to ::1 port $PORT: connection refused" ]
	[ "${lines[1]}" = "tcpclient: unable to connect to 127.0.0.9 port $PORT: connection refused" ]
	[ "${lines[2]}" = "tcpclient: connected to 127.0.0.1 port $PORT" ]
	[ "${lines[3]}" = hello ]
	run tcpclient -q -RHl0 all.test "$PORT" sh -c 'cat <&6'
	[ "$output" = hello ]
}

@test "tcpclient -i: of a name only the addresses of that family" {
	start_server -RHl0 127.0.0.1 0 sh -c 'echo "$TCPREMOTEIP"'
	name_server all.test=a:127.0.0.1 all.test=aaaa:::1
	run tcpclient -RHl0 -i 127.0.0.5 all.test "$PORT" sh -c 'cat <&6'
	[ "$output" = 127.0.0.5 ]
}

@test "tcpclient: an address without a route comes last" {
	cat >inside <<-'EOF'
		exec 2>&1
		python3 "$1" dns all.test=aaaa:2001:db8::1 all.test=a:127.0.0.1 >dns.port &
		dns=$!
		tcpserver -1RHl0 127.0.0.1 0 echo hello >port &
		server=$!
		until [ -s port ] && [ -s dns.port ]; do sleep 0.02; done
		DNSCACHEIP=127.0.0.1:$(cat dns.port) tcpclient -RHl0 all.test "$(cat port)" sh -c 'cat <&6'
		kill $dns $server
	EOF
	in_namespace inside "$BATS_TEST_DIRNAME/peers.py"
	[ "$output" = hello ]
}

@test "tcpclient: who timed out gets a second round, and is reported once" {
	name_server two.test=a:127.0.0.9 two.test=a:127.0.0.1
	cat >full.py <<-'EOF'
		import signal, socket
		listeners, clients, port = [], [], 0
		for address in ("127.0.0.9", "127.0.0.1"):
		    s = socket.socket()
		    s.bind((address, port))
		    s.listen(0)
		    port = s.getsockname()[1]
		    listeners.append(s)
		    for _ in range(4):
		        c = socket.socket()
		        c.setblocking(False)
		        c.connect_ex((address, port))
		        clients.append(c)
		print(port, flush=True)
		signal.pause()
	EOF
	background python3 full.py >port
	wait_for test -s port
	PORT=$(cat port)
	SECONDS=0
	run tcpclient -RHl0 -T0+1 two.test "$PORT" true
	[ "$status" -eq 111 ]
	[ "$SECONDS" -ge 1 ]
	[ "${#lines[@]}" -eq 2 ]
	[ "${lines[0]}" = "tcpclient: unable to connect to 127.0.0.9 port $PORT: timed out" ]
	[ "${lines[1]}" = "tcpclient: unable to connect to 127.0.0.1 port $PORT: timed out" ]
}

@test "tcpclient: names come from DNSCACHEIP when it is set, else as everywhere in this system" {
	grep -Eq '^127\.0\.0\.1[[:space:]]+localhost' /etc/hosts || skip 'needs localhost in /etc/hosts'
	start_server -RHl0 127.0.0.1 0 echo hello
	unset DNSCACHEIP
	run tcpclient -RHl0 -i 127.0.0.1 localhost "$PORT" sh -c 'cat <&6'
	[ "$output" = hello ]
	name_server localhost=none sick.test=servfail
	run tcpclient -RHl0 localhost "$PORT" sh -c 'cat <&6'
	[ "$status" -eq 111 ]
	[ "$output" = "tcpclient: fatal: no IP address for localhost" ]
	run tcpclient -RHl0 sick.test "$PORT" true
	[ "$status" -eq 111 ]
	[ "$output" = "tcpclient: fatal: temporarily unable to figure out IP address for sick.test: temporary failure" ]
}

@test "tcpclient: a name of one family only" {
	start_server -RHl0 127.0.0.1 0 echo hello
	name_server half.test=a:127.0.0.1
	run tcpclient -RHl0 half.test "$PORT" sh -c 'cat <&6'
	[ "$output" = hello ]
}

@test "tcpclient: names of both ends" {
	start_server -RHl0 127.0.0.1 0 echo hello
	name_server 1.0.0.127.in-addr.arpa=ptr:Far.Test 5.0.0.127.in-addr.arpa=ptr:near.test
	export TCPREMOTEHOST=old TCPLOCALHOST=old TCPREMOTEINFO=old
	run tcpclient -R -i 127.0.0.5 127.0.0.1 "$PORT" sh -c 'echo "$TCPLOCALHOST $TCPREMOTEHOST ${TCPREMOTEINFO-unset}"'
	[ "$output" = "near.test far.test unset" ]
	run tcpclient -R -l me -i 127.0.0.5 127.0.0.1 "$PORT" sh -c 'echo "$TCPLOCALHOST $TCPREMOTEHOST"'
	[ "$output" = "me far.test" ]
	run tcpclient -RH -i 127.0.0.6 127.0.0.1 "$PORT" sh -c 'echo "${TCPLOCALHOST-unset} ${TCPREMOTEHOST-unset}"'
	[ "$output" = "unset unset" ]
}

@test "tcpclient -t: a resolver that says nothing costs so much and no more" {
	start_server -RHl0 127.0.0.1 0 echo hello
	name_server 1.0.0.127.in-addr.arpa=silent
	SECONDS=0
	run tcpclient -t1 127.0.0.1 "$PORT" sh -c 'echo "${TCPLOCALHOST-unset} ${TCPREMOTEHOST-unset}"; cat <&6'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "unset unset" ]
	[ "${lines[1]}" = hello ]
	[ "$SECONDS" -lt 10 ]
}

@test "tcpclient: the user of the server, by ident" {
	cat >inside <<-'EOF'
		python3 "$1" ident '1, 2 : USERID : UNIX : jo e\r\n' >ready &
		ident=$!
		tcpserver -1RHl0 127.0.0.1 0 echo hello >port &
		server=$!
		until [ -s port ] && [ -s ready ]; do sleep 0.02; done
		tcpclient -Hl0 127.0.0.1 "$(cat port)" sh -c 'echo "[$TCPREMOTEINFO]$TCPREMOTEPORT , $TCPLOCALPORT"'
		tcpclient -RHl0 127.0.0.1 "$(cat port)" sh -c 'echo "[${TCPREMOTEINFO-unset}]"'
		kill $ident $server
	EOF
	in_namespace inside "$BATS_TEST_DIRNAME/peers.py"
	[ "${lines[0]}" = "[joe]$(tr -d '\r' <asked)" ]
	[ "${lines[1]}" = "[unset]" ]
}

@test "tcpclient: the connection is on 6 and 7 whatever was there" {
	start_server -RHl0 127.0.0.1 0 sh -c 'read x; echo "got $x"'
	run sh -c "exec tcpclient -RHl0 127.0.0.1 $PORT sh -c 'echo hello >&7; cat <&6' 3</dev/null 4</dev/null 5</dev/null"
	[ "$output" = "got hello" ]
	run sh -c "exec tcpclient -RHl0 127.0.0.1 $PORT sh -c 'echo hello >&7; cat <&6' 6</dev/null 7</dev/null"
	[ "$output" = "got hello" ]
	run sh -c "exec tcpclient -RHl0 127.0.0.1 $PORT sh -c 'echo hello >&7; cat <&6 >out' <&- >&- 2>&-"
	[ "$(cat out)" = "got hello" ]
}

@test "recordio, fixcrio: what a program says is not lost when it reads no more" {
	for p in recordio fixcrio; do
		# more than a pipe holds, so that the write fails
		run sh -c "head -c 300000 /dev/zero | $p sh -c 'exec <&-; sleep 0.2; echo hello' 2>/dev/null"
		[ "$status" -eq 0 ]
		[ "$(tr -d '\r' <<<"$output")" = hello ]
	done
}

@test "recordio, fixcrio: much both ways at once, and nobody waits for ever" {
	yes 'some line' | head -n 50000 >in
	recordio cat <in 2>log >out
	wait_for grep -q '^[0-9]* > \[EOF\]$' log
	cmp out in
	grep -q '^[0-9]* < \[EOF\]$' log
	sed 's/$/\r/' in >wanted
	# shellcheck disable=SC2094 # nobody writes here
	for file in in wanted; do
		fixcrio cat <"$file" | cmp - wanted
	done
}

@test "recordio: closed descriptors end up in no log" {
	# shellcheck disable=SC2094 # they are never open
	recordio sh -c 'cat >out' <&- >&- 2>&-
	[ ! -s out ]
	echo hello | recordio sh -c 'cat >out' 2>&-
	[ "$(cat out)" = hello ]
}

@test "mconnect-io: ends when nobody reads what it prints" {
	run timeout 10 sh -c 'mconnect-io 6</dev/zero 7>/dev/null </dev/null >/dev/full'
	[ "$status" -eq 111 ]
	[ "$output" = "mconnect-io: fatal: unable to write output: out of disk space" ]
}

@test "who@, date@, finger@: their ports, CR away, made visible" {
	cat >inside <<-'EOF'
		for port in 11 13 79; do
			tcpserver -1RHl0 127.0.0.1 "$port" sh -c \
				'[ "$TCPLOCALPORT" != 79 ] || read -r user; printf "%s %s\1\r\n" "$TCPLOCALPORT" "$user" | tr "\r" "R" | sed "s/R$/\r/"' \
				>"port.$port" &
			servers="$servers $!"
		done
		until [ -s port.11 ] && [ -s port.13 ] && [ -s port.79 ]; do sleep 0.02; done
		who@ 127.0.0.1
		date@ 127.0.0.1
		finger@ 127.0.0.1 '-n \t'
		finger@
		kill $servers
	EOF
	in_namespace inside
	[ "${lines[0]}" = "11 ^A" ]
	[ "${lines[1]}" = "13 ^A" ]
	[ "${lines[2]}" = '79 -n \tR^A' ]
	[ "${lines[3]}" = "79 R^A" ]
}

@test "http@: the body keeps its empty lines, the page its backslashes" {
	start_server -RHl0 127.0.0.1 0 sh -c 'while read -r line && [ "$line" != "$(printf "\r")" ]; do printf "%s\n" "$line" >>heard; done
		printf "HTTP/1.0 200 OK\r\nA: b\r\n\r\none\r\n\r\ntwo\r\n"'
	run http@ 127.0.0.1 'a\tb' "$PORT"
	[ "$output" = "$(printf 'one\n\ntwo')" ]
	[ "$(cat heard)" = "$(printf 'GET /a\\tb HTTP/1.0\r\nHost: 127.0.0.1:%s\r' "$PORT")" ]
}

@test "mconnect: to a server and back" {
	start_server -RHl0 127.0.0.1 0 sh -c 'echo "220 hello"; read -r line; echo "got $line" | tr "\r" "R"'
	run sh -c "echo EHLO x | mconnect 127.0.0.1 $PORT"
	[ "${lines[0]}" = "220 hello" ]
	[ "${lines[1]}" = "got EHLO xR" ]
}

@test "tcpcat: every byte" {
	start_server -RHl0 127.0.0.1 0 printf 'a\r\n\001\377'
	tcpcat 127.0.0.1 "$PORT" >out
	printf 'a\r\n\001\377' | cmp - out
}
