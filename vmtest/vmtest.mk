# SPDX-License-Identifier: GPL-2.0
# The same tests on real kernels, in virtual machines.

# Needs the skeleton and the probes, so it is linked with the project's own objects.
# Not a pattern: without a recipe it would be no rule.
$(O)/vmtest/verified.o: | $(SKELETON)
$(O)/vmtest/verified: $(O)/vmtest/verified.o $(LIB_OBJ)
	$(say) LINK $@
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

-include $(O)/vmtest/verified.d

# The machine with systemd gets what `make install` would put on it, linked statically, so that it
# runs there wherever it was built.
$(O)/tests/systemd/agent: tests/systemd/agent.c $(O)/flags
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE $(ALL_CFLAGS) $(ALL_LDFLAGS) $< -o $@

.PHONY: vmtest vmtest-systemd installed
installed:
	@$(MAKE) --no-print-directory O=$(O)/static STATIC=1 all $(O)/static/tests/systemd/agent
	@rm -rf $(O)/installed
	@$(MAKE) --no-print-directory O=$(O)/static STATIC=1 DESTDIR=$(abspath $(O))/installed PREFIX=/usr/local install >/dev/null

vmtest-systemd: installed
	@tests/deps build check vmtest
	@O=$(O) CASE='$(CASE)' vmtest/systemd

ifeq ($(KERNEL),systemd)
vmtest: vmtest-systemd
else
vmtest: ## the tests on kernels 5.10 to 7.3 (root; KERNEL=6.1 or systemd for one, CASE=pattern for some)
	@tests/deps build check vmtest
	@$(MAKE) --no-print-directory test-programs $(O)/vmtest/verified
	@O=$(O) CASE='$(CASE)' vmtest/run $(KERNEL)
endif
