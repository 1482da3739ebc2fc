#!/usr/bin/env bats
# checkpassword-file, checkpassword-pam, checkpassword-dovecot: each alone, and behind smtpd.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, so what it sets is its own
bats_require_minimum_version 1.5.0
load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	PATH=$BIN:$PATH
	export CHECKPASSWORD_FILE=$PWD/passwords
	unset SMTPAUTHTLS SMTPS SSL_PROTOCOL TCPREMOTEIP TCPREMOTEPORT TCPLOCALIP TCPLOCALPORT
}

# check USER PASSWORD CHECKER...: with both on descriptor 3
check() {
	printf '%s\0%s\0\0' "$1" "$2" >credentials
	shift 2
	"$@" 3<credentials
}

# hashed USER PASSWORD PREFIX [COST]: a line, by crypt(3) through Python
hashed() {
	python3 -W ignore - "$@" <<-'SCRIPT'
		import ctypes, ctypes.util, sys
		user, password, prefix = (a.encode() for a in sys.argv[1:4])
		cost = ctypes.c_ulong(int(sys.argv[4]) if len(sys.argv) > 4 else 0)
		lib = ctypes.CDLL(ctypes.util.find_library("crypt") or "libcrypt.so.1")
		lib.crypt.restype = lib.crypt_gensalt.restype = ctypes.c_char_p
		salt = lib.crypt_gensalt(prefix, cost, None, 0)
		print((user + b":" + lib.crypt(password, salt)).decode())
	SCRIPT
}

secret_file() {
	cat >passwords
	chmod 640 passwords
}

# ---- the interface, the same for all --------------------------------------------------------------------

checkers() {
	printf '%s\n' 'checkpassword-file -f passwords' checkpassword-pam 'checkpassword-dovecot ./socket'
}

@test "misuse is exit 2: no program, no descriptor 3, something else on it" {
	local words checker
	echo 'joe:*' | secret_file
	while read -r words; do
		read -ra checker <<<"$words"
		run -2 check joe secret "${checker[@]}"
		[[ "$output" = *': usage: '* ]]
		run -2 "${checker[@]}" true 3<&-
		[[ "$output" = *'descriptor 3 is closed'* ]]
		: >empty
		run -2 "${checker[@]}" true 3<empty
		printf 'joe\0secret' >short
		run -2 "${checker[@]}" true 3<short
		[[ "$output" = *'not a user and a password'* ]]
		head -c 513 /dev/zero >long
		run -2 "${checker[@]}" true 3<long
		[[ "$output" = *'more than 512 bytes'* ]]
		run -2 "${checker[0]}" -x true
		[[ "$output" = *': usage: '* ]]
	done < <(checkers)
}

@test "an empty password is wrong" {
	local words checker
	printf '%s\n' 'joe:*' | secret_file
	while read -r words; do
		read -ra checker <<<"$words"
		run -1 check joe '' "${checker[@]}" echo yes
		[ -z "$output" ]
	done < <(checkers)
}

# ---- checkpassword-file ---------------------------------------------------------------------------------

@test "file: right, wrong, unknown; the program's exit code, environment and descriptors" {
	echo secret | checkpassword-file --hash joe@example.org | secret_file
	# shellcheck disable=SC2016 # expanded by the program
	run -7 check joe@example.org secret checkpassword-file sh -c 'echo "$USER $HOME $SHELL"; { true <&3; } 2>/dev/null && echo 3 is open; exit 7'
	[ "$output" = 'joe@example.org / /bin/sh' ]
	run -1 check joe@example.org Secret checkpassword-file echo yes
	[ -z "$output" ]
	run -1 check joe secret checkpassword-file echo yes
	[ -z "$output" ]
	run -1 check joe@example.org secretx checkpassword-file echo yes
	run -111 check joe@example.org secret checkpassword-file ./missing
	[[ "$output" = *'unable to run ./missing'* ]]
}

@test "file: every method of crypt(3)" {
	requires python3 python3
	local prefix cost
	while read -r prefix cost; do # the least that each can cost
		hashed joe 'pass word' "$prefix" "$cost"
	done <<-'TABLE' | awk -F: '{ print "joe" NR ":" $2 }' | secret_file
		$y$ 1
		$gy$ 1
		$7$ 6
		$2b$ 4
		$6$ 1000
		$5$ 1000
		$1$ 0
	TABLE
	[ "$(wc -l <passwords)" = 7 ]
	for prefix in 1 2 3 4 5 6 7; do
		run -0 check "joe$prefix" 'pass word' checkpassword-file echo yes
		[ "$output" = yes ]
		run -1 check "joe$prefix" 'pass worD' checkpassword-file echo yes
	done
}

@test "file: comments, empty lines, locked users, and fields as in passwd(5)" {
	echo secret | checkpassword-file --hash joe >line
	{
		echo '# users of this host'
		echo
		sed 's/^joe/ann/; s/$/:1000:1000:Ann A.:\/home\/ann:\/bin\/bash/' line
		sed 's/^joe/bob/; s/$/:19000:0:99999:7:::/' line
		echo 'eve:!'
		sed 's/:/:!/; s/^joe/dan/' line
		printf '%s' "$(cat line)" # without a last newline
	} | secret_file
	# shellcheck disable=SC2016
	run -0 check ann secret checkpassword-file sh -c 'echo "$HOME $SHELL"'
	[ "$output" = '/home/ann /bin/bash' ]
	run -0 check bob secret checkpassword-file true
	run -0 check joe secret checkpassword-file true
	run -1 check eve secret checkpassword-file true
	run -1 check eve '!' checkpassword-file true
	run -1 check dan secret checkpassword-file true
	run -1 check '# users of this host' secret checkpassword-file true
	run -1 check '' secret checkpassword-file true
}

# table: a file, and what is said of it
@test "file: a wrong line refuses everybody, with its number" {
	local text said
	echo secret | checkpassword-file --hash joe >line
	while IFS='|' read -r text said; do
		{
			cat line
			# shellcheck disable=SC2059 # with escapes
			printf "$text\n"
		} | secret_file
		run -111 check joe secret checkpassword-file echo yes
		[[ "$output" = *"$PWD/passwords, line 2: $said"* ]] || { echo "$text: $output"; false; }
	done <<-'TABLE'
		ann|no colon
		:*|no user
		ann:|no hash
		an n:*|a blank or control byte in the user
		\tann:*|a blank or control byte in the user
		ann:*\r|a blank or control byte in the hash
		joe:*|the same user a second time
		ann: *|a blank or control byte in the hash
	TABLE
	local bad
	# shellcheck disable=SC2016 # no variables
	for bad in plaintext '$9$abc$def' "$(sed 's/^joe://; s/.$//' line)"; do
		echo "joe:$bad" | secret_file
		run -111 check joe plaintext checkpassword-file echo yes
		[[ "$output" = *'line 1: a hash that crypt(3) does not know'* ]] || { echo "$bad: $output"; false; }
	done
	printf 'joe:*\0x\n' | secret_file
	run -111 check joe secret checkpassword-file echo yes
	[[ "$output" = *'a NUL byte at 5'* ]]
}

@test "file: one that others may read, or that is none, is refused" {
	local mode
	echo secret | checkpassword-file --hash joe | secret_file
	for mode in 644 604 602 660 666; do
		chmod "$mode" passwords
		run -111 check joe secret checkpassword-file echo yes
		[[ "$output" = *"mode $mode lets others in: chmod o=,g-w $PWD/passwords" ]]
	done
	for mode in 600 640 400 440; do
		chmod "$mode" passwords
		run -0 check joe secret checkpassword-file echo yes
	done
	run -111 check joe secret checkpassword-file -f missing echo yes
	[[ "$output" = *'unable to read missing: '* ]]
	mkdir -m 700 folder
	run -111 check joe secret checkpassword-file -f folder echo yes
	unset CHECKPASSWORD_FILE
	run -2 check joe secret checkpassword-file echo yes
	[[ "$output" = *'set CHECKPASSWORD_FILE, or say -f file' ]]
	run -0 check joe secret checkpassword-file -f passwords echo yes
}

@test "file: who is not there takes the time of who is" {
	requires python3 python3
	# shellcheck disable=SC2016
	hashed joe secret '$2b$' | sed 's/^joe/ann/' | secret_file # cost 5: some milliseconds
	# by the CPU time, which is not others' on this machine: 20 attempts each
	run -0 python3 - <<-'SCRIPT'
		import resource, subprocess, os
		def cost(user, password):
		    read, write = os.pipe()
		    os.write(write, user + b"\0" + password + b"\0\0")
		    os.close(write)
		    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
		    p = subprocess.run(["sh", "-c", f"exec checkpassword-file true 3<&{read}"], pass_fds=[read])
		    os.close(read)
		    assert p.returncode == 1, p
		    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
		text = open("passwords").read()
		open("passwords", "w").write(text.replace("$05$", "$09$"))  # dearer, and no longer anybody's password
		there = sum(cost(b"ann", b"wrong") for _ in range(20))
		nobody = sum(cost(b"nobody", b"wrong") for _ in range(20))
		print(there, nobody)
		assert 0.5 < nobody / there < 2, (there, nobody)
	SCRIPT
	echo "# 20 attempts: $output (user, nobody)" >&3
}

@test "file: --hash" {
	run -0 checkpassword-file --hash joe <<<'secret'
	[[ "$output" =~ ^'joe:$y$' ]]
	echo "$output" | secret_file
	run -0 check joe secret checkpassword-file true
	[ "$(echo secret | checkpassword-file --hash joe)" != "$output" ]
	printf 'secret\r\nmore\n' | checkpassword-file --hash joe | secret_file
	run -0 check joe secret checkpassword-file true
	run -100 checkpassword-file --hash joe </dev/null
	run -100 checkpassword-file --hash 'jo:e' <<<'secret'
	run -100 checkpassword-file --hash '' <<<'secret'
	run -100 checkpassword-file --hash joe < <(head -c 600 /dev/zero | tr '\0' x)
	run -2 checkpassword-file --hash
}

@test "file: what is typed is not shown" {
	requires script bsdutils
	: >typescript # script's standard input stays open until all was said
	run -0 script -qefc 'checkpassword-file --hash joe' typescript \
		< <(wait_for grep -q Password: typescript; echo secret; wait_for grep -q joe: typescript)
	[[ "$output" = *'Password: '*'joe:$y$'* ]]
	[[ "$output" != *secret* ]]
}

@test "file: behind smtpd" {
	export PORTERO_HOME=$PWD/home SMTPAUTH=clear
	mkdir -p home/control
	echo mx.example.org >home/control/me
	echo secret | checkpassword-file --hash joe | secret_file
	run -0 eval 'printf "%s\r\n" "EHLO c" "AUTH PLAIN $(printf "\0joe\0secret" | base64)" QUIT | smtpd checkpassword-file true'
	[[ "$output" = *$'\n235 '* ]]
	run -0 eval 'printf "%s\r\n" "EHLO c" "AUTH PLAIN $(printf "\0joe\0secreT" | base64)" QUIT | smtpd checkpassword-file true'
	[[ "$output" = *$'\n535 '* ]]
}

# ---- checkpassword-pam, with pam_wrapper: /etc/pam.d is not touched -------------------------------------

pam() {
	local wrapper matrix
	wrapper=$(echo /usr/lib/*/libpam_wrapper.so)
	matrix=$(echo /usr/lib/*/pam_wrapper/pam_matrix.so)
	[ -e "$wrapper" ] || skip 'needs pam_wrapper: apt install libpam-wrapper'
	! grep -q __asan_init "$BIN/checkpassword-pam" || skip 'a sanitizer wants to be the first library'
	mkdir -p pam.d
	printf '%s\n' 'joe:secret:smtp' 'ann:secret2:other' >db
	printf 'auth required %s passdb=%s\naccount required %s passdb=%s\n' "$matrix" "$PWD/db" "$matrix" "$PWD/db" |
		tee pam.d/smtp >pam.d/other
	PAM=(env "LD_PRELOAD=$wrapper" PAM_WRAPPER=1 "PAM_WRAPPER_SERVICE_DIR=$PWD/pam.d" checkpassword-pam)
	# the library is for the checker alone: what it runs starts without it
	THEN=(env -u LD_PRELOAD)
}

@test "pam: right, wrong, unknown, and another service" {
	pam
	# shellcheck disable=SC2016
	run -5 check joe secret "${PAM[@]}" "${THEN[@]}" sh -c 'echo "$USER $HOME $SHELL"; exit 5'
	[ "$output" = 'joe / /bin/sh' ]
	run -1 check joe Secret "${PAM[@]}" "${THEN[@]}" echo yes
	run -1 check nobody-here secret "${PAM[@]}" "${THEN[@]}" echo yes
	run -1 check ann secret2 "${PAM[@]}" "${THEN[@]}" echo yes
	run -0 check ann secret2 "${PAM[@]}" -s other "${THEN[@]}" echo yes
	[ "$output" = yes ]
}

@test "pam: an account that may not is wrong; trouble of a module is 111" {
	pam
	printf 'auth required pam_permit.so\naccount required pam_deny.so\n' >pam.d/denied
	run -1 check joe secret "${PAM[@]}" -s denied "${THEN[@]}" echo yes
	[ -z "$output" ]
	printf 'auth required pam_missing.so\naccount required pam_permit.so\n' >pam.d/broken
	run -111 check joe secret "${PAM[@]}" -s broken "${THEN[@]}" echo yes
	[[ "$output" = *'checkpassword-pam: fatal: service broken: '* ]]
	[[ "$output" != *yes* ]]
}

@test "pam: modules are told the client's address, and the password goes to whoever asks without echo" {
	pam
	# shellcheck disable=SC2016 # expanded by the script
	printf '#!/bin/sh\necho "$PAM_USER $PAM_RHOST $PAM_SERVICE $(cat)" >%s\n' "$PWD/told" >script
	chmod +x script
	printf 'auth required pam_exec.so expose_authtok %s\naccount required pam_permit.so\n' "$PWD/script" >pam.d/exec
	TCPREMOTEIP=2001:db8::7 run -0 check joe secret "${PAM[@]}" -s exec "${THEN[@]}" true
	[ "$(tr -d '\0' <told)" = 'joe 2001:db8::7 exec secret' ]
}

# ---- checkpassword-dovecot ------------------------------------------------------------------------------

# A real server, all of it in our folder.
dovecot_server() {
	requires dovecot dovecot-core
	[ "$(id -u)" = 0 ] || skip 'dovecot starts as root only'
	chmod 755 .
	echo 'joe:{PLAIN}secret' >users
	cat >dovecot.conf <<-CONF
		base_dir = $PWD/run
		state_dir = $PWD/state
		log_path = $PWD/dovecot.log
		protocols =
		ssl = no
		default_internal_user = root
		default_internal_group = root
		default_login_user = nobody
		auth_mechanisms = plain
		auth_failure_delay = 0
		auth_verbose = yes
		auth_debug = yes
		passdb {
		  driver = passwd-file
		  args = scheme=PLAIN $PWD/users
		}
		service auth {
		  unix_listener $PWD/auth {
		    mode = 0600
		  }
		}
		service anvil {
		  chroot =
		}
		service stats {
		  chroot =
		}
	CONF
	background dovecot -F -c "$PWD/dovecot.conf"
	wait_for test -S auth
}

@test "dovecot: right, wrong and unknown, of a real server, which is told the connection" {
	dovecot_server
	export TCPREMOTEIP=192.0.2.7 TCPLOCALIP=192.0.2.1 TCPREMOTEPORT=40000 TCPLOCALPORT=587 SMTPAUTHTLS=1
	# shellcheck disable=SC2016
	run -6 check joe secret checkpassword-dovecot ./auth sh -c 'echo "$USER $HOME $SHELL"; exit 6'
	[ "$output" = 'joe / /bin/sh' ]
	run -1 check joe wrong checkpassword-dovecot ./auth echo yes
	[ -z "$output" ]
	run -1 check nobody-here secret checkpassword-dovecot ./auth echo yes
	grep -q 'client in: AUTH.*PLAIN.*service=smtp.*secured.*rip=192.0.2.7.*rport=40000.*lip=192.0.2.1.*lport=587' dovecot.log
	run ! grep -F "$(printf '\0joe\0secret' | base64)" dovecot.log
}

@test "dovecot: behind smtpd" {
	dovecot_server
	export PORTERO_HOME=$PWD/home SMTPAUTH=clear
	mkdir -p home/control
	echo mx.example.org >home/control/me
	run -0 eval 'printf "%s\r\n" "EHLO c" "AUTH PLAIN $(printf "\0joe\0secret" | base64)" QUIT | smtpd checkpassword-dovecot "$PWD/auth" true'
	[[ "$output" = *$'\n235 '* ]]
	run -0 eval 'printf "%s\r\n" "EHLO c" "AUTH PLAIN $(printf "\0joe\0wrong" | base64)" QUIT | smtpd checkpassword-dovecot "$PWD/auth" true'
	[[ "$output" = *$'\n535 '* ]]
}

# What a server may say that a real one seldom does. HELLO is its greeting.
HELLO='VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t7\nCUID\t1\nCOOKIE\tabc\nDONE\n'

# says TEXT: a socket that answers every question with that
says() {
	requires python3 python3
	rm -f socket
	background python3 - "$1" <<-'SCRIPT'
		import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.bind("socket.new")
		s.listen()
		import os
		os.rename("socket.new", "socket")
		s.settimeout(20)
		c, _ = s.accept()
		c.settimeout(20)
		asked = b""
		while asked.count(b"\n") < 3:
		    asked += c.recv(65536)
		open("asked", "wb").write(asked)
		c.sendall(sys.argv[1].encode().decode("unicode_escape").encode("latin-1"))
	SCRIPT
	wait_for test -S socket
}

@test "dovecot: what it is asked, and every answer" {
	local answer code
	export TCPREMOTEIP=$'192.0.2.7\tsecured' TCPLOCALIP=2001:db8::1
	while IFS='|' read -r answer code; do
		says "$HELLO$answer"
		run "-$code" check joe secret checkpassword-dovecot ./socket echo yes
		[ "$code" = 0 ] || [[ "$output" != *yes* ]]
		reap "$PID" || :
	done <<-'TABLE'
		OK\t1\tuser=joe\n|0
		NOTICE\tsomething new\nOK\t1\n|0
		FAIL\t1\tuser=joe\n|1
		FAIL\t1\tuser=joe\ttemp\n|111
		FAIL\t1\tuser=joe\tcode=temp_fail\n|111
		FAIL\t1\tuser=temp\n|1
		FAIL\t2\n|111
		OK\t2\n|111
		OK\n|111
		OK\t1|111
		CONT\t1\t\n|111
		|111
	TABLE
	[ "$(head -n 1 asked)" = $'VERSION\t1\t2' ]
	[[ "$(sed -n 2p asked)" =~ ^$'CPID\t'[0-9]+$ ]]
	[ "$(sed -n 3p asked)" = $'AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=2001:db8::1\tresp='"$(printf '\0joe\0secret' | base64)" ]
}

@test "dovecot: servers that are none" {
	local greeting
	while read -r greeting; do
		says "$greeting"
		run -111 check joe secret checkpassword-dovecot ./socket echo yes
		[[ "$output" != *yes* ]]
		reap "$PID" || :
	done <<-'TABLE'
		VERSION\t2\t0\nMECH\tPLAIN\nDONE\nOK\t1\n
		MECH\tPLAIN\nDONE\nOK\t1\n
		VERSION\t1\t2\nMECH\tLOGIN\nDONE\nOK\t1\n
		OK\t1\n
		220 mx.example.org ESMTP\r\n
	TABLE
	says "$(head -c 17000 /dev/zero | tr '\0' x)"
	run -111 check joe secret checkpassword-dovecot ./socket echo yes
	[[ "$output" = *'a line that is too long'* ]]
	run -111 check joe secret checkpassword-dovecot ./missing echo yes
	[[ "$output" = *'./missing: unable to connect: '* ]]
	run -111 check joe secret checkpassword-dovecot "$(head -c 200 /dev/zero | tr '\0' x)" echo yes
}
