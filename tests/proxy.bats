#!/usr/bin/env bats
# PROXY headers: proxy-env under any server, and tcpserver --proxy; from clients of ours and from haproxy.

# shellcheck disable=SC2016,SC2030,SC2031,SC2153 # variables are the programs' own; each test is its own process
load helpers
load peers

# on_socket HOW BYTES COMMAND...: run it with a TCP connection on 0 whose client has sent the bytes (Python
# escapes). HOW: open, closed (the client sends no more), slow (byte by byte, while the command runs). Its
# output, then what the client was told. HERE and THERE are the ports.
on_socket() {
	requires python3 python3
	run timeout 40 python3 - "$@" <<-'EOF'
		import socket, subprocess, sys, threading, time
		how, text = sys.argv[1], sys.argv[2].encode("latin-1").decode("unicode_escape").encode("latin-1")
		listener = socket.create_server(("127.0.0.1", 0))
		port = listener.getsockname()[1]
		client = socket.create_connection(("127.0.0.1", port))
		client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
		server, peer = listener.accept()
		def slowly():
		    for byte in text:
		        client.send(bytes([byte]))
		        time.sleep(0.002)
		if how == "slow":
		    threading.Thread(target=slowly, daemon=True).start()
		else:
		    client.sendall(text)
		    while text and len(server.recv(65536, socket.MSG_PEEK)) < len(text):
		        time.sleep(0.01)
		if how == "closed":
		    client.shutdown(socket.SHUT_WR)
		p = subprocess.run(sys.argv[3:], stdin=server, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
		server.close()
		client.settimeout(10)
		told = b""
		try:
		    while block := client.recv(4096):
		        told += block
		except ConnectionResetError:
		    told += b"(reset)" if not told else b""
		out = p.stdout.decode("latin-1") + (("told: %r" % told) if told not in (b"", b"(reset)") else "")
		print(out.replace(str(port), "HERE").replace(str(peer[1]), "THERE"), end="")
		sys.exit(p.returncode)
	EOF
}

# talk PORT BYTES [END]: send the bytes (Python escapes), print what comes back until the server closes; with
# END the client sends no more.
talk() {
	timeout 20 python3 - "$@" <<-'EOF'
		import socket, sys
		client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		client.sendall(sys.argv[2].encode("latin-1").decode("unicode_escape").encode("latin-1"))
		if len(sys.argv) > 3:
		    client.shutdown(socket.SHUT_WR)
		try:
		    while block := client.recv(4096):
		        print(block.decode("latin-1"), end="")
		except ConnectionResetError:
		    pass
	EOF
}

v1='PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n'
signature='\r\n\r\n\0\r\nQUIT\n'
v2_ip4=$signature'\x21\x11\0\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\0\x19'
v2_ip6=$signature'\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\2'
v2_local=$signature'\x20\0\0\0'

show='for v in PROTO TCPREMOTEIP TCPREMOTEPORT TCPREMOTEHOST TCPREMOTEINFO TCPLOCALIP TCPLOCALPORT TCPLOCALHOST
	do eval "printf \"%s \" \"\${$v-unset}\""; done'
from_proxy='TCP 192.0.2.1 56324 unset unset 198.51.100.2 25 unset '

# as_proxy COMMAND...: the environment that a server has set for a proxy.
as_proxy() {
	PROXY=1 PROTO=TCP TCPREMOTEIP=127.0.0.1 TCPREMOTEPORT=7 TCPREMOTEHOST=proxy TCPREMOTEINFO=who \
		TCPLOCALIP=127.0.0.2 TCPLOCALPORT=8 TCPLOCALHOST=here "$@"
}
own='TCP 127.0.0.1 7 proxy who 127.0.0.2 8 here '

# ---- proxy-env

@test "version 1: both ends are the header's, and the proxy's names are gone" {
	as_proxy on_socket open "$v1" proxy-env sh -c "$show"
	[ "$status" -eq 0 ]
	[ "$output" = "$from_proxy" ]
}

@test "version 2: the same, and IPv6" {
	as_proxy on_socket open "$v2_ip4" proxy-env sh -c "$show"
	[ "$output" = "$from_proxy" ]
	as_proxy on_socket open "$v2_ip6" proxy-env sh -c "$show"
	[ "$output" = "TCP 2001:db8::1 1 unset unset ::1 2 unset " ]
}

@test "a mapped address is IPv4" {
	as_proxy on_socket open 'PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 56324 25\r\n' proxy-env sh -c "$show"
	[ "$output" = "$from_proxy" ]
}

@test "not a byte behind the header is taken" {
	for header in "$v1" "$v2_ip4" "$v2_local"; do
		as_proxy on_socket closed "${header}EHLO x\r\n" proxy-env od -An -c
		[ "$output" = '   E   H   L   O       x  \r  \n' ]
	done
}

@test "byte by byte, and the program reads on" {
	as_proxy on_socket slow "${v1}EHLO x\n" proxy-env sh -c 'read a; echo "$TCPREMOTEIP $a"'
	[ "$output" = "192.0.2.1 EHLO x" ]
	as_proxy on_socket slow "${v2_ip4}EHLO x\n" proxy-env sh -c 'read a; echo "$TCPREMOTEIP $a"'
	[ "$output" = "192.0.2.1 EHLO x" ]
}

@test "LOCAL and UNKNOWN leave the connection's own ends" {
	as_proxy on_socket open "$v2_local" proxy-env sh -c "$show"
	[ "$output" = "$own" ]
	as_proxy on_socket open 'PROXY UNKNOWN 1.2.3.4 x\r\n' proxy-env sh -c "$show"
	[ "$output" = "$own" ]
}

@test "PROXY itself is gone, what else the rule has set stays" {
	RELAYCLIENT=yes as_proxy on_socket open "$v1" proxy-env sh -c 'echo "${PROXY-gone} $RELAYCLIENT"'
	[ "$output" = "gone yes" ]
	as_proxy on_socket open "$v2_local" proxy-env sh -c 'echo "${PROXY-gone}"'
	[ "$output" = "gone" ]
}

@test "a bad header is 100, and one line says why" {
	as_proxy on_socket open 'PROXY TCP4 192.0.2.1 192.0.2.2 1 070\r\n' proxy-env echo served
	[ "$status" -eq 100 ]
	[ "$output" = "proxy-env: fatal: bad PROXY header from 127.0.0.1: no port" ]
	as_proxy on_socket open "$signature"'\x31\x11\0\0' proxy-env echo served
	[ "$status" -eq 100 ]
	[ "$output" = "proxy-env: fatal: bad PROXY header from 127.0.0.1: neither LOCAL nor PROXY of version 2" ]
}

@test "a header that is cut is a bad one" {
	as_proxy on_socket closed 'PROXY TCP4 192.0' proxy-env echo served
	[ "$status" -eq 100 ]
	[ "$output" = "proxy-env: fatal: bad PROXY header from 127.0.0.1: connection ended inside the header" ]
}

@test "other bytes, and none, are no header" {
	as_proxy on_socket open 'EHLO x\r\n' proxy-env echo served
	[ "$status" -eq 100 ]
	[ "$output" = "proxy-env: fatal: no PROXY header from 127.0.0.1" ]
	as_proxy on_socket closed '' proxy-env echo served
	[ "$status" -eq 100 ]
	[ "$output" = "proxy-env: fatal: no PROXY header from 127.0.0.1" ]
}

@test "a header that does not come in time is 111" {
	as_proxy on_socket open 'PROXY TC' proxy-env -t 1 echo served
	[ "$status" -eq 111 ]
	[ "$output" = "proxy-env: fatal: no PROXY header from 127.0.0.1 within 1 seconds" ]
}

@test "a header from who is no proxy is refused" {
	for proxy in '' 0 11; do
		for header in "$v1" "$v2_ip4" 'PROXY nonsense\r\n'; do
			PROXY=$proxy TCPREMOTEIP=9.9.9.9 on_socket open "$header" proxy-env echo served
			[ "$status" -eq 100 ]
			[ "$output" = 'proxy-env: fatal: 9.9.9.9 sent a PROXY header, but its rule does not say PROXY="1"' ]
		done
	done
}

@test "who is no proxy is served at once, with every byte" {
	on_socket closed 'PROX' proxy-env od -An -c
	[ "$output" = '   P   R   O   X' ]
	on_socket closed 'EHLO\n' proxy-env sh -c 'cat; echo "${TCPREMOTEIP-unset}"'
	[ "$output" = $'EHLO\nunset' ]
	on_socket open '' proxy-env -t 9 echo served
	[ "$output" = served ]
}

@test "a pipe has no header, and none can be read from it" {
	run proxy-env echo served </dev/null
	[ "$output" = served ]
	PROXY=1 run proxy-env echo served </dev/null
	[ "$status" -eq 100 ]
	[ "$output" = "proxy-env: fatal: descriptor 0 is no socket: a header cannot be read" ]
}

@test "-x: rules for the client behind the proxy" {
	export DNSCACHEIP=127.0.0.1:1
	rules client <<-'RULES'
		192.0.2.1:allow,RELAYCLIENT="",WHO="the client"
		127.0.0.1:allow,WHO="the proxy"
		:deny
	RULES
	as_proxy on_socket open "$v1" proxy-env -x client.cdb sh -c 'echo "${RELAYCLIENT-unset} $WHO $TCPREMOTEIP"'
	[ "$output" = " the client 192.0.2.1" ]
	as_proxy on_socket open "$v2_ip6" proxy-env -x client.cdb echo served
	[ "$status" -eq 100 ]
	[ "$output" = "proxy-env: fatal: 2001:db8::1 through 127.0.0.1 is denied by client.cdb" ]
	# nobody is named, so the rules of the server stay what counts
	as_proxy on_socket open "$v2_local" proxy-env -x client.cdb sh -c 'echo "${WHO-unset}"'
	[ "$output" = "unset" ]
	on_socket open '' proxy-env -x client.cdb sh -c 'echo "${WHO-unset}"'
	[ "$output" = "unset" ]
}

@test "-x: a denied client reads the rule's DIEMSG, although it had sent more" {
	export DNSCACHEIP=127.0.0.1:1
	rules client <<<'192.0.2.1:deny,DIEMSG="554 not you"'
	as_proxy on_socket open "${v1}EHLO x\r\n" proxy-env -x client.cdb echo served
	[ "$status" -eq 100 ]
	[ "${lines[0]}" = "proxy-env: fatal: 192.0.2.1 through 127.0.0.1 is denied by client.cdb" ]
	[ "${lines[1]}" = "told: b'554 not you\\r\\n'" ]
}

@test "-x: a name counts when it is confirmed" {
	requires python3 python3
	background python3 "$BATS_TEST_DIRNAME/peers.py" dns 1.2.0.192.in-addr.arpa=ptr:good.example \
		good.example=a:192.0.2.1 2.2.0.192.in-addr.arpa=ptr:good.example >dns.port
	wait_for test -s dns.port
	DNSCACHEIP=127.0.0.1:$(cat dns.port)
	export DNSCACHEIP
	rules client <<-'RULES'
		=good.example:allow,WHO="good"
		:allow,WHO="anybody"
	RULES
	as_proxy on_socket open "$v1" proxy-env -x client.cdb sh -c 'echo "$TCPREMOTEHOST $WHO"'
	[ "$output" = "good.example good" ]
	as_proxy on_socket open 'PROXY TCP4 192.0.2.2 192.0.2.9 1 2\r\n' proxy-env -x client.cdb \
		sh -c 'echo "$TCPREMOTEHOST $WHO"'
	[ "$output" = "good.example anybody" ]
}

@test "-x: rules that cannot be had let nobody in, -X forgives a missing file" {
	export DNSCACHEIP=127.0.0.1:1
	as_proxy on_socket open "$v1" proxy-env -x missing.cdb echo served
	[ "$status" -eq 111 ]
	[ "$output" = "proxy-env: fatal: unable to read missing.cdb: file does not exist" ]
	as_proxy on_socket open "$v1" proxy-env -X -x missing.cdb echo served
	[ "$output" = served ]
	head -c 3000 /dev/zero >damaged.cdb
	as_proxy on_socket open "$v1" proxy-env -X -x damaged.cdb echo served
	[ "$status" -eq 111 ]
	[[ $output == "proxy-env: fatal: unable to read damaged.cdb: "* ]]
}

@test "-x: variables that change programs need --unsafe-env" {
	export DNSCACHEIP=127.0.0.1:1
	rules client <<<':allow,LD_PRELOAD=""'
	as_proxy on_socket open "$v1" proxy-env -x client.cdb echo served
	[ "$status" -eq 111 ]
	[ "$output" = "proxy-env: fatal: client.cdb sets LD_PRELOAD for 192.0.2.1: not without --unsafe-env" ]
	as_proxy on_socket open "$v1" proxy-env --unsafe-env -x client.cdb echo served
	[ "$output" = served ]
}

@test "wrong usage is 100, and so is a number that is none; no program is 111" {
	run proxy-env
	[ "$status" -eq 100 ]
	[[ ${lines[0]} == "proxy-env: usage: "* ]]
	run proxy-env -Z true
	[ "$status" -eq 100 ]
	run proxy-env -t 0 true
	[ "$status" -eq 100 ]
	[ "$output" = 'proxy-env: fatal: -t: "0" is too small (1 to 86400)' ]
	run proxy-env no-such-program </dev/null
	[ "$status" -eq 111 ]
	[ "$output" = "proxy-env: fatal: unable to run no-such-program: file does not exist" ]
}

@test "under tcpserver: a rule says who is a proxy" {
	requires python3 python3
	rules proxies <<<'127.0.0.1:allow,PROXY="1"'
	# a header that comes after the look is the program's: wait for it
	start_server -HRl0 -x proxies.cdb 127.0.0.1 0 python3 -c 'import os, select, sys
select.select([0], [], [])
os.execvp(sys.argv[1], sys.argv[1:])' proxy-env sh -c "$show"
	[ "$(talk "$PORT" "$v1")" = "$from_proxy" ]
	rules proxies <<<':allow'
	[ -z "$(talk "$PORT" "$v1")" ]
	wait_for logged 'proxy-env: fatal: 127.0.0.1 sent a PROXY header'
}

@test "after tcp-env, as under inetd" {
	export DNSCACHEIP=127.0.0.1:1
	rules proxies <<<'127.0.0.1:allow,PROXY="1"'
	on_socket open "$v1" tcp-env -R -x proxies.cdb proxy-env sh -c "$show"
	[ "$output" = "$from_proxy" ]
}

# ---- haproxy

# haproxy_to PORT OPTIONS...: haproxy in front of that port. Sets FRONT.
haproxy_to() {
	local port=$1

	shift
	program_of haproxy /usr/sbin/haproxy
	FRONT=$(free_port 127.0.0.1)
	cat >haproxy.cfg <<-CONFIG
		defaults
			mode tcp
			timeout connect 9s
			timeout client 9s
			timeout server 9s
		listen front
			bind 127.0.0.1:$FRONT
			server back 127.0.0.1:$port $*
	CONFIG
	background "$PROGRAM" -db -f haproxy.cfg >haproxy.log 2>&1
	wait_for listens 127.0.0.1 "$FRONT"
}

# from_client: a client at 127.0.0.5 says hello to haproxy; prints what it is told, with the names of its ports.
from_client() {
	timeout 20 python3 - "$FRONT" <<-'EOF'
		import socket, sys
		client = socket.create_connection(("127.0.0.1", int(sys.argv[1])), source_address=("127.0.0.5", 0))
		client.sendall(b"hello\n")
		told = client.makefile("r", encoding="latin-1").read()
		print(told.replace(str(client.getsockname()[1]), "CLIENT").replace(sys.argv[1], "FRONT"), end="")
	EOF
}

tell='read line; echo "$line from $TCPREMOTEIP $TCPREMOTEPORT to $TCPLOCALIP $TCPLOCALPORT"'
told='hello from 127.0.0.5 CLIENT to 127.0.0.1 FRONT'

@test "haproxy: version 1, version 2, and its checksum, through proxy-env" {
	rules proxies <<<'127.0.0.1:allow,PROXY="1"'
	for options in send-proxy send-proxy-v2 'send-proxy-v2 proxy-v2-options crc32c,unique-id'; do
		start_server -HRl0 -x proxies.cdb 127.0.0.1 0 proxy-env sh -c "$tell"
		haproxy_to "$PORT" "$options"
		[ "$(from_client)" = "$told" ] || { cat log haproxy.log; false; }
		stop_all || :
	done
}

@test "haproxy: its health checks are its own, and do no harm" {
	rules proxies <<<'127.0.0.1:allow,PROXY="1"'
	start_server -HRl0 -x proxies.cdb 127.0.0.1 0 proxy-env sh -c 'echo "$TCPREMOTEIP" >>seen; '"$tell"
	haproxy_to "$PORT" send-proxy-v2 check-send-proxy check inter 100
	wait_for grep -qx 127.0.0.1 seen
	[ "$(from_client)" = "$told" ]
	grep -qx 127.0.0.5 seen
}

@test "haproxy: tcpserver --proxy reads its headers before the rules" {
	tcpserver --help | grep -q -- --proxy || skip "this tcpserver has no --proxy"
	rules all <<-'RULES'
		127.0.0.1:allow,PROXY="1"
		127.0.0.5:allow,WHO="the client"
		:deny
	RULES
	for options in send-proxy send-proxy-v2; do
		start_server -vHRl0 --proxy -x all.cdb 127.0.0.1 0 sh -c "$tell; "'echo "$WHO ${PROXY-unset}"'
		haproxy_to "$PORT" "$options"
		[ "$(from_client)" = "$told"$'\n''the client unset' ] || { cat log haproxy.log; false; }
		logged ' 0:127.0.0.1:[0-9]* :127.0.0.5::'
		stop_all || :
	done
}

# ---- tcpserver --proxy

with_proxy() {
	requires python3 python3
	tcpserver --help | grep -q -- --proxy || skip "this tcpserver has no --proxy"
}

@test "--proxy: ends, rules and log are those of the client that the header names" {
	with_proxy
	rules all <<-'RULES'
		127.0.0.1:allow,PROXY="1"
		192.0.2.1:allow,WHO="the client"
		:deny,DIEMSG="554 not you"
	RULES
	start_server -vHRl0 --proxy -x all.cdb 127.0.0.1 0 sh -c "$show"'; echo "$WHO"'
	[ "$(talk "$PORT" "$v1")" = "TCP 192.0.2.1 56324 unset unset 198.51.100.2 25 0 the client" ]
	[ "$(talk "$PORT" "$v2_ip4")" = "TCP 192.0.2.1 56324 unset unset 198.51.100.2 25 0 the client" ]
	logged 'ok [0-9]* 0:198.51.100.2:25 :192.0.2.1::56324' 2
	[ "$(talk "$PORT" "$v2_ip6")" = $'554 not you\r' ]
	wait_for logged 'deny .*\[2001:db8::1\]'
}

@test "--proxy: the program reads what stands behind the header" {
	with_proxy
	rules all <<<'127.0.0.1:allow,PROXY="1"'
	start_server -HRl0 --proxy -x all.cdb 127.0.0.1 0 cat
	[ "$(talk "$PORT" "${v1}EHLO x" end)" = "EHLO x" ]
	[ "$(talk "$PORT" "${v2_ip4}EHLO x" end)" = "EHLO x" ]
}

@test "--proxy: a proxy without a header, or with a bad one, is not served" {
	with_proxy
	rules all <<<'127.0.0.1:allow,PROXY="1"'
	start_server -HRl0 --proxy -x all.cdb 127.0.0.1 0 echo served
	[ -z "$(talk "$PORT" 'EHLO x\r\n')" ]
	wait_for logged 'dropping connection, PROXY header: ' 1
	[ -z "$(talk "$PORT" 'PROXY TCP4 1.2.3.4\r\n')" ]
	wait_for logged 'dropping connection, PROXY header: ' 2
	[ -z "$(talk "$PORT" '' end)" ]
	wait_for logged 'dropping connection, PROXY header: ' 3
	[ "$(talk "$PORT" "$v1")" = served ]
}

@test "--proxy: a header from anybody else is refused, and he is not what he says" {
	with_proxy
	rules all <<-'RULES'
		192.0.2.1:allow,WHO="the client"
		:allow
	RULES
	start_server -HRl0 --proxy -x all.cdb 127.0.0.1 0 echo served
	[ -z "$(talk "$PORT" "$v1")" ]
	[ -z "$(talk "$PORT" "$v2_ip4")" ]
	[ -z "$(talk "$PORT" 'PROXY nonsense\r\n')" ]
	wait_for logged 'PROXY header from an address without a PROXY rule' 3
}

@test "--proxy: who is no proxy is served, talking or silent" {
	with_proxy
	rules all <<<':allow'
	start_server -HRl0 --proxy -x all.cdb 127.0.0.1 0 sh -c 'echo "served $TCPREMOTEIP"; cat'
	[ "$(talk "$PORT" 'PROX' end)" = $'served 127.0.0.1\nPROX' ]
	[ "$(talk "$PORT" 'EHLO x' end)" = $'served 127.0.0.1\nEHLO x' ]
	start_server -HRl0 --proxy -x all.cdb 127.0.0.1 0 echo served
	[ "$(talk "$PORT" '')" = served ]
}

@test "--help and --version as the first argument" {
	run proxy-env --help
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == "proxy-env: usage: "* ]]
	run proxy-env --version
	[ "$status" -eq 0 ]
}
