#!/usr/bin/env bats
# tcprules --check, --explain, --dump and --from-hosts-allow, and the warnings of a compilation.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, so what it sets is its own
load helpers

# said LINE FINDING: what --check says first of that line, with ":deny" behind it, begins like this.
said() {
	run tcprules --check < <(printf '%b\n:deny\n' "$1")
	[[ "${lines[0]}" = "tcprules: $2"* ]] || { echo "$1: ${output}, not $2"; false; }
}

@test "check: rules that do what they say are no finding" {
	run tcprules --check <<-'END'
		# 1.2.3:deny
		  # another one

		127.:allow,RELAYCLIENT="",MAXCONNIP="4",RATE="20/60",MAXCONNNET="24:15,64:15"
		1.2.3.4:deny,DIEMSG="go away"
		1.2.3.0-9:deny
		10.0-31.:allow,PROXY="1"
		10.0.0.0/9:allow
		[2001:db8::]/32:allow
		joe@[2001:db8::1]:allow
		joe@1.2.3.4:allow
		:deny
	END
	[ "$status" -eq 0 ]
	[ -z "$output" ] || { echo "$output"; false; }
}

@test "check: addresses that match nothing" {
	local line

	said 1.2.3:deny 'warning: line 1: matches no address (1.2.3): write all four numbers, or a dot behind the last one'
	for line in '1.2.3.9-3:deny' '1.2.3.300-400:deny'; do
		said "$line" 'warning: line 1: the range is empty ('
	done
	for line in ' 1.2.3.4:deny' '1.2.3.4 :deny' '=a b:deny' '\t1.:deny'; do
		said "$line" 'warning: line 1: a blank in an address matches nothing ('
	done
	said 1.2.3.256:deny 'warning: line 1: a number above 255 matches no address (1.2.3.256): write 0 to 255'
	for line in 01.2.3.4:deny 1.2.3.00:deny 1.02.:deny; do
		said "$line" 'warning: line 1: a leading zero matches no address ('
	done
	for line in '*:deny' '1.2.3.*:deny' '=*.example:deny'; do
		said "$line" 'warning: line 1: a star matches nothing ('
	done
	for line in 1.2.3.4.5:deny 1.2.3.4.:deny 1..2.:deny .5:deny 1.2.3-4.5-:deny; do
		said "$line" 'warning: line 1: is no address ('
	done
	for line in 10.0.0.0/33:deny 10.0.0/8:deny /8:deny '[10.0.0.1]:deny'; do
		said "$line" 'warning: line 1: is no network ('
	done
	said example.org:deny 'warning: line 1: a name without = before it matches nothing (example.org): write =NAME'
	for line in joe@1.2.3.:deny joe@:deny joe@=.example:deny joe@1.2.3.4-9:deny; do
		said "$line" 'warning: line 1: behind @ only a whole address or a whole name is looked for ('
	done
	said '1.2.3.4 deny' 'warning: line 1: there is no colon, so the line is skipped (1.2.3.4 deny): '
}

@test "check: ranges and networks that mean something else" {
	said 10.0.0.1/9:deny 'warning: line 1: there are bits behind the length of the network, which count as 0 (10.0.0.1/9): '
	said '[2001:db8::1]/32:deny' 'warning: line 1: there are bits behind the length of the network'
	said 1.2.3.250-999:deny 'warning: line 1: the range ends at 255 (1.2.3.250-999): write 255'
	said 1.2.3.-9:deny 'warning: line 1: a range without a number counts it as 0 (1.2.3.-9): write both numbers'
	said 1.2.3.0-:deny 'warning: line 1: a range without a number counts it as 0 (1.2.3.0-): write both numbers'
}

@test "check: lines behind one that counts already" {
	said '1.2.3.4:deny\n1.2.3.4:allow' 'warning: line 2: another line has this address, and that one counts (line 1: 1.2.3.4): take one of them out'
	said '=A.example:deny\n=a.example.:allow' 'note: line 1: '
	[[ "$output" = *'line 2: another line has this address'*'(line 1: =a.example.)'* ]]
	said '10.:deny\n10.0.0.0/8:allow' 'warning: line 2: another line has this address, and that one counts (line 1: 10.0.0.0/8)'
	said '10.0.0.0/8:deny\n10.:allow' 'warning: line 1: another line has this address, and that one counts (line 2: 10.)'
	said '[2001:DB8::]/32:deny\n[2001:db8:0::]/32:allow' 'warning: line 2: another line has this address'
	said '10.0.0.0/9:deny\n[::ffff:10.0.0.0]/105:allow' 'warning: line 2: another line has this address'
	said '1.2.3.4-9:deny\n1.2.3.7:allow' 'warning: line 2: this address is in the range of an earlier line, and that one counts (line 1: 1.2.3.7): move this line before it'
	said '1.2.3.4-9:deny\n1.2.3.0-3:deny\n1.2.3.2-6:allow' 'warning: line 3: this address is in the range of an earlier line'
	said ':allow' 'warning: line 2: another line has this address'
	# of a range and a single line the earlier one
	run tcprules --check < <(printf '%s\n' 1.2.3.4-9:deny 1.2.3.7:allow 1.2.3.7:allow 1.2.3.10:deny 1.2.3.7-12:deny 1.2.3.10:allow :deny)
	[[ "${lines[0]}" = *'line 2: this address is in the range of an earlier line, and that one counts (line 1: 1.2.3.7)'* ]]
	[[ "${lines[1]}" = *'line 3: this address is in the range of an earlier line, and that one counts (line 1: 1.2.3.7)'* ]]
	[[ "${lines[2]}" = *'line 6: another line has this address, and that one counts (line 4: 1.2.3.10)'* ]]
	said '1.2.4-6.5:deny\n1.2-3.5.5:deny\n1.2.5.5:allow' 'warning: line 3: this address is in the range of an earlier line, and that one counts (line 1: 1.2.5.5)'
	said '1.2-3.5.5:deny\n1.2.4-6.5:deny\n1.2.5.5:allow' 'warning: line 3: this address is in the range of an earlier line, and that one counts (line 1: 1.2.5.5)'
	said '10.0.0.0/8:deny\n10-11.:deny\n10.:allow' 'warning: line 3: this address is in the range of an earlier line, and that one counts (line 2: 10.)'
	# a longer prefix, what a range still adds, and what identd says in another case, count
	run tcprules --check < <(printf '%s\n' 10.:deny 10.1.:allow 1.2.3.4:deny 1.2.3.4-9:allow 10-11.:deny a=B@1.2.3.4:deny a=b@1.2.3.4:allow :deny)
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "check: variables" {
	said '1.:allow, RELAYCLIENT=""' 'warning: line 1: this variable has a blank in its name ( RELAYCLIENT=): write no blank behind the comma'
	said '1.:allow,="x"' 'warning: line 1: this variable has no name (=x): '
	said '1.:allow,LD_PRELOAD="x"' 'warning: line 1: this variable changes what programs run'
	for line in 'MAXCONNIP="x"' 'MAXCONNIP="-1"' 'RATE="20"' 'RATE="/5"' 'MAXCONNNET="/24"' 'MAXCONNC="x"' 'MAXLOAD="high"' 'MAXCONNNET="24:15,"' 'PROXY="yes"'; do
		said "1.:allow,$line" 'warning: line 1: the server cannot use this value ('
	done
	said '1.:allow,A="x\0D"' 'warning: line 1: there is a NUL byte in the line'
	said '1.:deny,A="x"' 'note: line 1: who is denied never sees a variable (A=x): take it out'
	[ "$status" -eq 0 ]
}

@test "check: names, and who is in no line" {
	said '=Evil.example:deny' 'note: line 1: readers of other packages compare names by bytes (=Evil.example): '
	[ "${lines[1]}" = 'tcprules: note: line 1: a name counts only if its addresses confirm it (=Evil.example): deny by address what must not come in' ]
	[ "$status" -eq 0 ]
	said 'a=b@=Evil.example:deny' 'note: line 1: readers of other packages compare names by bytes (a=b@=Evil.example): '
	run tcprules --check <<<'1.:deny'
	[ "$output" = 'tcprules: note: line 1: no line is for everybody else, so they are allowed (): write :deny or :allow as the last line' ]
	[ "$status" -eq 0 ]
	run tcprules --check </dev/null
	[[ "$output" = *'there is no rule, so everybody is allowed'* ]]
	[ "$status" -eq 100 ]
}

@test "check: lines that cannot be parsed, all of them, with what to do" {
	said '1.2.3.4:deny\r' 'fatal: line 1: unable to parse this line (1.2.3.4:deny?): the line ends with CR LF: take the CR away'
	said '1.2.3.4:deny # x' 'fatal: line 1: unable to parse this line (1.2.3.4:deny # x): write a comment on a line of its own'
	said '1.2.3.4: deny' 'fatal: line 1: unable to parse this line (1.2.3.4: deny): write no blank behind the colon'
	said '1.2.3.4:Deny' 'fatal: line 1: unable to parse this line (1.2.3.4:Deny): write allow or deny in lower case'
	said '2001:db8::1:deny' 'fatal: line 1: unable to parse this line (2001:db8::1:deny): write an IPv6 address in brackets'
	said '[2001:db8::1]/129:deny' 'fatal: line 1: unable to parse this line ([2001:db8::1]/129:deny): write [ADDRESS] or [ADDRESS]/LENGTH'
	said 'my-host:deny' 'fatal: line 1: unable to parse this line (my-host:deny): write a range as NUMBER-NUMBER between dots, a name as =NAME'
	said '1.:allow A="x"' 'fatal: line 1: unable to parse this line (1.:allow A="x"): write ,NAME="VALUE" behind allow or deny, without blanks'
	said '1.:' 'fatal: line 1: unable to parse this line (1.:): write allow or deny behind the colon'
	run tcprules --check < <(printf '%s\n' 1.:x :deny 2.:y)
	[ "$status" -eq 100 ]
	[ "${#lines[@]}" -eq 2 ]
}

@test "check: no file is written, and a closed input is an error" {
	tcprules --check <<<:deny
	[ -z "$(ls)" ]
	run sh -c 'tcprules --check <&-'
	[ "$status" -eq 111 ]
}

@test "check: the page lists all findings, in their words" {
	local page=$BATS_TEST_DIRNAME/../tcprules/tcprules.1 reason

	sed -n '/^static const struct rules_finding table/,/^};/s/^\t*\(\[[A-Z_]*\] = \)*{* *"\([^"]*\)",.*/\2/p' \
		"$BATS_TEST_DIRNAME/../tcprules/rules_finding.c" >reasons
	[ "$(wc -l <reasons)" -ge 24 ]
	while read -r reason; do
		tr '\n' ' ' <"$page" | grep -qF -- "$reason" || { echo "not in the page: $reason"; false; }
	done <reasons
}

@test "compiling says which rules cannot match, 20 of them, and makes the same file" {
	run sh -c 'seq 1 30 | sed "s/$/:deny/" | tcprules x.cdb x.tmp'
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 21 ]
	[ "${lines[1]}" = 'tcprules: warning: line 2: matches no address (2): write all four numbers, or a dot behind the last one' ]
	[ "${lines[20]}" = 'tcprules: warning: and 10 more: tcprules --check shows them all' ]
	run sh -c 'seq 1 30 | sed "s/$/:deny/" | tcprules --quiet y.cdb y.tmp'
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	cmp x.cdb y.cdb
	# what is only unwise is left to --check
	run sh -c 'printf "%s\n" "1.:allow, A=\"\"" 1.:deny 1.:deny | tcprules x.cdb x.tmp'
	[ -z "$output" ]
}

@test "compiling over the text is done, and said" {
	echo :deny >x
	run sh -c 'tcprules x t <x'
	[ "$status" -eq 0 ]
	[ "$output" = 'tcprules: warning: x is the input: the text of these rules is gone now' ]
	[ "$(tcprulescheck x | tail -n 1)" = 'deny connection' ]
}

@test "explain: each key, the line that counts, and the verdict" {
	printf '%s\n' '# mine' '=.b.example:deny' '1.2.:allow,A="x"' '1.2.:deny' ':deny' >rules.txt
	run tcprules --explain 1.2.3.4 a.b.example joe <rules.txt
	[ "$status" -eq 0 ]
	[ "$output" = "$(printf '%s\n' 'tried joe@1.2.3.4: no rule' 'tried joe@=a.b.example: no rule' 'tried 1.2.3.4: no rule' \
		'tried =a.b.example: no rule' 'tried 1.2.3.: no rule' 'tried 1.2.: line 3: 1.2.:allow,A="x"' \
		'rule 1.2.:' 'set environment variable A=x' 'allow connection')" ]
	run tcprules --explain 10.1.2.3 < <(printf '%s\n' 10.0.0.0/8:deny 10.0.0.0/15:allow :deny)
	[ "${lines[2]}" = 'tried 10.1.: line 2: 10.0.0.0/15:allow' ]
	run tcprules --explain 10.1.2.3 < <(printf '%s\n' 10.0.0.0/16:deny 10.1.0.0/16:allow 10.1.:deny)
	[ "${lines[2]}" = 'tried 10.1.: line 3: 10.1.:deny' ]
	run tcprules --explain 2001:db8::1 < <(printf '%s\n' '[2001::]/16:allow' '[2001:DB8::]/32:deny')
	[ "${lines[-3]}" = 'tried [2001:db8::]/32: line 2: [2001:DB8::]/32:deny' ]
	run tcprules --explain 9.9.9.9 </dev/null
	[ "${lines[-2]}" = default: ]
	tcprules x.cdb x.tmp <rules.txt
	run tcprules --explain 1.2.3.4 <x.cdb
	[ "${lines[2]}" = 'tried 1.2.: found' ]
	run tcprules --explain 1.2.3.4 < <(cat x.cdb)
	[ "${lines[2]}" = 'tried 1.2.: found' ]
}

@test "explain: of nested networks that say the same, the longest, in whatever order they stand" {
	local client short long

	while read -r client short long; do
		run tcprules --explain "$client" < <(printf '%s:deny\n' "$short" "$long" "$short")
		[[ "$output" = *": line 2: $long:deny"* ]] || { echo "$short $long: $output"; false; }
		run tcprules --explain "$client" < <(printf '%s:deny\n' "$long" "$short")
		[[ "$output" = *": line 1: $long:deny"* ]] || { echo "$long $short: $output"; false; }
	done <<-'END'
		10.1.2.3 10.0.0.0/7 10.0.0.0/8
		10.1.2.3 10.0.0.0/8 10.0.0.0/9
		10.1.2.3 10.0.0.0/9 10.0.0.0/12
		10.1.2.3 10.0.0.0/15 10.1.0.0/16
		10.1.2.3 10.1.2.0/23 10.1.2.0/24
		10.1.2.3 10.1.2.0/25 10.1.2.3/32
		10.1.2.3 [::ffff:10.0.0.0]/105 10.0.0.0/10
		2001:db8::1 [2001:db8::]/32 [2001:db8::]/33
	END
}

@test "explain: what is no address, no text and no whole cdb" {
	run tcprules --explain 1.2.3 <<<:deny
	[ "$status" -eq 100 ]
	[ "$output" = 'tcprules: fatal: 1.2.3 is not an IP address' ]
	run tcprules --explain 1.2.3.4 <<<1.:x
	[ "$status" -eq 100 ]
	rules x <<<:deny
	head -c 2000 x.cdb >part
	run tcprules --explain 1.2.3.4 <part
	[ "$status" -eq 111 ]
	[ "$output" = 'tcprules: fatal: the input is no text and no whole cdb' ]
	run tcprules --explain
	[ "$status" -eq 100 ]
}

@test "explain: random rules and clients, as tcprulescheck says it" {
	requires python3 python3
	python3 "$BATS_TEST_DIRNAME/tcprules_tools.py" explain 150
}

@test "dump: text that makes the same file, with the quote that fits" {
	printf '%s\n' '1.2.3.4-5:allow,A="x",B=/"/,C=xy"'"'"'/|x' '=.A.example:deny,D=""' ':deny' | rules x
	run tcprules --dump x.cdb
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "1.2.3.4:allow,A=\"x\",B='\"',C=!y\"'/|!" ]
	[ "${lines[2]}" = '=.A.example:deny,D=""' ]
	tcprules --dump x.cdb | rules y
	cmp x.cdb y.cdb
}

@test "dump: a key with a dash, and one that no text makes" {
	requires cdb tinycdb
	printf '+9,0:10.0.0.1-->\n+5,0:1.2-3->\n+2,2:#x->D\0\n\n' | cdb -c x.cdb -
	run tcprules --dump x.cdb
	[ "$status" -eq 100 ]
	[[ "$output" = *'tcprules: warning: no text makes this rule, it is left out: #x'* ]]
	run tcprules --dump missing.cdb
	[ "$status" -eq 111 ]
	[ "$output" = 'tcprules: fatal: unable to read missing.cdb: file does not exist' ]
}

@test "dump: 1000 random files, compiled, dumped, compiled: the same bytes" {
	requires python3 python3
	python3 "$BATS_TEST_DIRNAME/tcprules_tools.py" dump 1000
}

# converted LINE...: what --from-hosts-allow makes of it for tcp-env, in one line.
converted() {
	printf '%s\n' "$@" | tcprules --from-hosts-allow tcp-env 2>/dev/null | tr '\n' ' '
}

# refused TEXT MESSAGE
refused() {
	run tcprules --from-hosts-allow tcp-env /dev/null < <(printf '%b' "$1")
	[ "$status" -eq 100 ]
	[ "$output" = "tcprules: fatal: line $2" ] || { echo "$1: $output"; false; }
}

@test "from-hosts-allow: the line of qmail's FAQ 5.4" {
	[ "$(converted 'tcp-env: 1.2.3.4, 1.2.3.5: setenv = RELAYCLIENT')" = '1.2.3.4:allow,RELAYCLIENT="" 1.2.3.5:allow,RELAYCLIENT="" :allow ' ]
}

@test "from-hosts-allow: the first line wins, however long its network is" {
	[ "$(converted 'ALL: 10.: deny' 'ALL: 10.1.2.3')" = '10.:deny :allow ' ]
	[ "$(converted 'ALL: 10. EXCEPT 10.1. EXCEPT 10.1.2.3: deny')" = '10.1.2.3:deny 10.1.:allow 10.:deny :allow ' ]
	[ "$(converted 'other: ALL: deny' 'tcp-env EXCEPT tcp-env: ALL: deny' 'ALL: .example: deny')" = '=.example:deny :allow ' ]
	[ "$(converted 'ALL: KNOWN' 'ALL: ALL: deny')" = '=:allow :deny ' ]
	[ "$(converted 'ALL: 10.0.0.0/255.128.0.0 [2001:db8::]/32: setenv A "x" y' 'ALL: ALL: deny')" = \
		"10.0.0.0/9:allow,A='\"x\" y' [2001:db8::]/32:allow,A='\"x\" y' :deny " ]
}

@test "from-hosts-allow: hosts.deny is read when it is named, and missed when not" {
	echo 'ALL: ALL' >hosts.deny
	run tcprules --from-hosts-allow d hosts.deny <<<'d: 10.'
	[ "$output" = $'10.:allow\n:deny' ]
	run tcprules --from-hosts-allow d <<<'d: 10.: deny'
	[ "${lines[0]}" = 'tcprules: warning: no hosts.deny was named: who is in no line of hosts.allow is allowed' ]
	run tcprules --from-hosts-allow d missing <<<'d: 10.: deny'
	[ "$status" -eq 111 ]
	[ "$output" = 'tcprules: fatal: unable to read missing: file does not exist' ]
	echo 'd: @net' >hosts.deny
	run tcprules --from-hosts-allow d hosts.deny </dev/null
	[ "$output" = 'tcprules: fatal: hosts.deny line 1: a netgroup is no rule (@net)' ]
}

@test "from-hosts-allow: what rules cannot say is refused with its line" {
	refused '\nALL: ALL: spawn x\n' '2: rules have no such option (spawn x)'
	refused 'ALL: ALL: twist /bin/echo\n' '1: rules have no such option (twist /bin/echo)'
	refused 'ALL: 1.\\\n @net\n' '2: a netgroup is no rule (@net)'
	refused 'ALL: 10.*.1\n' '1: a wildcard is no rule (10.*.1)'
	refused 'ALL: joe@a.example\n' '1: user@host is no rule (joe@a.example)'
	refused 'ALL: PARANOID\n' '1: a name that its addresses deny is no name for rules (PARANOID)'
	refused 'ALL: /etc/hosts.some\n' '1: a file of patterns is no rule: put its lines here (/etc/hosts.some)'
	refused 'ALL: 10.0.0.0/255.0.255.0\n' '1: a mask with holes is no rule (10.0.0.0/255.0.255.0)'
	refused 'ALL: 10.0.0.0/33\n' '1: is no network (10.0.0.0/33)'
	refused 'ALL: .5\n' '1: the end of an address is no rule (.5)'
	refused 'ALL: www.\n' '1: the beginning of a name is no rule (www.)'
	refused 'ALL: ALL: setenv A %h\n' '1: an expansion is no rule (setenv A %h)'
	refused 'ALL: ALL: allow: setenv A x\n' '1: allow and deny come last (setenv A x)'
	refused 'ALL: ALL:\n' '1: an option is empty, which libwrap denies ()'
	refused 'ALL ALL\n' '1: there is no colon, and libwrap skips the line (ALL ALL)'
	refused 'ALL: 10.' '1: there is no newline, and libwrap skips the line (ALL: 10.)'
	refused 'tcp-env@10.0.0.1: ALL\n' '1: a daemon@address is no rule (tcp-env@10.0.0.1)'
	refused 'tcp*: ALL\n' '1: this pattern of daemons is not understood: write names (tcp*)'
	refused 'ALL: 10. EXCEPT .example: deny\n' '1: a name and an address decide together, and rules ask for one after the other (10.0.0.0, name .example)'
	refused 'ALL: LOCAL\nALL: ALL: deny\n' '1: a name and an address decide together, and rules ask for one after the other (0.0.0.0 or any other, name without a dot)'
}

@test "from-hosts-allow: what matches nobody is said and left out" {
	run tcprules --from-hosts-allow d /dev/null <<<'d: 10.0 10.0.0.1/8 [::ffff:10.0.0.1] 010.0.0.1: deny'
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = 'tcprules: warning: line 1: matches nobody (10.0)' ]
	[ "${#lines[@]}" -eq 5 ]
	[ "${lines[4]}" = ':allow' ]
}

@test "from-hosts-allow: 2080 addresses in 40 random files, as tcpdmatch says it" {
	requires python3 python3
	PATH=$PATH:/usr/sbin requires tcpdmatch tcpd
	python3 "$BATS_TEST_DIRNAME/tcprules_tools.py" tcpdmatch 40
}

@test "from-hosts-allow: names and addresses in 150 random files, as hosts_access(5) says it" {
	requires python3 python3
	python3 "$BATS_TEST_DIRNAME/tcprules_tools.py" names 150
}
