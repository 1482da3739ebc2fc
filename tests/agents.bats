#!/usr/bin/env bats
# Delivery agents by themselves: a queue gives them jobs, and hears what they say (portero-agent(7)).

bats_require_minimum_version 1.5.0
load helpers

# agent SENDER RECIPIENT ... -- PROGRAM ARG ...
agent() {
	timeout 60 python3 "$BATS_TEST_DIRNAME/agent.py" "$@"
}

@test "deliver-null: every recipient is delivered, deferred or failed" {
	printf 'x\n' >message
	run -0 agent s@a.example r@b.example q@b.example -- deliver-null
	[ "$output" = 'H20
K1 0 2.0.0 thrown away (#2.0.0)
K1 1 2.0.0 thrown away (#2.0.0)
exit 0' ]
	run -0 agent s@a.example r@b.example -- deliver-null --defer --jobs 3
	[ "$output" = 'H3
Z1 0 4.3.0 deferred, as asked for (#4.3.0)
exit 0' ]
	run -0 agent -n 2 s@a.example r@b.example -- deliver-null --jobs 1 --fail
	[ "$output" = 'H1
D1 0 5.3.0 failed, as asked for (#5.3.0)
D2 0 5.3.0 failed, as asked for (#5.3.0)
exit 0' ]
}

@test "deliver-null without a queue, and wrong usage: 100" {
	run -100 deliver-null 3</dev/null
	[ "$output" = 'deliver-null: fatal: descriptor 3 is not queued; see portero-agent(7)' ]
	run -100 deliver-null --jobs 0
	run -100 deliver-null x
	[ "$output" = 'deliver-null: usage: deliver-null [--defer | --fail] [--jobs N]' ]
}

@test "the agent of the manual page works" {
	sed -n '/^import socket/,/^\.Ed/p' "$BATS_TEST_DIRNAME/../queue/portero-agent.7" | sed '/^\.Ed/d; s/\\e/\\/g' >agent.py
	printf '12345678' >message
	run -0 agent s@a.example r@b.example q@b.example -- python3 agent.py
	[ "$output" = 'H1
D1 0 5.7.1 8 bytes too many
D1 1 5.7.1 8 bytes too many
exit 0' ]
}

@test "deliver-program: message, environment, output as the text" {
	printf 'Subject: x\n\nhello\n' >message
	run -0 agent 's@a.example' 'r%x@y@b.example' 'bare' -- \
		deliver-program sh -c 'echo "$SENDER $RECIPIENT $LOCAL $HOST"; cat >&2'
	[ "$output" = 'H10
K1 0 2.0.0 s@a.example r%x@y@b.example r%x@y b.example/Subject: x//hello
K1 1 2.0.0 s@a.example bare bare /Subject: x//hello
exit 0' ]
	run -0 agent '' r@b.example -- deliver-program sh -c 'echo "<$SENDER> (#2.1.5)"'
	[ "${lines[1]}" = 'K1 0 2.1.5 <> (#2.1.5)' ]
}

@test "deliver-program: exit codes as qmail-local reads them" {
	local code letters=
	printf 'x\n' >message
	for code in 0 99 100 64 65 70 76 77 78 112 1 71 74 75 111; do
		run -0 agent s@a.example r@b.example -- deliver-program sh -c "exit $code"
		letters+=${lines[1]:0:1}
	done
	[ "$letters" = KKDDDDDDDDZZZZZ ]
	run -0 agent s@a.example r@b.example -- deliver-program sh -c 'echo no; kill -9 $$'
	[ "${lines[1]}" = 'Z1 0 4.3.0 Aack, child crashed. (#4.3.0)' ]
}

@test "deliver-program: jobs run at once, and what runs at the end is finished" {
	printf 'x\n' >message
	local start=$SECONDS
	run -0 agent -n 8 s@a.example r@b.example -- deliver-program --jobs 8 sleep 1
	[ $((SECONDS - start)) -le 5 ]
	[ "$(grep -c '^K' <<<"$output")" = 8 ]
	[ "${lines[9]}" = 'exit 0' ]
}

@test "deliver-program: a program that takes too long, that says too much, that leaves one behind" {
	printf 'x\n' >message
	run -0 agent s@a.example r@b.example -- deliver-program --timeout 1 sh -c 'sleep 50 & sleep 50'
	[ "${lines[1]}" = 'Z1 0 4.3.0 Program took too long and was killed. (#4.3.0)' ]
	run -0 agent s@a.example r@b.example -- deliver-program sh -c 'head -c 1000000 /dev/zero | tr "\0" x'
	[ "${#lines[1]}" = $((10000 + 11)) ]
	run -0 agent s@a.example r@b.example -- deliver-program sh -c 'sleep 2 & echo gone'
	[ "${lines[1]}" = 'K1 0 2.0.0 gone' ]
	run -0 agent s@a.example r@b.example -- deliver-program sh -c 'echo gone; timeout 2 yes & sleep 0.2'
	[[ "${lines[1]}" = 'K1 0 2.0.0 gone'* ]]
	run -100 deliver-program --jobs 1
	run -100 deliver-program "$BATS_TEST_TMPDIR"/none 3</dev/null
	[ "$output" = "deliver-program: fatal: $BATS_TEST_TMPDIR/none: no such program" ]
}

@test "deliver-program: a program that cannot be run any more defers each recipient" {
	printf 'x\n' >message
	printf '#!/bin/sh\nrm -f "$0"\n' >once
	chmod +x once
	run -0 agent s@a.example r@b.example q@b.example -- deliver-program ./once
	[ "${lines[1]}" = 'K1 0 2.0.0 ' ]
	[ "${lines[2]}" = 'Z1 1 4.3.0 Unable to run program: file does not exist. (#4.3.0)' ]
}
