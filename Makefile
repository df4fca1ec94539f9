# Cuvette: a documented menu; the work is in mk/*.mk and tools/.
BUILD ?= build
Q := $(if $(V),,@)
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

include mk/flags.mk
include mk/build.mk
-include mk/image.mk
-include mk/run.mk
-include mk/tests.mk
-include mk/escape.mk
include mk/tools.mk

help: ## show this menu
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | sort -u | sed -E 's/:.*## /\t/' | expand -t 18

all: $(PROGRAMS) ## build into build/bin/

clean: ## remove what was built (never the store)
	rm -rf $(BUILD)

.PHONY: help all clean
