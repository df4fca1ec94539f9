# Tests. tests/run decides what there is to run and counts it; here is what it
# needs built. tests/README.md says how a new test is added.
TESTS := $(BUILD)/tests
UNIT_PROGRAMS := $(patsubst tests/unit/%.c,$(TESTS)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ_NAMES := $(patsubst tests/fuzz/%/target.c,%,$(wildcard tests/fuzz/*/target.c))
REPLAY_PROGRAMS := $(patsubst %,$(TESTS)/fuzz/%,$(FUZZ_NAMES))
FUZZ_PROGRAMS := $(patsubst %,$(TESTS)/libfuzzer/%,$(FUZZ_NAMES))
HELPER_PROGRAMS := $(patsubst tests/helpers/%.c,$(TESTS)/helpers/%,$(wildcard tests/helpers/*.c))
FUZZ_SECONDS ?= 60

# Every archive may be asked for; the linker takes only what a test names. The
# launcher shares nothing but lib/ with the others, names included: its tests are
# the ones called launcher, fuzz targets' too.
TEST_ARCHIVES := $(if $(CLI_SRC),$(LIB_CLI)) $(if $(BUILDER_SRC),$(LIB_BUILDER)) \
	$(if $(MANAGER_SRC),$(LIB_MANAGER)) $(if $(NIXENV_SRC),$(LIB_NIXENV)) $(LIB_BASE)
LAUNCHER_ARCHIVES := $(LIB_LAUNCHER) $(LIB_BASE)
TEST_LIBS := -lseccomp -lcivetweb -ljansson -lcurl -lgit2 -larchive -lsodium -lsqlite3 -lnettle

link-test = @mkdir -p $(@D); $(if $(Q),echo "  link $@";) $(CC) $(CUV_LDFLAGS) $(1) -o $@ $(filter %.o,$^) \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group -Wl,--as-needed $(TEST_LIBS) -Wl,--no-as-needed $(2)

$(TESTS)/unit/test_launcher_%: $(OBJ)/tests/unit/test_launcher_%.o $(LAUNCHER_ARCHIVES)
	$(call link-test,,-lcmocka)
$(TESTS)/unit/%: $(OBJ)/tests/unit/%.o $(TEST_ARCHIVES)
	$(call link-test,,-lcmocka)
$(TESTS)/fuzz/launcher-%: $(OBJ)/tests/fuzz/launcher-%/target.o $(OBJ)/tests/fuzz/replay.o $(LAUNCHER_ARCHIVES)
	$(call link-test)
$(TESTS)/fuzz/%: $(OBJ)/tests/fuzz/%/target.o $(OBJ)/tests/fuzz/replay.o $(TEST_ARCHIVES)
	$(call link-test)
$(TESTS)/libfuzzer/launcher-%: $(OBJ)/tests/fuzz/launcher-%/target.o $(LAUNCHER_ARCHIVES)
	$(call link-test,-fsanitize=fuzzer)
$(TESTS)/libfuzzer/%: $(OBJ)/tests/fuzz/%/target.o $(TEST_ARCHIVES)
	$(call link-test,-fsanitize=fuzzer)
$(TESTS)/helpers/%: $(OBJ)/tests/helpers/%.o $(TEST_ARCHIVES)
	$(call link-test)

test-programs: $(UNIT_PROGRAMS) $(REPLAY_PROGRAMS) $(HELPER_PROGRAMS)
fuzz-programs: $(FUZZ_PROGRAMS)
.SECONDARY: $(patsubst $(TESTS)/%,$(OBJ)/tests/%.o,$(UNIT_PROGRAMS) $(HELPER_PROGRAMS)) \
	$(FUZZ_NAMES:%=$(OBJ)/tests/fuzz/%/target.o) $(OBJ)/tests/fuzz/replay.o

# The sanitizers get a build of their own beside the normal one.
ASAN := BUILD=$(BUILD)/asan SANITIZE=address,undefined
LIBFUZZER := BUILD=$(BUILD)/libfuzzer CC=clang SANITIZE=fuzzer-no-link,address,undefined

check: ## every test: installs what they need, builds, makes the store, prints the counts last
	$(Q)$(MAKE) --no-print-directory check-deps
	$(Q)$(MAKE) --no-print-directory all test-programs
	$(Q)$(MAKE) --no-print-directory $(ASAN) all test-programs
	$(Q)tests/run --build $(BUILD) --asan $(BUILD)/asan

check-full: ## the same with the long form of the tests in tests/fault, then check-v2 FULL=1 (two hours or so more)
	$(Q)CUVETTE_TEST_FULL=1 $(MAKE) --no-print-directory check
	$(Q)$(MAKE) --no-print-directory check-v2 FULL=1

reproduce: all ## images, zygotes and three environments twice in stores that differ in all that should not matter; compared
	$(Q)BUILD=$(BUILD) tests/reproduce/run

check-deps:
	$(Q)tools/deps run check

check-unit: test-programs ## units and fuzz corpora only: seconds, no root, no network
	$(Q)tests/run --build $(BUILD) unit fuzz tree

check-asan: ## units, corpora and one end-to-end round under ASan and UBSan
	$(Q)$(MAKE) --no-print-directory $(ASAN) all test-programs
	$(Q)tests/run --build $(BUILD) --asan $(BUILD)/asan unit-asan fuzz-asan api-asan

check-valgrind: test-programs ## units and corpora under valgrind
	$(Q)tests/run --build $(BUILD) --valgrind unit fuzz

check-fresh: ## the README's two commands in a newly made Debian 12 root (as root; FRESH=run: only `make run`)
	$(Q)tests/fresh/run $(or $(FRESH),all)

fuzz: ## each fuzz target for FUZZ_SECONDS (60), findings kept below build/
	$(Q)$(MAKE) --no-print-directory $(LIBFUZZER) fuzz-programs
	$(Q)tests/fuzz/run $(BUILD)/libfuzzer/tests/libfuzzer $(FUZZ_SECONDS)

.PHONY: check check-full reproduce check-deps check-unit check-asan check-valgrind check-fresh fuzz test-programs fuzz-programs

-include mk/bench.mk
