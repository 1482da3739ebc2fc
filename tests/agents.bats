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
