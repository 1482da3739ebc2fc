#!/usr/bin/env bats
# tcprules: what it does differently from ucspi-tcp's. The rest is tests/differential.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, so what it sets is its own
load helpers

@test "a temporary file that is the input is refused, and the input is unharmed" {
	echo '127.:allow,RELAYCLIENT=""' >rules
	cp rules before
	# shellcheck disable=SC2094 # that is what it is about
	run tcprules rules.cdb rules <rules
	[ "$status" -eq 111 ]
	[ "$output" = "tcprules: fatal: unable to create rules: it is the input" ]
	cmp rules before
	[ ! -e rules.cdb ]
}

@test "a hard link to the input is the input" {
	echo ':deny' >rules
	ln rules tmp
	run tcprules rules.cdb tmp <rules
	[ "$status" -eq 111 ]
	[ "$(cat rules)" = ":deny" ]
}

@test "a symbolic link as temporary file is replaced, not followed" {
	echo precious >victim
	ln -s victim tmp
	echo ':deny' | tcprules rules.cdb tmp
	[ "$(cat victim)" = precious ]
	[ ! -e tmp ]
	[ -f rules.cdb ] && [ ! -L rules.cdb ]
}

@test "a symbolic link to the input as temporary file does no harm" {
	echo ':deny' >rules
	ln -s rules tmp
	tcprules rules.cdb tmp <rules
	[ "$(cat rules)" = ":deny" ]
	[ "$(tcprulescheck rules.cdb | tail -n 1)" = "deny connection" ]
}

@test "a dangling symbolic link is not written through" {
	ln -s elsewhere tmp
	echo ':deny' | tcprules rules.cdb tmp
	[ ! -e elsewhere ]
}

@test "a device as temporary file stays a device" {
	run sh -c 'echo :deny | tcprules rules.cdb /dev/full'
	[ "$status" -eq 111 ]
	[ "$output" = "tcprules: fatal: unable to write to /dev/full: out of disk space" ]
	[ -c /dev/full ]
}

@test "a closed input is an error, not an empty rule set" {
	echo ':deny' | rules old
	run sh -c 'tcprules old.cdb new.tmp <&-'
	[ "$status" -eq 111 ]
	[ "$output" = "tcprules: fatal: unable to read input: file descriptor not open" ]
	[ "$(tcprulescheck old.cdb | tail -n 1)" = "deny connection" ]
}

@test "closed descriptors 1 and 2 end up in no file" {
	echo ':deny' | sh -c 'tcprules x.cdb x.tmp >&- 2>&-'
	[ "$(tcprulescheck x.cdb | tail -n 1)" = "deny connection" ]
	run sh -c 'echo nonsense:x | tcprules y.cdb y.tmp 2>&-'
	[ "$status" -eq 100 ]
	[ "$(grep -c fatal y.tmp)" -eq 0 ]
}

@test "a bad line leaves the old rules alone and shows the whole line" {
	echo ':deny' | rules x
	long=$(printf 'k%.0s' {1..3000})
	run sh -c "echo '$long:nope' | tcprules x.cdb x.tmp"
	[ "$status" -eq 100 ]
	[ "$output" = "tcprules: fatal: unable to parse this line: $long:nope" ]
	[ "$(tcprulescheck x.cdb | tail -n 1)" = "deny connection" ]
}

@test "mode 644 less umask" {
	(umask 027 && echo ':allow' | rules x)
	[ "$(stat -c %a x.cdb)" = 640 ]
}

@test "--help and --version" {
	run tcprules --help
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "tcprules: usage: tcprules rules.cdb rules.tmp" ]
	run tcprules --version
	[ "$status" -eq 0 ]
	run tcprules --nonsense x
	[ "$status" -eq 100 ]
	[ "$output" = "tcprules: usage: tcprules rules.cdb rules.tmp" ]
}
