# SPDX-License-Identifier: GPL-2.0
# The fuzzers: libFuzzer under the address and undefined-behaviour sanitizers, with clang.

FUZZ_SECONDS ?= 60
FUZZERS := $(O)/tests/fuzz/dns $(O)/tests/fuzz/policy
FUZZ_FLAGS := -std=gnu17 -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=all
FUZZ_POLICY_SRC := $(wildcard userspace/policy/*.c userspace/base/*.c userspace/config/*.c) \
	userspace/event/mask.c
FUZZ_HEADERS := $(wildcard bpf/*.h userspace/policy/*.h userspace/base/*.h userspace/config/*.h tests/unit/dns_reading.h)
SEEDS_OBJ := $(O)/tests/fuzz/seeds.o $(O)/tests/unit/dns_made.o $(O)/tests/unit/generate.o

$(O)/tests/fuzz/dns: tests/fuzz/dns.c $(FUZZ_HEADERS) $(O)/flags
	$(say) FUZZER $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_FLAGS) $< -o $@

$(O)/tests/fuzz/policy: tests/fuzz/policy.c $(FUZZ_POLICY_SRC) $(O)/gen/presets.inc $(FUZZ_HEADERS) $(O)/flags
	$(say) FUZZER $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) $(FUZZ_FLAGS) $< $(FUZZ_POLICY_SRC) $(LIBS) -o $@

$(O)/tests/fuzz/seeds: $(SEEDS_OBJ) $(LIB_OBJ)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -lcriterion -o $@

.PHONY: fuzz fuzzers
fuzzers: $(FUZZERS) $(O)/tests/fuzz/seeds

fuzz: fuzzers ## fuzz the readers of DNS, policies and configurations (FUZZ_SECONDS=60 in total)
	@O=$(O) tests/fuzz/run $(FUZZ_SECONDS)

-include $(O)/tests/fuzz/seeds.d
