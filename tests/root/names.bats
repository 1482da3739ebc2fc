#!/usr/bin/env bats
# Names and ident over real port 53 and 113, beside the real tcpserver: the same variables where servers
# behave, and an end within 5 seconds where they do not.

bats_require_minimum_version 1.5.0

setup_file() {
	[ -n "${PORTERO_INSIDE:-}" ] || exit 1
	echo 'nameserver 127.0.0.1' >/etc/resolv.conf
	python3 "$BATS_TEST_DIRNAME/name_servers.py" >/tmp/names.out 2>/tmp/names.err 3>&- &
	echo $! >/tmp/names.pid
	timeout 5 sh -c 'until grep -q ready /tmp/names.out; do sleep 0.05; done'
}

teardown_file() {
	kill "$(cat /tmp/names.pid)"
}

setup() {
	BIN=${BIN:-$BATS_TEST_DIRNAME/../../build/bin}
	cd "$BATS_TEST_TMPDIR" || return 1
}

# ask SERVER N OPTION ...: what a program sees whose client is 127.0.0.N
ask() {
	local server=$1 from=$2
	shift 2
	"$server" -1 "$@" 127.0.0.1 0 sh -c 'env | grep -E "^(PROTO|TCP|HIT)" | grep -v PORT= | sort' >port 2>log 3>&- &
	local pid=$!
	timeout 5 sh -c 'until [ -s port ]; do sleep 0.02; done'
	python3 - "$from" "$(cat port)" <<-'PYTHON'
		import socket, sys
		s = socket.create_connection(("127.0.0.1", int(sys.argv[2])), 30, (f"127.0.0.{sys.argv[1]}", 0))
		s.settimeout(40)
		while data := s.recv(4096):
		    sys.stdout.buffer.write(data)
	PYTHON
	kill "$pid"
	wait "$pid" || true
}

# same N OPTION ...: ours and the real one agree
same() {
	[ -x /usr/bin/tcpserver ] || skip 'needs ucspi-tcp: apt install ucspi-tcp'
	ask "$BIN/tcpserver" "$@" >ours
	ask /usr/bin/tcpserver "$@" >theirs
	diff theirs ours || { echo "differs: $*"; false; }
}

@test "names that exist, that are forged, that are missing, that are two: as ucspi-tcp" {
	same 2 -R
	same 3 -R
	same 4 -R
	same 8 -R
	grep -q '^TCPREMOTEHOST=first.example$' ours
	grep -q '^TCPLOCALHOST=server.example$' ours
}

@test "-p drops a name that its address does not confirm, as ucspi-tcp" {
	same 2 -Rp
	grep -q '^TCPREMOTEHOST=good.example$' ours
	same 3 -Rp
	run -1 grep TCPREMOTEHOST ours
	same 8 -Rp
}

@test "-H and -l look nothing up, as ucspi-tcp" {
	same 2 -RHl here.example
	grep -q '^TCPLOCALHOST=here.example$' ours
}

@test "ident: a user, an error, colons, nobody at home; as ucspi-tcp" {
	same 2 -Hl x
	grep -q '^TCPREMOTEINFO=john$' ours
	same 3 -Hl x
	same 8 -Hl x
	same 4 -Hl x
}

@test "a rule by name is obeyed when the name's address confirms it, and only then" {
	printf '=good.example:allow,HIT="good"\n=forged.example:allow,HIT="forged"\n:allow,HIT="default"\n' |
		"$BIN/tcprules" r.cdb r.tmp
	run -0 ask "$BIN/tcpserver" 2 -Rlx -x r.cdb
	[[ "$output" = *HIT=good* ]]
	run -0 ask "$BIN/tcpserver" 3 -Rlx -x r.cdb
	[[ "$output" = *HIT=default* ]]
	[[ "$output" = *TCPREMOTEHOST=forged.example* ]]
}

@test "rules by ident and by ident at a name" {
	printf 'john@127.0.0.2:allow,HIT="ip"\n' | "$BIN/tcprules" r.cdb r.tmp
	same 2 -Hlx -x r.cdb
	grep -q HIT=ip ours
	printf 'john@=good.example:allow,HIT="host"\n' | "$BIN/tcprules" r.cdb r.tmp
	same 2 -lx -x r.cdb
	grep -q HIT=host ours
}

@test "servers that fail or are silent hold a client for 5 seconds at most" {
	local n start
	for n in 5 6; do
		start=$SECONDS
		run -0 ask "$BIN/tcpserver" "$n"
		[ $((SECONDS - start)) -le 7 ]
		[[ "$output" != *TCPREMOTEHOST* ]]
	done
	start=$SECONDS
	run -0 ask "$BIN/tcpserver" 6 -t 1
	[ $((SECONDS - start)) -le 3 ]
}

@test "names and ident answers with control or 8-bit bytes do not reach the program" {
	ask "$BIN/tcpserver" 7 >ours
	grep -q '^TCPREMOTEIP=127.0.0.7$' ours
	run -1 grep -P '[^\x20-\x7e]' ours
}
