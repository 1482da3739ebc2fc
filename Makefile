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
HOME_DIR    := $(shell head -n 1 conf-qmail)
VERSION     := $(shell sed -n '1s/[^0-9]*\([0-9.]*\).*/\1/p' CHANGES)

# ---- what the house stands on ---------------------------------------------------------------------------

NEEDS       := libcdb libseccomp libcares
APT         := gcc make pkg-config libcdb-dev libseccomp-dev libc-ares-dev musl-tools
MISSING     := $(strip $(foreach p,$(NEEDS),$(shell $(PKG_CONFIG) --exists $p 2>/dev/null || echo $p)))
ifneq ($(MISSING),)
ifeq ($(filter clean uninstall demo,$(MAKECMDGOALS)),)
$(error portero needs $(MISSING) (asked with pkg-config). On Debian: apt install $(APT))
endif
endif

# ---- how it is compiled ---------------------------------------------------------------------------------

WARN        := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
SAN         := $(if $(SANITIZE),-fsanitize=address -fsanitize=undefined -fno-sanitize-recover=all)
CFLAGS      ?= -O2 -g
HARDEN      := -fstack-protector-strong -fcf-protection $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2)
ALL_CFLAGS  = -std=c17 -D_GNU_SOURCE -Ilib -I. -I$B/gen -DPORTERO_VERSION='"$(VERSION)"' -DPORTERO_HOME='"$(HOME_DIR)"' \
              $(WARN) $(if $(WERROR),-Werror) $(HARDEN) $(SAN) $(CFLAGS)

# What is started once a connection is static and lean: against musl where there is one (half the start-up
# of glibc's static one, a third of a dynamic one: make bench), else against this compiler's own libc.
MUSL        := $(if $(SANITIZE),,$(shell command -v musl-gcc 2>/dev/null))
LEAN_CC     ?= $(if $(MUSL),$(MUSL),$(CC))
MULTIARCH   := $(shell gcc -print-multiarch 2>/dev/null)
LEAN_CFLAGS = $(if $(SANITIZE),,-fno-pie) $(if $(MUSL),-U_FORTIFY_SOURCE -idirafter /usr/include -idirafter /usr/include/$(MULTIARCH))
LEAN_LDFLAGS = $(if $(SANITIZE),,-static -no-pie)

# One short line a file; make V=1 shows the commands.
say         = $(if $(V),,@printf '  %-5s %s\n' $(1) $@;)

# ---- the rooms ------------------------------------------------------------------------------------------

HOSTED      := $(wildcard tcpserver/tcpserver.c tcprules/tcprules.c tcprules/tcprulescheck.c)
LEAN        := $(wildcard tcp-env/tcp-env.c smtpd/smtpd.c queue/queue-maildir.c queue/queue-null.c)
TOOLS       := lib/base/sandbox_gen.c
ROOMS       := $(filter-out $(HOSTED) $(LEAN) $(TOOLS),$(wildcard lib/*/*.c tcpserver/*.c tcprules/*.c tcp-env/*.c smtpd/*.c queue/*.c))
PROGRAMS    := $(notdir $(basename $(HOSTED) $(LEAN)))
NAMES       := qmail-smtpd
UNIT        := $(patsubst tests/unit/%.c,$B/unit/%,$(wildcard tests/unit/*_test.c))


all: $(PROGRAMS:%=$(BIN)/%) $(NAMES:%=$(BIN)/%)

HOST_LIBS   := $(if $(MISSING),,$(shell $(PKG_CONFIG) --libs libcdb libcares))
LEAN_LIBS   := $(if $(SANITIZE),$(HOST_LIBS),$(foreach l,libcdb.a libcares.a,$(shell gcc -print-file-name=$l)))

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
	$$(call say,LINK) $$(LEAN_CC) $$(SAN) $$(LEAN_LDFLAGS) $$(LDFLAGS) -o $$@ -Wl,--start-group $$^ $$(LEAN_LIBS) -Wl,--end-group
endef

$(foreach p,$(HOSTED),$(eval $(call host_program,$p)))
$(foreach p,$(LEAN),$(eval $(call lean_program,$p)))

$(BIN)/qmail-smtpd: $(BIN)/smtpd
	ln -sf smtpd $@

# Profiles of system calls become filters while we build: see lib/base/sandbox_gen.c.
$B/gen/sandbox_filters.h: lib/base/sandbox_gen.c
	@mkdir -p $(@D)
	$(call say,GEN) $(CC) $(WARN) -o $B/gen/sandbox_gen $< $$($(PKG_CONFIG) --cflags --libs libseccomp)
	$B/gen/sandbox_gen > $@
$B/host/lib/base/sandbox.o $B/lean/lib/base/sandbox.o: $B/gen/sandbox_filters.h

$B/unit/%: $B/host/tests/unit/%.o $B/host/portero.a
	@mkdir -p $(@D)
	$(call say,LINK) $(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(HOST_LIBS)

clean:
	rm -rf build demo

-include $(shell find $B/host $B/lean -name '*.d' 2>/dev/null)

.PHONY: all clean demo test test-root bench fuzz install uninstall lint
