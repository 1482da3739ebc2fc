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

# verdict ADDRESS: the key and the verdict of x.cdb.
verdict() {
	TCPREMOTEIP=$1 tcprulescheck x.cdb | tr '\n' ' '
}

@test "an IPv4 network is the classic keys that are in it" {
	echo '10.0.0.0/9:deny' | rules x
	tcprules --dump x.cdb >dump
	[ "$(wc -l <dump)" -eq 128 ]
	[ "$(head -n 1 dump)" = "10.0.:deny" ]
	[ "$(tail -n 1 dump)" = "10.127.:deny" ]
	[ "$(verdict 10.127.255.255)" = "rule 10.127.: deny connection " ]
	[ "$(verdict 10.128.0.0)" = "default: allow connection " ]
}

@test "an old tcprulescheck reads IPv4 networks" {
	requires /usr/bin/tcprulescheck ucspi-tcp
	printf '%s\n' '10.0.0.0/9:deny' '192.0.2.77/26:deny,A="b"' '[2001:db8::]/32:deny' ':allow' | rules x
	for ip in 9.255.255.255 10.0.0.0 10.127.255.255 10.128.0.0 192.0.2.63 192.0.2.64 192.0.2.127 192.0.2.128 \
		2001:db8::1; do
		case $ip in
		10.0.* | 10.127.* | 192.0.2.64 | 192.0.2.127) want="deny connection" ;;
		*) want="allow connection" ;;
		esac
		[ "$(TCPREMOTEIP=$ip /usr/bin/tcprulescheck x.cdb | tail -n 1)" = "$want" ]
	done
}

@test "the longest network counts, whatever the order of lines" {
	for order in cat tac; do
		printf '%s\n' '10.0.0.0/8:deny' '10.0.0.0/12:allow,A="12"' '10.4.0.0/14:deny' \
			'10.5.0.0/16:allow,A="16"' '10.5.6.0/23:deny' '10.5.7.7/32:allow,A="32"' | $order | rules x
		[ "$(verdict 10.255.0.1)" = "rule 10.: deny connection " ]
		[ "$(verdict 10.3.0.1)" = "rule 10.3.: set environment variable A=12 allow connection " ]
		[ "$(verdict 10.4.0.1)" = "rule 10.4.: deny connection " ]
		[ "$(verdict 10.5.0.1)" = "rule 10.5.: set environment variable A=16 allow connection " ]
		[ "$(verdict 10.5.7.1)" = "rule 10.5.7.: deny connection " ]
		[ "$(verdict 10.5.7.7)" = "rule 10.5.7.7: set environment variable A=32 allow connection " ]
	done
}

@test "a classic line counts before a network with the same key" {
	printf '%s\n' '10.4.0.0/14:deny' '10.0.0.0/8:deny' '10.5.:allow,A="b"' '10.:allow,C="d"' | rules x
	[ "$(verdict 10.5.0.1)" = "rule 10.5.: set environment variable A=b allow connection " ]
	[ "$(verdict 10.4.0.1)" = "rule 10.4.: deny connection " ]
	[ "$(verdict 10.8.0.1)" = "rule 10.: set environment variable C=d allow connection " ]
}

@test "of equal networks the first line counts" {
	printf '%s\n' '10.1.2.3/8:deny' '10.0.0.0/8:allow' '[2001:db8::1]/32:deny' '[2001:db8::2]/32:allow' | rules x
	[ "$(verdict 10.0.0.1)" = "rule 10.: deny connection " ]
	[ "$(verdict 2001:db8::)" = "rule [2001:db8::]/32: deny connection " ]
}

@test "IPv6 networks, the longest first" {
	for order in cat tac; do
		printf '%s\n' '[::]/0:deny' '[2001:DB8:0::]/32:allow' '[2001:db8:1::]/48:deny' \
			'[2001:db8:1::5]:allow,A="b"' | $order | rules x
		[ "$(verdict 2001:db8:1::5)" = "rule [2001:db8:1::5]: set environment variable A=b allow connection " ]
		[ "$(verdict 2001:0db8:0001:0::6)" = "rule [2001:db8:1::]/48: deny connection " ]
		[ "$(verdict 2001:db8:2::6)" = "rule [2001:db8::]/32: allow connection " ]
		[ "$(verdict fe80::1%eth0)" = "rule [::]/0: deny connection " ]
		[ "$(verdict 1.2.3.4)" = "default: allow connection " ]
		[ "$(verdict ::ffff:1.2.3.4)" = "default: allow connection " ]
	done
}

@test "a mapped address is IPv4, in rules and in clients" {
	printf '%s\n' '[::ffff:10.0.0.0]/104:deny' '[::ffff:9.9.9.9]:deny' | rules x
	[ "$(verdict 10.1.1.1)" = "rule 10.: deny connection " ]
	[ "$(verdict ::ffff:10.1.1.1)" = "rule 10.: deny connection " ]
	[ "$(verdict ::FFFF:0909:909)" = "rule 9.9.9.9: deny connection " ]
}

@test "an address behind info@ may be IPv6" {
	printf '%s\n' 'joe@[2001:db8::1]:allow,A="b"' '[2001:db8::1]:deny' | rules x
	[ "$(TCPREMOTEINFO=joe verdict 2001:db8:0::1)" = "rule joe@[2001:db8::1]: set environment variable A=b allow connection " ]
	[ "$(TCPREMOTEINFO=jim verdict 2001:db8:0::1)" = "rule [2001:db8::1]: deny connection " ]
}

@test "what is no network stays what it was" {
	printf '%s\n' '10.0.0.0/33:deny' '10.0.0/8:deny' '=10.0.0.0/8:deny' '[1.2.3.4]:deny' | rules x
	[ "$(tcprules --dump x.cdb | cut -d : -f 1 | tr '\n' ' ')" = "10.0.0.0/33 10.0.0/8 =10.0.0.0/8 [1.2.3.4] " ]
	for line in '[::1]/129' '[::1' '[::g]' 'x[::1]' '[::1]x' 'joe@[2001:db8::]/32'; do
		run sh -c "echo '$line:deny' | tcprules x.cdb x.tmp"
		[ "$status" -eq 100 ]
		[ "$output" = "tcprules: fatal: unable to parse this line: $line:deny" ]
	done
}

@test "many networks need memory for their lines, not for their keys" {
	# 600 lines of 128 keys each: 8 bytes a key for the tables, and nothing for their 33 MB of records
	awk 'BEGIN { for (i = 0; i < 600; i++) printf "10.%d.%d.0/25:deny,A=\"%0400d\"\n", i / 256, i % 256, i }' >text
	peak=$(python3 -c '
import resource, subprocess
subprocess.run(["tcprules", "x.cdb", "x.tmp"], stdin=open("text"), check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)')
	[ "$(stat -c %s x.cdb)" -gt 33000000 ]
	echo "peak: $peak kB"
	grep -q __asan_init "$BIN/tcprules" || [ "$peak" -lt 20000 ]
}

@test "lines that come in pieces, and a last one without a newline" {
	{
		printf '1.2.3'
		sleep 0.1
		printf '.4:deny\n\n#\n1.2.3.5:al'
		sleep 0.1
		printf 'low,A="%s"' "$(head -c 600000 /dev/zero | tr '\0' x)"
	} | rules x
	[ "$(verdict 1.2.3.4)" = "rule 1.2.3.4: deny connection " ]
	[ "$(verdict 1.2.3.5 | wc -c)" -gt 600000 ]
}

@test "the words of the line before are not those of another one" {
	printf '%s\n' '1.2.3.1:deny' '1.2.3.2:deny' '1.2.3.3:allow' '1.2.3.:allow,A="b"' '1.2.3.4:allow' \
		'1.2.3.5:deny' '10.0.0.0/8:allow,A="c"' '1.2.3.6:deny' '1.2.3.7:deny ' '1.2.3.8:deny ' | rules x
	[ "$(tcprules --dump x.cdb | tr '\n' ' ')" = '1.2.3.1:deny 1.2.3.2:deny 1.2.3.3:allow 1.2.3.:allow,A="b" 1.2.3.4:allow 1.2.3.5:deny 1.2.3.6:deny 1.2.3.7:deny 1.2.3.8:deny 10.:allow,A="c" ' ]
	run sh -c 'printf "1.2.3.4:deny\n1.2.3.5:denyx\n" | tcprules x.cdb x.tmp'
	[ "$status" -eq 100 ]
	[ "$output" = "tcprules: fatal: unable to parse this line: 1.2.3.5:denyx" ]
}
