#!/usr/bin/env bats
# AUTH against the accounts of the host: /etc/shadow through PAM, as portero's pages say that it can be done.
# Runs in a world of its own: see tests/root/inside.

bats_require_minimum_version 1.5.0
load ../helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	PATH=$BIN:$PATH
	[ -n "${PORTERO_INSIDE:-}" ] || exit 1
	command -v chpasswd >/dev/null || skip 'needs chpasswd: apt install passwd'
	[ -e /etc/pam.d/common-auth ] || skip 'needs PAM: apt install libpam-runtime'
	id -u smtpuser >/dev/null 2>&1 || useradd -m -s /bin/bash smtpuser
	id -u smtpdaemon >/dev/null 2>&1 || useradd smtpdaemon
	echo 'smtpuser:S3cret-word' | chpasswd
	printf '@include common-auth\n@include common-account\n' >/etc/pam.d/smtp
	export PORTERO_HOME=/var/portero SMTPAUTH=clear
	mkdir -p /var/portero/control
	echo mx.portero.example >/var/portero/control/me
	chmod 755 . /tmp # ours is private
	RIGHT=$(printf '\0smtpuser\0S3cret-word' | base64)
	WRONG=$(printf '\0smtpuser\0s3cret-word' | base64)
}

# submission GROUP: tcpserver and smtpd as the user smtpdaemon in that group
submission() {
	start_server -vRHl0 -u smtpdaemon -g "$1" 127.0.0.1 0 "$BIN/smtpd" "$BIN/checkpassword-pam" true
}

attempt() {
	dialogue "$PORT" $'EHLO c\r\nAUTH PLAIN '"$1"$'\r\nQUIT\r\n'
}

@test "checkpassword-pam as root: home and shell are those of the account" {
	printf 'smtpuser\0S3cret-word\0\0' >credentials
	# shellcheck disable=SC2016 # expanded by the program
	run -0 checkpassword-pam sh -c 'echo "$USER $HOME $SHELL"' 3<credentials
	[ "$output" = 'smtpuser /home/smtpuser /bin/bash' ]
	printf 'smtpuser\0x\0\0' >credentials
	run -1 checkpassword-pam echo yes 3<credentials
	printf 'nobodyhere\0x\0\0' >credentials
	run -1 checkpassword-pam echo yes 3<credentials
}

@test "smtpd in the group shadow: right and wrong" {
	submission shadow
	run -0 attempt "$RIGHT"
	[[ "$output" = *$'\n235 '* ]]
	run -0 attempt "$WRONG"
	[[ "$output" = *$'\n535 '* ]]
}

@test "smtpd without the group shadow: 454 or 535, never yes" {
	submission nogroup
	run -0 attempt "$WRONG"
	[[ "$output" != *$'\n235 '* ]]
	run -0 attempt "$RIGHT"
	[[ "$output" != *$'\n235 '* ]]
}
