# SPDX-License-Identifier: GPL-2.0-only
# make              the loader with its BPF object inside, man pages, units
# make install      DESTDIR= PREFIX=/usr/local SYSCONFDIR=/etc UNITDIR=
# make uninstall    detaches and removes what install put there, never a
#                   configuration
# make deb, make rpm  packages, into build/package (scripts/install-deps package)
# make t T=ecn      every test that has the word in its name, of any tier; also
#                   T=wire, T=wire/mss, T=kernels/ipsec (see scripts/test)
# make check        every test of the default tiers (as root; installs nothing)
# make check-unit   the cmocka tests of the pure parts, under ASan and UBSan
# make check-vm     the VM tier: Debian's kernels under QEMU
# make check-mutants  breaks bpf/ in small ways; a test must notice each
# make bench        measures speed and memory, and writes docs/performance.md;
#                   BENCH="packet --runs 5" for a part (see tests/bench)
# make lint         format, static analysis, shell scripts, vmlinux.h
# make format       clang-format in place; format-check only looks
# make compile_commands.json   for clangd and other tools
# make clean        removes the build directory
#
# CLANG=clang-19 chooses the compiler of the BPF object, CC= that of the rest,
# CPPFLAGS=, CFLAGS= and LDFLAGS= are used for the rest; WERROR= lets warnings
# pass; B= another build directory. All may come from the environment.
# No clean is needed after changing any of them.
# To cross-compile: CC="aarch64-linux-gnu-gcc --sysroot=DIR" HOSTCC=gcc, and in
# the environment PKG_CONFIG_SYSROOT_DIR and PKG_CONFIG_LIBDIR for pkg-config.

CLANG ?= clang
BPFTOOL ?= bpftool
ifeq ($(origin CC),default)
CC = gcc
endif
HOSTCC ?= $(CC)
PKG_CONFIG ?= pkg-config
CLANG_FORMAT ?= clang-format
CLANG_TIDY ?= clang-tidy
PYTHON ?= /usr/bin/python3
SYSTEMCTL ?= systemctl
B ?= build
VERSION := $(shell cat VERSION)

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/tunload
UNITDIR ?= $(PREFIX)/lib/systemd/system
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions

# Packages build with WERROR=, as another compiler may know more warnings.
WERROR ?= -Werror
WARN := -Wall -Wextra $(WERROR)
CFLAGS ?= -O2 -g
PKGS := libbpf libmnl jansson libnftables
# Only their headers: loaded when needed (base/library.c).
HEADERS := libcares libcurl libsystemd
COMMON_CFLAGS = -std=gnu11 $(WARN) -Iloader -Ibpf -D_GNU_SOURCE \
	-DVERSION='"$(VERSION)"' -DSYSCONFDIR='"$(SYSCONFDIR)"' \
	$(shell $(PKG_CONFIG) --cflags $(PKGS) $(HEADERS))
ALL_CFLAGS = $(COMMON_CFLAGS) $(CPPFLAGS) $(CFLAGS) -isystem $(B)
LDLIBS = $(shell $(PKG_CONFIG) --libs $(PKGS))
HOST_CFLAGS = -std=gnu11 $(WARN) -O1 -Iloader -Ibpf -D_GNU_SOURCE \
	-DSYSCONFDIR='"$(SYSCONFDIR)"'
BPF_CFLAGS = -std=gnu11 $(WARN) -O2 -g -fno-strict-aliasing -target bpf \
	-mcpu=v3 -ffile-prefix-map=$(CURDIR)=. -I. -Ibpf \
	$(shell $(PKG_CONFIG) --cflags libbpf)

SKELETONS := $(B)/tunload.skel.h $(B)/capture.skel.h
LOADER_SRC := $(sort $(wildcard loader/*/*.c))
LOADER_OBJ := $(LOADER_SRC:%.c=$(B)/%.o)

# Files made from dist/NAME.in, with paths, and a table in place of @TABLE@.
MAN := tunload.8 tunload.conf.5
UNITS := tunload@.service tunload-trigger@.service tunload-trigger@.timer \
	tunload-watch@.service tunload-metrics.socket tunload-metrics@.service
COMPLETION := completion/tunload completion/_tunload
DOCS := README.md COPYING docs/news.md docs/fleet.md dist/example.conf \
	dist/grafana.json
EXAMPLES := $(sort $(wildcard dist/examples/fleet/*))
SCHEMAS := $(sort $(wildcard docs/schema/*.json))
DIST := $(addprefix $(B)/dist/,$(MAN) $(UNITS) $(COMPLETION))
TABLES := verdicts interface-keys peer-keys peer-words

.PHONY: all
all: $(B)/tunload $(DIST)

$(B)/tunload: $(LOADER_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Only some of them include a skeleton, a system header for the compiler (-MD).
$(B)/loader/%.o: loader/%.c $(B)/loader.flags | $(SKELETONS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MD -MP -c -o $@ $<

$(B)/%.bpf.o: bpf/%.bpf.c $(B)/bpf.flags
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(B)/$*.bpf.d -c -o $@ $<

$(SKELETONS): $(B)/%.skel.h: $(B)/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp
	mv $@.tmp $@

# The commands that made the objects; a file changes only with its text, so
# another compiler or flag rebuilds only the objects that use it.
FLAGS_loader = $(CC) $(ALL_CFLAGS)
FLAGS_bpf = $(CLANG) $(BPF_CFLAGS)
FLAGS_unit = $(CC) $(UNIT_CFLAGS)
FLAGS_host = $(HOSTCC) $(HOST_CFLAGS)
FLAGS_dist = $(SBINDIR) $(SYSCONFDIR) $(VERSION)
stamp = $(if $(findstring <$(FLAGS_$1)>,<$(file <$(B)/$1.flags)>),,\
	$(file >$(B)/$1.flags,$(FLAGS_$1)))

# Man pages, units and completion. The tables have one source, bpf/verdicts.h
# and bpf/keys.h; what prints them runs on the host that builds.
$(B)/dist/%: dist/%.in dist/completion/words dist/limits \
		$(TABLES:%=$(B)/tables/%) $(B)/dist.flags
	@mkdir -p $(@D)
	sed -e '/^@completion@$$/{r dist/completion/words' -e 'd;}' \
		-e '/^@limits@$$/{r dist/limits' -e 'd;}' \
		-e 's|@SBINDIR@|$(SBINDIR)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' \
		-e 's|@VERSION@|$(VERSION)|g' $(foreach table,$(TABLES),\
		-e '/^@$(table)@$$/{r $(B)/tables/$(table)' -e 'd;}') $< > $@.tmp
	mv $@.tmp $@

$(B)/tables/%: $(B)/host/tables
	@mkdir -p $(@D)
	$< $* > $@.tmp
	mv $@.tmp $@

HOST_OBJ := $(patsubst %.c,$(B)/host/%.o,dist/tables.c \
	$(filter loader/base/%.c loader/conf/%.c,$(LOADER_SRC)))
$(B)/host/tables: $(HOST_OBJ)
	$(HOSTCC) -o $@ $^

$(B)/host/%.o: %.c $(B)/host.flags
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) -MMD -MP -c -o $@ $<

# Unit tests. A line "Needs: loader/base/ loader/maps/a.c" at the top of each
# tests/unit/test_X.c lists what it is linked with.
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

# Fuzz targets, with "Needs:" lines like the unit tests. They need libFuzzer,
# which comes with clang (Debian: libclang-rt-dev).
FUZZ_CC ?= clang
FUZZ_CFLAGS = $(COMMON_CFLAGS) -O1 -g -I. -fno-sanitize-recover=all \
	-fsanitize=fuzzer,address,undefined
FUZZ_SRC := $(sort $(wildcard tests/fuzz/*.c))
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(B)/fuzz/%)
fuzz_objects = $(patsubst %.c,$(B)/fuzz/obj/%.o,\
	tests/fuzz/$1.c $(call needs,tests/fuzz/$1.c))
FLAGS_fuzz = $(FUZZ_CC) $(FUZZ_CFLAGS)

.PHONY: fuzzers
fuzzers: $(FUZZ_BIN) $(B)/fuzz/conf.dict

# The keys, and the words of their values, come from bpf/keys.h.
$(B)/fuzz/conf.dict: tests/fuzz/conf.dict $(B)/tables/interface-words \
		$(B)/tables/peer-words
	@mkdir -p $(@D)
	awk 'FILENAME ~ /\.dict$$/ {print; next} {print "\"" $$1 " = \""; \
		for (i = 2; i <= NF; i++) if (!seen[$$i]++) print "\"" $$i "\""}' \
		$^ > $@.tmp
	mv $@.tmp $@

$(B)/fuzz/obj/%.o: %.c $(B)/fuzz.flags
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<

# Breaks the core in small ways, one at a time; every one must fail a test.
.PHONY: check-mutants
check-mutants:
	$(PYTHON) tests/mutants

$(shell mkdir -p $(B))
$(foreach name,loader bpf unit fuzz host dist,$(call stamp,$(name)))

.SECONDEXPANSION:
$(UNIT_BIN): $(B)/tests/%: $$(call unit_objects,$$*)
	@mkdir -p $(@D)
	$(CC) -fsanitize=address,undefined -o $@ $^ -lcmocka $(LDLIBS)
$(FUZZ_BIN): $(B)/fuzz/%: $$(call fuzz_objects,$$*)
	$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)
.SECONDARY:

.PHONY: help
help:
	@sed -n '/^# make /,/^$$/s/^# \{0,1\}//p' Makefile

.PHONY: t
t: all
	scripts/test "$(T)"

.PHONY: check
check: all unit-tests fuzzers
	$(PYTHON) -m pytest -q tests tests/kernels/test_floor.py

.PHONY: check-vm
check-vm:
	scripts/check --vm

.PHONY: bench
bench: all
	scripts/install-deps bench
	$(PYTHON) tests/bench $(BENCH)

.PHONY: check-unit
check-unit: unit-tests
	@for t in $(UNIT_BIN); do echo "$$t" && $$t || exit 1; done

# Installation.
.PHONY: install
install: all
	install -d $(addprefix $(DESTDIR),$(SBINDIR) $(MANDIR)/man5 \
		$(MANDIR)/man8 $(DOCDIR)/schema $(DOCDIR)/examples/fleet \
		$(UNITDIR) $(COMPLETIONDIR) $(ZSHDIR) $(SYSCONFDIR)/tunload)
	install -m 755 $(B)/tunload $(DESTDIR)$(SBINDIR)/tunload
	install -m 644 $(B)/dist/tunload.8 $(DESTDIR)$(MANDIR)/man8
	install -m 644 $(B)/dist/tunload.conf.5 $(DESTDIR)$(MANDIR)/man5
	install -m 644 $(DOCS) $(DESTDIR)$(DOCDIR)
	install -m 644 $(SCHEMAS) $(DESTDIR)$(DOCDIR)/schema
	install -m 644 $(EXAMPLES) $(DESTDIR)$(DOCDIR)/examples/fleet
	install -m 644 $(addprefix $(B)/dist/,$(UNITS)) $(DESTDIR)$(UNITDIR)
	install -m 644 $(B)/dist/completion/tunload $(DESTDIR)$(COMPLETIONDIR)
	install -m 644 $(B)/dist/completion/_tunload $(DESTDIR)$(ZSHDIR)

.PHONY: uninstall
uninstall:
	@test -n "$(DESTDIR)" || $(SYSTEMCTL) stop 'tunload*' 2>/dev/null || :
	@test -n "$(DESTDIR)" -o ! -x $(SBINDIR)/tunload || \
		$(SBINDIR)/tunload detach --all || :
	rm -f $(addprefix $(DESTDIR),$(SBINDIR)/tunload \
		$(MANDIR)/man8/tunload.8 $(MANDIR)/man5/tunload.conf.5 \
		$(addprefix $(UNITDIR)/,$(UNITS)) $(COMPLETIONDIR)/tunload \
		$(ZSHDIR)/_tunload \
		$(addprefix $(DOCDIR)/,$(notdir $(DOCS)) $(SCHEMAS:docs/%=%) \
		$(EXAMPLES:dist/%=%)))
	-rmdir --ignore-fail-on-non-empty $(DESTDIR)$(DOCDIR)/schema \
		$(addprefix $(DESTDIR)$(DOCDIR)/,examples/fleet examples) \
		$(DESTDIR)$(DOCDIR) \
		$(DESTDIR)$(SYSCONFDIR)/tunload

# Packages are made in a copy of the tree, with settings of their own.
SOURCES := COPYING CONTRIBUTING.md Makefile README.md VERSION vmlinux.h bpf \
	dist docs loader scripts tests
PACKAGES := $(abspath $(B))/package
STAGE := $(PACKAGES)/tunload-$(VERSION)
PLAIN := env -i PATH="$$PATH" HOME="$$HOME" \
	DEB_BUILD_OPTIONS="$$DEB_BUILD_OPTIONS"

.PHONY: stage
stage:
	rm -rf $(STAGE)
	mkdir -p $(STAGE)
	tar -c --exclude=__pycache__ $(SOURCES) | tar -x -C $(STAGE)

.PHONY: deb
deb: stage
	mv $(STAGE)/dist/debian $(STAGE)
	scripts/changelog debian >$(STAGE)/debian/changelog
	cd $(STAGE) && $(PLAIN) dpkg-buildpackage -b -us -uc
	rm -rf $(STAGE)
	@ls $(PACKAGES)/*.deb

# Debian's rpmbuild knows no packages that could fulfil the BuildRequires.
.PHONY: rpm
rpm: stage
	sed 's|@VERSION@|$(VERSION)|g' dist/tunload.spec.in >$(PACKAGES)/tunload.spec
	scripts/changelog rpm >>$(PACKAGES)/tunload.spec
	tar -C $(PACKAGES) -czf $(STAGE).tar.gz tunload-$(VERSION)
	cd $(PACKAGES) && $(PLAIN) rpmbuild -bb --define '_topdir $(PACKAGES)/rpm' \
		--define '_sourcedir $(PACKAGES)' \
		$(if $(wildcard /etc/debian_version),--nodeps) tunload.spec
	rm -rf $(STAGE) $(PACKAGES)/rpm/BUILD*
	@ls $(PACKAGES)/rpm/RPMS/*/*.rpm

# The C files of the tree without vmlinux.h, whose layout is the kernel's.
C_FILES = $(sort $(wildcard bpf/*.[ch] bpf/*/*.h loader/*/*.[ch] dist/*.c \
	tests/unit/*.[ch] tests/fuzz/*.[ch] \
	tests/bench/*.c))

.PHONY: format
format:
	$(CLANG_FORMAT) -i $(C_FILES)

.PHONY: format-check
format-check:
	$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)

# One run per file (several confuse clang-tidy 14 about va_list), and only if
# its object is newer than the last run. -isystem excludes the skeleton, which
# is bpftool's.
.PHONY: tidy
tidy: $(LOADER_SRC:%.c=$(B)/tidy/%)
$(B)/tidy/%: %.c $(B)/%.o .clang-tidy
	@mkdir -p $(@D)
	$(CLANG_TIDY) --quiet $< -- $(ALL_CFLAGS) 2>/dev/null
	@touch $@

# How each C file is compiled, in the format of clang's tools. Made anew at each
# call, as only make knows whether a flag has changed.
COMMA := ,
define NEWLINE


endef
command = {"directory": "$(CURDIR)", "file": "$1", "command": \
	"$(subst ",\",$(subst \,\\,$2)) -c $1"}
commands = $(foreach file,$1,$(call command,$(file),$2)$(COMMA)$(NEWLINE))
.PHONY: compile_commands.json
compile_commands.json: $(SKELETONS)
	$(file >$@,[$(call commands,$(LOADER_SRC),$(FLAGS_loader))\
		$(call commands,$(UNIT_SRC),$(FLAGS_unit))\
		$(call commands,$(FUZZ_SRC),$(FLAGS_fuzz))\
		$(call commands,bpf/capture.bpf.c,$(FLAGS_bpf))\
		$(call command,bpf/tunload.bpf.c,$(FLAGS_bpf))])
	@:

.PHONY: lint
lint:
	scripts/lint

.PHONY: clean
clean:
	rm -rf $(B)

-include $(LOADER_OBJ:.o=.d) $(HOST_OBJ:.o=.d) $(SKELETONS:.skel.h=.bpf.d)
-include $(shell find $(B)/unit $(B)/fuzz -name '*.d' 2>/dev/null)
