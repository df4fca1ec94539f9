# Hostile programs against a service, and the launcher on a kernel of today's
# kind: version 2 control groups only.
escape: all ## hostile programs, each watched (URL=http://… for a running service, NAMES="…" for a few)
	$(Q)$(if $(URL),,tools/image-store --quiet $(ESCAPE_STATE);) CUVETTE_BIN=$(BIN) \
		tests/sandbox/escape $(if $(URL),--url $(URL),--state $(ESCAPE_STATE)) $(NAMES)

# Closed folders above the tree would keep the service's own users out.
ESCAPE_STATE ?= $(if $(CUVETTE_STATE),$(CUVETTE_STATE),/var/tmp/cuvette-suite-$(shell id -u))

check-v2: $(BIN)/cuvette-launcher $(TESTS)/helpers/boxrun ## boot Debian's cloud kernel in QEMU, version 2 control groups only
	$(Q)tests/v2/run --build $(BUILD) $(if $(STORE),--store $(STORE))

.PHONY: escape check-v2
