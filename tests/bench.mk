# SPDX-License-Identifier: GPL-2.0
# The budgets, measured. Not part of `make check`: a busy machine must not fail a build.

BENCH_SRC := $(sort $(wildcard tests/bench/*.c))
BENCH_OBJ := $(BENCH_SRC:%.c=$(O)/%.o)
# Names and prefixes beside the preset's.
BENCH_SIZES ?= 0 100000

$(BENCH_OBJ): | $(SKELETON)

$(O)/tests/bench/bench: $(BENCH_OBJ) $(LIB_OBJ)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

.PHONY: bench
bench: $(O)/tests/bench/bench all ## measure the budgets as ratios (root; some minutes on a quiet machine)
	$< $(BENCH_SIZES)
	/usr/bin/python3 tests/bench/daemon.py $(O)/buildfence

-include $(BENCH_OBJ:.o=.d)
