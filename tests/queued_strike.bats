#!/usr/bin/env bats
# queued, smtpd and qmail-queue, killed at each system call; and queued, whose calls fail or do only half: every message
# that was answered 250 is there once, none is damaged, and mail is taken again by itself.
# SWEEP=long goes to every point; else as many as there is time for, of each kind of call as many as of the others.

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	[[ "$BIN" != *sanitize* ]] || skip 'a sanitizer cannot be traced'
	requires python3 python3
	HELPERS=$BIN/../helpers
	if [ "${SWEEP:-}" = long ]; then
		TIME=3000
	else
		TIME=2
	fi
}

# strike TARGET BLOW [OPTION ...]
strike() {
	local target=$1 blow=$2
	shift 2
	run python3 -B "$BATS_TEST_DIRNAME/strike.py" --strike "$HELPERS/strike" --seconds "$TIME" "$@" "$blow" \
		"exec python3 -B $BATS_TEST_DIRNAME/queued_work.py $BIN $target" "$HELPERS/store_driver check home/queue 65536"
	[ "$status" -ne 77 ] || skip "$output"
	grep '^#' <<<"$output" >&3
	grep -v '^#' <<<"$output" || :
	[ "$status" -eq 0 ]
}

@test "queued killed at each of its system calls" {
	strike queued kill
}

@test "smtpd killed at each of its system calls" {
	strike smtpd kill
}

@test "qmail-queue killed at each of its system calls" {
	strike qmail-queue kill
}

@test "queued, whose reads and writes do only half, or are interrupted" {
	strike queued short
	strike queued EINTR
}

@test "queued on a full disk: ENOSPC at each call, and for a while" {
	strike queued ENOSPC
	strike queued ENOSPC --times 20
}

@test "queued on a dying disk: EIO at each call, and for a while" {
	strike queued EIO
	strike queued EIO --times 20
}

@test "queued without descriptors: EMFILE at each call, and for a while" {
	strike queued EMFILE
	strike queued EMFILE --times 20
}

@test "queued without memory: ENOMEM at each call, and for a while" {
	strike queued ENOMEM
	strike queued ENOMEM --times 20
}
