#!/usr/bin/env bats
# Debian's axfrdns, which its package starts with tcpserver and tcprules: on ours, by its own lines.

load helpers
load peers

teardown() {
	stop_all
	remove_own_folder
}

# start_axfrdns: the package's rules file, Makefile and run script, on a free port.
start_axfrdns() {
	local axfrdns

	requires python3 python3
	program_of axfrdns /usr/sbin/axfrdns
	axfrdns=$PROGRAM
	program_of tinydns /usr/sbin/tinydns-data
	[ "$(id -u)" = 0 ] || skip 'needs root: axfrdns changes its root directory'
	own_folder
	cat >"$OWN/data" <<-'ZONES'
		.example.org:192.0.2.1:a:259200
		+www.example.org:192.0.2.7:86400
		@example.org::mx.example.org:10:86400
		.example.net:192.0.2.1:a:259200
	ZONES
	(cd "$OWN" && "$PROGRAM")
	printf '127.0.0.1:allow,AXFR="example.org"\n:deny\n' >tcp
	tcprules tcp.cdb tcp.tmp <tcp
	export ROOT=$OWN GID=65534
	IP=127.0.0.1
	PORT=$(free_port "$IP")
	# bash has a UID of its own
	background env UID=65534 tcpserver -vDRHl0 -x tcp.cdb -- "${IP}" "$PORT" "$axfrdns" 2>log
	wait_for listens 127.0.0.1 "$PORT"
}

transfer() {
	python3 "$BATS_TEST_DIRNAME/axfr.py" "$PORT" "$@"
}

@test "axfrdns transfers a zone to the address that has a rule" {
	start_axfrdns
	run transfer 127.0.0.1 example.org
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 'example.org SOA' ]
	[ "$(printf '%s\n' "${lines[@]:1:4}" | sort)" = $'a.ns.example.org A\nexample.org MX\nexample.org NS\nwww.example.org A' ]
	[ "${lines[5]}" = 'example.org SOA' ]
	[ "${#lines[@]}" = 6 ]
}

@test "axfrdns gets AXFR from the rule: another zone of the same server is refused" {
	start_axfrdns
	run transfer 127.0.0.1 example.net
	[ "$status" -eq 1 ]
	[ -z "$output" ]
	wait_for logged '^tcpserver: ok ' 2 # the first only looked whether it listens
}

@test "axfrdns is not even started for an address without a rule" {
	start_axfrdns
	run transfer 127.0.0.2 example.org
	[ "$status" -eq 1 ]
	[ -z "$output" ]
	wait_for logged '^tcpserver: deny [0-9]* 0:127.0.0.1:'"$PORT"' :127.0.0.2::'
}
