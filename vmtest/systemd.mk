# SPDX-License-Identifier: GPL-2.0
# The machine with systemd gets what `make install` would put on it, linked statically, so that it
# runs there wherever it was built; and the stand-in for an agent.

.PHONY: vmtest-systemd installed
installed:
	@$(MAKE) $(PARALLEL) O=$(O)/static STATIC=1 all agent-programs
	@rm -rf $(O)/installed
	@$(MAKE) $(PARALLEL) O=$(O)/static STATIC=1 DESTDIR=$(abspath $(O))/installed PREFIX=/usr/local install >/dev/null

vmtest-systemd: ## installed, rebooted, used by an agent and uninstalled where systemd is PID 1 (root)
	@tests/deps build check vmtest
	@$(MAKE) $(PARALLEL) installed
	@O=$(O) CASE='$(CASE)' vmtest/systemd
