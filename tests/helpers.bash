# helpers.bash - shared by all .bats files: our programs, servers in the background, waits with an end.
#
# Every test runs in its own empty directory. Nothing here uses a port below 1024 or touches a process that
# it did not start.

BIN=${BIN:-$BATS_TEST_DIRNAME/../build/bin}
BIN=$(cd "$BIN" && pwd) || exit 1
STARTED=()

# A python3 that is a script (pyenv's) looks for the real one at each start: ten times as long. See tests/run.
if PYTHON=$(command -v python3) && read -rN 2 MAGIC <"$PYTHON" && [ "$MAGIC" = '#!' ]; then
	PYTHON=$(python3 -c 'import sys; print(sys.executable)') && PATH=${PYTHON%/*}:$PATH
fi

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	PATH=$BIN:$PATH
}

teardown() {
	stop_all
}

# requires PROGRAM PACKAGE: skip where the program is missing, and say how to get it.
requires() {
	command -v "$1" >/dev/null || skip "needs $1: apt install $2"
}

# wait_for COMMAND...: until it succeeds, at most 10 seconds.
wait_for() {
	local i

	for ((i = 0; i < 200; i++)); do
		if "$@"; then
			return 0
		fi
		sleep 0.05
	done
	echo "waited 10 seconds for: $*" >&2
	return 1
}

# background COMMAND...: start it and remember the process. Sets PID. Descriptor 3 is bats' own.
background() {
	"$@" 3>&- &
	PID=$!
	STARTED+=("$PID")
}

# stop PID: end one that background started, and wait for it. Its exit code is ours.
stop() {
	kill -TERM "$1" 2>/dev/null
	reap "$1"
}

# reap PID: wait for one that ends by itself, at most 10 seconds. Its exit code is ours.
reap() {
	local i

	for ((i = 0; i < 200; i++)); do
		if ! kill -0 "$1" 2>/dev/null; then
			break
		fi
		sleep 0.05
	done
	if ((i == 200)); then
		kill -KILL "$1" 2>/dev/null
	fi
	wait "$1"
}

stop_all() {
	local pid

	for pid in "${STARTED[@]}"; do
		if kill -0 "$pid" 2>/dev/null; then
			kill -TERM "$pid" 2>/dev/null
			kill -CONT "$pid" 2>/dev/null
			reap "$pid" 2>/dev/null || :
		fi
	done
	STARTED=()
}

_run_server() {
	local fd

	for fd in "/proc/$BASHPID/fd"/*; do # what our own caller left open is not the server's
		if [ "${fd##*/}" -gt 2 ]; then
			eval "exec ${fd##*/}>&-"
		fi
	done
	exec tcpserver -1 "$@" >port 2>log
}

# start_server ARGUMENTS...: tcpserver -1 ARGUMENTS in the background. Sets SERVER (its pid) and PORT;
# its log is the file "log".
start_server() {
	rm -f port log
	background _run_server "$@"
	# shellcheck disable=SC2034 # for the tests
	SERVER=$PID
	wait_for test -s port
	# shellcheck disable=SC2034
	PORT=$(cat port)
}

# connect PORT [TEXT] [HOST]: send TEXT, print what comes back until the server closes, at most 10 seconds.
connect() {
	local port=$1 text=${2-} host=${3-127.0.0.1}

	timeout 10 bash -c '
		exec 4<>"/dev/tcp/$1/$2" || exit 1
		[ -z "$3" ] || printf "%s" "$3" >&4
		cat <&4' connect "$host" "$port" "$text"
}

# dialogue PORT TEXT: the same with a server that speaks first: TEXT follows its first line.
dialogue() {
	timeout 10 bash -c '
		exec 4<>"/dev/tcp/127.0.0.1/$1" || exit 1
		read -r first <&4 && echo "$first"
		printf "%s" "$2" >&4
		cat <&4' dialogue "$1" "$2"
}

# logged PATTERN [COUNT]: does the log have at least COUNT lines that match?
logged() {
	[ "$(grep -c -- "$1" log)" -ge "${2-1}" ]
}

# rules NAME: compile standard input into NAME.cdb.
rules() {
	tcprules "$1.cdb" "$1.tmp"
}
