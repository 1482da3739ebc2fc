#!/usr/bin/env bats
# queued: what is handed in is kept, and a start finds it again.

bats_require_minimum_version 1.5.0
load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	PATH=$BIN:$PATH
	mkdir -p queue run control
	echo mx.example.org >control/me
	echo example.org >control/rcpthosts
	export PORTERO_HOME=$PWD
	printf 'Fs@client.example\0Tu@example.org\0\0' >envelope
	printf 'Subject: x\n\nhello\n' >message
}

# queue [OPTION ...]: starts it; small segments, so that a test is quick.
queue() {
	rm -f run/queue
	background queued -S 256 "$@" 2>>log
	QUEUED=$PID
	wait_for test -S run/queue
}

hand_in() {
	qmail-queue 0<"${1:-message}" 1<envelope
}

queued_messages() {
	sed -n 's/^new msg //p' log | wc -l
}

@test "mail by smtpd and by qmail-queue is kept, and the log says so in qmail-send's lines" {
	queue
	run -0 smtpd < <(printf '%s\r\n' 'HELO client' 'MAIL FROM:<s@client.example>' 'RCPT TO:<u@example.org>' DATA hello . QUIT)
	[[ "$output" = *'250 2.0.0 ok '*' qp '* || "$output" = *'250 ok '*' qp '* ]]
	hand_in
	wait_for eval '[ "$(queued_messages)" = 2 ]'
	run -0 grep -c "^info msg [0-9]*: bytes [0-9]* from <s@client.example> qp [0-9]* uid $(id -u)\$" log
	[ "$output" = 2 ]
}

@test "a large message is a file that people can read" {
	head -c 300000 /dev/zero | tr '\0' x | fold -w 70 >large
	queue
	hand_in large
	file=$(find queue/shelf -type f)
	[ "$(head -n 1 "$file")" = 'portero message 1 head 4096' ]
	tail -c +4097 "$file" | tail -n +2 | cmp - large
}

@test "a second one says who has the queue, and ends" {
	queue
	run -111 queued -S 256 -s run/other
	[ "$output" = "queued: fatal: $PWD/queue: process $QUEUED has this queue already" ]
}

@test "SIGTERM: what was handed in is there at the next start, after SIGKILL too" {
	queue
	hand_in
	stop "$QUEUED"
	[ "$(tail -n 1 log)" = 'status: exiting' ]
	queue
	hand_in
	kill -KILL "$QUEUED"
	reap "$QUEUED" || true
	queue
	hand_in
	stop "$QUEUED"
	# three records of three starts, and no complaint
	[ "$(queued_messages)" = 3 ]
	run ! grep "^warning" log
}

@test "below the floor mail is refused for now" {
	queue -f 1000000000
	run -82 hand_in # it has words for it
	run -0 smtpd < <(printf '%s\r\n' 'HELO client' 'MAIL FROM:<s@client.example>' 'RCPT TO:<u@example.org>' DATA hello . QUIT)
	[[ "$output" = *$'\n451 '* ]]
}

@test "it opens no file but those of the queue and the socket" {
	queue
	run -0 grep -E '^(NoNewPrivs|Seccomp):' "/proc/$QUEUED/status"
	[ "${lines[0]##*$'\t'}" = 1 ]
	[ "${lines[1]##*$'\t'}" = 2 ]
	for task in "/proc/$QUEUED/task"/*; do
		grep -q $'^Seccomp:\t2$' "$task/status"
	done
}

@test "wrong options are said, and end it with 100" {
	run -100 queued -S 1
	run -100 queued -m 999
	run -100 queued one two
	run -100 queued -u nobody-of-that-name
	run -111 queued nowhere
	[[ "$output" = *'unable to open nowhere: No such file or directory' ]]
}
