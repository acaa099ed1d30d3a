# SPDX-License-Identifier: GPL-2.0
# The same tests on real kernels, in virtual machines.

# Needs the skeleton and the probes, so it is linked with the project's own objects.
# Not a pattern: without a recipe it would be no rule.
$(O)/vmtest/verified.o: | $(SKELETON)
$(O)/vmtest/verified: $(O)/vmtest/verified.o $(LIB_OBJ)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

-include $(O)/vmtest/verified.d

.PHONY: vmtest
vmtest: ## the tests on kernels 5.10 to 7.3 (root; KERNEL=6.1 for one, CASE=pattern for some)
	@tests/deps build check vmtest
	@$(MAKE) --no-print-directory test-programs $(O)/vmtest/verified
	@O=$(O) CASE='$(CASE)' vmtest/run $(KERNEL)
