#!/usr/bin/env bats
# Smuggling as it comes in: other servers are given messages with every wrong end of a text in them, and relay to us
# what they make of it. Whatever that is, no message is two. And as it goes out: queue-smtp sends them all to the
# same servers.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own
bats_require_minimum_version 1.5.0
load helpers
load peers

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	PATH=$BIN:$PATH
	requires python3 python3
	unset SMTPNEWLINE SMTPAUTH
	own_folder memory
	mail_home "$OWN/home"
	printf '%s\n' example.org keep.example fix.example bdat.example >"$PORTERO_HOME/control/rcpthosts"
}

teardown() {
	stop_postfix
	stop_peer
	stop_all
	remove_own_folder
}

# Three servers, which differ in what they do with a bare newline. Sets REJECT, KEEP and FIX, their ports.
start_receivers() {
	local mode

	for mode in reject keep fix; do
		SMTPNEWLINE=$mode start_server -vRHl0 127.0.0.1 0 smtpd
		mv log $mode.log # it goes on there
		declare -g "${mode^^}=$PORT"
	done
}

# nothing_smuggled PEER DOMAIN...: by the other server on $PEER_PORT.
nothing_smuggled() {
	local peer=$1
	shift

	run timeout 150 python3 -B "$BATS_TEST_DIRNAME/smuggle.py" "$PEER_PORT" "$MAILDIR" ./*.log -- "$@"
	[ "$status" = 0 ] || { echo "$output"; tail -n 20 ./*.out; false; }
	echo "# $peer: $output" >&3
}

# nothing_smuggles PEER: the other way, from queue-smtp through the other server on $PEER_PORT, which relays to our
# smtpd on $KEEP, as does ours on the way out.
nothing_smuggles() {
	local RELAY

	rm -f "$MAILDIR"/new/*
	QMAILQUEUE="queue-smtp --helo out.example 127.0.0.1 $PEER_PORT" SMTPNEWLINE=keep \
		start_server -vRHl0 127.0.0.1 0 smtpd
	RELAY=$PORT
	run timeout 200 python3 -B "$BATS_TEST_DIRNAME/smuggle_out.py" "$PEER_PORT" "$MAILDIR" "$RELAY" keep.example
	[ "$status" = 0 ] || { echo "$output"; tail -n 20 ./*.out log; false; }
	echo "# to $1: $output" >&3
}

@test "Postfix carries nothing that makes two messages of one, and gets nothing of that kind from us" {
	requires_postfix
	start_receivers
	PEER_PORT=$(free_port 127.0.0.1)
	# what a stray CR is now replaced by a blank for goes out as it is, as from every Postfix before 2024
	start_postfix "$PEER_PORT" "smtp_tls_security_level = none
cleanup_replace_stray_cr_lf = no
transport_maps = inline:{ { example.org = smtp:[127.0.0.1]:$REJECT }, { keep.example = smtp:[127.0.0.1]:$KEEP },
  { fix.example = smtp:[127.0.0.1]:$FIX } }"
	nothing_smuggled Postfix example.org keep.example fix.example
	nothing_smuggles Postfix
}

# ---- servers that look for their files in /etc, /usr and /var -----------------------------------------------------

# in_own_mounts USERS COMMAND: with /etc, /usr and /var of our own: those of the machine, with what is unpacked in
# $PORTERO_PEERS on top, changes in memory, and such users. Ends with stop_peer, and all below it; so COMMAND may
# not take the place of the shell: starting a setuid program takes back the wish to end with the parent.
in_own_mounts() {
	local users=$1 command=$2

	unshare --mount true 2>/dev/null || skip 'needs root: mounts of its own'
	mkdir "$OWN/layers"
	export OWN
	# shellcheck disable=SC2016 # expanded inside
	background unshare --mount --pid --fork --kill-child sh -euc '
		mount --make-rprivate /
		mount -t tmpfs tmpfs "$OWN/layers"
		for dir in etc usr var; do
			mkdir -p "$OWN/layers/$dir/upper" "$OWN/layers/$dir/work"
			lower=/$dir
			[ ! -d "${PORTERO_PEERS:-/nonexistent}/$dir" ] || lower=$PORTERO_PEERS/$dir:/$dir
			mount -t overlay overlay -o "lowerdir=$lower,upperdir=$OWN/layers/$dir/upper,workdir=$OWN/layers/$dir/work" /$dir
		done
		mount -t proc proc /proc
		mount -t tmpfs tmpfs /run
		id=64101
		for user in $1; do
			echo "$user:x:$id:$id::/nonexistent:/usr/sbin/nologin" >>/etc/passwd
			echo "$user:x:$id:" >>/etc/group
			id=$((id + 1))
		done
		eval "$2"
		exit' inside "$users" "$command" >peer.out 2>&1
	PEER=$PID
	wait_for listens 127.0.0.1 "$PEER_PORT" || { cat peer.out; false; }
}

stop_peer() {
	if [ -n "${PEER-}" ]; then
		kill -KILL "$PEER" 2>/dev/null # unshare itself lets SIGTERM go
		wait "$PEER" 2>/dev/null || :
	fi
}

@test "Exim carries nothing that makes two messages of one, by DATA or by BDAT, and gets nothing of that kind from us" {
	program_of exim4-daemon-light /usr/sbin/exim4
	start_receivers
	PEER_PORT=$(free_port 127.0.0.1)
	cat >"$OWN/exim.conf" <<-CONFIG
		primary_hostname = client.example
		local_interfaces = <; [127.0.0.1]:$PEER_PORT
		tls_advertise_hosts =
		acl_smtp_rcpt = accept
		acl_smtp_data = accept
		keep_environment =
		rfc1413_hosts =
		host_lookup =
		smtp_accept_max = 50
		ignore_bounce_errors_after = 0s
		begin routers
		all:
		  driver = manualroute
		  transport = \${if eq{\$domain}{bdat.example}{chunks}{dots}}
		  self = send
		  route_list = example.org 127.0.0.1::$REJECT ; keep.example 127.0.0.1::$KEEP ; fix.example 127.0.0.1::$FIX ; \\
		    bdat.example 127.0.0.1::$REJECT
		begin transports
		dots:
		  driver = smtp
		  allow_localhost
		  hosts_avoid_tls = *
		  hosts_try_chunking =
		chunks:
		  driver = smtp
		  allow_localhost
		  hosts_avoid_tls = *
	CONFIG
	in_own_mounts Debian-exim '
		mkdir -p /etc/exim4 /var/spool/exim4 /var/log/exim4
		cp "$OWN/exim.conf" /etc/exim4/exim4.conf
		chown -R Debian-exim:Debian-exim /var/spool/exim4 /var/log/exim4
		/usr/sbin/exim4 -bdf -q1m'
	nothing_smuggled Exim example.org keep.example fix.example bdat.example
	nothing_smuggles Exim
}

@test "OpenSMTPD carries nothing that makes two messages of one, and gets nothing of that kind from us" {
	program_of opensmtpd /usr/sbin/smtpd
	start_receivers
	PEER_PORT=$(free_port 127.0.0.1)
	cat >"$OWN/smtpd.conf" <<-CONFIG
		listen on 127.0.0.1 port $PEER_PORT hostname client.example
		action "reject" relay host smtp://127.0.0.1:$REJECT
		action "keep" relay host smtp://127.0.0.1:$KEEP
		action "fix" relay host smtp://127.0.0.1:$FIX
		match from any for domain example.org action "reject"
		match from any for domain keep.example action "keep"
		match from any for domain fix.example action "fix"
	CONFIG
	in_own_mounts 'opensmtpd opensmtpq' '
		mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd
		chown root:root /var/lib/opensmtpd/empty
		chmod 711 /var/spool/smtpd
		/usr/sbin/smtpd -d -f "$OWN/smtpd.conf"'
	nothing_smuggled OpenSMTPD example.org keep.example fix.example
	nothing_smuggles OpenSMTPD
}
