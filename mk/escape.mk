# Hostile programs against a service or launchers of their own, and the launcher on
# a kernel of today's kind: version 2 control groups only.
escape: all $(TESTS)/helpers/boxrun ## hostile programs, each watched (URL=http://… ISOLATION=strict|auto for a running service, NAMES="…" for a few, PATHS=cold,zygote,pool, SERVICE=1)
	$(Q)$(if $(URL),,tools/image-store --quiet $(ESCAPE_STATE);) CUVETTE_BIN=$(BIN) tests/sandbox/escape --plain \
		$(if $(URL),--url $(URL) $(if $(ISOLATION),--isolation $(ISOLATION)),--state $(ESCAPE_STATE) \
		$(if $(SERVICE),--service)) $(if $(PATHS),--paths $(PATHS)) $(NAMES)
	$(Q)$(if $(URL)$(NAMES),,CUVETTE_BIN=$(BIN) tests/sandbox/hostile_packages --plain --state $(ESCAPE_STATE))

# Closed folders above the tree would keep the service's own users out.
ESCAPE_STATE ?= $(if $(CUVETTE_STATE),$(CUVETTE_STATE),/var/tmp/cuvette-suite-$(shell id -u))

check-v2: $(BIN)/cuvette-launcher $(TESTS)/helpers/boxrun ## boot Debian's cloud kernel in QEMU, version 2 control groups only (FULL=1: the escape suite there too)
	$(Q)tests/v2/run --build $(BUILD) $(if $(STORE),--store $(STORE))
	$(Q)$(if $(FULL),tests/v2/run --build $(BUILD) $(if $(STORE),--store $(STORE)) --escape)

.PHONY: escape check-v2
