#!/usr/bin/env bats
# Queue programs by themselves: the message on 0, the envelope on 1, the answer in the exit code.

bats_require_minimum_version 1.5.0

setup() {
	BIN=${BIN:-$BATS_TEST_DIRNAME/../build/bin}
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir -p Maildir/{tmp,new,cur}
}

# queue PROGRAM ARG ...: message from the file "message", envelope from "envelope", error text to "error"
queue() {
	"$@" <message 1<envelope 2>log 4>/dev/null 6>error
}

envelope() {
	printf '%b' "$1" >envelope # NULs are written as \0 there
}

nothing_left() {
	[ -z "$(find Maildir -type f)" ]
}

@test "one file for a message, whatever the number of recipients" {
	printf 'Subject: x\n\nhello\n' >message
	envelope 'Fs@a.example\0Tr@b.example\0Tq@c.example\0\0'
	queue "$BIN/queue-maildir" Maildir
	[ "$(cat Maildir/new/*)" = 'Return-Path: <s@a.example>
Delivered-To: r@b.example
Delivered-To: q@c.example
Subject: x

hello' ]
	[ -z "$(ls Maildir/tmp)" ]
	[ "$(stat -c %a Maildir/new/*)" = 600 ]
}

@test "messages of every size arrive byte for byte" {
	local size
	envelope 'F\0Tr@b.example\0\0'
	for size in 0 1 65536 262143 262144 262145 10485761; do
		rm -f Maildir/new/*
		head -c "$size" /dev/urandom >message
		queue "$BIN/queue-maildir" Maildir
		tail -n +3 Maildir/new/* | cmp - message
	done
	[ -z "$(ls Maildir/tmp)" ]
}

@test "an envelope that was cut, at any byte, keeps nothing: 54" {
	printf 'x\n' >message
	envelope 'Fs@a.example\0Tr@b.example\0\0'
	cp envelope whole
	local n
	for n in $(seq 0 $(($(stat -c %s whole) - 1))); do
		head -c "$n" whole >envelope
		run -54 queue "$BIN/queue-maildir" Maildir
		run -54 queue "$BIN/queue-null"
	done
	nothing_left
}

@test "envelopes of a wrong form: 91, an address too long: 11" {
	printf 'x\n' >message
	envelope 'Ta\0\0'
	run -91 queue "$BIN/queue-maildir" Maildir
	envelope 'Fa\0Xb\0\0'
	run -91 queue "$BIN/queue-maildir" Maildir
	(printf F; head -c 1003 /dev/zero | tr '\0' a; printf '\0Tr\0\0') >envelope
	run -11 queue "$BIN/queue-maildir" Maildir
	(printf F; head -c 1002 /dev/zero | tr '\0' a; printf '\0Tr\0\0') >envelope
	run -0 queue "$BIN/queue-maildir" Maildir
}

@test "more recipients than are taken: 82, and descriptor 6 says why" {
	printf 'x\n' >message
	(printf 'Fs\0'; yes "$(printf 'T%01000d' 0)" | head -n 4500 | tr '\n' '\0'; printf '\0') >envelope
	run -82 queue "$BIN/queue-maildir" Maildir
	[ "$(cat error)" = 'Denvelope is larger than this queue takes (#5.5.3)' ]
	nothing_left
}

@test "a message for nobody is taken, and goes to nobody" {
	printf 'x\n' >message
	envelope 'Fs@a.example\0\0'
	queue "$BIN/queue-maildir" Maildir
	nothing_left
}

@test "a line end in an address does not end its field" {
	printf 'x\n' >message
	envelope 'Fs\nBcc: y@a.example\0Tr@b.example\nX: y\0\0'
	queue "$BIN/queue-maildir" Maildir
	[ "$(head -n 2 Maildir/new/*)" = 'Return-Path: <s_Bcc: y@a.example>
Delivered-To: r@b.example_X: y' ]
}

@test "no Maildir, no tmp, no room: a code for now, a reason, and nothing left behind" {
	envelope 'F\0Tr@b.example\0\0'
	head -c 300000 /dev/zero >message
	run -62 queue "$BIN/queue-maildir" nowhere
	grep -q 'nowhere: No such file' log
	run -53 bash -c 'ulimit -f 100; "$1" Maildir <message 1<envelope 2>log' limited "$BIN/queue-maildir"
	grep -q 'unable to write message: File too large' log
	nothing_left
	head -c 120000 /dev/zero >message # in memory, and too large for the file
	run -53 bash -c 'ulimit -f 100; "$1" Maildir <message 1<envelope 2>log' limited "$BIN/queue-maildir"
	nothing_left
	rmdir Maildir/tmp
	run -62 queue "$BIN/queue-maildir" Maildir
	mkdir Maildir/tmp
	rmdir Maildir/new
	run -53 queue "$BIN/queue-maildir" Maildir
	[ -z "$(ls Maildir/tmp)" ]
}

@test "the order that a power cut cannot undo: link into new, then fsync, then unlink and 0" {
	command -v strace >/dev/null || skip 'needs strace: apt install strace'
	printf 'x\n' >message
	envelope 'F\0Tr@b.example\0\0'
	queue strace -o trace -e trace=linkat,link,fsync,unlinkat,unlink,write,exit_group "$BIN/queue-maildir" Maildir ||
		skip 'strace may not trace here'
	run -0 awk -F'(' '/\(/ { printf "%s ", $1 }' trace
	[[ "$output" =~ ^(write )+'linkat fsync unlinkat exit_group '$ ]] || { cat trace; false; }
}

@test "a flush that fails is no delivery" {
	command -v strace >/dev/null || skip 'needs strace: apt install strace'
	printf 'x\n' >message
	envelope 'F\0Tr@b.example\0\0'
	run -53 queue strace -o trace -e inject=fsync:error=EIO "$BIN/queue-maildir" Maildir
	nothing_left
}

@test "usage: exit 100" {
	run -100 "$BIN/queue-maildir" </dev/null
	run -100 "$BIN/queue-null" what </dev/null
}
