#!/usr/bin/env bats
# Debian's axfrdns, the service that its packages run below ucspi-tcp's tcpserver: the directory that is shipped,
# for runit alone (its invoke-run looks for runsvdir), and the one that axfrdns-conf makes, below runsvdir and
# svscan. Our tcpserver and tcprules are in the place of ucspi-tcp's.
#
# The directories name port 53, /usr/bin/tcpserver, users and a log folder. So that nothing in them need be
# changed, and no port or file of the machine is touched, each test has a world of its own (root/inside).

load helpers
load peers

teardown() {
	stop_all
	if [ -n "${WORLD-}" ]; then
		echo 'log of the service:' && cat "$ROOT$LOG/current" # shown when the test failed
		kill -KILL "$HOLDER" 2>/dev/null                      # the first process of the world: all go with it
		reap "$WORLD" 2>/dev/null || :
	fi
}

world_is_up() {
	HOLDER=$(pgrep -x sleep -P "$(pgrep -x unshare -P "$WORLD")" 2>/dev/null)
}

# enter_world: the machine, with the peers and us installed. Sets WORLD and HOLDER (processes) and ROOT (its files).
enter_world() {
	[ "$(id -u)" = 0 ] || skip 'needs root: a world of its own'
	unshare --net --mount --pid --fork true 2>/dev/null || skip 'needs unshare --net --mount --pid'
	requires ip iproute2
	requires make make
	requires pgrep procps
	requires python3 python3
	requires runsvdir runit # its chpst and svlogd are in what is shipped
	requires svscan daemontools
	program_of tinydns /usr/sbin/tinydns-data
	program_of djbdns-conf /usr/sbin/axfrdns-conf
	program_of axfrdns /usr/sbin/axfrdns
	"$BATS_TEST_DIRNAME/root/inside" sleep 100 3>&- & # no longer, should nobody be left to end it
	WORLD=$!
	wait_for world_is_up
	ROOT=/proc/$HOLDER/root
	if [ "$PROGRAM" != /usr/sbin/axfrdns ]; then
		cp -a "${PROGRAM%/usr/*}"/etc "${PROGRAM%/usr/*}"/usr "$ROOT"
	fi
	cp --remove-destination "$BIN/tcpserver" "$BIN/tcprules" "$ROOT/usr/bin/"
	cp "$BATS_TEST_DIRNAME/axfr.py" . # this folder is in the world, too
	rm -f "$ROOT/usr/sbin/policy-rc.d" # of a container: forbids every service
	mkdir "$ROOT/service"
}

# in_world COMMAND...: with as little environment as runsvdir-start and svscanboot leave.
in_world() {
	nsenter --target "$HOLDER" --all --root --wd env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# ---- the directories, and what their manual pages leave to the administrator ---------------------------------

# rules_and_link: "initially all access is denied"; a zone to serve; a link where the supervisor looks.
rules_and_link() {
	printf '%s\n' .example.org:192.0.2.1:a +www.example.org:192.0.2.7 >"$ROOT/etc/sv/tinydns/root/data"
	in_world make -C /etc/sv/tinydns/root
	sed -i '1i 127.0.0.1:allow,AXFR="example.org"' "$ROOT$DIRECTORY/tcp"
	in_world make -C "$DIRECTORY"
	ln -s "$DIRECTORY" "$ROOT/service/axfrdns"
}

shipped_directory() {
	local user

	DIRECTORY=/etc/sv/axfrdns LOG=/var/log/runit/axfrdns
	for user in axfrdns _runit-log; do # installing the packages adds them
		in_world useradd --system "$user" || [ $? = 9 ]
	done
	in_world mkdir -p "$LOG"
	ln -s conf "$ROOT$DIRECTORY/env" # invoke-run(8) reads "env", the package calls it "conf"
	rules_and_link
}

# axfrdns-conf writes softlimit -d400000.
fits_the_limit() {
	[[ "$BIN" != *sanitize* ]] || skip 'a sanitizer needs more memory'
}

made_directory() {
	DIRECTORY=/etc/axfrdns LOG=/etc/axfrdns/log/main
	in_world axfrdns-conf nobody daemon "$DIRECTORY" /etc/sv/tinydns 127.0.0.1
	rules_and_link
}

# ---- the supervisors -----------------------------------------------------------------------------------------

# supervised_by runsvdir|svscan
supervised_by() {
	SCANNER=$1
	# shellcheck disable=SC2016 # for another shell
	background in_world sh -c 'echo $$ >/scanner; exec "$0" /service' "$SCANNER"
}

# order WORD: one of sv's.
order() {
	case $SCANNER-$1 in
	runsvdir-*) in_world sv "$1" "$DIRECTORY" ;;
	svscan-status) in_world svstat "$DIRECTORY" ;;
	svscan-check) in_world svok "$DIRECTORY" ;;
	svscan-restart) in_world svc -t "$DIRECTORY" ;;
	svscan-exit) in_world svc -dx "$DIRECTORY" "$DIRECTORY/log" ;;
	svscan-*) in_world svc "-${1:0:1}" "$DIRECTORY" ;;
	esac
}

status_is() {
	[[ $(order status) =~ $1 ]]
}

# server: the process that is supervised; nothing while it is down.
server() {
	order status | sed -nE 's/^(run: [^ ]*|[^ ]* up) \(pid ([0-9]+)\).*/\2/p'
}

restarted() {
	local now

	now=$(server)
	[ -n "$now" ] && [ "$now" != "$1" ]
}

# nothing_is_left: but for the first process, and for the dead that it does not bury
nothing_is_left() {
	[ "$(in_world ps -e -o stat=,comm= | awk '!/^Z/ { print $2 }' | sort | xargs)" = 'ps sleep' ]
}

# ---- the service ---------------------------------------------------------------------------------------------

ZONE='a.ns.example.org A
example.org NS
example.org SOA
example.org SOA
www.example.org A'

# transfer FROM: the zone, sorted.
transfer() {
	in_world python3 "$PWD/axfr.py" 53 "$1" example.org | sort
}

serves() {
	[ "$(transfer 127.0.0.1 2>/dev/null)" = "$ZONE" ]
}

SERVED='tcpserver: status: 0/40
tcpserver: status: 1/40
tcpserver: pid N from 127.0.0.1
tcpserver: ok N 0:127.0.0.1:53 :127.0.0.1::P
7f000001:P:004d 00fc example.org
tcpserver: end N status 0
tcpserver: status: 0/40'
DENIED='tcpserver: status: 1/40
tcpserver: pid N from 127.0.0.2
tcpserver: deny N 0:127.0.0.1:53 :127.0.0.2::P
tcpserver: end N status 25600
tcpserver: status: 0/40'

# log_is TEXT: without the time, and with N for processes, P for ports of clients.
log_is() {
	[ "$1" = "$(sed -E 's/^[^ ]+ //; s/^(tcpserver: (pid|ok|deny|end)) [0-9]+/\1 N/; s/:[0-9]+$/:P/
		s/^(7f000001:)[0-9a-f]{4}/\1P/' "$ROOT$LOG/current" 2>/dev/null)" ]
}

# life: all that a service goes through.
life() {
	local first

	wait_for log_is "${SERVED%%$'\n'*}"
	serves
	wait_for log_is "$SERVED"
	[ -z "$(transfer 127.0.0.2)" ]
	wait_for log_is "$SERVED"$'\n'"$DENIED"
	order check
	first=$(server)

	order hup
	order pause # orders are obeyed one after the other, so this one shows that HUP was sent
	wait_for status_is paused
	background transfer 127.0.0.1 >waited
	sleep 0.3
	kill -0 "$PID"
	order cont
	reap "$PID"
	[ "$(cat waited)" = "$ZONE" ] # who came meanwhile was not lost
	[ "$(server)" = "$first" ]

	order restart
	wait_for restarted "$first"
	wait_for serves

	order down
	wait_for status_is '^down:|: down '
	run transfer 127.0.0.1
	[[ $output == *ConnectionRefusedError* ]]
	order up
	wait_for serves

	in_world kill "$(cat "$ROOT/scanner")" # else it starts the supervisors anew
	order exit
	wait_for nothing_is_left
}

@test "runit: Debian's axfrdns as it is shipped, and ./finish is told that tcpserver ended well" {
	enter_world
	shipped_directory
	printf '#!/bin/sh\necho "$@" >>finished\n' >"$ROOT$DIRECTORY/finish"
	chmod 755 "$ROOT$DIRECTORY/finish"
	supervised_by runsvdir
	life
	[ "$(cat "$ROOT$DIRECTORY/finished")" = $'0 0\n0 0\n0 0' ] # exit code and signal at restart, down and exit
}

@test "runit: the directory that axfrdns-conf makes" {
	fits_the_limit
	enter_world
	made_directory
	supervised_by runsvdir
	life
}

@test "daemontools: the directory that axfrdns-conf makes" {
	fits_the_limit
	enter_world
	made_directory
	supervised_by svscan
	life
}
