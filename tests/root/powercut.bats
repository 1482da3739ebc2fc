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

# found FS WORKLOAD CHECK: cut finds a loss, and nothing but losses
found() {
	SECONDS_EACH=600
	cut "$@" --until-found
	[ "$status" -eq 1 ]
	[[ "$output" = *': lost: '* ]]
	[[ "$output" != *failed:* ]]
}

# kept FS WORKLOAD CHECK: cut finds nothing, and takes its time
kept() {
	SECONDS_EACH=$((SECONDS_EACH * 3))
	cut "$@"
	[ "$status" -eq 0 ]
}

# flushes WRITERS: how many a message, in thousandths, when so many write at a time
flushes() {
	CUTS=1
	cut ext4 "$HELPERS/store_driver hold . 4194304 320 $1 2000 0" "$HELPERS/store_driver check . 4194304"
	[ "$status" -eq 0 ]
	[[ "$output" =~ \(([0-9]+)\.([0-9]+)\ a\ message\) ]]
	THOUSANDTHS=$((10#${BASH_REMATCH[1]}${BASH_REMATCH[2]}))
}

@test "what is known to lose is found out" {
	local fs protocol
	for fs in ext4 xfs; do
		for protocol in rename log-no-sync; do
			found $fs "$TOYS $protocol 20" "$TOYS check $protocol"
		done
	done
}

@test "in what is known to keep, nothing is found" {
	local fs protocol
	for fs in ext4 xfs; do
		for protocol in name-first log; do
			cut $fs "$TOYS $protocol 20" "$TOYS check $protocol"
			[ "$status" -eq 0 ]
		done
	done
	[[ "$output" = *'(1.000 a message)'* ]]
}

# of a store that takes messages and lets some of them go, in small segments
WORK='work . 131072 60 4' CHECK='check . 131072'

@test "ext4: the store keeps what it promised" {
	kept ext4 "$HELPERS/store_driver $WORK" "$HELPERS/store_driver $CHECK"
}

@test "xfs: the store keeps what it promised" {
	kept xfs "$HELPERS/store_driver $WORK" "$HELPERS/store_driver $CHECK"
}

@test "queued keeps what it answered" {
	kept ext4 "exec python3 -B $BATS_TEST_DIRNAME/../queued_work.py $BIN queued" \
		"[ ! -d home/queue ] || exec $HELPERS/store_driver check home/queue 65536"
}

@test "a store that does not flush is found out" {
	found ext4 "$HELPERS/store_driver_no_sync $WORK" "$HELPERS/store_driver $CHECK"
}

@test "one who writes alone costs one flush a message, and 32 share theirs" {
	flushes 1
	[ "$THOUSANDTHS" -le 1100 ]
	flushes 32
	[ "$THOUSANDTHS" -le 100 ]
}
