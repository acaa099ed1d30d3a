# SPDX-License-Identifier: GPL-2.0
# buildfence: one Makefile for everything. `make help` lists what it can do.
#
#   V=1        print every command
#   O=DIR      build into DIR (default: build)
#   SAN=1      address and undefined-behaviour sanitizers
#   STATIC=1   one static binary that runs on any distribution

MAKEFLAGS += --no-builtin-rules
# For a make on the way to something else: on all CPUs, unless make was told how many.
PARALLEL = --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
.SUFFIXES:
.DELETE_ON_ERROR:
SHELL := /bin/bash

O ?= build
CC ?= gcc
CLANG ?= clang
# Ubuntu's /usr/sbin/bpftool is a wrapper that only runs beside its own kernel.
BPFTOOL ?= $(firstword $(wildcard /usr/lib/linux-tools/*/bpftool) \
	$(shell command -v bpftool /usr/sbin/bpftool /sbin/bpftool 2>/dev/null) bpftool)
PKG_CONFIG ?= pkg-config
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo 0.1)

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-8s %s\n'
endif

# --- flags -------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wredundant-decls -Wvla -Werror
CPPFLAGS += -D_GNU_SOURCE -DBUILDFENCE_VERSION='"$(VERSION)"' \
	-DBUILDFENCE_SYSCONFDIR='"$(SYSCONFDIR)"' -Ibpf -Iuserspace -I$(O)/gen
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu17 $(WARNINGS) $(CFLAGS)
PACKAGES := libbpf libelf zlib yaml-0.1 jansson libidn2 libpsl libmd libcap-ng libseccomp
ifeq ($(SAN),1)
ALL_CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ALL_LDFLAGS += -fsanitize=address,undefined
endif
ifeq ($(STATIC),1)
ALL_LDFLAGS += -static
# libpsl's .pc file leaves libunistring before what needs it.
LIBS = -Wl,--start-group $(shell $(PKG_CONFIG) --static --libs $(PACKAGES)) -Wl,--end-group
else
LIBS = $(shell $(PKG_CONFIG) --libs $(PACKAGES))
endif

# -mcpu=v3 is what 5.10 knows. UAPI headers only: asm/ lives in the multiarch folder.
ARCH := $(shell uname -m)
BPF_ARCH := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(ARCH)))
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) -Ibpf \
	-idirafter /usr/include/$(ARCH)-linux-gnu -Wall -Wextra -Wno-unused-parameter -Werror

# --- what there is -----------------------------------------------------------------------------

# The object that defines the maps must be linked first. exec.bpf.c watches the machine and is no part of
# the guard: it has an object and a skeleton of its own.
BPF_SRC := bpf/maps.bpf.c $(sort $(filter-out bpf/maps.bpf.c bpf/exec.bpf.c,$(wildcard bpf/*.bpf.c)))
BPF_OBJ := $(BPF_SRC:%.c=$(O)/%.o)
OTHER_OBJ := $(BPF_SRC:%.c=$(O)/other/%.o)
SKELETON := $(O)/gen/buildfence.skel.h
EXEC_SKELETON := $(O)/gen/exec.skel.h
PRESETS := $(sort $(wildcard policy/*.yaml))

SRC := $(sort $(wildcard userspace/*.c userspace/*/*.c))
OBJ := $(SRC:%.c=$(O)/%.o)
LIB_OBJ := $(filter-out $(O)/userspace/main.o,$(OBJ))

UNIT_SRC := $(sort $(wildcard tests/unit/*.c))
BPFTEST_SRC := $(sort $(wildcard tests/bpf/*.c))
UNIT_OBJ := $(UNIT_SRC:%.c=$(O)/%.o)
# The generator of policies serves both binaries.
BPFTEST_OBJ := $(BPFTEST_SRC:%.c=$(O)/%.o) $(O)/tests/unit/generate.o

.PHONY: all help
all: $(O)/buildfence

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST)) $(wildcard tests/*.mk vmtest/*.mk)
	@printf '  %s\n' 'V=1 shows commands; O=DIR builds elsewhere; SAN=1 adds sanitizers; STATIC=1 links one portable binary'

# Rebuilds everything when a flag changes, and nothing when none does.
.PHONY: FORCE
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(CLANG) $(BPF_CFLAGS) $(STATIC)' | sed "s/'//g" | cmp -s - $@ || \
	printf '%s\n' '$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(CLANG) $(BPF_CFLAGS) $(STATIC)' | sed "s/'//g" >$@

# --- BPF ---------------------------------------------------------------------------------------

$(O)/bpf/%.bpf.o: bpf/%.bpf.c $(O)/flags
	$(say) BPF $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@
	$(Q)llvm-strip -g $@ 2>/dev/null || true

$(O)/gen/buildfence.bpf.o: $(BPF_OBJ)
	$(say) BPFLINK $@
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen object $@ $^

$(SKELETON): $(O)/gen/buildfence.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name buildfence_bpf >$@

$(EXEC_SKELETON): $(O)/bpf/exec.bpf.o
	$(say) SKEL $@
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name exec_bpf >$@

# The same programs with an instruction more each, for the tests of upgrades.
$(O)/other/bpf/%.bpf.o: bpf/%.bpf.c $(O)/flags
	$(say) BPF $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -DTEST_OTHER_BUILD -MMD -MP -c $< -o $@
	$(Q)llvm-strip -g $@ 2>/dev/null || true

$(O)/gen/other.bpf.o: $(OTHER_OBJ)
	$(say) BPFLINK $@
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen object $@ $^

$(O)/gen/other.skel.h: $(O)/gen/other.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name other_bpf >$@

$(O)/tests/bpf/upgrade.o: $(O)/gen/other.skel.h

# What the maps mean, as a hash of the text that says so, without comments and blanks: a guard takes
# over another's pinned maps only if the two agree. Not the preprocessor's output, which would change
# with the kernel's headers.
$(O)/gen/layout.h: bpf/abi.h bpf/maps.bpf.h
	$(say) GEN $@
	@mkdir -p $(@D)
	$(Q)hash=$$(cat $^ | tr -d '[:space:]' | sed -E 's#/\*[^*]*\*+([^/*][^*]*\*+)*/##g' | sha256sum) && \
	printf '#define GUARD_LAYOUT "%s"\n' $${hash%% *} >$@

# --- userspace ---------------------------------------------------------------------------------

# The presets are part of the binary: preset.c includes this list and each file with .incbin.
$(O)/gen/presets.inc: $(PRESETS) Makefile
	$(say) GEN $@
	@mkdir -p $(@D)
	$(Q)for f in $(PRESETS); do n=$$(basename $$f .yaml); printf 'PRESET("%s", %s, "%s")\n' $$n $${n//-/_} $$f; done >$@

$(O)/userspace/policy/preset.o: $(O)/gen/presets.inc
# Static rules: a pattern rule without a recipe would be no rule at all.
$(filter $(O)/userspace/watch/%,$(OBJ)) $(BPFTEST_OBJ): | $(EXEC_SKELETON)
$(filter $(O)/userspace/guard/%,$(OBJ)) $(BPFTEST_OBJ): | $(SKELETON) $(O)/gen/layout.h
$(O)/userspace/guard/takeover.o: $(O)/gen/layout.h

$(O)/%.o: %.c $(O)/flags
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(O)/buildfence: $(OBJ)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

$(O)/tests/unit/doctor.o: userspace/modprobe/buildfence.conf

$(O)/tests/unit/unit: $(UNIT_OBJ) $(LIB_OBJ)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -lcriterion -lldns -o $@

# calloc() can be made to fail there: tests/bpf/no_memory.c.
$(O)/tests/bpf/bpf: $(BPFTEST_OBJ) $(LIB_OBJ)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -Wl,--wrap=calloc $^ $(LIBS) -lcriterion -lpthread -o $@

-include $(OBJ:.o=.d) $(BPF_OBJ:.o=.d) $(OTHER_OBJ:.o=.d) $(O)/bpf/exec.bpf.d $(UNIT_OBJ:.o=.d) $(BPFTEST_OBJ:.o=.d)

# --- the rest ----------------------------------------------------------------------------------

.PHONY: install uninstall
install: all ## put everything in place (PREFIX=/usr/local, SYSCONFDIR=/etc, DESTDIR=)
	install -D -m 0755 $(O)/buildfence $(DESTDIR)$(PREFIX)/bin/buildfence
	install -d $(DESTDIR)$(PREFIX)/share/buildfence/policy
	install -m 0644 $(PRESETS) policy/README.md $(DESTDIR)$(PREFIX)/share/buildfence/policy/

uninstall: ## remove what install put in place
	rm -f $(DESTDIR)$(PREFIX)/bin/buildfence
	rm -rf $(DESTDIR)$(PREFIX)/share/buildfence

# Units of systemd, a drop-in for agents' units, and the generator that places it. A staged install
# (DESTDIR) touches no running system.
SYSTEMD_UNIT_DIR ?= $(PREFIX)/lib/systemd/system
SYSTEMD_GENERATOR_DIR ?= $(PREFIX)/lib/systemd/system-generators
placed = set -o pipefail; sed -e 's,@BINDIR@,$(PREFIX)/bin,g' -e 's,@SHAREDIR@,$(PREFIX)/share/buildfence,g' userspace/systemd/$(1).in \
	| install -D -m $(2) /dev/stdin $(DESTDIR)$(3)/$(1)
running_systemd = [ -z '$(DESTDIR)' ] && [ -d /run/systemd/system ]

.PHONY: install-units uninstall-units
install: install-units
install-units:
	$(call placed,buildfence.service,0644,$(SYSTEMD_UNIT_DIR))
	$(call placed,agent-required.conf,0644,$(PREFIX)/share/buildfence)
	$(call placed,agent-optional.conf,0644,$(PREFIX)/share/buildfence)
	$(call placed,buildfence-agents,0755,$(SYSTEMD_GENERATOR_DIR))
	if $(running_systemd); then systemctl daemon-reload && \
		echo 'then: systemctl enable buildfence && systemctl restart buildfence'; fi

# Stopping the daemon leaves its guards in force, so they are taken off too. Records stay.
uninstall: uninstall-units
uninstall-units:
	-if $(running_systemd); then systemctl disable --now buildfence.service; fi
	rm -f $(DESTDIR)$(SYSTEMD_UNIT_DIR)/buildfence.service $(DESTDIR)$(SYSTEMD_GENERATOR_DIR)/buildfence-agents
	if $(running_systemd); then systemctl daemon-reload; rm -rf /sys/fs/bpf/buildfence /run/buildfence; \
		echo 'nothing is guarded any more; records stay in /var/log/buildfence'; fi

.PHONY: clean
clean: ## remove what was built
	rm -rf $(O)

# The configuration is never written over, and only removed as it was installed; what rotates the
# records is not written over either, but goes with the unit that it reloads. The man pages stand
# beside the commands that they describe, since a test holds the two together; so do completions.
# modprobe's configuration is ours and always written: a new family in it must not be missed.
MAN_PAGES := $(sort $(wildcard userspace/man/*.[1-8]))
MAN_DIR ?= $(PREFIX)/share/man
BASH_COMPLETION_DIR ?= $(PREFIX)/share/bash-completion/completions
ZSH_COMPLETION_DIR ?= $(PREFIX)/share/zsh/site-functions
CONFIG := $(DESTDIR)$(SYSCONFDIR)/buildfence/config.yaml
LOGROTATE := $(DESTDIR)$(SYSCONFDIR)/logrotate.d/buildfence
MODPROBE_DIR ?= /etc/modprobe.d

.PHONY: install-files uninstall-files
install: install-files
install-files:
	test -e $(CONFIG) || install -D -m 0644 policy/config/config.yaml $(CONFIG)
	test -e $(LOGROTATE) || install -D -m 0644 userspace/systemd/buildfence.logrotate $(LOGROTATE)
	install -d $(DESTDIR)$(PREFIX)/share/buildfence/config
	install -m 0644 policy/config/config.yaml policy/config/README.md $(DESTDIR)$(PREFIX)/share/buildfence/config/
	$(foreach page,$(MAN_PAGES),install -D -m 0644 $(page) $(DESTDIR)$(MAN_DIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)) &&) true
	install -D -m 0644 userspace/completion/buildfence.bash $(DESTDIR)$(BASH_COMPLETION_DIR)/buildfence
	install -D -m 0644 userspace/completion/_buildfence $(DESTDIR)$(ZSH_COMPLETION_DIR)/_buildfence
	install -D -m 0644 userspace/modprobe/buildfence.conf $(DESTDIR)$(MODPROBE_DIR)/buildfence.conf

uninstall: uninstall-files
uninstall-files:
	if cmp -s policy/config/config.yaml $(CONFIG); then rm -f $(CONFIG) && rmdir --ignore-fail-on-non-empty $(dir $(CONFIG)); fi
	rm -f $(LOGROTATE)
	rm -f $(foreach page,$(MAN_PAGES),$(DESTDIR)$(MAN_DIR)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))
	rm -f $(DESTDIR)$(BASH_COMPLETION_DIR)/buildfence $(DESTDIR)$(ZSH_COMPLETION_DIR)/_buildfence
	rm -f $(DESTDIR)$(MODPROBE_DIR)/buildfence.conf

-include $(wildcard tests/*.mk vmtest/*.mk)
