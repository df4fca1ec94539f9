# Installing what is needed, and trying it out.
deps: ## install the Debian packages that are missing (DEPS="run check" for those of the tests too)
	$(Q)tools/deps $(or $(DEPS),run)

run: ## all of it: packages, build, store, service on loopback, the sample request (PORT=8000, STATE=DIR)
	+$(Q)BUILD='$(BUILD)' MAKE='$(MAKE)' $(if $(findstring command,$(origin STATE)),CUVETTE_STATE='$(STATE)') tools/run

.PHONY: deps run
