#!/usr/bin/env bats
# Under xinetd and inetd, by the stanzas of the old guide: tcp-env in front of qmail-smtpd. There descriptor 2
# is the client, so nothing but replies may be written to it.

load helpers
load peers

teardown() {
	stop_all
	remove_own_folder
}

# inetd_home: a home whose queue is named by control/queue, since xinetd splits "env" at blanks.
inetd_home() {
	requires python3 python3
	own_folder
	mail_home "$OWN/home"
	echo "$QMAILQUEUE" >"$PORTERO_HOME/control/queue"
	unset QMAILQUEUE
	export DNSCACHEIP=127.0.0.1:1  # tcp-env asks for names: nobody answers there, at once
	PORT=$(free_port 127.0.0.1)
}

# takes_mail ADDRESS CODE: a message arrives there, a recipient elsewhere gets the code, and when the queue
# has trouble, of which its program complains on descriptor 2, the client reads one line about it.
takes_mail() {
	helper session "$PORT" "$MAILDIR" "$1" "$2"
	mv "$MAILDIR" "$MAILDIR.away"
	helper unkept "$PORT" "$1"
	mv "$MAILDIR.away" "$MAILDIR"
	rm "$MAILDIR"/new/*
}

@test "xinetd: the guide's stanzas take mail, and env = RELAYCLIENT= relays at the second address" {
	program_of xinetd /usr/sbin/xinetd
	inetd_home
	# of the guide's own but for paths, user, and what a port that has no name needs
	cat >"$OWN/xinetd.conf" <<-CONFIG
		service smtp
		{
			type = UNLISTED
			port = $PORT
			bind = 127.0.0.1
			disable = no
			socket_type = stream
			protocol = tcp
			wait = no
			user = $(id -u)
			server = $BIN/tcp-env
			server_args = $BIN/qmail-smtpd
			env = PORTERO_HOME=$PORTERO_HOME
		}
		service smtp
		{
			type = UNLISTED
			port = $PORT
			bind = 127.0.0.3
			disable = no
			socket_type = stream
			protocol = tcp
			wait = no
			user = $(id -u)
			env = RELAYCLIENT= PORTERO_HOME=$PORTERO_HOME
			server = $BIN/tcp-env
			server_args = $BIN/qmail-smtpd
		}
	CONFIG
	unset PORTERO_HOME
	background "$PROGRAM" -dontfork -f "$OWN/xinetd.conf" -pidfile "$OWN/pid" -filelog "$OWN/log"
	wait_for listens 127.0.0.3 "$PORT"
	takes_mail 127.0.0.1 553
	takes_mail 127.0.0.3 250
}

# rules_by_address: 127.0.0.5 may relay, 127.0.0.6 is not served. Sets RULES.
rules_by_address() {
	RULES=$OWN/smtp.cdb
	tcprules "$RULES" "$OWN/smtp.tmp" <<-'TEXT'
		127.0.0.5:allow,RELAYCLIENT=""
		127.0.0.6:deny,DIEMSG="554 not you"
		:allow
	TEXT
}

# dialogue CLIENT: what a client with this address is told, as reply codes.
dialogue() {
	timeout 20 python3 - "$PORT" "$1" <<-'EOF'
		import socket, sys
		client = socket.create_connection(("127.0.0.1", int(sys.argv[1])), source_address=(sys.argv[2], 0))
		lines = client.makefile("r", encoding="latin-1", newline="\n")
		codes = []
		for command in ("HELO x", "MAIL FROM:<>", "RCPT TO:<a@elsewhere.example>", "QUIT"):
		    codes.append(lines.readline()[:3])
		    if codes[-1][:1] == "5" or not codes[-1]:
		        break
		    client.sendall(command.encode() + b"\r\n")
		print(*codes)
	EOF
}

# one_address_for_all: the relay right hangs on the client, not on the address that it connected to.
one_address_for_all() {
	[ "$(dialogue 127.0.0.5)" = "220 250 250 250" ]
	[ "$(dialogue 127.0.0.4)" = "220 250 250 553" ]
	[ "$(dialogue 127.0.0.6)" = "554" ]
}

@test "xinetd: tcp-env -x gives RELAYCLIENT by client address, at one address" {
	program_of xinetd /usr/sbin/xinetd
	inetd_home
	rules_by_address
	cat >"$OWN/xinetd.conf" <<-CONFIG
		service smtp
		{
			type = UNLISTED
			port = $PORT
			bind = 127.0.0.1
			disable = no
			socket_type = stream
			protocol = tcp
			wait = no
			user = $(id -u)
			server = $BIN/tcp-env
			server_args = -R -x $RULES $BIN/qmail-smtpd
			env = PORTERO_HOME=$PORTERO_HOME
		}
	CONFIG
	unset PORTERO_HOME
	background "$PROGRAM" -dontfork -f "$OWN/xinetd.conf" -pidfile "$OWN/pid" -filelog "$OWN/log"
	wait_for listens 127.0.0.1 "$PORT"
	one_address_for_all
	# replaced rules count from the next client
	tcprules "$RULES" "$OWN/smtp.tmp" <<<':deny,DIEMSG="554 nobody"'
	[ "$(dialogue 127.0.0.5)" = "554" ]
}

@test "inetd: tcp-env -x gives RELAYCLIENT by client address" {
	program_of openbsd-inetd /usr/sbin/inetd
	inetd_home
	rules_by_address
	echo "127.0.0.1:$PORT stream tcp nowait $(id -un) $BIN/tcp-env tcp-env -R -x $RULES $BIN/qmail-smtpd" \
		>"$OWN/inetd.conf"
	background "$PROGRAM" -d -E "$OWN/inetd.conf" 2>"$OWN/log"
	wait_for listens 127.0.0.1 "$PORT"
	one_address_for_all
}

@test "inetd: the guide's line takes mail" {
	program_of openbsd-inetd /usr/sbin/inetd
	inetd_home
	echo "127.0.0.1:$PORT stream tcp nowait $(id -un) $BIN/tcp-env tcp-env $BIN/qmail-smtpd" >"$OWN/inetd.conf"
	background "$PROGRAM" -d -E "$OWN/inetd.conf" 2>"$OWN/log"
	wait_for listens 127.0.0.1 "$PORT"
	takes_mail 127.0.0.1 553
}
