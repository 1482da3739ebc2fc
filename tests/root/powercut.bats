#!/usr/bin/env bats
# The power is cut: what was promised is there, and the test itself can tell.
# Runs in a world of its own: see tests/root/inside. SWEEP=long takes its time.

bats_require_minimum_version 1.5.0
load ../helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	requires python3 python3
	TOYS="python3 -B $BATS_TEST_DIRNAME/powercut_toys.py"
	HELPERS=$BIN/../helpers
	if [ "${SWEEP:-}" = long ]; then
		CUTS=3000 SECONDS_EACH=1200
	else
		CUTS=60 SECONDS_EACH=2
	fi
}

# cut FS WORKLOAD CHECK: powercut.py; sets status and output. Its counts are comments.
cut() {
	local fs=$1
	shift
	run python3 -B "$BATS_TEST_DIRNAME/powercut.py" --fs "$fs" --cuts "$CUTS" --seconds "$SECONDS_EACH" "$@"
	[ "$status" -ne 77 ] || skip "$output"
	echo "$output"
	grep '^#' <<<"$output" >&3
}

# toy FS PROTOCOL: what its cuts find
toy() {
	cut "$1" "$TOYS $2 20" "$TOYS check $2"
}

# store FS [PROGRAM]: what cuts find of a store that takes messages and lets some of them go, in small segments
store() {
	local driver=$HELPERS/${2-store_driver}
	[ "${SWEEP:-}" = long ] || SECONDS_EACH=6
	cut "$1" "$driver work . 131072 60 4" "$driver check . 131072"
}

# flushes WRITERS: how many a message, in thousandths, when so many write at a time
flushes() {
	CUTS=1
	cut ext4 "$HELPERS/store_driver hold . 4194304 320 $1 2000 0" "$HELPERS/store_driver check . 4194304"
	[ "$status" -eq 0 ]
	[[ "$output" =~ \(([0-9]+)\.([0-9]+)\ a\ message\) ]]
	THOUSANDTHS=$((10#${BASH_REMATCH[1]}${BASH_REMATCH[2]}))
}

@test "ext4: what is known to lose is found out, and what is known to keep is not" {
	local protocol
	for protocol in rename log-no-sync; do
		toy ext4 $protocol
		[ "$status" -eq 1 ]
		[[ "$output" = *': lost: '* ]]
		[[ "$output" != *failed:* ]]
	done
	for protocol in name-first log; do
		toy ext4 $protocol
		[ "$status" -eq 0 ]
	done
	[[ "$output" = *'(1.000 a message)'* ]]
}

@test "xfs: what is known to lose is found out, and what is known to keep is not" {
	toy xfs rename
	[ "$status" -eq 1 ]
	[[ "$output" = *': lost: '* ]]
	[[ "$output" != *failed:* ]]
	toy xfs log
	[ "$status" -eq 0 ]
}

@test "ext4: the store keeps what it promised" {
	store ext4
	[ "$status" -eq 0 ]
}

@test "xfs: the store keeps what it promised" {
	store xfs
	[ "$status" -eq 0 ]
}

@test "a store that does not flush is found out" {
	store ext4 store_driver_no_sync
	[ "$status" -eq 1 ]
	[[ "$output" = *': lost: '* ]]
}

@test "one who writes alone costs one flush a message, and 32 share theirs" {
	flushes 1
	[ "$THOUSANDTHS" -le 1100 ]
	flushes 32
	[ "$THOUSANDTHS" -le 100 ]
}
