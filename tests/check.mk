# SPDX-License-Identifier: GPL-2.0
# The tests and the demo. `make check` and `make demo` install what is missing, build, and run.

TALLY := MUST_RUN=$(MUST_RUN) O=$(O) BPFTOOL=$(BPFTOOL) tests/tally
HELPER_SRC := $(wildcard tests/agent/*.c tests/e2e/*.c tests/escape/*.c)
HELPERS := $(HELPER_SRC:%.c=$(O)/%)
SAN_UNIT := $(O)/san/tests/unit/unit
SUITES = unit bpf clangs e2e escape golden fuzz style vmtest

# Its entry runs before the C library does, so it must need no relocation and call nothing of it.
$(O)/tests/agent/worker: HELPER_FLAGS := -static -no-pie -fno-pie -fno-sanitize=all -fno-stack-protector \
	-fno-builtin -fno-tree-loop-distribute-patterns -Wl,-e,first_instruction
$(O)/tests/agent/listener: HELPER_FLAGS := -pthread
$(O)/tests/e2e/old_kernel: HELPER_FLAGS := -shared -fPIC

$(HELPERS): $(O)/%: %.c $(O)/flags
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE $(ALL_CFLAGS) $(ALL_LDFLAGS) $(HELPER_FLAGS) $< -o $@

.PHONY: deps demo check test-programs agent-programs san-unit $(SUITES:%=check-%)
deps: ## install the packages that building and testing need (Debian, Ubuntu; as root)
	@tests/deps build check

demo: ## show a job that is kept inside its policy (root; installs what is missing)
	@tests/deps build demo
	@$(MAKE) $(PARALLEL) all
	@O=$(O) tests/e2e/demo.sh

test-programs: all $(O)/tests/unit/unit $(O)/tests/bpf/bpf $(HELPERS)

agent-programs: $(filter $(O)/tests/agent/%,$(HELPERS))

san-unit:
	@$(MAKE) $(PARALLEL) O=$(O)/san SAN=1 $(SAN_UNIT)

check: ## run every test (root; installs what is missing; MUST_RUN=1: a skipped test has failed)
	@tests/deps build check vmtest
	@$(MAKE) $(PARALLEL) vmtest-programs fuzzers san-unit
	@$(TALLY) $(SUITES)

check-unit: $(O)/tests/unit/unit san-unit ## the modules one by one, also under the sanitizers (no root)
	@$(TALLY) unit

check-bpf: $(O)/tests/bpf/bpf ## the BPF programs on made-up packets (root)
	@$(TALLY) bpf

check-clangs: ## the BPF programs as the other installed versions of clang make them (root)
	@$(TALLY) clangs

check-e2e: all $(HELPERS) ## real traffic between network namespaces (root)
	@$(TALLY) e2e

check-escape: all $(HELPERS) ## known ways out of a guard, one a file (root)
	@$(TALLY) escape

check-golden: all ## the command line by example, its man pages and completions, what is installed
	@$(TALLY) golden

check-fuzz: fuzzers ## a minute of fuzzing: the readers of DNS, policies, configurations
	@$(TALLY) fuzz

check-vmtest: vmtest-programs ## a choice of the tests on kernels 5.10, 6.1 and 7.3 (root)
	@$(TALLY) vmtest

check-style: $(SKELETON) $(EXEC_SKELETON) $(O)/gen/presets.inc ## the house rules that a script can check, and clang-tidy
	@$(TALLY) style
