# portero - one Makefile for the whole house.
#
#   make            every program, in build/bin/ (SANITIZE=1: in build/sanitize/bin/)
#   make demo       real mail over real TCP, in ./demo, without any privilege
#   make test       the test suite        make test-root  what needs root, in its own namespaces
#   make bench      speed, as ratios      make fuzz       the parsers, FUZZ_SECONDS each
#   make install    under PREFIX, DESTDIR is honoured (make uninstall takes it away again)
#   make lint       clang-tidy, cppcheck, gcc -fanalyzer, shellcheck, mandoc, clang-format

MAKEFLAGS   += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

ifeq ($(origin CC),default)
CC          := gcc
endif
PREFIX      ?= /usr/local
MANDIR      ?= $(PREFIX)/share/man
FUZZ_SECONDS ?= 30

B           := build$(if $(SANITIZE),/sanitize)
BIN         := $B/bin
PKG_CONFIG  ?= pkg-config

# ---- what the house stands on ---------------------------------------------------------------------------

NEEDS       := libcdb libseccomp libcares libssl libcrypt pam libxxhash
NEED_BUILD  := gcc=gcc pkg-config=pkg-config libcdb-dev=pc:libcdb libseccomp-dev=pc:libseccomp \
               libc-ares-dev=pc:libcares libssl-dev=pc:libssl libcrypt-dev=pc:libcrypt \
               libpam0g-dev=pc:pam libxxhash-dev=pc:libxxhash musl-tools=musl-gcc libc6-dev=/usr/include/stdio.h
APT         := make $(foreach n,$(NEED_BUILD),$(firstword $(subst =, ,$n)))
MISSING     := $(strip $(foreach p,$(NEEDS),$(shell $(PKG_CONFIG) --exists $p 2>/dev/null || echo $p)))
# As many jobs as processors, unless whoever calls has said how many.
JOBS        = $(if $(findstring j,$(firstword -$(MAKEFLAGS))),,-j$(shell nproc 2>/dev/null || echo 2))

# These first see to it that everything is there (conf/need), then call make again.
CAREFUL     := demo test test-root bench fuzz
ifneq ($(MISSING),)
ifeq ($(filter clean uninstall $(CAREFUL),$(MAKECMDGOALS)),)
$(error portero needs $(MISSING) (asked with pkg-config). On Debian: apt install $(APT))
endif
endif

# ---- how it is compiled ---------------------------------------------------------------------------------

WARN        := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
SAN         := $(if $(SANITIZE),-fsanitize=address -fsanitize=undefined -fno-sanitize-recover=all)
CFLAGS      ?= -O2 -g
HARDEN      := -fstack-protector-strong -fcf-protection $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2)
DIALECT     = -std=c17 -D_GNU_SOURCE -Ilib -I. -I$B/gen
ALL_CFLAGS  = $(DIALECT) $(WARN) $(if $(WERROR),-Werror) $(HARDEN) $(SAN) $(CFLAGS)

# What is started once a connection, and the server that starts it, is static and lean: against musl where
# there is one (half the start-up of glibc's static one, a third of a dynamic one: make bench; and the server runs
# under "softlimit -m 2000000"), else against this compiler's own libc. Against musl it lies at an address that
# nobody can foretell, which takes the start file for such static programs by name: musl-gcc's specs have no word
# for it.
MUSL        := $(if $(SANITIZE),,$(shell command -v musl-gcc 2>/dev/null))
MUSL_DIR    := $(if $(MUSL),$(shell sed -n 's/.*-specs "\(.*\)\/musl-gcc.specs".*/\1/p' $(MUSL)))
STATIC_PIE  := $(wildcard $(MUSL_DIR)/rcrt1.o)
LEAN_CC     ?= $(if $(MUSL),$(MUSL),$(CC))
MULTIARCH   := $(shell gcc -print-multiarch 2>/dev/null)
LEAN_CFLAGS = $(if $(SANITIZE),,$(if $(STATIC_PIE),-fPIE,-fno-pie)) \
              $(if $(MUSL),-U_FORTIFY_SOURCE -idirafter /usr/include -idirafter /usr/include/$(MULTIARCH))
ifneq ($(STATIC_PIE),)
LEAN_LDFLAGS = -static -nostartfiles -Wl,-pie,--no-dynamic-linker,-z,text,-z,relro,-z,now $(STATIC_PIE) $(MUSL_DIR)/crti.o
LEAN_END     = $(MUSL_DIR)/crtn.o
else
LEAN_LDFLAGS = $(if $(SANITIZE),,-static -no-pie)
endif

# One short line a file; make V=1 shows the commands.
say         = $(if $(V),,@printf '  %-5s %s\n' $(1) $@;)

# ---- the rooms ------------------------------------------------------------------------------------------

# Without musl tcpserver is dynamic: static glibc finds no names of users, hosts and services everywhere.
# PAM and crypt(3) load what they need while they run.
HOSTED      := $(wildcard queue/queued.c queue/deliver-null.c queue/deliver-program.c tcprules/tcprules.c tcprules/tcprulescheck.c tcpserver/tls.c \
               smtpd/checkpassword-file.c smtpd/checkpassword-pam.c $(if $(MUSL),,tcpserver/tcpserver.c))
POLICIES    := $(wildcard smtpd/policy-*.c)
LEAN        := $(wildcard $(if $(MUSL),tcpserver/tcpserver.c) tcp-env/tcp-env.c tcp-env/proxy-env.c smtpd/smtpd.c smtpd/checkpassword-dovecot.c \
               queue/queue-maildir.c queue/queue-null.c queue/queue-sink.c queue/qmail-queue.c queue/queue-smtp.c queue/queue-lmtp.c) $(POLICIES) $(wildcard \
               $(addprefix tcpserver/,tcpclient.c recordio.c rblsmtpd.c fixcrio.c addcr.c delcr.c argv0.c mconnect-io.c))
TOOLS       := lib/base/sandbox_gen.c
ROOMS       := $(filter-out $(HOSTED) $(LEAN) $(TOOLS),$(wildcard lib/*/*.c tcpserver/*.c tcprules/*.c tcp-env/*.c smtpd/*.c queue/*.c))
PROGRAMS    := $(notdir $(basename $(HOSTED) $(LEAN)))
NAMES       := qmail-smtpd
# Clients that are shell scripts.
ASKERS      := mconnect tcpcat who@ date@ finger@ http@
UNIT        := $(patsubst tests/unit/%.c,$B/unit/%,$(wildcard tests/unit/*_test.c))


all: $(PROGRAMS:%=$(BIN)/%) $(NAMES:%=$(BIN)/%) $(ASKERS:%=$(BIN)/%)
	@:

HOST_LIBS   := $(if $(MISSING),,$(shell $(PKG_CONFIG) --libs libcdb libcares))
# Of the one program that speaks TLS, and of what tests its parts.
TLS_LIBS    := $(if $(MISSING),,-Wl,--as-needed $(shell $(PKG_CONFIG) --libs libssl libcrypto))
LEAN_LIBS   := $(if $(SANITIZE),$(HOST_LIBS),$(foreach l,libcdb.a libcares.a,$(shell gcc -print-file-name=$l 2>/dev/null)))

$B/host/portero.a: $(ROOMS:%.c=$B/host/%.o)
$B/lean/portero.a: $(ROOMS:%.c=$B/lean/%.o)
$B/%/portero.a:
	@rm -f $@
	$(call say,AR) ar rcs $@ $^

$B/host/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(ALL_CFLAGS) -fPIE -MMD -MP -c -o $@ $<

$B/lean/%.o: %.c
	@mkdir -p $(@D)
	$(call say,LEAN) $(LEAN_CC) $(ALL_CFLAGS) $(LEAN_CFLAGS) -MMD -MP -c -o $@ $<

define host_program
$(BIN)/$(notdir $(1:.c=)): $B/host/$(1:.c=.o) $B/host/portero.a
	@mkdir -p $$(@D)
	$$(call say,LINK) $$(CC) $$(SAN) -pie -Wl,-z,relro,-z,now $$(LDFLAGS) -o $$@ $$^ $$(HOST_LIBS)
endef

define lean_program
$(BIN)/$(notdir $(1:.c=)): $B/lean/$(1:.c=.o) $B/lean/portero.a
	@mkdir -p $$(@D)
	$$(call say,LINK) $$(LEAN_CC) $$(SAN) $$(LEAN_LDFLAGS) $$(LDFLAGS) -o $$@ -Wl,--start-group $$^ $$(LEAN_LIBS) -Wl,--end-group $$(LEAN_END)
endef

$(foreach p,$(HOSTED),$(eval $(call host_program,$p)))
$(BIN)/tls: HOST_LIBS += $(TLS_LIBS)
$(BIN)/checkpassword-file: HOST_LIBS += -lcrypt
$(BIN)/checkpassword-pam: HOST_LIBS += -lpam
$(foreach p,$(LEAN),$(eval $(call lean_program,$p)))

$(BIN)/qmail-smtpd: $(BIN)/smtpd
	$(call say,LN) ln -sf smtpd $@

$(ASKERS:%=$(BIN)/%): $(BIN)/%: tcpserver/%
	@mkdir -p $(@D)
	$(call say,CP) install -m 755 $< $@

# Profiles of system calls become filters while we build: see lib/base/sandbox_gen.c.
$B/gen/sandbox_filters.h: lib/base/sandbox_gen.c
	@mkdir -p $(@D)
	$(call say,GEN) $(CC) $(WARN) $(if $(SANITIZE),-DSANITIZED) -o $B/gen/sandbox_gen $< $$($(PKG_CONFIG) --cflags --libs libseccomp)
	@$B/gen/sandbox_gen > $@
$(foreach o,sandbox guard,$B/host/lib/base/$o.o $B/lean/lib/base/$o.o): $B/gen/sandbox_filters.h

$B/gen/house_facts.h: CHANGES conf-qmail
	@mkdir -p $(@D)
	@printf '#define HOUSE_VERSION "%s"\n#define HOUSE_HOME "%s"\n' \
		"$$(sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p' CHANGES)" "$$(head -n 1 conf-qmail)" > $@
$B/host/lib/base/house.o $B/lean/lib/base/house.o: $B/gen/house_facts.h
GENERATED   := $B/gen/sandbox_filters.h $B/gen/house_facts.h

# What tests are done with.
HELPERS     := $(addprefix $B/helpers/,store_driver store_driver_no_sync strike)
$B/helpers/%: $B/host/tests/%.o $B/host/portero.a
	@mkdir -p $(@D)
	$(call say,LINK) $(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(HOST_LIBS)
$B/helpers/%_no_sync: $B/host/tests/%.o $B/host/tests/no_sync.o $B/host/portero.a
	$(call say,LINK) $(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(HOST_LIBS)
$B/helpers/strike: HOST_LIBS += $(shell $(PKG_CONFIG) --libs libseccomp)

$B/unit/%: $B/host/tests/unit/%.o $B/host/portero.a
	@mkdir -p $(@D)
	$(call say,LINK) $(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(HOST_LIBS) $(TLS_LIBS)

# ---- seeing and testing ---------------------------------------------------------------------------------

demo:
	@sh conf/need $(NEED_BUILD)
	@$(MAKE) $(JOBS) --no-print-directory all
	@BIN=$(abspath $(BIN)) sh conf/demo

# The long ones first: some run at a time, and none shall be left alone at the end.
LONG        := tests/tcprules_tools.bats tests/queue_smtp.bats tests/tcpserver.bats tests/differential/rblsmtpd.py tests/clients.bats tests/submission.bats tests/smtpd.bats
SCRIPTED    := $(wildcard tests/differential/*.py) tests/attacks.py tests/crowd.py tests/storm.py
TESTS       := $(LONG) $(sort $(filter-out $(LONG),$(SCRIPTED) $(wildcard tests/*.bats))) $(UNIT)
test:
	@sh conf/need $(NEED_BUILD) bats=bats python3=python3
	@$(MAKE) $(JOBS) --no-print-directory all unit helpers
	@BIN=$(abspath $(BIN)) TAP_DIR=$B/tap tests/run $(TESTS)

unit: $(UNIT)
	@:

helpers: $(HELPERS)
	@:

test-root:
	@sh conf/need $(NEED_BUILD) bats=bats python3=python3 iproute2=ip
	@$(MAKE) $(JOBS) --no-print-directory all helpers
	@BIN=$(abspath $(BIN)) TAP_DIR=$B/tap-root TAP_IN=tests/root/inside tests/run $(sort $(wildcard tests/root/*.bats))

bench:
	@sh conf/need $(NEED_BUILD)
	@$(MAKE) $(JOBS) --no-print-directory all
	@BIN=$(abspath $(BIN)) tests/bench/run

# libFuzzer over all rooms. What it finds that is new stays in build/fuzz; seeds are in tests/data/fuzz.
FUZZ        := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_SAN    := address,undefined -fno-sanitize-recover=all

fuzz:
	@sh conf/need $(NEED_BUILD) clang=clang
	@$(MAKE) $(JOBS) --no-print-directory $(FUZZ:%=$B/fuzz/%)
	@$(MAKE) --no-print-directory $(FUZZ:%=fuzz-%)

$B/fuzz/obj/%.o: %.c | $(GENERATED)
	@mkdir -p $(@D)
	$(call say,CLANG) clang $(DIALECT) -g -O1 -fsanitize=fuzzer-no-link,$(FUZZ_SAN) -MMD -MP -c -o $@ $<
$B/fuzz/portero.a: $(ROOMS:%.c=$B/fuzz/obj/%.o)
$B/fuzz/%: $B/fuzz/obj/tests/fuzz/%_fuzz.o $B/fuzz/portero.a
	$(call say,LINK) clang -fsanitize=fuzzer,$(FUZZ_SAN) -o $@ $^ $(HOST_LIBS) $(TLS_LIBS)

$(FUZZ:%=fuzz-%): fuzz-%: $B/fuzz/%
	@mkdir -p $B/corpus/$* tests/data/fuzz/$*
	@$B/fuzz/$* -close_fd_mask=2 -max_total_time=$(FUZZ_SECONDS) -timeout=5 -artifact_prefix=$B/fuzz/$*- \
		$B/corpus/$* tests/data/fuzz/$* >$B/fuzz/$*.log 2>&1 || { tail -n 30 $B/fuzz/$*.log; exit 1; }
	@printf '%-16s %s\n' $* "$$(grep '^Done' $B/fuzz/$*.log)"

# ---- readers that are not compilers ---------------------------------------------------------------------

SOURCES     := $(wildcard lib/*/*.c tcpserver/*.c tcprules/*.c tcp-env/*.c smtpd/*.c queue/*.c tests/unit/*.c tests/fuzz/*.c tests/bench/*.c tests/*.c)
HEADERS     := $(wildcard lib/*/*.h tcpserver/*.h tcprules/*.h tcp-env/*.h smtpd/*.h queue/*.h tests/unit/*.h tests/bench/*.h tests/fuzz/*.h)
PAGES       := $(sort $(wildcard */*.[1578]))
SCRIPTS     := $(shell grep -slE '^\#!(/bin/(ba)?sh|/usr/bin/env bats)' $(ASKERS:%=tcpserver/%) conf/* .ci/run tests/run tests/*.bats tests/root/* tests/bench/run)

# Leaks are clang-tidy's and the sanitizer's: gcc 12 takes what a job has that comes back from a thread for lost.
ANALYZER    := -fanalyzer -Wno-analyzer-malloc-leak

lint: $(GENERATED)
	@echo '  clang-format'; clang-format --dry-run -Werror $(SOURCES) $(HEADERS)
	@echo '  clang-tidy'; printf '%s\n' $(SOURCES) | xargs -P 2 -n 4 sh -c 'clang-tidy --quiet "$$@" -- $(DIALECT) 2>/dev/null' tidy
	@echo '  cppcheck'; cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability --inline-suppr \
		--suppress=missingIncludeSystem --library=tests/cppcheck.cfg -D__linux__ -D__x86_64__ -D_GNU_SOURCE -Ilib -I. -I$B/gen $(SOURCES)
	@echo '  gcc -fanalyzer'; printf '%s\n' $(filter-out tests/%,$(SOURCES)) | \
		xargs -P 2 -I '{}' gcc $(DIALECT) -O1 $(ANALYZER) -Werror -c -o /dev/null '{}'
	@echo '  shellcheck'; shellcheck -x $(SCRIPTS)
	@echo '  mandoc'; mandoc -Tlint -Wwarning $(PAGES)

# ---- at home --------------------------------------------------------------------------------------------

BINDIR      := $(PREFIX)/bin
# Names that other packages have in bin (OpenSMTPD's daemon is called smtpd too) stand in a folder of ours.
LIBEXECDIR  := $(PREFIX)/lib/portero
IN_BIN      := tcpserver rblsmtpd tcprules tcprulescheck tcp-env proxy-env \
               tcpclient recordio fixcrio addcr delcr argv0 mconnect-io $(ASKERS)
IN_LIBEXEC  := tls smtpd checkpassword-dovecot checkpassword-file checkpassword-pam queue-maildir queue-null queue-sink qmail-queue \
               queue-smtp queue-lmtp queued $(filter deliver-%,$(PROGRAMS)) \
               $(notdir $(POLICIES:.c=))

install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBEXECDIR)
	install -m 755 $(IN_BIN:%=$(BIN)/%) $(DESTDIR)$(BINDIR)
	install -m 755 $(IN_LIBEXEC:%=$(BIN)/%) $(DESTDIR)$(LIBEXECDIR)
	ln -sf smtpd $(DESTDIR)$(LIBEXECDIR)/qmail-smtpd
	for page in $(PAGES); do s=$${page##*.}; install -d $(DESTDIR)$(MANDIR)/man$$s && \
		install -m 644 $$page $(DESTDIR)$(MANDIR)/man$$s; done
	ln -sf smtpd.8 $(DESTDIR)$(MANDIR)/man8/qmail-smtpd.8

uninstall:
	rm -f $(IN_BIN:%=$(DESTDIR)$(BINDIR)/%) $(IN_LIBEXEC:%=$(DESTDIR)$(LIBEXECDIR)/%) $(DESTDIR)$(LIBEXECDIR)/qmail-smtpd
	for page in $(PAGES); do rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; done
	rm -f $(DESTDIR)$(MANDIR)/man8/qmail-smtpd.8
	-rmdir $(DESTDIR)$(LIBEXECDIR)

clean:
	rm -rf build demo

-include $(shell find $B/host $B/lean $B/fuzz -name '*.d' 2>/dev/null)

.PHONY: all unit helpers clean $(CAREFUL) $(FUZZ:%=fuzz-%) install uninstall lint
