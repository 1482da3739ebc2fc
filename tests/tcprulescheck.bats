#!/usr/bin/env bats
# tcprulescheck: what it does differently from ucspi-tcp's. The rest is tests/differential.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, so what it sets is its own
load helpers

check() { # CDB IP HOST
	TCPREMOTEIP=$2 TCPREMOTEHOST=$3 tcprulescheck "$1.cdb"
}

@test "a directory is an error, not a crash" {
	run tcprulescheck /
	[ "$status" -eq 111 ]
	[ "$output" = "tcprulescheck: fatal: unable to read /: is a directory" ]
}

@test "a FIFO is an error, and nobody waits for it" {
	mkfifo pipe
	run timeout 5 tcprulescheck pipe
	[ "$status" -eq 111 ]
	[ "$output" = "tcprulescheck: fatal: unable to read pipe: invalid argument" ]
}

@test "names are compared without case and without a last dot" {
	printf '%s\n' '=evil.example:deny' '=.Spam.Example.:deny' ':allow' | rules x
	for host in evil.example EVIL.Example evil.example. eViL.eXaMpLe.; do
		[ "$(check x 1.2.3.4 "$host" | tail -n 1)" = "deny connection" ]
	done
	for host in a.spam.example A.SPAM.EXAMPLE a.b.spam.example.; do
		[ "$(check x 1.2.3.4 "$host" | tail -n 1)" = "deny connection" ]
	done
	[ "$(check x 1.2.3.4 good.example | tail -n 1)" = "allow connection" ]
}

@test "a rule in capitals matches, and is shown as it was written" {
	printf '%s\n' '=EVIL.Example:deny' 'joe@=Big.Example:deny' ':allow' | rules x
	run check x 1.2.3.4 evil.example
	[ "${lines[0]}" = "rule =EVIL.Example:" ]
	TCPREMOTEINFO=joe run check x 1.2.3.4 BIG.example
	[ "${lines[0]}" = "rule joe@=Big.Example:" ]
	TCPREMOTEINFO=JOE run check x 1.2.3.4 BIG.example
	[ "${lines[0]}" = "rule :" ]
}

@test "of rules that differ in case only, the first counts" {
	printf '%s\n' '=A.Example:deny' '=a.example:allow' | rules x
	[ "$(check x 1.2.3.4 a.example | tail -n 1)" = "deny connection" ]
	printf '%s\n' '=a.example:allow' '=A.Example:deny' | rules y
	[ "$(check y 1.2.3.4 A.EXAMPLE | tail -n 1)" = "allow connection" ]
}

@test "::ffff:a.b.c.d is a.b.c.d" {
	printf '%s\n' '10.0.0.:deny' ':allow' | rules x
	for ip in ::ffff:10.0.0.7 ::FFFF:10.0.0.7 ::ffff:a00:7 0:0:0:0:0:ffff:10.0.0.7; do
		[ "$(check x "$ip" | tail -n 1)" = "deny connection" ]
	done
	[ "$(check x ::10.0.0.7 | tail -n 1)" = "allow connection" ]
}

@test "a file cut anywhere is an error and never an allow" {
	printf '%s\n' '127.:deny' '10.:allow,RELAYCLIENT=""' '=x:deny' | rules x
	size=$(stat -c %s x.cdb)
	# every cut is tried in rules_test; here, that the program says so
	for ((n = 0; n < size; n += 61)); do
		head -c "$n" x.cdb >part
		run tcprulescheck part
		[ "$status" -eq 111 ]
	done
}

@test "bytes behind the tables are an error" {
	echo ':deny' | rules x
	printf x >>x.cdb
	run tcprulescheck x.cdb
	[ "$status" -eq 111 ]
	[ "$output" = "tcprulescheck: fatal: unable to read x.cdb: protocol error" ]
}

@test "a value with a NUL byte in it makes no rule" {
	printf ':allow,A="\0D"\n' | rules x
	run tcprulescheck x.cdb
	[ "$status" -eq 111 ]
}

@test "a file of cdb -c is as good as one of tcprules" {
	requires cdb tinycdb
	printf '+8,2:10.0.0.1->D\0\n+0,4:->+A=\0\n\n' | cdb -c x.cdb -
	[ "$(check x 10.0.0.1 | tail -n 1)" = "deny connection" ]
	[ "$(check x 10.0.0.2 | head -n 2 | tail -n 1)" = "set environment variable A=" ]
}

@test "--help and --version" {
	run tcprulescheck --help
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "tcprulescheck: usage: tcprulescheck rules.cdb" ]
	run tcprulescheck --version
	[ "$status" -eq 0 ]
	run tcprulescheck --nonsense
	[ "$status" -eq 100 ]
}

@test "2048 zero bytes are no rules" {
	head -c 2048 /dev/zero >zero.cdb
	run tcprulescheck zero.cdb
	[ "$status" -eq 111 ]
	tcprules empty.cdb empty.tmp </dev/null
	run tcprulescheck empty.cdb
	[ "$status" -eq 0 ]
}
