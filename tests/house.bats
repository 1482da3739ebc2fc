#!/usr/bin/env bats
# The house itself: who includes whom, what each program says of itself, what install puts where.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/.." || exit 1
	BIN=${BIN:-$PWD/build/bin}
}

# includes FILE ...: "FILE INCLUDED" for each header of ours
includes() {
	grep -HoE '^#include "[^"]+"' "$@" | sed -E 's/:#include "/ /; s/"$//'
}

@test "includes point downwards: base knows nobody, net no mail, mail no net" {
	local bad
	bad=$(includes lib/base/*.[ch] | grep -vE ' (base/|sandbox_filters\.h|house_facts\.h)' || true)
	bad+=$(includes lib/net/*.[ch] | grep -vE ' (base|net)/' || true)
	bad+=$(includes lib/mail/*.[ch] | grep -vE ' (base|mail)/' || true)
	[ -z "$bad" ] || { echo "$bad"; false; }
}

@test "rooms do not include each other; mail is handed in by queue/door.h alone" {
	local room bad=
	for room in tcpserver tcprules tcp-env smtpd queue; do
		bad+=$(includes "$room"/*.[ch] | grep -vE " (base|net|mail|$room)/" | grep -v '^smtpd/.* queue/door\.h$' || true)
	done
	[ -z "$bad" ] || { echo "$bad"; false; }
}

@test "one library, one file: ares.h, seccomp.h and cdb.h have their rooms" {
	run -0 grep -lE '<ares.h>' -r lib tcpserver tcprules tcp-env smtpd queue --include='*.[ch]'
	[ "$output" = lib/net/dns.c ]
	run -0 grep -lE '<seccomp.h>' -r lib tcpserver tcprules tcp-env smtpd queue --include='*.[ch]'
	[ "$output" = lib/base/sandbox_gen.c ]
	run -0 grep -lE '<openssl/' -r lib tcpserver tcprules tcp-env smtpd queue --include='*.[ch]'
	[ "$output" = lib/net/tls.c ]
}

@test "no file of the package is set-user-ID or set-group-ID" {
	run -0 find "$BIN" -perm /6000
	[ -z "$output" ]
}

programs() {
	find "$BIN" -type f -perm -u+x -printf '%f\n' | sort
}

page() {
	find . -path ./build -prune -o -name "$1.[158]" -print | head -n 1
}

@test "every program has a manual page, --help and --version" {
	local p
	for p in $(programs); do
		[ -f "$(page "$p")" ] || { echo "$p has no page"; false; }
		run -0 "$BIN/$p" --version
		[[ "$output" =~ ^'portero '[0-9.]+$ ]]
		run -0 "$BIN/$p" --help
		[[ "${lines[0]}" = "$p: usage: $p"* ]]
	done
}

@test "--help and manual page name the same options" {
	local p help page
	for p in $(programs); do
		help=$("$BIN/$p" --help | grep -oE '^  --?[A-Za-z0-9-]+' | sed 's/^ *-*//' | sort -u)
		page=$(sed -n 's/^\.It Fl -\{0,1\}\([A-Za-z0-9][A-Za-z0-9-]*\).*/\1/p' "$(page "$p")" | sort -u)
		[ "$help" = "$page" ] || { echo "$p: $(diff <(echo "$help") <(echo "$page"))"; false; }
	done
}

@test "install and uninstall: everything in its place, and nothing left" {
	local d=$BATS_TEST_TMPDIR/d
	[[ "$BIN" != *sanitize* ]] || skip 'the installed programs are those of the normal build'
	run -0 make -s install DESTDIR="$d" PREFIX=/usr
	[ -x "$d/usr/bin/tcpserver" ]
	[ -x "$d/usr/lib/portero/qmail-smtpd" ]
	[ -f "$d/usr/share/man/man8/smtpd.8" ]
	run -0 find "$d" -type f -perm /6000
	[ -z "$output" ]
	run -0 make -s uninstall DESTDIR="$d" PREFIX=/usr
	run -0 find "$d" ! -type d
	[ -z "$output" ]
}

@test "the lean programs are static, and lie at an address that nobody can foretell" {
	command -v readelf >/dev/null || skip 'needs readelf: apt install binutils'
	[[ "$BIN" != *sanitize* ]] || skip 'sanitizers need a dynamic start'
	command -v musl-gcc >/dev/null || skip 'needs musl: apt install musl-tools'
	local p
	for p in tcpserver smtpd tcp-env proxy-env queue-maildir queue-null queue-sink qmail-queue queue-smtp queue-lmtp tcpclient recordio rblsmtpd fixcrio addcr delcr \
		argv0 mconnect-io policy-spf policy-domain; do
		run -0 readelf -hlW "$BIN/$p"
		[[ "$output" != *INTERP* ]] || { echo "$p is dynamic"; false; }
		[[ "$output" == *' DYN '* ]] || { echo "$p is not position independent"; false; }
		[[ "$output" == *GNU_RELRO* ]] || { echo "$p has no part that is read-only after its start"; false; }
		run -0 readelf -rW "$BIN/$p"
		run ! grep -E 'R_[A-Z0-9_]+' <(grep -v _RELATIVE <<<"$output")
	done
}

@test "every test that portero-compat names is there" {
	local file name missing=
	while IFS='	' read -r file name; do
		grep -qF "@test \"$name\"" "tests/$file" || missing+="$file: $name"$'\n'
	done < <(sed 's/\\(aq/'"'"'/g' conf/portero-compat.7 |
		awk '/^\.Pa [a-z-]*\.bats :$/ { file = $2 } /^\.Dq / && file { sub(/^\.Dq /, ""); sub(/ ;$/, ""); print file "\t" $0 }
			!/^\.(Pa|Dq) / { file = "" }')
	[ -z "$missing" ] || { echo "$missing"; false; }
}
