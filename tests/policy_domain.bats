#!/usr/bin/env bats
# policy-domain on a pipe, with a name server of our own.

bats_require_minimum_version 1.5.0
load helpers
load peers

# ask SENDER LINE OPTION...: the answer to one request
ask() {
	local sender=$1 more=$2
	shift 2
	printf 'stage=mail\nclient_address=192.0.2.1\nsender=%s\n%s\n\n' "$sender" "$more" | timeout 30 policy-domain "$@"
}

# judged SENDER TAG [CODE STATUS TEXT]
judged() {
	local want
	run -0 ask "$1" relay=0
	want="action=continue"$'\n'"tag=domain=$2"
	if (($# > 2)); then
		want="action=$6"$'\n'"code=$3"$'\n'"status=$4"$'\n'"text=$5"$'\n'"tag=domain=$2"
	fi
	[ "$output" = "$want" ] || { echo "$1: $output"; false; }
}

records=('mx.example MX 10 m.example' 'a.example A 192.0.2.1' 'six.example AAAA 2001:db8::1' 'null.example MX 0 .'
	'two.example MX 0 .' 'two.example MX 10 m.example' 'text.example TXT x' 'down.example SERVFAIL'
	'half.example AAAA 2001:db8::1' 'half.example MX 0 m.example' 'alias.example CNAME mx.example' 'silent.example SILENT')

@test "domains that take mail, that do not, and that nobody knows of" {
	zone "${records[@]}"
	local missing=(550 5.1.8 'sorry, your envelope sender domain must exist' reject)
	judged joe@mx.example good
	judged joe@a.example good
	judged joe@six.example good
	judged joe@two.example good
	judged joe@half.example good
	judged joe@alias.example good
	judged joe@MX.Example good
	judged joe@text.example missing "${missing[@]}"
	judged joe@none.example missing "${missing[@]}"
	judged joe@no..name missing "${missing[@]}"
	judged "joe@$(printf 'x%.0s' {1..300}).example" missing "${missing[@]}"
	judged joe@null.example null 550 5.7.27 'sorry, your envelope sender domain takes no mail' reject
	judged joe@down.example unknown 451 4.4.3 'DNS temporary failure' defer
}

@test "a name that does not exist costs one question" {
	zone "${records[@]}"
	judged joe@none.example missing 550 5.1.8 'sorry, your envelope sender domain must exist' reject
	[ "$(cat asked)" = 'none.example 15' ]
}

@test "who is not judged" {
	local sender stage
	zone "${records[@]}"
	for sender in '' postmaster 'joe@[192.0.2.1]' $'joe@\xc3\xa4.example'; do
		run -0 ask "$sender" relay=0
		[ "$output" = action=continue ]
	done
	run -0 ask joe@none.example relay=1
	[ "$output" = action=continue ]
	for stage in connect helo rcpt data end; do
		run -0 policy-domain < <(printf 'stage=%s\nsender=joe@none.example\n\n' "$stage")
		[ "$output" = action=continue ]
	done
	[ ! -e asked ]
}

@test "--mark, --time, nonsense" {
	local start
	zone "${records[@]}"
	start=$SECONDS
	run -0 ask joe@none.example relay=0 --mark
	[ "$output" = $'action=continue\ntag=domain=missing' ]
	run -0 ask joe@silent.example relay=0 --mark --time 1
	[ "$output" = $'action=continue\ntag=domain=unknown' ]
	((SECONDS - start < 15))
	run -100 policy-domain --time 301
	[ "$output" = 'policy-domain: fatal: --time: "301" is too large (1 to 300)' ]
	run -100 policy-domain x
	run -100 policy-domain --foo
	[[ "$output" = 'policy-domain: usage: '* ]]
}
