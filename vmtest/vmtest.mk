# SPDX-License-Identifier: GPL-2.0
# The same tests on real kernels, in virtual machines.

VMTEST_PROGRAMS := $(addprefix $(O)/vmtest/,verified features features.bpf.o)

# Needs the skeleton and the probes, so it is linked with the project's own objects. Not a pattern:
# without a recipe that would be no rule.
$(O)/vmtest/verified.o: | $(SKELETON)
$(O)/vmtest/verified: $(O)/vmtest/verified.o $(LIB_OBJ)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

$(O)/vmtest/features: $(O)/vmtest/features.o
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

$(O)/vmtest/features.bpf.o: vmtest/features.bpf.c $(O)/flags
	$(say) BPF $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

-include $(O)/vmtest/verified.d $(O)/vmtest/features.d

.PHONY: vmtest vmtest-programs
vmtest-programs: test-programs $(VMTEST_PROGRAMS)

ifeq ($(KERNEL),systemd)
vmtest: vmtest-systemd
else
vmtest: ## the tests on kernels 5.10 to 7.3 (root; KERNEL=6.1 or systemd for one, CASE=pattern for some)
	@tests/deps build check vmtest
	@$(MAKE) $(PARALLEL) vmtest-programs
	@O=$(O) CASE='$(CASE)' vmtest/run $(KERNEL)
endif
