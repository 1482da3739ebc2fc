#!/usr/bin/env bats
# The power is cut: what was promised is there, and the test itself can tell.
# Runs in a world of its own: see tests/root/inside. SWEEP=long takes its time.

bats_require_minimum_version 1.5.0
load ../helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	requires python3 python3
	TOYS="python3 -B $BATS_TEST_DIRNAME/powercut_toys.py"
	if [ "${SWEEP:-}" = long ]; then
		CUTS=3000 SECONDS_EACH=1200
	else
		CUTS=40 SECONDS_EACH=4
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

@test "ext4: the test finds what is known to lose, and nothing in what is known to keep" {
	local protocol
	for protocol in no-sync rename link log-no-sync; do
		toy ext4 $protocol
		[ "$status" -eq 1 ]
		[[ "$output" = *': lost: '* ]]
		[[ "$output" != *failed:* ]]
	done
	for protocol in name-first rename-folder log; do
		toy ext4 $protocol
		[ "$status" -eq 0 ]
	done
	[[ "$output" = *'(1.000 a message)'* ]] # a log's
}

@test "xfs: the test finds what is known to lose, and nothing in what is known to keep" {
	toy xfs rename
	[ "$status" -eq 1 ]
	[[ "$output" = *': lost: '* ]]
	[[ "$output" != *failed:* ]]
	toy xfs log
	[ "$status" -eq 0 ]
}
