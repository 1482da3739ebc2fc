#!/usr/bin/env bats
# The lines of the Spanish qmail guide of 2006, as printed, at their real paths and on the real port.
# Runs in a world of its own: see tests/root/inside.

bats_require_minimum_version 1.5.0

setup_file() {
	BIN=${BIN:-$BATS_TEST_DIRNAME/../../build/bin}
	[ -n "${PORTERO_INSIDE:-}" ] || exit 1
	ip addr add 1.2.3.4/24 dev lo # the mail server
	ip addr add 1.2.3.101/24 dev lo
	ip addr add 1.2.3.104/24 dev lo
	ip addr add 1.2.3.50/24 dev lo # no station
	groupadd -g 5002 nofiles
	useradd -u 5003 -g nofiles -d /var/qmail qmaild
	mkdir -p /var/qmail/bin /var/qmail/control /var/qmail/Maildir/tmp /var/qmail/Maildir/new /var/qmail/Maildir/cur
	chown -R qmaild /var/qmail/Maildir
	cp "$BIN"/smtpd /var/qmail/bin/qmail-smtpd
	cp "$BIN"/queue-maildir /var/qmail/bin/
	cp "$BIN"/tcpserver "$BIN"/tcprules /usr/sbin/
	echo marquesa.unima.example >/var/qmail/control/me
	echo incacola.example >/var/qmail/control/rcpthosts
	echo '/var/qmail/bin/queue-maildir /var/qmail/Maildir' >/var/qmail/control/queue
	cat >/etc/tcp.smtp <<-'RULES'
		1.2.3.101:allow,RELAYCLIENT=""
		1.2.3.102:allow,RELAYCLIENT=""
		1.2.3.103:allow,RELAYCLIENT=""
		1.2.3.104:allow,RELAYCLIENT=""
		127.:allow,RELAYCLIENT=""
	RULES
	# the guide's lines
	tcprules /etc/tcp.smtp.cdb /etc/tcp.smtp.tmp < /etc/tcp.smtp
	/usr/sbin/tcpserver -x /etc/tcp.smtp.cdb -u 5003 -g 5002 0 smtp /var/qmail/bin/qmail-smtpd 2>/var/qmail/log 3>&- &
	echo $! >/var/qmail/tcpserver.pid
}

teardown_file() {
	kill "$(cat /var/qmail/tcpserver.pid)"
}

# say FROM LINE ...: SMTP to 1.2.3.4 port 25, from that address
say() {
	python3 - "$@" <<-'PYTHON'
		import socket, sys, time
		for attempt in range(50):  # the server was started without waiting for it, as rc.local does
		    try:
		        s = socket.create_connection(("1.2.3.4", 25), 10, (sys.argv[1], 0))
		        break
		    except ConnectionRefusedError:
		        time.sleep(0.1)
		f = s.makefile("r", newline="\n")
		print(f.readline(), end="")
		for line in sys.argv[2:]:
		    s.sendall(line.encode() + b"\r\n")
		    print(f.readline().rstrip())
	PYTHON
}

@test "the port is taken by a socket of IPv4, as netstat -a --inet shows it" {
	say 127.0.0.1 QUIT
	run -0 ss -ltnH4 'sport = :25'
	[[ "$output" = *0.0.0.0:25* ]]
	run -0 ss -ltnH6 'sport = :25'
	[ -z "$output" ]
}

@test "relay is accepted from the stations and from 127., and refused to the rest" {
	local from
	for from in 1.2.3.101 1.2.3.104 127.0.0.1; do
		run -0 say "$from" 'HELO x' 'MAIL FROM:<a@incacola.example>' 'RCPT TO:<b@yahoogoogle.example>' QUIT
		[ "${lines[3]}" = '250 ok' ] || { echo "$from: ${lines[*]}"; false; }
	done
	run -0 say 1.2.3.50 'HELO x' 'MAIL FROM:<a@incacola.example>' 'RCPT TO:<b@yahoogoogle.example>' QUIT
	[ "${lines[3]}" = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)" ]
}

@test "a rule counts from the next connection, without a restart" {
	echo '1.2.3.50:allow,RELAYCLIENT=""' >>/etc/tcp.smtp
	tcprules /etc/tcp.smtp.cdb /etc/tcp.smtp.tmp < /etc/tcp.smtp
	run -0 say 1.2.3.50 'HELO x' 'MAIL FROM:<a@incacola.example>' 'RCPT TO:<b@yahoogoogle.example>' QUIT
	[ "${lines[3]}" = '250 ok' ]
}

@test "server and smtpd run as the user and the group that were asked for, and no other" {
	local status
	status=/proc/$(cat /var/qmail/tcpserver.pid)/status
	grep -qE $'^Uid:\t5003\t5003\t5003\t5003$' "$status"
	grep -qE $'^Gid:\t5002\t5002\t5002\t5002$' "$status"
	grep -qE $'^Groups:\t5002 $' "$status"
	# the file belongs to whom smtpd ran as
	python3 -c 'import socket
s = socket.create_connection(("127.0.0.1", 25), 10)
s.sendall(b"HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@incacola.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n")
while s.recv(1000): pass'
	run -0 stat -c '%u:%g %a' /var/qmail/Maildir/new/*
	[ "$output" = '5003:5002 600' ]
}

@test "-u and -g take names: the server is not left running as root" {
	local server
	/usr/sbin/tcpserver -1RHl0 -u qmaild -g nofiles 127.0.0.1 0 sh -c 'id -u; id -g; id -G' >/tmp/port 2>/tmp/log 3>&- &
	server=$!
	timeout 5 sh -c 'until [ -s /tmp/port ]; do sleep 0.05; done'
	run -0 bash -c 'exec 4<>/dev/tcp/127.0.0.1/$(cat /tmp/port) && timeout 5 cat <&4'
	kill "$server"
	[ "$output" = $'5003\n5002\n5002' ]
	run -100 /usr/sbin/tcpserver -RHl0 -u nosuchuser 127.0.0.1 0 true
	[[ "$output" = *nosuchuser* ]]
}
