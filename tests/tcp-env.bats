#!/usr/bin/env bats
# tcp-env: qmail's, which is not packaged, so its facts are written down here.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, so what it sets is its own
load helpers

# on_socket FAMILY COMMAND...: run it with a TCP connection on 0; 5 is IPv6 with a mapped IPv4 client. What the
# client is told comes last.
on_socket() {
	requires python3 python3
	run timeout 40 python3 - "$@" <<-'EOF'
		import socket, subprocess, sys
		family = sys.argv[1]
		s = socket.socket(socket.AF_INET if family == "4" else socket.AF_INET6)
		s.bind(("127.0.0.1" if family == "4" else "::1" if family == "6" else "::", 0))
		s.listen()
		port = s.getsockname()[1]
		client = socket.create_connection(("::1" if family == "6" else "127.0.0.1", port))
		server, peer = s.accept()
		p = subprocess.run(sys.argv[2:], stdin=server, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
		out = p.stdout.decode("latin-1").replace(str(port), "HERE").replace(str(peer[1]), "THERE")
		server.close()
		told = client.recv(4096)
		print(out + ("told: %r" % told if told else ""), end="")
		sys.exit(p.returncode)
	EOF
}

name_server() {
	background python3 "$BATS_TEST_DIRNAME/peers.py" dns "$@" >dns.port
	wait_for test -s dns.port
	DNSCACHEIP=127.0.0.1:$(cat dns.port)
	export DNSCACHEIP
}

show='for v in PROTO TCPLOCALIP TCPLOCALPORT TCPLOCALHOST TCPREMOTEIP TCPREMOTEPORT TCPREMOTEHOST TCPREMOTEINFO
	do eval "printf %s \"\${$v-unset} \""; done'

@test "all variables of an IPv4 connection" {
	name_server 1.0.0.127.in-addr.arpa=ptr:Mail.Example
	TCPREMOTEINFO=old on_socket 4 tcp-env -R sh -c "$show"
	[ "$output" = "TCP 127.0.0.1 HERE mail.example 127.0.0.1 THERE mail.example unset " ]
}

@test "no name removes the variable" {
	name_server x=none
	TCPREMOTEHOST=old TCPLOCALHOST=old on_socket 4 tcp-env -R sh -c "$show"
	[ "$output" = "TCP 127.0.0.1 HERE unset 127.0.0.1 THERE unset unset " ]
}

@test "a temporary failure is softdnserror" {
	name_server 1.0.0.127.in-addr.arpa=servfail
	on_socket 4 tcp-env -R sh -c "$show"
	[ "$output" = "TCP 127.0.0.1 HERE softdnserror 127.0.0.1 THERE softdnserror unset " ]
}

@test "IPv6, and a mapped client is IPv4" {
	[ -e /proc/net/if_inet6 ] || skip "no IPv6 here"
	name_server x=none
	on_socket 6 tcp-env -R sh -c "$show"
	[ "$output" = "TCP ::1 HERE unset ::1 THERE unset unset " ]
	on_socket 5 tcp-env -R sh -c "$show"
	[ "$output" = "TCP 127.0.0.1 HERE unset 127.0.0.1 THERE unset unset " ]
}

@test "PROTO=TCP is believed, and nothing looked up" {
	run env -i PROTO=TCP TCPREMOTEIP=9.9.9.9 "$BIN/tcp-env" /bin/sh -c 'echo $TCPREMOTEIP ${TCPLOCALIP-unset}'
	[ "$output" = "9.9.9.9 unset" ]
}

@test "every failure is 111 without a word" {
	run tcp-env
	[ "$status" -eq 111 ]
	[ -z "$output" ]
	run tcp-env -R
	[ "$status" -eq 111 ]
	[ -z "$output" ]
	run tcp-env -R true </dev/null
	[ "$status" -eq 111 ]
	[ -z "$output" ]
	PROTO=TCP run tcp-env no-such-program
	[ "$status" -eq 111 ]
	[ -z "$output" ]
	PROTO=TCP run tcp-env -tx true
	[ "$status" -eq 111 ]
	[ -z "$output" ]
	PROTO=TCP run tcp-env -t
	[ "$status" -eq 111 ]
	[ -z "$output" ]
}

# ---- -x

# rules_name_server: 127.0.0.1 is good.example, and 127.0.0.1 only.
rules_name_server() {
	name_server 1.0.0.127.in-addr.arpa=ptr:Good.Example good.example=a:127.0.0.1
}

@test "-x: the rule for the client's address sets variables, after all others" {
	name_server x=none
	rules r <<-'RULES'
		127.0.0.1:allow,RELAYCLIENT="",TCPLOCALHOST="ours"
		:allow,RELAYCLIENT="no"
	RULES
	RELAYCLIENT=old on_socket 4 tcp-env -R -x r.cdb sh -c 'echo "[$RELAYCLIENT] $TCPLOCALHOST $TCPREMOTEIP"'
	[ "$status" -eq 0 ]
	[ "$output" = "[] ours 127.0.0.1" ]
}

@test "-x: a mapped client is looked up as IPv4" {
	[ -e /proc/net/if_inet6 ] || skip "no IPv6 here"
	name_server x=none
	rules r <<-'RULES'
		127.0.0.1:allow,WHO="local"
		:deny
	RULES
	on_socket 5 tcp-env -R -x r.cdb sh -c 'echo "$WHO"'
	[ "$output" = "local" ]
	on_socket 6 tcp-env -R -x r.cdb echo served
	[ "$status" -eq 100 ]
}

@test "-x: no rule is an allow" {
	name_server x=none
	rules r <<<'9.9.9.9:deny'
	on_socket 4 tcp-env -R -x r.cdb echo served
	[ "$output" = "served" ]
}

@test "-x: deny is 100 without a word, the program does not run, and the client gets DIEMSG only" {
	name_server x=none
	rules r <<<'127.:deny,RELAYCLIENT=""'
	on_socket 4 tcp-env -R -x r.cdb touch served
	[ "$status" -eq 100 ]
	[ -z "$output" ]
	[ ! -e served ]
	rules r <<<'127.:deny,DIEMSG="554 not you"'
	on_socket 4 tcp-env -R -x r.cdb touch served
	[ "$status" -eq 100 ]
	[ "$output" = "told: b'554 not you\\r\\n'" ]
	[ ! -e served ]
}

@test "-x: a name counts when its addresses confirm it" {
	rules r <<-'RULES'
		=good.example:allow,WHO="good"
		:allow,WHO="anybody"
	RULES
	rules_name_server
	on_socket 4 tcp-env -R -x r.cdb sh -c 'echo "$TCPREMOTEHOST $WHO"'
	[ "$output" = "good.example good" ]
	stop_all || :
	rm dns.port
	name_server 1.0.0.127.in-addr.arpa=ptr:good.example good.example=a:127.0.0.9
	on_socket 4 tcp-env -R -x r.cdb sh -c 'echo "$TCPREMOTEHOST $WHO"'
	[ "$output" = "good.example anybody" ]
}

@test "-x: softdnserror is no name" {
	name_server 1.0.0.127.in-addr.arpa=servfail softdnserror=a:127.0.0.1
	rules r <<-'RULES'
		=softdnserror:deny
		=:deny
	RULES
	on_socket 4 tcp-env -R -x r.cdb sh -c 'echo "$TCPREMOTEHOST"'
	[ "$output" = "softdnserror" ]
}

@test "-x: without it nobody asks for a confirmation" {
	rules_name_server
	on_socket 4 tcp-env -R true
	[ "$(sort -u asked)" = "1.0.0.127.in-addr.arpa 12" ]
}

@test "-x: after PROTO=TCP the client is who the environment says, but for a name that is not its" {
	rules_name_server
	rules r <<-'RULES'
		joe@127.0.0.1:allow,WHO="joe"
		9.9.9.9:deny
		=good.example:allow,WHO="good"
		:allow,WHO="anybody"
	RULES
	who() {
		run env PROTO=TCP "$@" tcp-env -x r.cdb sh -c 'echo "$WHO"'
	}
	who TCPREMOTEIP=127.0.0.1 TCPREMOTEINFO=joe
	[ "$output" = joe ]
	who TCPREMOTEIP=127.0.0.1 TCPREMOTEHOST=good.example
	[ "$output" = good ]
	who TCPREMOTEIP=127.0.0.2 TCPREMOTEHOST=good.example
	[ "$output" = anybody ]
	who TCPREMOTEIP=9.9.9.9 TCPREMOTEHOST=good.example
	[ "$status" -eq 100 ]
	[ -z "$output" ]
	who TCPREMOTEIP=nonsense
	[ "$status" -eq 111 ]
	[ -z "$output" ]
	run env -u TCPREMOTEIP PROTO=TCP tcp-env -x r.cdb echo served
	[ "$status" -eq 111 ]
	[ -z "$output" ]
}

@test "-x: a file that is missing, damaged, empty or a directory lets nobody in; -X forgives the first" {
	export DNSCACHEIP=127.0.0.1:1
	head -c 3000 /dev/zero >damaged.cdb
	: >empty.cdb
	mkdir folder.cdb
	for file in missing damaged empty folder; do
		on_socket 4 tcp-env -R -x $file.cdb echo served
		[ "$status" -eq 111 ]
		[ -z "$output" ]
		on_socket 4 tcp-env -R -X -x $file.cdb echo served
		if [ $file = missing ]; then
			[ "$output" = served ]
		else
			[ "$status" -eq 111 ]
			[ -z "$output" ]
		fi
	done
}

@test "-x: variables that change programs need --unsafe-env" {
	export DNSCACHEIP=127.0.0.1:1
	rules r <<<':allow,LD_PRELOAD="",WHO="x"'
	on_socket 4 tcp-env -R -x r.cdb echo served
	[ "$status" -eq 111 ]
	[ -z "$output" ]
	on_socket 4 tcp-env -R --unsafe-env -x r.cdb sh -c 'echo "${LD_PRELOAD-unset} $WHO"'
	[ "$output" = " x" ]
}

# ----

@test "unknown options are ignored, and those of the program are its own" {
	PROTO=TCP run tcp-env -Zq -t9 -r -R sh -c 'echo $0 $*' -R -t
	[ "$output" = "-R -t" ]
}

@test "the exit code is the program's, and an argument is one" {
	PROTO=TCP run tcp-env sh -c '[ "$1" = "a b" ] && exit 7' x "a b"
	[ "$status" -eq 7 ]
}

@test "ident in a network of its own" {
	requires python3 python3
	unshare -rn true 2>/dev/null || skip "needs unshare -rn (user namespaces are off)"
	name_server x=none
	cat >inside <<-EOF
		python3 "$BATS_TEST_DIRNAME/peers.py" ident "\$1" >ready &
		ident=\$!
		until [ -s ready ]; do sleep 0.02; done
		DNSCACHEIP=127.0.0.1:1 tcpserver -1HRl0 127.0.0.1 0 env -u PROTO tcp-env -t "\$2" sh -c \
			'echo "[\${TCPREMOTEINFO-unset}]"' >port &
		server=\$!
		until [ -s port ]; do sleep 0.02; done
		exec 4<>"/dev/tcp/127.0.0.1/\$(cat port)"
		timeout 9 cat <&4
		kill \$server \$ident
	EOF
	run timeout 20 unshare -rn python3 "$BATS_TEST_DIRNAME/peers.py" lo bash inside 'a:b:c:jo e\r\n' 9
	[ "$output" = "[joe]" ]
	rm -f port ready
	run timeout 20 unshare -rn python3 "$BATS_TEST_DIRNAME/peers.py" lo bash inside silent 1
	[ "$output" = "[unset]" ]
}

@test "--help and --version as the first argument" {
	run tcp-env --help
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == "tcp-env: usage: "* ]]
	run tcp-env --version
	[ "$status" -eq 0 ]
}
