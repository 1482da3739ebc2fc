#!/usr/bin/env bats
# kill -9, at every point of a delivery: nothing arrives twice, nothing half, and 250 means that it is there.

load helpers

# sweep TARGET: kill_sweep.py, its counts as comments.
sweep() {
	requires python3 python3
	run python3 -B "$BATS_TEST_DIRNAME/kill_sweep.py" "$BIN" "$PWD/sweep" "$1"
	[ "$status" -ne 77 ] || skip "$output"
	grep '^#' <<<"$output" >&3
	grep -v '^#' <<<"$output" || :
	[ "$status" -eq 0 ]
}

@test "kill -9 of smtpd before each of its system calls" {
	requires strace strace
	sweep smtpd
}

@test "kill -9 of the back end before each of its system calls" {
	requires strace strace
	sweep back-end
}

@test "kill -9 of the process between them before each of its system calls" {
	requires strace strace
	sweep broker
}

@test "kill -9 of smtpd and of the back end in the midst of a system call" {
	sweep moments
}
