#!/usr/bin/env bats
# The policy programs: what Postfix's policy servers say, greylists, and old conventions of qmail.
# shellcheck disable=SC2154 # envelope and mail are those of policy.bash

bats_require_minimum_version 1.5.0
load policy

# served PROGRAM ...: behind the socket "server"
served() {
	printf '#!/bin/sh\nexec 3>&-\nexec tcpserver -HRl0 unix:server %s\n' "$*" >serve
	chmod +x serve
	background ./serve 2>served
	wait_for test -S server
}

@test "policy-postfix: what is asked, and what becomes of each answer" {
	cat >delegate.py <<-'PYTHON'
		import sys
		block = []
		for line in sys.stdin:
		    block.append(line.rstrip("\n"))
		    if line == "\n":
		        open("asked", "a").write(" ".join(block) + "\n")
		        local = dict(l.split("=", 1) for l in block if l)["recipient"].split("@")[0]
		        sys.stdout.write("action=" + local.replace("+", " ") + "\n\n")
		        sys.stdout.flush()
		        block = []
	PYTHON
	served python3 delegate.py
	policies "rcpt defer 10 policy-postfix unix:$PWD/server"
	local action want
	while IFS=';' read -r action want; do
		: >log
		run -0 say 'EHLO client.example' 'MAIL FROM:<s@client.example> SIZE=9' "RCPT TO:<\"$action\"@example.org>" QUIT
		last "$want"
		[[ "$action" != HOLD* ]] || logged 'fatal: policy server: an action that smtpd cannot do (HOLD'
	done <<-'TABLE'
		DUNNO;250 2.1.5 ok
		OK;250 2.1.5 ok
		dunno;250 2.1.5 ok
		200;250 2.1.5 ok
		WARN+what;250 2.1.5 ok
		PREPEND+X-A:+b;250 2.1.5 ok
		DISCARD;250 2.1.5 ok
		REJECT;554 5.7.1 sorry, refused by policy (#5.7.1)
		REJECT+go+away;554 5.7.1 go away (#5.7.1)
		REJECT+5.1.1+go+away;554 5.1.1 go away (#5.1.1)
		DEFER_IF_PERMIT+later;450 4.7.1 later (#4.7.1)
		550+5.1.1+nobody;550 5.1.1 nobody (#5.1.1)
		450+4.2.0+wait;450 4.2.0 wait (#4.2.0)
		HOLD+it;451 4.7.1 sorry, try again later (#4.7.1)
		PREPEND+what;451 4.7.1 sorry, try again later (#4.7.1)
	TABLE
	logged 'policy-postfix: fatal: policy server: a header is'
	run -0 head -n 1 asked
	[[ "$output" = 'request=smtpd_access_policy protocol_state=RCPT protocol_name=ESMTP helo_name=client.example queue_id= sender=s@client.example recipient=DUNNO@example.org recipient_count=0 client_address=192.0.2.7 client_name=unknown reverse_client_name=unknown client_port=4711 server_address= server_port= instance='*' size=9 sasl_username= '* ]]
	run -0 say "${envelope[@]:0:2}" 'RCPT TO:<421+busy@example.org>' NOOP QUIT
	[ "${lines[-1]}" = '421 4.7.1 busy (#4.7.1)' ]
	run -0 say "${envelope[@]:0:2}" 'RCPT TO:<DISCARD@example.org>' 'RCPT TO:<"PREPEND+X-A:+b"@example.org>' DATA x . QUIT
	[[ "${lines[-2]}" = '250 2.0.0 ok '* ]]
	[ "$(count)" = 0 ]
}

@test "policy-postfix: alike for one message, another for the next" {
	served "sh -c 'while read -r l; do case \$l in instance=*) echo \$l >>seen ;; \"\") printf \"action=DUNNO\\n\\n\" ;; esac; done'"
	policies "mail,rcpt,data,end defer 10 policy-postfix unix:$PWD/server"
	run -0 say "${envelope[@]}" DATA x . "${envelope[@]:1}" QUIT
	[ "$(uniq -c seen | awk '{ print $1 }' | tr '\n' ' ')" = '4 2 ' ]
}

@test "policy-postfix: a server that has hung up is called again, one that is gone is not believed" {
	# answers one question a connection
	served "sh -c 'while read -r l && [ -n \"\$l\" ]; do :; done; printf \"action=550 no\\n\\n\"'"
	policies "rcpt defer 10 policy-postfix unix:$PWD/server"
	run -0 say "${envelope[@]}" 'RCPT TO:<v@example.org>' QUIT
	[ "${lines[-3]}" = '550 5.7.1 no (#5.7.1)' ]
	last '550 5.7.1 no (#5.7.1)'
	policies "rcpt defer 10 policy-postfix unix:$PWD/nothing"
	run -0 say "${envelope[@]}" QUIT
	last '451 4.7.1 sorry, try again later (#4.7.1)'
	logged 'policy-postfix: fatal: .*/nothing: No such file or directory; is the policy server running?'
	run -100 policy-postfix
	run -100 policy-postfix unix:x y
	run -100 policy-postfix host
}

@test "policy-postfix: Debian's postgrey makes a sender wait once" {
	requires postgrey postgrey
	mkdir db
	_postgrey() {
		exec postgrey --unix="$PWD/server" --dbdir="$PWD/db" --user="$(id -un)" --group="$(id -gn)" --delay=1 >grey 2>&1 3>&-
	}
	background _postgrey
	wait_for test -S server
	policies "rcpt defer 10 policy-postfix unix:$PWD/server"
	run -0 say "${envelope[@]}" QUIT
	[[ "${lines[-2]}" = '450 4.7.1 Greylisted, '* ]] || [[ "${lines[-2]}" = '450 4.2.0 Greylisted, '* ]] || { printf '%s\n' "${lines[@]}"; false; }
	taken() {
		say "${envelope[@]}" DATA x . QUIT | grep -q '^250 2.0.0 ok'
	}
	wait_for taken
	message | grep -q '^X-Greylist: delayed '
}

@test "policy-postfix: Debian's policyd-spf adds its field" {
	requires policyd-spf postfix-policyd-spf-python
	served policyd-spf
	policies "rcpt defer 20 policy-postfix unix:$PWD/server"
	TCPREMOTEIP=127.0.0.1 run -0 say "${mail[@]}" QUIT
	message | grep -q '^X-Comment: SPF '
}

# ---- policy-grey ----------------------------------------------------------------------------------------

# rcpt SENDER RECIPIENT: the reply to RCPT
rcpt() {
	say 'EHLO client.example' "MAIL FROM:<$1>" "RCPT TO:<$2@example.org>" QUIT | tail -n 2 | head -n 1
}

passes() {
	[ "$(rcpt "$@")" = '250 2.1.5 ok' ]
}

@test "policy-grey: who is not known comes a second time, not before the delay" {
	policies "rcpt defer 10 policy-grey --delay 2 --good 0 grey"
	[[ "$(rcpt a@b.example u)" = '450 4.7.1 greylisted, try again in '[12]' seconds (#4.7.1)' ]]
	[[ "$(rcpt A@b.example U)" = 450* ]]
	wait_for passes a@b.example u
	TCPREMOTEIP=192.0.2.250 passes a@b.example u
	[[ "$(TCPREMOTEIP=192.0.3.7 rcpt a@b.example u)" = 450* ]]
	[[ "$(rcpt c@b.example u)" = 450* ]]
	[[ "$(rcpt a@b.example v)" = 450* ]]
	[[ "$(TCPREMOTEIP=2001:db8::1 rcpt a@b.example u)" = 450* ]]
	RELAYCLIENT='' passes x@y.example w
}

@test "policy-grey: a network that has come again often enough is known; the tag is in the log" {
	policies "rcpt defer 10 policy-grey --delay 1 --good 2 grey"
	local sender
	for sender in one two; do
		run -0 rcpt "$sender@b.example" u
		[ "${output:0:3}" = 450 ]
		wait_for passes "$sender@b.example" u
	done
	passes three@b.example u
	[[ "$(TCPREMOTEIP=192.0.3.7 rcpt three@b.example u)" = 450* ]]
}

@test "policy-grey: a file that is none of its own, a wrong number" {
	seq 1000 >mine
	run -111 policy-grey mine
	[ "$output" = 'policy-grey: fatal: mine: Protocol error: not a file of policy-grey; remove it, and a new one is made' ]
	[ "$(wc -l <mine)" = 1000 ]
	run -100 policy-grey --delay x grey
	[ "$output" = 'policy-grey: fatal: --delay: "x" is not a decimal number (0 to 172800)' ]
	run -100 policy-grey
}

# ---- policy-rcptcheck -----------------------------------------------------------------------------------

@test "policy-rcptcheck: exit codes of a program, and what it is told" {
	cat >check <<-'SH'
		#!/bin/sh
		echo "$SENDER $RECIPIENT $HELO $TCPREMOTEIP" >>told
		cat
		case $RECIPIENT in
		crash@*) kill -9 $$ ;;
		*) echo noise; exit "${RECIPIENT%@*}" ;;
		esac
	SH
	chmod +x check
	policies "rcpt defer 10 policy-rcptcheck $PWD/check"
	[ "$(rcpt s@client.example 0)" = '250 2.1.5 ok' ]
	[ "$(rcpt s@client.example 1)" = '250 2.1.5 ok' ]
	[ "$(rcpt s@client.example 100)" = '553 5.1.1 sorry, no mailbox here by that name (#5.1.1)' ]
	[ "$(rcpt s@client.example 111)" = '451 4.3.0 temporarily unable to check the recipient (#4.3.0)' ]
	[ "$(rcpt s@client.example 120)" = '451 4.3.0 unable to check the recipient (#4.3.0)' ]
	[ "$(rcpt s@client.example crash)" = '451 4.3.0 unable to check the recipient (#4.3.0)' ]
	[ "$(head -n 1 home/told)" = 's@client.example 0@example.org client.example 192.0.2.7' ]
	policies "rcpt defer 10 policy-rcptcheck /nonexistent"
	[ "$(rcpt s@client.example u)" = '451 4.3.0 unable to check the recipient (#4.3.0)' ]
	logged 'policy-rcptcheck: warning: /nonexistent: No such file or directory'
	run -100 policy-rcptcheck
}

# ---- policy-spp -----------------------------------------------------------------------------------------

# plugin NAME COMMAND: a plug-in that is this line of shell.
plugin() {
	printf '#!/bin/sh\n%s\n' "$2" >"home/$1"
	chmod +x "home/$1"
}

@test "policy-spp: sections, variables and what plug-ins print" {
	printf '%s\n' '[connection]' ./conn '# for people' '[mail]' ./mail '[rcpt]' './rcpt one' ./second '[data]' ./data \
		>home/control/smtpplugins
	policies 'connect,helo,mail,rcpt,data defer 10 policy-spp'
	plugin conn 'echo Sseen=yes'
	plugin mail 'echo "$SMTPHELOHOST $SMTPMAILFROM $seen $TCPREMOTEIP" >>told; case $SMTPMAILFROM in later@*) echo "LR550 5.7.1 not you" ;; esac'
	plugin rcpt 'echo "$1 $SMTPRCPTTO $SMTPRCPTCOUNT $SMTPRCPTCOUNTALL $SMTPRCPTHOSTSOK" >>told
		case $SMTPRCPTTO in e@*) echo "E553 5.1.1 nobody" ;; t@*) echo "E451 wait" ;; n@*) echo N ;; a@*) echo A ;;
		r@*) echo "R421 busy" ;; d@*) echo D ;; c@*) echo Cx@y.example ;; esac'
	plugin second 'echo "second $SMTPRCPTTO" >>told; echo "HX-Spp: $SMTPRCPTTO"'
	plugin data :
	[ "$(rcpt s@client.example e)" = '553 5.1.1 nobody (#5.1.1)' ]
	[ "$(rcpt s@client.example t)" = '451 4.7.1 wait (#4.7.1)' ]
	[ "$(rcpt later@client.example u)" = '550 5.7.1 not you (#5.7.1)' ]
	[ "$(rcpt s@client.example c)" = '451 4.7.1 sorry, try again later (#4.7.1)' ]
	logged 'policy-spp: fatal: control/smtpplugins: ./rcpt one: C: addresses are not changed here'
	[ "$(head -n 2 home/told)" = $'client.example s@client.example yes 192.0.2.7\none e@example.org 0 1 1' ]
	rm home/told
	run -0 say "${envelope[@]:0:2}" 'RCPT TO:<n@example.org>' 'RCPT TO:<u@example.org>' DATA x . QUIT
	[ "$(message | grep X-Spp)" = 'X-Spp: u@example.org' ]
	grep -q '^one u@example.org 1 2 1$' home/told
	run ! grep 'second n@' home/told
	run -0 say "${envelope[@]:0:2}" 'RCPT TO:<a@example.org>' 'RCPT TO:<e@example.org>' QUIT
	last '250 2.1.5 ok'
	run -0 say "${envelope[@]:0:2}" 'RCPT TO:<r@example.org>' NOOP QUIT
	[ "${lines[-1]}" = '421 4.7.1 busy (#4.7.1)' ]
	rm home/second
	[ "$(rcpt s@client.example u)" = '451 4.7.1 sorry, try again later (#4.7.1)' ]
	logged 'policy-spp: fatal: control/smtpplugins: ./second: No such file'
}
