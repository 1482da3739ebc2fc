# policy.bash - for the tests of policies: smtpd on a pipe, with a Maildir behind it.

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	PATH=$BIN:$PATH
	export PORTERO_HOME=$PWD/home
	export QMAILQUEUE="$BIN/queue-maildir $PORTERO_HOME/Maildir"
	export TCPREMOTEIP=192.0.2.7 TCPREMOTEPORT=4711
	unset RELAYCLIENT DATABYTES TCPREMOTEHOST TCPREMOTEINFO TCPLOCALHOST TCPLOCALIP SMTPPOLICIES XCLIENT
	mkdir -p home/control home/Maildir/{tmp,new,cur}
	echo mx.example.org >home/control/me
	echo example.org >home/control/rcpthosts
	command -v python3 >/dev/null || skip 'needs python3: apt install python3'
	POLICY="python3 $BATS_TEST_DIRNAME/policy.py"
}

# policies LINE ...: all of control/policies.
policies() {
	printf '%s\n' "$@" >home/control/policies
}

# policy STAGES [RULE ...]: one policy that must answer; what it is asked stands in "asked".
policy() {
	local stages=$1
	shift
	policies "$stages defer 10 $POLICY $PWD/asked $*"
}

say() {
	printf '%s\r\n' "$@" | smtpd 2>>log | tr -d '\r'
}

envelope=('EHLO client.example' 'MAIL FROM:<s@client.example> SIZE=9' 'RCPT TO:<u@example.org>')
mail=("${envelope[@]}" DATA 'Subject: x' '' hello .)

# last LINE: the last but the one of QUIT is it.
last() {
	[ "${lines[-2]}" = "$1" ] || { printf '%s\n' "${lines[@]}"; false; }
}

count() {
	find "$PORTERO_HOME/Maildir/new" -type f | wc -l
}

message() {
	cat "$PORTERO_HOME"/Maildir/new/*
}
