#!/usr/bin/env bats
# Real clients, over TCP, through tcpserver into smtpd: what they send is what the Maildir has.

bats_require_minimum_version 1.5.0
load helpers
load peers

teardown() {
	stop_postfix
	stop_all
	remove_own_folder
}

# start_smtpd: tcpserver and smtpd on a free port of the loopback.
start_smtpd() {
	requires python3 python3
	own_folder memory
	mail_home "$OWN/home"
	start_server -vRHl0 127.0.0.1 0 "$BIN/smtpd"
}

# Every session ended by an exit of its own, 0, 1 or 3: a crash is a status below 256.
no_session_crashed() {
	wait_for sh -c 'tail -n 1 log | grep -q "^tcpserver: status: 0/"'
	grep -q '^tcpserver: end [0-9]* status 0$' log
	awk '/^tcpserver: end / && $5 != 0 && $5 != 256 && $5 != 768 { bad = 1; print } END { exit bad }' log
}

@test "smtp-source: 20 sessions at a time, 1,000 messages, 1,000 files, none twice" {
	local count=1000

	[[ "$BIN" != *sanitize* ]] || count=100 # their processes start fifty times slower
	program_of postfix /usr/sbin/smtp-source
	start_smtpd
	timeout 60 "$PROGRAM" -s 20 -m "$count" -l 10240 -f s@client.example -t u@example.org "127.0.0.1:$PORT"
	helper source "$MAILDIR" "$count" 10240
	[ "$(find "$MAILDIR/tmp" -type f | wc -l)" = 0 ]
	no_session_crashed
}

@test "swaks: odd lines, byte for byte" {
	requires swaks swaks
	start_smtpd
	helper odd odd
	timeout 20 swaks --server 127.0.0.1 --port "$PORT" --helo client.example --from s@client.example \
		--to u@example.org --silent 1 --data - < <(head -c -1 odd) # it puts the last line end itself
	helper same "$MAILDIR" odd
	no_session_crashed
}

@test "Python's smtplib: 8-bit bytes, dots, long lines, no body, 1 MB" {
	start_smtpd
	helper library "$PORT" "$MAILDIR"
	no_session_crashed
}

@test "pipelining by hand: groups, many messages in a packet, a packet for every byte" {
	start_smtpd
	helper pipelined "$PORT" "$MAILDIR"
	no_session_crashed
}

# ---- Postfix -------------------------------------------------------------------------------------------------

@test "Postfix relays to us: 20 messages, 20 files, bodies as they were" {
	requires_postfix
	start_smtpd
	start_postfix "$(free_port 127.0.0.1)"
	helper inject "$POSTFIX_PORT" 20
	helper relayed "$MAILDIR" 20
	run ! grep -E 'status=(deferred|bounced)' "$OWN/postfix/log"
	no_session_crashed
}

# ---- bad openings --------------------------------------------------------------------------------------------

@test "4 MiB lines, NUL bytes, 8-bit bytes, HTTP, TLS and SSH: an error, and the next client is served" {
	start_smtpd
	helper hostile "$PORT" "$MAILDIR"
	no_session_crashed
}

# ---- the relay chapter of the old guide, as printed ----------------------------------------------------------

# guide_server: tcprules and tcpserver with the guide's lines, its five stations and its -u and -g. Without
# root there is no -g: it asks for the supplementary groups to be dropped, which is root's alone.
guide_server() {
	local T gid=()

	requires python3 python3
	own_folder
	T=$OWN
	cp "$BIN/smtpd" "$BIN/queue-maildir" "$T"  # whoever tcpserver becomes need not be able to read $BIN
	ln -s smtpd "$T/qmail-smtpd"
	mail_home "$T/home"
	export QMAILQUEUE="$T/queue-maildir $MAILDIR"
	GUIDE_UID=$(id -u) GUIDE_GID=$(id -g)
	if [ "$GUIDE_UID" = 0 ]; then
		GUIDE_UID=65534 GUIDE_GID=65533
		gid=(-g "$GUIDE_GID")
		chown "$GUIDE_UID" "$MAILDIR"/{tmp,new,cur}
	fi
	cat >"$T/tcp.smtp" <<-'RULES'
		1.2.3.101:allow,RELAYCLIENT=""
		1.2.3.102:allow,RELAYCLIENT=""
		1.2.3.103:allow,RELAYCLIENT=""
		1.2.3.104:allow,RELAYCLIENT=""
		127.0.0.1:allow,RELAYCLIENT=""
	RULES
	tcprules "$T/tcp.smtp.cdb" "$T/tcp.smtp.tmp" <"$T/tcp.smtp"
	export DNSCACHEIP=127.0.0.1:1  # the line has neither -H nor -l: nobody answers there, at once
	PORT=$(free_port 0.0.0.0)
	background tcpserver -x "$T/tcp.smtp.cdb" -u "$GUIDE_UID" "${gid[@]}" 0 "$PORT" "$T/qmail-smtpd"
	wait_for listens 127.0.0.1 "$PORT"
}

# relay_from ADDRESS
relay_from() {
	helper from-address "$1" "$PORT" somebody@elsewhere.example
}

refusal="553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"

@test "the guide's lines: 127.0.0.1 relays, an address without a rule is told why not" {
	guide_server
	[ "$(relay_from 127.0.0.1)" = '250 ok' ]
	[ "$(relay_from 127.0.0.2)" = "$refusal" ]
	[ "$(helper from-address 127.0.0.2 "$PORT" somebody@example.org)" = '250 ok' ]
}

@test "the guide's lines: new rules count from the next connection" {
	guide_server
	sed 's/^127.0.0.1:/127.0.0.2:/' "$OWN/tcp.smtp" >"$OWN/new"
	tcprules "$OWN/tcp.smtp.cdb" "$OWN/tcp.smtp.tmp" <"$OWN/new"
	[ "$(relay_from 127.0.0.1)" = "$refusal" ]
	[ "$(relay_from 127.0.0.2)" = '250 ok' ]
	echo '127.0.0.2:deny' | tcprules "$OWN/tcp.smtp.cdb" "$OWN/tcp.smtp.tmp"
	run dialogue "$PORT" $'QUIT\r\n'
	[[ "$output" = '220 mx.example.org ESMTP'* ]]
	run relay_from 127.0.0.2
	[ "$status" -ne 0 ]
}

# The child of PID that runs $OWN/smtpd.
smtpd_of() {
	local child children

	read -ra children <<<"$(cat "/proc/$1/task/$1/children")"
	for child in "${children[@]}"; do
		if [ "$(readlink "/proc/$child/exe")" = "$OWN/smtpd" ]; then
			echo "$child"
		fi
	done
}

@test "the guide's lines: smtpd runs as -u and -g say, and delivers" {
	local child

	guide_server
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	read -r -t 10 <&5
	child=$(smtpd_of "$PID")
	grep -qE "^Uid:(	$GUIDE_UID){4}$" "/proc/$child/status"
	grep -qE "^Gid:(	$GUIDE_GID){4}$" "/proc/$child/status"
	[ "$(id -u)" != 0 ] || grep -qE "^Groups:	$GUIDE_GID ?$" "/proc/$child/status"
	exec 5>&-
	helper session "$PORT" "$MAILDIR" 127.0.0.1 250
}
