# What is built from what. A folder's *.c is one unit; a new file needs no change here.
OBJ := $(BUILD)/obj
BIN := $(BUILD)/bin
VERSION := $(shell cat VERSION)

objs = $(patsubst %.c,$(OBJ)/%.o,$(1))

BASE_SRC := $(wildcard lib/base/*.c lib/proto/*.c)
NIXENV_SRC := $(wildcard nixenv/*.c)
BUILDER_SRC := $(wildcard nixenv/builder/*.c)
LAUNCHER_SRC := $(wildcard worker-image/launcher/*.c)
MANAGER_SRC := $(filter-out manager/main.c,$(wildcard manager/*.c manager/*/*.c))
CLI_SRC := $(wildcard cli/*.c)
# The pins of images and tools travel along: they say which store paths are ours.
PYTHON_PINS := $(wildcard worker-image/image/python3*.json)
RECIPES := $(wildcard nixenv/nix/*.nix nixenv/nix/*.py) nixenv/builder/pep517.py $(PYTHON_PINS) \
	$(wildcard worker-image/image/build-python3*.json) worker-image/image/tools.json

# The API's document, and the routes that it makes (manager/openapi/README.md).
OPENAPI := $(wildcard manager/openapi/*.json)
# The page at /, which travels in the manager.
PLAYGROUND := $(wildcard manager/playground/*)
# Which rules there are to choose from.
RUFF_RULES := manager/ruff/rules.txt
# Programs and a list of packages that the dialects' runs have.
DIALECT_FILES := manager/dialect/script.py manager/dialect/case.py manager/dialect/data-science.txt

LIB_BASE := $(BUILD)/libcuvette-base.a
LIB_NIXENV := $(BUILD)/libcuvette-nixenv.a
LIB_MANAGER := $(BUILD)/libcuvette-manager.a
# main() files are left out of what unit tests link.
LIB_BUILDER := $(BUILD)/libcuvette-builder.a
LIB_LAUNCHER := $(BUILD)/libcuvette-launcher.a
LIB_CLI := $(BUILD)/libcuvette-cli.a

PROGRAMS := $(BIN)/cuvette $(BIN)/cuvette-manager $(BIN)/cuvette-builder $(BIN)/cuvette-launcher

$(OBJ)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  cc $<")
	$(Q)$(CC) $(CUV_CFLAGS) -DCUV_VERSION='"$(VERSION)"' -c -o $@ $<

define archive
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) qcs $@ $^
endef

$(LIB_BASE): $(call objs,$(BASE_SRC))
	$(archive)
$(LIB_NIXENV): $(call objs,$(NIXENV_SRC)) $(BUILD)/pythons.o
	$(archive)
$(LIB_MANAGER): $(call objs,$(MANAGER_SRC)) $(BUILD)/openapi.o $(BUILD)/dialect_files.o $(BUILD)/ruff_rules.o $(BUILD)/playground.o
	$(archive)
$(LIB_BUILDER): $(call objs,$(filter-out nixenv/builder/main.c,$(BUILDER_SRC))) $(BUILD)/recipes.o
	$(archive)
$(LIB_LAUNCHER): $(call objs,$(filter-out worker-image/launcher/main.c,$(LAUNCHER_SRC))) $(BUILD)/deterministic.o
	$(archive)
$(LIB_CLI): $(call objs,$(filter-out cli/main.c,$(CLI_SRC)))
	$(archive)

# The Nix expressions and the installer travel inside the builder, so that a
# service needs no source tree; tools/embed writes them as C arrays.
$(BUILD)/recipes.c: $(RECIPES) tools/embed
	@mkdir -p $(@D)
	$(Q)tools/embed cuv_recipes $(RECIPES) > $@.tmp && mv $@.tmp $@
$(BUILD)/dialect_files.c: $(DIALECT_FILES) tools/embed
	@mkdir -p $(@D)
	$(Q)tools/embed cuv_dialect_files $(DIALECT_FILES) > $@.tmp && mv $@.tmp $@
$(BUILD)/deterministic.c: worker-image/launcher/deterministic.py tools/embed
	@mkdir -p $(@D)
	$(Q)tools/embed cuv_deterministic_files $< > $@.tmp && mv $@.tmp $@
$(BUILD)/playground.c: $(PLAYGROUND) tools/embed
	@mkdir -p $(@D)
	$(Q)tools/embed cuv_playground_files $(PLAYGROUND) > $@.tmp && mv $@.tmp $@
$(BUILD)/ruff_rules.c: $(RUFF_RULES) tools/embed
	@mkdir -p $(@D)
	$(Q)tools/embed cuv_ruff_rules $(RUFF_RULES) > $@.tmp && mv $@.tmp $@
# Which Pythons there are, from the same pins.
$(BUILD)/pythons.c: $(PYTHON_PINS) worker-image/image/pythons.json tools/pythons tools/image_common.py
	@mkdir -p $(@D)
	$(Q)tools/pythons > $@.tmp && mv $@.tmp $@
$(BUILD)/openapi.c $(BUILD)/openapi.json $(BUILD)/manager/openapi_routes.h &: $(OPENAPI) VERSION tools/openapi lib/base/error.h lib/proto/limits.h manager/keys.h
	@mkdir -p $(BUILD)/manager
	$(Q)tools/openapi --c $(BUILD)/openapi.c --json $(BUILD)/openapi.json --routes $(BUILD)/manager/openapi_routes.h $(OPENAPI)
$(OBJ)/manager/routes.o: $(BUILD)/manager/openapi_routes.h
$(BUILD)/recipes.o $(BUILD)/pythons.o $(BUILD)/openapi.o $(BUILD)/dialect_files.o \
	$(BUILD)/ruff_rules.o $(BUILD)/playground.o $(BUILD)/deterministic.o: %.o: %.c
	$(Q)$(CC) $(CUV_CFLAGS) -c -o $@ $<

link = @mkdir -p $(@D); $(if $(Q),echo "  link $@";) $(CC) $(CUV_LDFLAGS) -o $@ $(filter %.o %.a,$^)
# Static: it forks three times for each run, and fewer mappings make cheaper forks;
# and no shared object is ever loaded into a process with its rights.
LAUNCHER_STATIC ?= $(if $(SANITIZE),,-static-pie)
$(BIN)/cuvette-launcher: $(OBJ)/worker-image/launcher/main.o $(LIB_LAUNCHER) $(LIB_BASE)
	$(link) $(LAUNCHER_STATIC) -lsodium
$(BIN)/cuvette-builder: $(OBJ)/nixenv/builder/main.o $(LIB_BUILDER) $(LIB_NIXENV) $(LIB_BASE)
	$(link) -ljansson -lcurl -lgit2 -larchive -lsodium -lsqlite3
$(BIN)/cuvette-manager: $(OBJ)/manager/main.o $(LIB_MANAGER) $(LIB_NIXENV) $(LIB_BASE)
	$(link) -lcivetweb -ljansson -lseccomp -lsodium -lsqlite3 -larchive -lnettle
$(BIN)/cuvette: $(OBJ)/cli/main.o $(LIB_CLI) $(LIB_MANAGER) $(LIB_NIXENV) $(LIB_BASE)
	$(link) -ljansson -lcivetweb -lseccomp -lsodium -lsqlite3 -larchive -lnettle

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
