# SPDX-License-Identifier: GPL-2.0-only
# make              the loader with its BPF object inside, man pages, units
# make check        every test of the default tiers (as root; installs nothing)
# make check-vm     the VM tier: Debian's kernels under QEMU
# make check-unit   the cmocka tests of the pure parts, under ASan and UBSan
# make install      DESTDIR= PREFIX=/usr/local SYSCONFDIR=/etc UNITDIR=
# make uninstall    removes what install put there, never a configuration
# make lint         format, static analysis, shell scripts, vmlinux.h
# make format       clang-format in place; format-check only looks
#
# CLANG=clang-19 chooses the compiler of the BPF object, CC= that of the rest,
# B= another build directory. No clean is needed after changing any of them.
# To cross-compile: CC="aarch64-linux-gnu-gcc --sysroot=DIR" HOSTCC=gcc, and in
# the environment PKG_CONFIG_SYSROOT_DIR and PKG_CONFIG_LIBDIR for pkg-config.

CLANG ?= clang
BPFTOOL ?= bpftool
CC = gcc
HOSTCC ?= $(CC)
PKG_CONFIG ?= pkg-config
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
PYTHON ?= /usr/bin/python3
B ?= build
VERSION := $(shell cat VERSION)

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/tunload
UNITDIR ?= $(PREFIX)/lib/systemd/system
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions

WARN := -Wall -Wextra -Werror
CFLAGS ?= -O2 -g
PKGS := libbpf inih libmnl jansson
COMMON_CFLAGS = -std=gnu11 $(WARN) -Iloader -Ibpf -D_GNU_SOURCE \
	-DVERSION='"$(VERSION)"' -DSYSCONFDIR='"$(SYSCONFDIR)"' \
	$(shell $(PKG_CONFIG) --cflags $(PKGS))
ALL_CFLAGS = $(COMMON_CFLAGS) $(CFLAGS) -isystem $(B)
LDLIBS = $(shell $(PKG_CONFIG) --libs $(PKGS))
BPF_CFLAGS = -std=gnu11 $(WARN) -O2 -g -fno-strict-aliasing -target bpf \
	-mcpu=v3 -I. -Ibpf $(shell $(PKG_CONFIG) --cflags libbpf)

LOADER_SRC := $(sort $(wildcard loader/*/*.c))
LOADER_OBJ := $(LOADER_SRC:%.c=$(B)/%.o)

# What is made from dist/NAME.in: paths and the verdict table filled in.
MAN := tunload.8 tunload.conf.5
UNITS := tunload@.service tunload-trigger@.service tunload-trigger@.timer
DIST := $(addprefix $(B)/dist/,$(MAN) $(UNITS))

.PHONY: all
all: $(B)/tunload $(DIST)

$(B)/tunload: $(LOADER_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/loader/%.o: loader/%.c $(B)/tunload.skel.h $(B)/loader.flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tunload.bpf.o: bpf/tunload.bpf.c $(B)/bpf.flags
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(B)/tunload.bpf.d -c -o $@ $<

$(B)/tunload.skel.h: $(B)/tunload.bpf.o
	$(BPFTOOL) gen skeleton $< name tunload_bpf > $@.tmp
	mv $@.tmp $@

# The commands that made the objects; a file changes only when its text does,
# so another compiler or flag rebuilds what it concerns.
FLAGS_loader = $(CC) $(ALL_CFLAGS)
FLAGS_bpf = $(CLANG) $(BPF_CFLAGS)
FLAGS_unit = $(CC) $(UNIT_CFLAGS)
FLAGS_dist = $(SBINDIR) $(SYSCONFDIR) $(VERSION)
stamp = $(if $(findstring <$(FLAGS_$1)>,<$(file <$(B)/$1.flags)>),,\
	$(file >$(B)/$1.flags,$(FLAGS_$1)))

# Man pages and units. The verdicts' table has one source, bpf/verdicts.h.
$(B)/dist/%: dist/%.in $(B)/dist/verdicts $(B)/dist.flags
	sed -e 's|@SBINDIR@|$(SBINDIR)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' \
		-e 's|@VERSION@|$(VERSION)|g' \
		-e '/^@VERDICTS@$$/{r $(B)/dist/verdicts' -e 'd;}' $< > $@.tmp
	mv $@.tmp $@

$(B)/dist/verdicts: $(B)/verdict-table
	@mkdir -p $(@D)
	$< > $@.tmp
	mv $@.tmp $@

$(B)/verdict-table: dist/verdict-table.c $(B)/loader.flags
	$(HOSTCC) -std=gnu11 $(WARN) -O2 -MMD -MP -MF $@.d -o $@ $<

# Unit tests. Each tests/unit/test_X.c says at its top, in a line
# "Needs: loader/base/ loader/maps/a.c", what it is linked with.
UNIT_CFLAGS = $(COMMON_CFLAGS) -O1 -g -I. -fsanitize=address,undefined \
	-fno-sanitize-recover=all
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/tests/%)
needs = $(foreach file,$(shell sed -n 's/^.*Needs: *//p' $1),\
	$(if $(filter %/,$(file)),$(wildcard $(file)*.c),$(file)))
unit_objects = $(patsubst %.c,$(B)/unit/%.o,\
	tests/unit/$1.c $(call needs,tests/unit/$1.c))

.PHONY: unit-tests
unit-tests: $(UNIT_BIN)

$(B)/unit/%.o: %.c $(B)/unit.flags
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -MMD -MP -c -o $@ $<

# Fuzz targets, with "Needs:" lines like the unit tests. They want libFuzzer,
# which a clang brings along (Debian: libclang-rt-dev).
FUZZ_CC ?= clang
FUZZ_CFLAGS = $(COMMON_CFLAGS) -O1 -g -I. -fno-sanitize-recover=all \
	-fsanitize=fuzzer,address,undefined
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/*.c))
fuzz_objects = $(patsubst %.c,$(B)/fuzz/obj/%.o,\
	tests/fuzz/$1.c $(call needs,tests/fuzz/$1.c))
FLAGS_fuzz = $(FUZZ_CC) $(FUZZ_CFLAGS)

.PHONY: fuzzers
fuzzers: $(FUZZ_BIN)

$(B)/fuzz/obj/%.o: %.c $(B)/fuzz.flags
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<

# Breaks the core in small ways, one at a time; every one must fail a test.
.PHONY: check-mutants
check-mutants:
	$(PYTHON) tests/mutants

$(shell mkdir -p $(B))
$(foreach name,loader bpf unit fuzz dist,$(call stamp,$(name)))

.SECONDEXPANSION:
$(UNIT_BIN): $(B)/tests/%: $$(call unit_objects,$$*)
	@mkdir -p $(@D)
	$(CC) -fsanitize=address,undefined -o $@ $^ -lcmocka $(LDLIBS)
$(FUZZ_BIN): $(B)/fuzz/%: $$(call fuzz_objects,$$*)
	$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)
.SECONDARY:

.PHONY: check
check: all unit-tests fuzzers
	$(PYTHON) -m pytest -q tests

.PHONY: check-vm
check-vm:
	scripts/check --vm

.PHONY: check-unit
check-unit: unit-tests
	@for t in $(UNIT_BIN); do echo "$$t" && $$t || exit 1; done

# Installation.
COMPLETION := dist/completion/tunload
.PHONY: install
install: all
	install -d $(addprefix $(DESTDIR),$(SBINDIR) $(MANDIR)/man5 \
		$(MANDIR)/man8 $(DOCDIR) $(UNITDIR) $(COMPLETIONDIR) \
		$(SYSCONFDIR)/tunload)
	install -m 755 $(B)/tunload $(DESTDIR)$(SBINDIR)/tunload
	install -m 644 $(B)/dist/tunload.8 $(DESTDIR)$(MANDIR)/man8
	install -m 644 $(B)/dist/tunload.conf.5 $(DESTDIR)$(MANDIR)/man5
	install -m 644 README.md COPYING dist/example.conf $(DESTDIR)$(DOCDIR)
	install -m 644 $(addprefix $(B)/dist/,$(UNITS)) $(DESTDIR)$(UNITDIR)
	install -m 644 $(COMPLETION) $(DESTDIR)$(COMPLETIONDIR)/tunload

.PHONY: uninstall
uninstall:
	rm -f $(addprefix $(DESTDIR),$(SBINDIR)/tunload \
		$(MANDIR)/man8/tunload.8 $(MANDIR)/man5/tunload.conf.5 \
		$(addprefix $(UNITDIR)/,$(UNITS)) $(COMPLETIONDIR)/tunload \
		$(addprefix $(DOCDIR)/,README.md COPYING example.conf))
	-rmdir --ignore-fail-on-non-empty $(DESTDIR)$(DOCDIR) \
		$(DESTDIR)$(SYSCONFDIR)/tunload

# The C files of the tree, vmlinux.h excepted: its layout is the kernel's.
C_FILES = $(sort $(wildcard bpf/*.[ch] bpf/*/*.h loader/*/*.[ch] dist/*.c \
	tests/unit/*.[ch] tests/fuzz/*.[ch] \
	tests/bench/udp_send.c))

.PHONY: format
format:
	$(CLANG_FORMAT) -i $(C_FILES)

.PHONY: format-check
format-check:
	$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)

# One run a file (several in one confuse clang-tidy 14 about va_list), again
# only when its object is newer. The skeleton is bpftool's, hence -isystem.
.PHONY: tidy
tidy: $(LOADER_SRC:%.c=$(B)/tidy/%)
$(B)/tidy/%: %.c $(B)/%.o .clang-tidy
	@mkdir -p $(@D)
	$(CLANG_TIDY) --quiet $< -- $(ALL_CFLAGS) 2>/dev/null
	@touch $@

.PHONY: lint
lint:
	scripts/lint

.PHONY: clean
clean:
	rm -rf $(B)

-include $(LOADER_OBJ:.o=.d) $(B)/tunload.bpf.d $(B)/verdict-table.d
-include $(shell find $(B)/unit $(B)/fuzz -name '*.d' 2>/dev/null)
