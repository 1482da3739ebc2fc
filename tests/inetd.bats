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

@test "inetd: the guide's line takes mail" {
	program_of openbsd-inetd /usr/sbin/inetd
	inetd_home
	echo "127.0.0.1:$PORT stream tcp nowait $(id -un) $BIN/tcp-env tcp-env $BIN/qmail-smtpd" >"$OWN/inetd.conf"
	background "$PROGRAM" -d -E "$OWN/inetd.conf" 2>"$OWN/log"
	wait_for listens 127.0.0.1 "$PORT"
	takes_mail 127.0.0.1 553
}
