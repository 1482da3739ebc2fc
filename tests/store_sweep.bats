#!/usr/bin/env bats
# The store of the queue, struck at every system call, and its log, bit by bit: what was promised is there.
# SWEEP=long goes to every point; else as many as there is time for.

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	requires python3 python3
	export ASAN_OPTIONS=detect_leaks=0 # the driver just ends
	HELPERS=$BIN/../helpers
	DRIVER=$HELPERS/store_driver
	SEGMENT=65536
	if [ "${SWEEP:-}" = long ]; then
		TIME=1500
	else
		TIME=2
	fi
}

# judged COMMAND ...: it ends with 0; its counts are comments.
judged() {
	run "$@"
	[ "$status" -ne 77 ] || skip "$output"
	grep '^#' <<<"$output" >&3
	grep -v '^#' <<<"$output" || :
	[ "$status" -eq 0 ]
}

# strike BLOW [OPTION ...]: a store that takes 40 messages and lets some of them go, in small segments
strike() {
	[[ "$BIN" != *sanitize* ]] || skip 'a sanitizer cannot be traced'
	local blow=$1
	shift
	judged python3 -B "$BATS_TEST_DIRNAME/strike.py" --strike "$HELPERS/strike" --seconds "$TIME" "$@" "$blow" \
		"\$STRIKE $DRIVER work . $SEGMENT 40 4" "$DRIVER check . $SEGMENT"
}

@test "killed at each system call" {
	strike kill
}

@test "a first start that is killed while it makes its log is no obstacle to the next" {
	local point
	for point in 3 4 5 6; do
		mkdir "$point"
		"$HELPERS/strike" -o report -n "$point" -k -c pwrite64,fsync,fdatasync "$DRIVER" work "$point" "$SEGMENT" 3 1 || :
		grep struck report
		"$DRIVER" check "$point" "$SEGMENT"
	done
}

@test "each read and write does only half of it" {
	strike short
}

@test "EINTR at each call that may be interrupted" {
	strike EINTR
}

@test "ENOSPC at each call, and for a while" {
	strike ENOSPC
	strike ENOSPC --times 20
}

@test "EIO at each call, and for a while" {
	strike EIO
	strike EIO --times 20
}

@test "EMFILE at each call, and for a while" {
	strike EMFILE
	strike EMFILE --times 20
}

@test "ENOMEM at each call, and for a while" {
	strike ENOMEM
	strike ENOMEM --times 20
}

# a queue of 1,000 messages, none of them larger than 200 bytes but those that are on the shelf
filled_queue() {
	mkdir queue
	"$DRIVER" hold queue 1048576 1000 8 200 >promised
	[ "$(grep -c '^+' promised)" = 1000 ]
}

@test "bits of a log of 1,000 messages: no crash, no wrong message, each loss named" {
	mkdir queue
	"$DRIVER" leave queue 4194304 1000 8 200 0 >promised
	[ "$(grep -c '^+' promised)" = 1000 ]
	judged python3 -B "$BATS_TEST_DIRNAME/bitflip.py" --seconds "$((TIME * 2))" queue "$DRIVER list . 4194304"
}

@test "bits of the snapshot of 1,000 messages, and of files of the shelf" {
	filled_queue
	judged python3 -B "$BATS_TEST_DIRNAME/bitflip.py" --seconds "$TIME" --files snapshot queue "$DRIVER list . 1048576"
	judged python3 -B "$BATS_TEST_DIRNAME/bitflip.py" --seconds "$TIME" --files 'shelf/*/*' --at-once 1 queue "$DRIVER list . 1048576"
}
