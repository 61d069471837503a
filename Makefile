# SPDX-License-Identifier: GPL-2.0-only
# make            the loader with its BPF object inside: build/tunload
# make check      all tests of the default tiers (needs root)
# make install    DESTDIR= PREFIX=/usr SYSCONFDIR=/etc
# make format     clang-format in place
#
# CLANG=clang-19 chooses another compiler for the BPF object, CC= for the rest.

CLANG ?= clang
BPFTOOL ?= bpftool
CC = gcc
PKG_CONFIG ?= pkg-config
CLANG_FORMAT ?= clang-format
B := build
VERSION := $(shell cat VERSION)

WARN := -Wall -Wextra -Werror
CFLAGS ?= -O2 -g
PKGS := libbpf inih libmnl jansson
ALL_CFLAGS = -std=gnu11 $(WARN) $(CFLAGS) -I$(B) -Iloader -D_GNU_SOURCE \
	-DVERSION='"$(VERSION)"' $(shell $(PKG_CONFIG) --cflags $(PKGS))
LDLIBS = $(shell $(PKG_CONFIG) --libs $(PKGS))
BPF_CFLAGS = -std=gnu11 $(WARN) -O2 -g -target bpf -mcpu=v3 \
	-D__TARGET_ARCH_x86 -I. $(shell $(PKG_CONFIG) --cflags libbpf)

# vmlinux.h and the programs' sources; header edits rebuild by the .d files.
LOADER_SRC := $(sort $(wildcard loader/*.c))
LOADER_OBJ := $(LOADER_SRC:%.c=$(B)/%.o)

.PHONY: all
all: $(B)/tunload

$(B)/tunload: $(LOADER_OBJ)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/loader/%.o: loader/%.c $(B)/tunload.skel.h VERSION Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tunload.bpf.o: bpf/tunload.bpf.c Makefile
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(B)/tunload.bpf.d -c -o $@ $<

$(B)/tunload.skel.h: $(B)/tunload.bpf.o
	$(BPFTOOL) gen skeleton $< name tunload_bpf > $@.tmp
	mv $@.tmp $@

.PHONY: format
format:
	$(CLANG_FORMAT) -i $$(git ls-files '*.c' '*.h' | grep -v '^vmlinux.h$$')

.PHONY: clean
clean:
	rm -rf $(B)

-include $(LOADER_OBJ:.o=.d) $(B)/tunload.bpf.d
