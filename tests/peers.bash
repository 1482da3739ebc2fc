# peers.bash - for tests with other people's programs: where those are, and a home that takes mail.

# program_of PACKAGE PATH: sets PROGRAM to the program of a Debian package, installed or unpacked in
# $PORTERO_PEERS (two packages may exclude each other). Skips where it is missing, and says how to get it.
program_of() {
	for PROGRAM in "${PORTERO_PEERS:+$PORTERO_PEERS$2}" "$2"; do
		if [ -x "$PROGRAM" ]; then
			return 0
		fi
	done
	skip "needs ${2##*/}: apt install $1"
}

# own_folder [memory]: a directory that programs which change their user can reach, too: bats' own has mode
# 700. With "memory" it is there where it can be: thousands of messages are flushed to their disk one by one,
# and these tests are not about disks; no program can be run from there. Sets OWN; remove_own_folder belongs
# into teardown.
own_folder() {
	local where=/tmp

	if [ "${1-}" = memory ] && [ -w /dev/shm ] && [ "$(stat -f -c %T /dev/shm)" = tmpfs ]; then
		where=/dev/shm
	fi
	OWN=$(mktemp -d "$where/portero-test.XXXXXX")
	chmod 755 "$OWN"
}

remove_own_folder() {
	[ -z "${OWN-}" ] || rm -rf "$OWN"
}

# mail_home FOLDER: makes it a PORTERO_HOME that takes mail for example.org into FOLDER/Maildir.
mail_home() {
	export PORTERO_HOME=$1
	export QMAILQUEUE="$BIN/queue-maildir $1/Maildir"
	unset RELAYCLIENT DATABYTES
	MAILDIR=$1/Maildir
	mkdir -p "$1/control" "$MAILDIR"/{tmp,new,cur}
	echo mx.example.org >"$1/control/me"
	echo example.org >"$1/control/rcpthosts"
}

# free_port ADDRESS: prints a port that nobody listens on there. For servers that cannot choose one
# themselves; whoever can is started with port 0.
free_port() {
	python3 -c 'import socket, sys
with socket.socket() as s:
    s.bind((sys.argv[1], 0))
    print(s.getsockname()[1])' "$1"
}

# listens ADDRESS PORT: does somebody accept connections there?
listens() {
	(exec 4<>"/dev/tcp/$1/$2") 2>/dev/null
}

# helper ACTION ARGUMENT...: clients.py, which says what is wrong.
helper() {
	python3 -B "$BATS_TEST_DIRNAME/clients.py" "$@"
}

# ---- Postfix -------------------------------------------------------------------------------------------------

requires_postfix() {
	program_of postfix /usr/sbin/postfix
	[ "$(id -u)" = 0 ] || skip 'needs root: Postfix starts as nobody else'
}

# start_postfix PORT [LINES]: an instance of its own below $OWN, which takes mail on that port and relays all to
# us on $PORT. LINES are of main.cf; without them it speaks no TLS.
start_postfix() {
	local etc=$OWN/postfix/etc

	POSTFIX_PORT=$1
	mkdir -p "$etc" "$OWN"/postfix/{queue,data}
	chown postfix "$OWN/postfix/data"
	cat >"$etc/main.cf" <<-CONFIG
		compatibility_level = 3.6
		queue_directory = $OWN/postfix/queue
		data_directory = $OWN/postfix/data
		maillog_file = $OWN/postfix/log
		maillog_file_prefixes = $OWN
		inet_interfaces = 127.0.0.1
		inet_protocols = ipv4
		myhostname = client.example
		mynetworks = 127.0.0.0/8
		mydestination =
		alias_maps =
		relayhost = [127.0.0.1]:$PORT
		smtp_line_length_limit = 0
		smtpd_peername_lookup = no
		${2-smtp_tls_security_level = none}
	CONFIG
	cat >"$etc/master.cf" <<-CONFIG
		127.0.0.1:$POSTFIX_PORT inet n - n - - smtpd
		pickup unix n - n 60 1 pickup
		cleanup unix n - n - 0 cleanup
		qmgr unix n - n 300 1 qmgr
		tlsmgr unix - - n 1000? 1 tlsmgr
		rewrite unix - - n - - trivial-rewrite
		bounce unix - - n - 0 bounce
		defer unix - - n - 0 bounce
		trace unix - - n - 0 bounce
		flush unix n - n 1000? 0 flush
		proxymap unix - - n - - proxymap
		smtp unix - - n - - smtp
		relay unix - - n - - smtp
		showq unix n - n - - showq
		error unix - - n - - error
		retry unix - - n - - error
		scache unix - - n - 1 scache
		anvil unix - - n - 1 anvil
		postlog unix-dgram n - n - 1 postlogd
	CONFIG
	timeout 20 postfix -c "$etc" start >postfix.out 2>&1
	wait_for listens 127.0.0.1 "$POSTFIX_PORT"
}

stop_postfix() {
	[ ! -d "${OWN-/nonexistent}/postfix/etc" ] || timeout 20 postfix -c "$OWN/postfix/etc" stop >/dev/null 2>&1 || :
}

# zone LINE...: a name server with these records, "NAME TYPE DATA" (spf_server.py). Sets DNSCACHEIP.
zone() {
	requires python3 python3
	printf '%s\n' "$@" | sed 's/ /\t/; s/ /\t/' >zone
	background serve_zone
	wait_for test -s dns.port
	DNSCACHEIP=127.0.0.1:$(cat dns.port)
	export DNSCACHEIP
}

serve_zone() {
	exec python3 "$BATS_TEST_DIRNAME/spf_server.py" <zone >dns.port
}
